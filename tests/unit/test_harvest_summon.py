"""The harvest job and its commands: exit codes, results, leases, progress, provenance, show, diff, inspect."""

from __future__ import annotations

import io
import json
import os
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyoxigraph as ox
import pytest
from click.testing import CliRunner

from sheaf.cli import cli
from sheaf.cli import harvest as commands
from sheaf.config import Source, accept_sources
from sheaf.demo import RunningSite, serve
from sheaf.demo.configs import site_configs
from sheaf.errors import TemporaryFault
from sheaf.harvest import lease as leases
from sheaf.harvest.difference import difference
from sheaf.harvest.lease import Lease
from sheaf.harvest.progress import Progress
from sheaf.harvest.provenance import org_quads, prov_jsonld, prov_quads
from sheaf.jobs.reporting import ProgressReport
from sheaf.jobs.results import read_result
from sheaf.jobs.summon import summon_job
from sheaf.settings import Settings
from sheaf.store import MemoryStore, layout
from tests.unit.harvest_site import harvested, small_site

PAGES = [
    {"repeat": 6, "path": "/small/${nnn}", "dataset": "note"},
    {"path": "/small/007", "start": 7, "dataset": "note", "days": {1: {"set": {"name": "Changed"}}}},
    {"path": "/small/008", "start": 8, "dataset": "note", "days": {1: {"status": 404}, 2: {"status": 200}}},
    {"path": "/small/009", "start": 9, "dataset": "note", "days": {1: {"present": False}}},
    {"path": "/small/010", "start": 10, "dataset": "note", "present": False, "days": {1: {"present": True}}},
]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningSite]:
    with serve(small_site(tmp_path / "site", PAGES)) as site:
        yield site


@pytest.fixture
def store(running: RunningSite) -> MemoryStore:
    made = MemoryStore()
    accept_sources(made, site_configs(running.site, running.url)[0].encode(), Settings())
    return made


# --- the job ------------------------------------------------------------------------------------------------------


def test_a_harvest_without_losses_ends_with_0_and_says_what_it_did(running: RunningSite, store: MemoryStore) -> None:
    assert summon_job(Settings(), "small", None, "job-1", store=store) == 0
    result = read_result(store, "job-1")
    assert result is not None
    assert result.numbers["documents"] == result.numbers["urls"] == result.numbers["state_stored"] == 9
    assert store.stat(layout.harvest_summary("small", result.harvest_id)) is not None
    assert b"https://gleaner.io/id/org/small" in store.get(layout.org("small"))


def test_losses_end_with_3_and_are_counted_by_reason(running: RunningSite, store: MemoryStore) -> None:
    running.set_day(1)
    assert summon_job(Settings(), "small", None, "job-1", store=store) == 3
    result = read_result(store, "job-1")
    assert result is not None
    assert result.numbers["reason_http_404_not_found"] == 1


def test_a_source_that_is_down_ends_with_75_and_an_unknown_one_with_2(running: RunningSite, store: MemoryStore) -> None:
    running.stop()
    text = b"sources:\n- {name: small, url: '%s/small/sitemap.xml', retries: 0}\n" % running.url.encode()
    accept_sources(store, text, Settings())
    assert summon_job(Settings(), "small", None, "job-1", store=store) == 75
    assert summon_job(Settings(), "smell", None, "job-2", store=store) == 2
    unknown = read_result(store, "job-2")
    assert unknown is not None
    assert "Did you mean small?" in unknown.message


def test_the_version_of_the_config_that_was_asked_for_is_used(running: RunningSite, store: MemoryStore) -> None:
    text = b"sources:\n- {name: small, url: 'http://127.0.0.1:1/gone.xml', retries: 0}\n"
    older = json.loads(store.get(layout.accepted_config("sources")))["sha256"]
    accept_sources(store, text, Settings())
    assert summon_job(Settings(), "small", older, "job-1", store=store) == 0


# --- leases -------------------------------------------------------------------------------------------------------


