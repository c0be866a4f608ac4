"""The OBIS corpus, one page a file, behind nginx: through Dagster on the embedded stack into one tenant."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from benchmarks.harvest import write_site
from sheaf.demo.way import Stack, embedded_stack, upload, wait_until_followed
from sheaf.harvest.manifest import latest_harvest, local_manifest
from sheaf.release import published, read_release
from sheaf.settings import Settings
from sheaf.store import layout
from tests import parts

pytestmark = pytest.mark.part("nginx")
CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "obis.tar.gz"
PAGES, DOCUMENTS, QUADS = 11_333, 8_351, 389_414  # two independent programs agree on these
OFFSET = 20_700
SOURCES = """\
summoner: {{mode: diff, threads: 20}}
sources:
- name: obis
  propername: Ocean Biodiversity Information System
  url: {url}/sitemap.xml
"""
TENANTS = """\
tenant:
- community: ocean
  graph: {main_namespace: ocean, summary_namespace: ocean_summary}
  sources: [obis]
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("obis")
    with parts.nginx(folder, f"root {folder}/www;") as url:
        assert write_site(folder, CORPUS, PAGES, url) == PAGES
        settings = Settings(data_dir=folder / "data", port_offset=OFFSET)
        with embedded_stack(settings) as running:
            goal = upload(running, SOURCES.format(url=url), TENANTS)
            wait_until_followed(running, goal, 400, print)
            yield running


def test_each_page_is_accounted_for_in_the_manifest(stack: Stack) -> None:
    harvest = latest_harvest(stack.store, "obis")
    assert harvest is not None
    assert (harvest.urls, harvest.documents, harvest.counts) == (PAGES, DOCUMENTS, {"stored": PAGES})
    with local_manifest(stack.store, "obis", harvest.harvest_id) as path:
        rows = duckdb.sql(f"SELECT count(*), count(DISTINCT url), count(DISTINCT id) FROM '{path}'").fetchall()[0]
    assert rows == (PAGES, PAGES, DOCUMENTS)


def test_the_release_and_the_tenant_hold_the_documents_and_quads_that_two_programs_agree_on(stack: Stack) -> None:
    pointer = published(stack.store, "obis")
    assert pointer is not None
    release = read_release(stack.store, "obis", pointer.release_id)
    assert (release.documents, release.quads, release.left_out) == (DOCUMENTS, QUADS, 0)
    graphs = {graph for graph in stack.graphs.graphs("ocean") if ":obis:data:" in graph}
    assert len(graphs) == DOCUMENTS
    query = 'SELECT (COUNT(*) AS ?n) WHERE { GRAPH ?g { ?s ?p ?o } FILTER(CONTAINS(STR(?g), ":obis:data:")) }'
    counted = stack.graphs.query("ocean", query)["results"]["bindings"][0]["n"]["value"]
    assert int(counted) == QUADS


def test_the_object_view_holds_every_document(stack: Stack) -> None:
    assert sum(1 for _ in stack.store.list(layout.summoned_prefix("obis"))) == DOCUMENTS


STEPS = (
    ("summoned", "obis"),
    ("summoned_objects", "obis"),
    ("release", "obis"),
    ("published_release", "obis"),
    ("tenant_graph", "ocean"),
    ("tenant_summary", "ocean"),
)


def test_each_step_says_its_time_and_its_peak_memory(stack: Stack) -> None:
    for asset, partition in STEPS:
        numbers = stack.dagster.numbers(asset, partition)
        print(f"{asset}: {numbers['seconds']:.1f} s, {numbers['peak_memory_mb']:.0f} MB")
        assert numbers["seconds"] > 0
        assert 0 < numbers["peak_memory_mb"] < 500
