"""The whole way on the embedded stack: configs in S3, and nobody presses a button."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest
import rdflib
import yaml

from sheaf.cli.demo import SITE_PORT
from sheaf.demo import RunningSite, demo_configs, expected, load_site, serve
from sheaf.demo.configs import site_sources
from sheaf.demo.report import sources_table, tenants_table
from sheaf.demo.way import Stack, embedded_stack, loaded_releases, upload, wait_until_followed
from sheaf.harvest.manifest import latest_harvest
from sheaf.release import build_release, published
from sheaf.release.record import RELEASE
from sheaf.settings import Settings, inherited_environment
from sheaf.store import MemoryStore, layout
from tests.unit.harvest_site import harvested, small_site

pytestmark = pytest.mark.e2e
TOP = Path(__file__).parents[2]
OFFSET = 20_300
FOLLOW_SECONDS = 280.0
NUMBERS = {
    "sources_config": {"sources", "active_sources", "warnings"},
    "tenants_config": {"tenants", "warnings"},
    "summoned": {"pages", "documents", "bytes", "seconds", "new", "changed", "unchanged", "gone", "failed"},
    "summoned_objects": {"written", "deleted", "unchanged", "seconds"},
    "release": {"documents", "quads", "bytes", "added", "changed", "removed", "left_out"},
    "release_summary": {"rows", "triples"},
    "published_release": {"moved", "documents", "quads"},
    "tenant_namespaces": {"namespaces", "created"},
    "tenant_graph": {"graphs", "triples", "graphs_added", "graphs_changed", "graphs_removed", "seconds"},
    "tenant_summary": {"graphs", "triples", "graphs_added", "graphs_changed", "graphs_removed", "seconds"},
}
METADATA = """query { assetNodes { assetKey { path } description groupName
  assetMaterializations(limit: 1) { metadataEntries { __typename label } } } }"""


def quietly(text: str) -> None:
    print(text)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """``make demo`` as a newcomer types it, on other ports and in a folder of its own; the folder is the stack's."""
    folder = tmp_path_factory.mktemp("data")
    env = {**inherited_environment(), "GLEANERIO_DATA_DIR": str(folder), "PORT_OFFSET": str(OFFSET)}
    command = ["make", "demo", "DEMO_EXIT=1"]
    done = subprocess.run(command, cwd=TOP, env=env, capture_output=True, text=True, timeout=400)
    return folder / "demo", done


@pytest.fixture(scope="module")
def site() -> Iterator[RunningSite]:
    with serve(load_site("demo"), port=SITE_PORT + OFFSET) as running:
        yield running


@pytest.fixture(scope="module")
def stack(demo: tuple[Path, subprocess.CompletedProcess[str]]) -> Iterator[Stack]:
    """The demo's stack once more, with the data that it left."""
    assert demo[1].returncode == 0, demo[1].stdout[-3_000:] + demo[1].stderr[-3_000:]
    with embedded_stack(Settings(data_dir=demo[0], port_offset=OFFSET)) as running:
        yield running


@pytest.fixture(scope="module")
def configs(site: RunningSite, stack: Stack) -> tuple[str, str]:
    """The demo's configs, uploaded once more, and everything followed."""
    texts = demo_configs(site.url)
    wait_until_followed(stack, upload(stack, *texts), FOLLOW_SECONDS, quietly)
    return texts


def until(what: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.5)
    return what()