def held(store: MemoryStore, **mark: object) -> None:
    whole = {"job": "other", "host": socket.gethostname(), "pid": os.getpid(), "born": leases._born(os.getpid()),
             "nonce": "x", "heartbeat": time.time(), **mark}  # fmt: skip
    store.put(layout.harvest_lease("small"), json.dumps(whole).encode())


def test_a_live_holder_keeps_its_source() -> None:
    store = MemoryStore()
    held(store)
    with pytest.raises(TemporaryFault, match="job other"), Lease(store, "small", "mine"):
        raise AssertionError("the lease was given away")
    held(store, host="elsewhere", pid=1)
    with pytest.raises(TemporaryFault, match="elsewhere"), Lease(store, "small", "mine"):
        raise AssertionError("the lease was given away")


@pytest.mark.parametrize(
    "mark",
    [{"pid": 2**22 + 1, "born": "123"}, {"born": "123"}, {"host": "elsewhere", "heartbeat": 0.0}],
    ids=["dead process", "another process with its number", "no heartbeat for long"],
)
def test_a_dead_holder_is_taken_over(mark: dict[str, object]) -> None:
    store = MemoryStore()
    held(store, **mark)
    with Lease(store, "small", "mine"):
        assert json.loads(store.get(layout.harvest_lease("small")))["job"] == "mine"
    assert store.stat(layout.harvest_lease("small")) is None


def test_whoever_lost_the_lease_notices_and_leaves_the_others_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "HEARTBEAT_SECONDS", 0.02)
    store = MemoryStore()
    with Lease(store, "small", "mine") as lease:
        held(store, nonce="theirs")
        deadline = time.monotonic() + 5
        while not lease.lost and time.monotonic() < deadline:
            time.sleep(0.01)
        assert lease.lost
    assert json.loads(store.get(layout.harvest_lease("small")))["nonce"] == "theirs"


# --- progress -----------------------------------------------------------------------------------------------------


def test_the_progress_line_says_done_total_rate_and_time_left() -> None:
    now = [0.0]
    progress = Progress(clock=lambda: now[0])
    now[0] = 5.0
    progress.listed, progress.done, progress.failed = 11_333, 1_200, 3
    assert progress.line() == "1,200 of 11,333+ pages, 240/s, ETA 0:42, 3 failed"
    progress.listing = False
    assert progress.line() == "1,200 of 11,333 pages (10 %), 240/s, ETA 0:42, 3 failed"


def test_a_log_gets_lines_and_no_bar() -> None:
    log = io.StringIO()
    progress = Progress()
    with ProgressReport(progress, log, seconds=0.01):
        progress.listed, progress.listing = 2, False
        time.sleep(0.05)
        progress.done = 2
    lines = log.getvalue().splitlines()
    assert lines[-1].startswith("2 of 2 pages (100 %)")
    assert "\x1b" not in log.getvalue()


# --- provenance ---------------------------------------------------------------------------------------------------

ROW = {"id": "abc", "url": "https://e.org/a b?x=<1>", "stored_at": datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)}
IRIS = Source(name="iris", url="https://e.org/sitemap.xml", propername='The "IRIS"\n', pid="https://doi.org/10.1/x y")


def test_provenance_is_valid_rdf_under_the_names_of_the_contract() -> None:
    quads = list(ox.parse("".join(prov_quads(ROW, "org", IRIS)), ox.RdfFormat.N_QUADS))
    assert {str(quad.graph_name) for quad in quads} == {"<urn:gleaner.io:org:iris:prov:abc>"}
    generated = [q for q in quads if q.predicate.value == "http://www.w3.org/ns/prov#generated"]
    assert [str(q.object) for q in generated] == ["<urn:gleaner.io:org:iris:data:abc>"]
    ended = [q.object for q in quads if q.predicate.value.endswith("endedAtTime")]
    assert [str(one) for one in ended] == ['"2026-01-02T03:04:05Z"^^<http://www.w3.org/2001/XMLSchema#dateTime>']
    assert len(quads) == 14


