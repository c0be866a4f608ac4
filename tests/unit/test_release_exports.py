"""Files for analysts: complete, described, and written once."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pyoxigraph as ox
import pytest
from click.testing import CliRunner

import sheaf.cli.export as cli
from sheaf.config import Tenant, accept_sources, accept_tenants
from sheaf.errors import BadInput, NotFound
from sheaf.release import publish_release
from sheaf.release.exports import export_source, export_tenant
from sheaf.settings import Settings
from sheaf.store import MemoryStore, layout
from tests.unit.release_harvests import FIRST, ORG, SECOND, release, source, text

RICH: dict[str, Any] = {
    "description": 'A "quoted"\nline',
    "publisher": {"name": "Pub"},
    "keywords": ["b", "a"],
    "license": "https://creativecommons.org/licenses/by/4.0/",
    "temporalCoverage": "2001/2002",
    "datePublished": "2020-01-01",
    "url": "https://e.org/landing",
    "spatialCoverage": {"geo": {"@type": "GeoShape", "box": "1 2 3 4"}},
}


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    texts = [
        text(1, **RICH),
        text(2),
        json.dumps({"@context": {"@vocab": "https://schema.org/"}, "@type": "Person", "name": "P"}),
    ]
    publish_release(store, source(), release(store, FIRST, texts).release_id)
    return store


def table(store: MemoryStore, when: str = "latest") -> pa.Table:
    return pq.read_table(io.BytesIO(store.get(layout.export_file("demo", "datasets.parquet", when))))


def test_the_table_has_one_row_a_dataset_with_every_column(store: MemoryStore) -> None:
    assert export_source(store, source()).datasets == 2
    rows = {row["name"]: row for row in table(store).to_pylist()}
    assert set(rows) == {"Dataset 1", "Dataset 2"}
    rich = rows["Dataset 1"]
    graph = rich.pop("graph")
    assert graph == f"urn:gleaner.io:sheaf:demo:data:{rich.pop('id')}"
    assert rich == {
        "name": "Dataset 1", "description": 'A "quoted"\nline', "publisher": "Pub", "keywords": ["a", "b"],
        "license": "https://creativecommons.org/licenses/by/4.0/", "south": 1.0, "west": 2.0, "north": 3.0,
        "east": 4.0, "temporal_coverage": "2001/2002", "date": "2020-01-01", "url": "https://e.org/landing",
        "page": "https://e.org/p/0", "source": "demo",
    }  # fmt: skip
    plain = rows["Dataset 2"]
    assert (plain["url"], plain["publisher"], plain["south"]) == ("https://e.org/d/2", "", None)


def test_latest_and_the_releases_day_hold_the_same_files_and_their_sums(store: MemoryStore) -> None:
    export_source(store, source())
    for when in ("latest", "20260101"):
        sums = store.get(layout.export_file("demo", "SHA256SUMS", when)).decode()
        lines = [line.split("  ") for line in sums.splitlines() if not line.startswith("#")]
        assert sorted(name for _, name in lines) == ["datasets.parquet", "release.nq.gz", "void.ttl"]
        for digest, name in lines:
            assert hashlib.sha256(store.get(layout.export_file("demo", name, when))).hexdigest() == digest


def test_the_description_counts_and_sums_what_lies_beside_it(store: MemoryStore) -> None:
    export_source(store, source())
    turtle = store.get(layout.export_file("demo", "void.ttl"))
    quads = list(ox.parse(turtle, format=ox.RdfFormat.TURTLE, base_iri="https://bucket.example/demo/void.ttl"))
    values = {quad.predicate.value.rpartition("#")[2]: quad.object.value for quad in quads}
    released = gzip.decompress(store.get(layout.export_file("demo", "release.nq.gz"))).count(b"\n")
    assert values["triples"] == str(released)
    assert values["entities"] == "2"
    urls = {quad.object.value for quad in quads if quad.predicate.value.endswith("downloadURL")}
    assert urls == {"https://bucket.example/demo/datasets.parquet", "https://bucket.example/demo/release.nq.gz"}


def test_exporting_twice_writes_nothing_the_second_time(store: MemoryStore) -> None:
    assert len(export_source(store, source()).written) == 8
    puts = store.puts
    again = export_source(store, source())
    assert (again.written, again.datasets) == ((), 2)
    assert store.puts == puts


def test_an_interrupted_export_writes_only_what_is_missing(store: MemoryStore) -> None:
    export_source(store, source())
    missing = [layout.export_file("demo", name) for name in ("SHA256SUMS", "void.ttl")]
    store.delete(missing)
    assert set(export_source(store, source()).written) == set(missing)


def test_a_new_release_has_a_day_of_its_own_and_the_old_one_stays(store: MemoryStore) -> None:
    export_source(store, source())
    publish_release(store, source(), release(store, SECOND, [text(1), text(2), text(3)]).release_id)
    export_source(store, source())
    assert table(store, "20260101").num_rows == 2
    assert table(store, "20260102").num_rows == table(store).num_rows == 3


def test_a_source_without_a_published_release_has_nothing_to_export() -> None:
    with pytest.raises(NotFound, match="sheaf release publish demo"):
        export_source(MemoryStore(), source())


def test_a_tenants_export_is_its_sources_one_behind_the_other(store: MemoryStore) -> None:
    tenant = Tenant.model_validate(
        {"community": "all", "name": "All", "sources": ["all"],
         "graph": {"main_namespace": "m", "summary_namespace": "s"}}
    )  # fmt: skip
    done = export_tenant(store, tenant, ORG, ["demo", "unpublished"])
    assert done.datasets == 2
    together = gzip.decompress(store.get(layout.export_tenant("all", "release.nq.gz"))).decode()
    assert (
        together
        == gzip.decompress(store.get(layout.release_file("demo", published_id(store), "release.nq.gz"))).decode()
    )
    with pytest.raises(NotFound):
        export_tenant(store, tenant, ORG, ["unpublished"])


def published_id(store: MemoryStore) -> str:
    return str(json.loads(store.get(layout.latest_pointer("demo")))["release_id"])


def test_a_person_exports_sources_and_tenants(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings()
    accept_sources(store, b"sources:\n- {name: demo, url: 'https://e.org/sitemap.xml'}\n", settings)
    accept_tenants(
        store,
        b"tenant:\n- {community: all, sources: [all], graph: {main_namespace: m, summary_namespace: s}}\n",
        settings,
    )
    monkeypatch.setattr(cli, "open_store", lambda _: store)
    told = CliRunner().invoke(cli.export, ["demo"], catch_exceptions=False).output
    assert told == "demo: 2 datasets, 8 objects written, under 20260101 and latest\n"
    assert "exported already" in CliRunner().invoke(cli.export, ["demo"], catch_exceptions=False).output
    assert "all: 2 datasets" in CliRunner().invoke(cli.export, ["--tenant", "all"], catch_exceptions=False).output
    with pytest.raises(BadInput, match="Did you mean all"):
        CliRunner().invoke(cli.export, ["--tenant", "alll"], catch_exceptions=False)


def test_the_exported_release_is_the_published_one(store: MemoryStore) -> None:
    export_source(store, source())
    packed = store.get(layout.export_file("demo", "release.nq.gz"))
    assert gzip.decompress(packed) == store.get(layout.latest_release("demo"))