def test_make_demo_ends_with_counts_losses_and_a_sparql_answer(
    demo: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    done = demo[1]
    assert done.returncode == 0, done.stdout[-3_000:] + done.stderr[-3_000:]
    told = ("brackish", "http_403_forbidden", "everything", "coastal", "Nitrogen Isotope Archive", "is stopped")
    assert [words for words in told if words not in done.stdout] == []


def test_a_restart_and_the_same_configs_again_change_nothing(stack: Stack, configs: tuple[str, str]) -> None:
    runs = [run for run in stack.dagster.runs() if run.job == "summon_and_release_job"]
    assert sorted(run.partition for run in runs) == sorted(
        ["nitrogen", "nitrogen2", "seamount", "brackish", "driftcore", "tidewatch"]
    )
    for source in {run.partition for run in runs}:
        assert len(list(stack.store.folders(layout.harvests_prefix(source)))) == 1


def test_an_upload_alone_harvests_releases_and_loads_everything_with_the_promised_counts(
    site: RunningSite, stack: Stack, configs: tuple[str, str]
) -> None:
    goal = upload(stack, *configs)
    assert sources_table(stack, site.site, goal, 0)[1] == []
    assert tenants_table(stack, goal)[1] == []
    coastal = {graph.split(":")[3] for graph in stack.graphs.graphs("coastal") if ":data:" in graph}
    assert coastal == {"nitrogen", "brackish", "tidewatch"}


def test_the_object_view_holds_each_current_document_once(stack: Stack, configs: tuple[str, str]) -> None:
    harvest = latest_harvest(stack.store, "nitrogen")
    assert harvest is not None
    keys = [info.key for info in stack.store.list(layout.summoned_prefix("nitrogen"))]
    assert len(keys) == harvest.documents == 40


def test_every_asset_reports_numbers_under_stable_names(stack: Stack, configs: tuple[str, str]) -> None:
    answer = httpx.post(f"{stack.settings.dagster_url}/graphql", json={"query": METADATA}, timeout=60).json()
    found = {}
    for node in answer["data"]["assetNodes"]:
        entries = [entry for event in node["assetMaterializations"] for entry in event["metadataEntries"]]
        found[node["assetKey"]["path"][-1]] = {
            entry["label"]
            for entry in entries
            if entry["__typename"] in ("IntMetadataEntry", "FloatMetadataEntry", "BoolMetadataEntry")
        }
        assert node["description"], node["assetKey"]["path"]
    assert {name: labels & found[name] for name, labels in NUMBERS.items()} == NUMBERS


def test_what_is_published_reads_the_same_in_an_independent_parser(stack: Stack, configs: tuple[str, str]) -> None:
    pointer = published(stack.store, "brackish")
    assert pointer is not None
    release = rdflib.Dataset()
    release.parse(data=stack.store.get(layout.latest_release("brackish")), format="nquads")
    graphs = {str(graph.identifier): len(graph) for graph in release.graphs() if ":data:" in str(graph.identifier)}
    assert (len(graphs), sum(graphs.values())) == (pointer.documents, pointer.quads)
    summary = rdflib.Graph().parse(data=stack.store.get(layout.published_summary("brackish")), format="turtle")
    named = set(summary.subjects(rdflib.URIRef("https://schema.org/name")))
    assert {str(subject) for subject in named} == set(graphs)
    assert len(summary) == pointer.summary_quads


def test_logs_and_results_of_the_jobs_are_kept(stack: Stack, configs: tuple[str, str]) -> None:
    logs = [info.key for info in stack.store.list(stack.settings.log_prefix)]
    kinds = {match.group(1, 2) for key in logs if (match := re.search(r"sch_(\w+?)_(summon|release)_\d{4}_", key))}
    assert {("nitrogen", "summon"), ("nitrogen2", "release"), ("driftcore", "summon")} <= kinds


def sheaf(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command as a person types it, beside the running stack."""
    return subprocess.run(
        [sys.executable, "-m", "sheaf.cli", *arguments],
        env={**inherited_environment(), "GLEANERIO_DATA_DIR": str(stack.settings.data_dir)},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_provider_learns_by_one_command_which_pages_fail_and_why(
    site: RunningSite, stack: Stack, configs: tuple[str, str]
) -> None:
    shown = sheaf(stack, "harvest", "show", "brackish", "--json")
    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout)["summary"]["reasons"]
    assert "http_403_forbidden" in shown.stdout
    page = sheaf(stack, "inspect", f"{site.url}/nitrogen/dataset/001")
    assert page.returncode in (0, 3), page.stderr
    report = sheaf(stack, "report", "source", "brackish")
    assert report.returncode == 0, report.stderr
    assert "http_500_server_error" in report.stdout


def test_a_bad_config_is_refused_in_the_tick_and_the_last_good_one_stays(
    stack: Stack, configs: tuple[str, str]
) -> None:
    sources, _ = configs
    key = layout.sources_config()
    before = published(stack.store, "nitrogen")
    try:
        stack.store.put(key, sources.replace("sourcetype: sitegraph", "sourcetype: sitegraf").encode())
        assert until(lambda: "sitegraf" in stack.dagster.last_tick("s3_config_source_sensor")[1], 60)
        said = stack.dagster.last_tick("s3_config_source_sensor")[1]
        assert re.search(r"gleanerconfig.yaml, line \d+, column \d+: source driftcore: sourcetype 'sitegraf'", said)
        assert "Did you mean sitegraph" in said
    finally:
        stack.store.put(key, sources.encode())
    assert published(stack.store, "nitrogen") == before


def test_a_tenants_changed_list_has_its_effect_by_itself(stack: Stack, configs: tuple[str, str]) -> None:
    sources, tenants = configs
    goal = upload(stack, sources, tenants.replace("[nitrogen, brackish, tidewatch]", "[nitrogen2, tidewatch]"))
    wait_until_followed(stack, goal, FOLLOW_SECONDS, quietly)
    coastal = {graph.split(":")[3] for graph in stack.graphs.graphs("coastal") if ":data:" in graph}
    assert coastal == {"nitrogen2", "tidewatch"}
    assert tenants_table(stack, goal)[1] == []


def test_a_sources_changed_settings_harvest_it_again_and_what_changed_travels_to_the_tenants(
    site: RunningSite, stack: Stack, configs: tuple[str, str]
) -> None:
    sources, tenants = configs
    before = {name: loaded_releases(stack, "everything", "everything").get(name) for name in ("nitrogen", "seamount")}
    site.set_day(1)
    changed = sources.replace("- name: nitrogen ", "- contact: data@example.org\n  name: nitrogen ", 1)
    goal = upload(stack, changed, tenants)
    wait_until_followed(stack, goal, FOLLOW_SECONDS, quietly)
    harvest, promised = latest_harvest(stack.store, "nitrogen"), expected(site.site, "nitrogen", 1)
    assert harvest is not None
    assert (harvest.documents, harvest.new, harvest.changed) == (promised.documents, promised.new, promised.changed)
    assert harvest.gone == promised.states["gone"] > 0
    after = loaded_releases(stack, "everything", "everything")
    assert after["nitrogen"] != before["nitrogen"]
    assert after["seamount"] == before["seamount"]
    assert tenants_table(stack, goal)[1] == []


def test_a_harvest_job_killed_in_the_middle_gives_the_release_of_an_undisturbed_one(
    stack: Stack, configs: tuple[str, str], tmp_path: Path
) -> None:
    sources, tenants = configs
    pages = [{"repeat": 400, "path": "/small/${nnn}", "dataset": "note", "visits": [{"delay": 0.05}]}]
    with serve(small_site(tmp_path, pages)) as small:
        added = yaml.safe_dump(site_sources(small.site, small.url))
        goal = upload(stack, sources + added, tenants)
        assert until(lambda: len(small.log) > 150, 120)
        jobs = [one for one in psutil.process_iter(["cmdline"]) if is_job(one, "summon", "small")]
        assert len(jobs) == 1
        jobs[0].kill()
        wait_until_followed(stack, goal, FOLLOW_SECONDS, quietly)
        undisturbed = MemoryStore()
        again = harvested(undisturbed, small)
        assert len({hit.path for hit in small.log if hit.path.startswith("/small/0")}) == 99
    wanted = build_release(undisturbed, goal.project.sources[-1], again.harvest_id, org=stack.settings.org)
    pointer = published(stack.store, "small")
    assert pointer is not None
    assert pointer.documents == 400
    assert pointer.content_sha256 == wanted.content_sha256
    assert gzip.decompress(
        undisturbed.get(layout.release_file("small", wanted.release_id, RELEASE))
    ) == stack.store.get(layout.latest_release("small"))


def is_job(process: psutil.Process, job: str, source: str) -> bool:
    command = process.info["cmdline"] or []
    return job in command and "sheaf.cli" in command and source in command


def test_no_secret_stands_in_the_runs_the_logs_or_the_bucket(stack: Stack, configs: tuple[str, str]) -> None:
    settings = stack.settings
    secrets = [
        secret.get_secret_value().encode()
        for secret in (settings.minio_secret_key, settings.graph_token, settings.minio_access_key)
    ]
    folder = Path(settings.data_dir)
    places = [*(folder / "logs").rglob("*"), *(folder / "dagster").rglob("*"), *(folder / "s3").rglob("*")]
    found = [str(path) for path in places if path.is_file() and any(secret in path.read_bytes() for secret in secrets)]
    assert found == []
