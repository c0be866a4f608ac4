"""A harvest of the scripted sites: every row of every day as the scripts say, and what must never happen."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from sheaf.config import load_sources
from sheaf.demo import RunningSite, expected, load_site, serve
from sheaf.errors import HarvestStopped, TemporaryFault
from sheaf.harvest import pages
from sheaf.harvest.breaker import SourceDown
from sheaf.harvest.documents import Document, DocumentRules, Trouble, read_page
from sheaf.harvest.engine import run_harvest
from sheaf.harvest.manifest import iter_texts, latest_harvest, read_manifest, read_summary
from sheaf.harvest.schema import HarvestSummary
from sheaf.settings import Settings
from sheaf.store import MemoryStore, layout
from tests.unit.harvest_site import harvested, project_of, rows_of, small_site

TEN = [{"repeat": 10, "path": "/small/${nnn}", "dataset": "note"}]


@pytest.fixture
def ten(tmp_path: Path) -> Iterator[RunningSite]:
    with serve(small_site(tmp_path / "site", TEN)) as running:
        yield running


def small(tmp_path: Path, pages: list[dict[str, Any]], **source: Any) -> Any:
    return serve(small_site(tmp_path / "site", pages, **source))


def texts_of(store: MemoryStore, summary: HarvestSummary) -> list[str]:
    batches = iter_texts(store, summary.source, summary.harvest_id)
    return sorted(text for batch in batches for text in batch["text"].to_pylist())


@pytest.mark.parametrize("name", ["demo", "fieldnotes"])
def test_every_row_of_the_scripted_site_is_as_its_script_says_on_each_day(name: str) -> None:
    site = load_site(name)
    store = MemoryStore()
    with serve(site) as running:
        project = project_of(running)

        def one(source_name: str, day: int) -> None:
            source = project.source(source_name)
            assert source is not None
            want = expected(site, source_name, day)
            try:
                summary = run_harvest(store, project, source, "sha", settings=Settings())
            except HarvestStopped:
                assert want.fails
                return
            rows = read_manifest(store, source_name, summary.harvest_id).to_pylist()
            found = {
                (r["url"][len(running.url) :], r["position"]): (r["state"], r["reason"], bool(r["sha256"]))
                for r in rows
            }
            assert found == {(r.path, r.position): (r.state, r.reason, bool(r.document)) for r in want.rows}
            assert (summary.urls, summary.documents, summary.new, summary.changed, summary.complete) == (
                want.urls, want.documents, want.new, want.changed, want.complete,
            )  # fmt: skip
            assert summary.counts == want.states

        for day in range(site.day_count):
            running.set_day(day)
            with ThreadPoolExecutor(6) as pool:
                list(pool.map(one, [source.name for source in project.sources], [day] * len(project.sources)))


def test_a_second_harvest_asks_conditionally_and_stores_nothing_new(ten: RunningSite) -> None:
    store = MemoryStore()
    first = harvested(store, ten)
    ten.forget()
    second = harvested(store, ten)
    pages = [hit for hit in ten.log if hit.path.startswith("/small/0")]
    assert {hit.status for hit in pages} == {304}
    assert second.counts == {"unchanged": 10}
    assert second.reasons == {"not_modified": 10}
    assert (second.new, second.changed, second.gone, second.documents) == (0, 0, 0, 10)
    assert second.previous == first.harvest_id
    assert texts_of(store, second) == texts_of(store, first)


def test_mode_full_asks_for_every_page_and_finds_that_nothing_changed(ten: RunningSite) -> None:
    store = MemoryStore()
    first = harvested(store, ten)
    ten.forget()
    second = harvested(store, ten, mode="full")
    assert {hit.status for hit in ten.log if hit.path.startswith("/small/0")} == {200}
    assert second.reasons == {"same_content": 10}
    before, after = rows_of(store, first), rows_of(store, second)
    assert {key: row["stored_at"] for key, row in before.items()} == {
        key: row["stored_at"] for key, row in after.items()
    }


def test_another_identifier_type_reads_every_page_again(ten: RunningSite) -> None:
    store = MemoryStore()
    harvested(store, ten, config={"identifiertype": "identifiersha"})
    second = harvested(store, ten, config={"identifiertype": "filesha"})
    rows = rows_of(store, second).values()
    assert {row["identifier_type"] for row in rows} == {"filesha"}
    assert {row["status"] for row in rows} == {200}


def test_a_page_whose_lastmod_did_not_move_is_not_asked_for_when_the_source_says_so(tmp_path: Path) -> None:
    pages = [{"repeat": 3, "path": "/small/${nnn}", "dataset": "note", "lastmod": "2024-05-05"}]
    store = MemoryStore()
    with small(tmp_path, pages) as running:
        harvested(store, running, config={"trust_lastmod": True})
        running.forget()
        second = harvested(store, running, config={"trust_lastmod": True})
        assert [hit.path for hit in running.log if hit.path.startswith("/small/0")] == []
    assert second.reasons == {"same_lastmod": 3}
    assert second.documents == 3


def test_a_harvest_that_finds_no_page_fails_and_the_last_good_one_stays(tmp_path: Path) -> None:
    days = {1: {"quirks": ["empty"]}}
    store = MemoryStore()
    with small(tmp_path, TEN, listings=[{"path": "/small/sitemap.xml", "days": days}]) as running:
        good = harvested(store, running)
        running.set_day(1)
        with pytest.raises(SourceDown, match="lists no page") as caught:
            harvested(store, running)
    assert caught.value.reason == "sitemap_empty"
    latest = latest_harvest(store, "small")
    assert latest is not None
    assert latest.harvest_id == good.harvest_id


def test_a_sitemap_that_is_down_for_an_hour_deletes_nothing_and_is_worth_another_try(tmp_path: Path) -> None:
    days = {1: {"answer": {"status": 500}}}
    store = MemoryStore()
    with small(tmp_path, TEN, listings=[{"path": "/small/sitemap.xml", "days": days}]) as running:
        harvested(store, running, config={"retries": 0})
        running.set_day(1)
        with pytest.raises(SourceDown) as caught:
            harvested(store, running, config={"retries": 0})
        assert caught.value.passing
        running.set_day(0)
        assert harvested(store, running).documents == 10


def test_pages_without_a_single_document_are_a_failure(tmp_path: Path) -> None:
    pages = [{"repeat": 3, "path": "/small/${nnn}", "title": "nothing"}]
    with small(tmp_path, pages) as running, pytest.raises(SourceDown, match="not one page of small has") as caught:
        harvested(MemoryStore(), running)
    assert not caught.value.passing


def test_the_breaker_stops_a_source_whose_first_pages_all_fail_and_says_so_in_a_summary(tmp_path: Path) -> None:
    pages = [{"repeat": 40, "path": "/small/${nnn}", "dataset": "note", "days": {1: {"status": 500}}}]
    store = MemoryStore()
    with small(tmp_path, pages) as running:
        good = harvested(store, running)
        running.set_day(1)
        running.forget()
        with pytest.raises(SourceDown, match="the first 5 pages all failed") as caught:
            harvested(store, running, config={"retries": 0, "threads": 1, "breaker": {"first": 5}})
        assert len([hit for hit in running.log if hit.path.startswith("/small/0")]) == 5
    assert caught.value.passing
    stopped = [h for h in store.folders(layout.harvests_prefix("small")) if h != good.harvest_id]
    assert "breaker_open" in read_summary(store, "small", stopped[0]).stopped
    latest = latest_harvest(store, "small")
    assert latest is not None
    assert latest.harvest_id == good.harvest_id


def test_the_breaker_opens_when_more_than_the_share_fails(tmp_path: Path) -> None:
    pages = [
        {"repeat": 20, "path": "/small/${nnn}", "dataset": "note"},
        {"repeat": 30, "start": 21, "path": "/small/${nnn}", "status": 404},
    ]
    breaker = {"first": 50, "share": 0.25, "after": 20}
    with small(tmp_path, pages) as running, pytest.raises(SourceDown, match="more than the 25% that"):
        harvested(MemoryStore(), running, config={"threads": 1, "breaker": breaker})


def test_a_source_that_shrinks_too_far_keeps_its_pages_until_a_person_agrees(tmp_path: Path) -> None:
    pages = [
        {"repeat": 2, "path": "/small/${nnn}", "dataset": "note"},
        {"repeat": 8, "start": 3, "path": "/small/${nnn}", "dataset": "note", "days": {1: {"listed": False}}},
    ]
    store = MemoryStore()
    with small(tmp_path, pages) as running:
        harvested(store, running)
        running.set_day(1)
        kept = harvested(store, running)
        assert (kept.shrink, kept.documents, kept.gone) == (8, 10, 0)
        assert kept.lossy
        agreed = harvested(store, running, agree_to_shrink=True)
    assert (agreed.shrink, agreed.documents, agreed.gone) == (0, 2, 8)


def test_limit_and_only_make_a_partial_harvest_that_is_never_the_latest(ten: RunningSite) -> None:
    store = MemoryStore()
    limited = harvested(store, ten, limit=3)
    only = harvested(store, ten, only=[f"{ten.url}/small/007"])
    assert (limited.partial, limited.documents) == (True, 3)
    assert (only.partial, only.documents, only.urls) == (True, 1, 1)
    assert latest_harvest(store, "small") is None
    assert harvested(store, ten).documents == 10


def test_a_page_that_fails_keeps_its_copy_with_its_validators_and_comes_back_unchanged(tmp_path: Path) -> None:
    pages = [
        *TEN,
        {"path": "/small/flaps", "start": 11, "dataset": "note", "days": {1: {"status": 500}, 2: {"status": 200}}},
    ]
    store = MemoryStore()
    with small(tmp_path, pages) as running:
        first = rows_of(store, harvested(store, running))["/small/flaps", 0]
        running.set_day(1)
        second = rows_of(store, harvested(store, running, config={"retries": 0}))["/small/flaps", 0]
        running.set_day(2)
        third = rows_of(store, harvested(store, running))["/small/flaps", 0]
    assert (second["state"], second["reason"], second["status"]) == ("failed", "http_500_server_error", 500)
    assert second["sha256"] == first["sha256"]
    assert (third["state"], third["reason"]) == ("unchanged", "not_modified")
    assert third["stored_at"] == first["stored_at"]


def test_a_private_address_in_a_sitemap_is_refused_with_its_reason(tmp_path: Path) -> None:
    pages = [*TEN, {"path": "/small/away", "redirect": "http://169.254.169.254/latest/meta-data"}]
    store = MemoryStore()
    with small(tmp_path, pages) as running:
        row = rows_of(store, harvested(store, running))["/small/away", 0]
    assert (row["state"], row["reason"]) == ("failed", "blocked_address")


def test_the_user_agent_says_who_we_are_and_where_to_complain(ten: RunningSite) -> None:
    harvested(MemoryStore(), ten, config={"contact": "data@example.org"})
    agents = {hit.headers["user-agent"] for hit in ten.log}
    assert len(agents) == 1
    assert agents.pop().startswith("EarthCube_DataBot/")
    assert all("data@example.org" in hit.headers["user-agent"] for hit in ten.log)


def test_one_source_is_harvested_by_one_job_at_a_time(ten: RunningSite) -> None:
    store = MemoryStore()
    project = load_sources(
        b"sources:\n- {name: small, url: '%s/small/sitemap.xml', delay: 50}\n" % ten.url.encode()
    ).config
    outcomes: list[str] = []

    def one(_: int) -> None:
        try:
            run_harvest(store, project, project.sources[0], "sha", settings=Settings())
            outcomes.append("done")
        except TemporaryFault as fault:
            outcomes.append(str(fault))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(one, range(2)))
    assert outcomes.count("done") == 1
    assert "harvest" in next(said for said in outcomes if said != "done")
    assert store.stat(layout.harvest_lease("small")) is None


def test_a_fault_of_ours_costs_one_page_and_keeps_its_last_good_copy(
    ten: RunningSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumbling(body: bytes, content_type: str, url: str, rules: DocumentRules) -> list[Document | Trouble]:
        if url.endswith("/003"):
            raise ZeroDivisionError("a riddle")
        return read_page(body, content_type, url, rules)

    store = MemoryStore()
    harvested(store, ten)
    monkeypatch.setattr(pages, "read_page", stumbling)
    second = harvested(store, ten, mode="full")
    row = rows_of(store, second)["/small/003", 0]
    assert (row["state"], row["reason"], row["detail"]) == ("failed", "internal_error", "ZeroDivisionError: a riddle")
    assert (second.counts, second.documents) == ({"failed": 1, "unchanged": 9}, 10)


def test_addresses_that_are_no_urls_cost_only_themselves(ten: RunningSite) -> None:
    store = MemoryStore()
    bad = ["http://[broken/", "http:///nohost", "ftp://example.org/x", "http://exa mple.org/"]
    only = [f"{ten.url}/small/001", *bad]
    summary = harvested(store, ten, only=only, config={"rude": True, "contact": "a@example.org", "delay": 1})
    assert summary.counts == {"failed": 4, "stored": 1}
    assert set(summary.reasons) <= {"bad_url", "bad_scheme", "dns_error"}


def test_the_robots_txt_that_the_config_names_rules_the_pages_of_the_source(ten: RunningSite, tmp_path: Path) -> None:
    site = small_site(tmp_path / "other", TEN)
    closed = site.model_copy(update={"robots": "User-agent: *\nDisallow: /small/004\n"})
    with serve(closed) as elsewhere:
        summary = harvested(MemoryStore(), ten, config={"domain": elsewhere.url})
    assert summary.reasons == {"robots_disallowed": 1}
    assert ten.hits("/robots.txt") == 0