def test_the_provenance_object_says_the_same_as_the_quads() -> None:
    text = json.dumps(prov_jsonld({**ROW, "url": "https://e.org/a"}, "org", IRIS))
    triples = {(str(q.subject), str(q.predicate), str(q.object)) for q in ox.parse(text, ox.RdfFormat.JSON_LD)}
    lines = "".join(prov_quads({**ROW, "url": "https://e.org/a"}, "org", IRIS))
    assert len(triples) == len(list(ox.parse(lines, ox.RdfFormat.N_QUADS)))


def test_the_organization_has_its_pid_only_when_it_has_one() -> None:
    with_pid = list(ox.parse("".join(org_quads("org", IRIS)), ox.RdfFormat.N_QUADS))
    without = list(ox.parse("".join(org_quads("org", Source(name="x", url="https://e.org/"))), ox.RdfFormat.N_QUADS))
    assert (len(with_pid), len(without)) == (8, 3)
    assert {str(quad.graph_name) for quad in with_pid} == {"<urn:gleaner.io:org:orgs:iris>"}


# --- for people ---------------------------------------------------------------------------------------------------


def test_the_difference_names_what_is_new_changed_gone_failing_and_well_again(running: RunningSite) -> None:
    store = MemoryStore()
    harvested(store, running)
    running.set_day(1)
    harvested(store, running)
    found = difference(store, "small")
    names = ("new", "changed", "gone", "failing")
    paths = {name: [url.rpartition("/")[2] for url in getattr(found, name)] for name in names}
    assert paths == {"new": ["010"], "changed": ["007"], "gone": ["009"], "failing": ["008"]}
    assert found.unchanged == 7
    running.set_day(2)
    harvested(store, running)
    assert [url.rpartition("/")[2] for url in difference(store, "small").recovered] == ["008"]


def test_show_diff_and_objects_print_for_people_and_for_scripts(
    running: RunningSite, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "open_store", lambda settings: store)
    summon_job(Settings(), "small", None, "job-1", store=store)
    running.set_day(1)
    summon_job(Settings(), "small", None, "job-2", store=store)
    runner = CliRunner()
    shown = runner.invoke(cli, ["harvest", "show", "small"], catch_exceptions=False).output
    assert "failed, http_404_not_found: the page does not exist (404)" in shown
    assert f"{running.url}/small/008" in shown
    as_json = json.loads(runner.invoke(cli, ["harvest", "show", "small", "--json"], catch_exceptions=False).output)
    assert as_json["summary"]["counts"] == {"failed": 1, "gone": 1, "stored": 2, "unchanged": 6}
    differing = json.loads(runner.invoke(cli, ["harvest", "diff", "small", "--json"], catch_exceptions=False).output)
    assert differing["counts"]["changed"] == 1
    made = runner.invoke(cli, ["harvest", "objects", "small"], catch_exceptions=False).output
    assert made.startswith("small: 9 objects written")
    checked = runner.invoke(cli, ["harvest", "objects", "small", "--verify", "--json"], catch_exceptions=False).output
    assert json.loads(checked)["unchanged"] == 9


def test_inspect_does_for_one_page_what_a_harvest_does(running: RunningSite, store: MemoryStore) -> None:
    summon_job(Settings(), "small", None, "job-1", store=store)
    url = f"{running.url}/small/001"
    output = CliRunner().invoke(cli, ["inspect", url, "--json"], catch_exceptions=False).output
    seen = json.loads(output)
    assert seen["verdict"] == "stored: 1 document"
    assert seen["items"][0]["matched_string"] == "[https://doi.org/10.5072/small.001]"
    assert "https://schema.org/name" in seen["items"][0]["nquads"]
    text = CliRunner().invoke(cli, ["inspect", f"{running.url}/nothing"], catch_exceptions=False).output
    assert "verdict     failed: http_404_not_found" in text
