"""Reconciling tenants: the field notes on graphs, slices of hashes, damaged releases, memory."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sheaf.errors import SheafError, TemporaryFault
from sheaf.graph import GraphChanges, GraphStore, reconcile_tenant
from sheaf.graph.batches import BatchSize
from sheaf.graph.drivers import Access, SheafStore
from sheaf.graph.markers import LoadedHashes, Markers
from sheaf.graph.reconcile import Reconciler
from sheaf.store import layout
from tests.graphs import ORG, Counting, Releases, document, held, own_store, tenant
from tests.integration.servers import TOKEN, free_port

SOURCES = ["nitrogen", "nitrogen2", "iris"]


@pytest.fixture
def graphs(tmp_path: Path) -> Iterator[GraphStore]:
    with own_store(tmp_path / "graph") as store:
        yield store


@pytest.fixture
def releases() -> Releases:
    made = Releases()
    for source in SOURCES:
        made.publish(source, {document(source, n): f"{source} title {n}" for n in range(5)})
    return made


def test_a_source_that_is_removed_goes_from_every_tenant_and_its_namesake_stays(
    graphs: GraphStore, releases: Releases
) -> None:
    tenants = [tenant("all", community="geo"), tenant("nitrogen", "nitrogen2", community="soil")]
    for each in tenants:
        reconcile_tenant(releases.store, graphs, each, SOURCES, ORG)
    for each in tenants:
        reconcile_tenant(releases.store, graphs, each, ["nitrogen2", "iris"], ORG)
    assert held(graphs, "geo") == releases.expected("nitrogen2", "iris")
    assert held(graphs, "soil") == releases.expected("nitrogen2")
    assert held(graphs, "soil_summary") == releases.expected_summary("nitrogen2")


def test_a_tenant_whose_store_is_broken_stops_no_other_tenant(graphs: GraphStore, releases: Releases) -> None:
    nobody = SheafStore(f"http://127.0.0.1:{free_port()}/blazegraph", Access(token=TOKEN))
    with pytest.raises(TemporaryFault, match="does not answer"):
        reconcile_tenant(releases.store, nobody, tenant("all", community="broken"), SOURCES, ORG)
    result = reconcile_tenant(releases.store, graphs, tenant("all", community="well"), SOURCES, ORG)
    assert held(graphs, "well") == releases.expected(*SOURCES)
    assert result.problems == ()


class Watching(Counting):
    """Looks at the namespace after each write."""

    def __init__(self, inner: GraphStore, look: Callable[[], None]) -> None:
        super().__init__(inner)
        self._look = look

    def _write(self, call: Callable[[], Any]) -> Any:
        result = super()._write(call)
        self._look()
        return result


def test_nothing_is_cleared_first_so_a_reader_never_misses_a_document(graphs: GraphStore, releases: Releases) -> None:
    old = {document("iris", n): f"old title {n}" for n in range(30)}
    releases.publish("iris", old)
    reconcile_tenant(releases.store, graphs, tenant("iris"), SOURCES, ORG)
    before = releases.expected("iris")
    releases.publish("iris", {document("iris", n): f"new title {n}" for n in range(5, 40)})
    after = releases.expected("iris")
    seen: list[dict[str, set[str]]] = []

    def look() -> None:
        seen.append(held(graphs, "geo"))

    size = BatchSize(quads=12)
    Reconciler(releases.store, Watching(graphs, look), tenant("iris"), SOURCES, ORG, "main", size).run()
    assert len(seen) > 5
    for state in seen:
        for graph in before.keys() & after.keys():
            if graph.endswith(":datacatalog"):
                continue  # larger than these tiny batches
            assert state[graph] in (before[graph], after[graph]), f"{graph} was neither old nor new"


def test_the_store_is_sent_the_data_and_no_address_of_the_bucket(releases: Releases, graphs: GraphStore) -> None:
    sent: list[str] = []

    class Listening(Counting):
        def apply(self, namespace: str, changes: GraphChanges) -> None:
            sent.append((changes.insert + changes.remove).decode())
            super().apply(namespace, changes)

        def load(self, namespace: str, body: Callable[[], Any]) -> None:
            sent.append(b"".join(body()).decode())
            super().load(namespace, body)

    reconcile_tenant(releases.store, Listening(graphs), tenant("all"), SOURCES, ORG)
    assert len(sent) == 6
    for said in sent:
        assert "graphs/latest" not in said
        assert "graphs/archive" not in said


def test_all_and_a_name_in_one_list_is_one_source_and_excluded_ones_stay_out(
    graphs: GraphStore, releases: Releases
) -> None:
    both = tenant("all", "iris", exclude=("nitrogen",))
    result = reconcile_tenant(releases.store, graphs, both, SOURCES, ORG)
    assert held(graphs, "geo") == releases.expected("iris", "nitrogen2")
    assert sorted(result.sources) == ["iris", "nitrogen2"]


def test_a_source_without_a_published_release_is_listed_as_waiting(graphs: GraphStore, releases: Releases) -> None:
    result = reconcile_tenant(releases.store, graphs, tenant("all"), [*SOURCES, "newcomer"], ORG)
    assert result.main.waiting == ("newcomer",)
    assert result.problems == ()


def test_the_organization_of_a_source_is_loaded_and_follows_its_file(graphs: GraphStore, releases: Releases) -> None:
    graph = f"urn:gleaner.io:{ORG}:orgs:iris"

    def put(name: str) -> None:
        line = f'<https://e.org/iris> <https://schema.org/name> "{name}" <urn:whatever> .\n'
        releases.store.put(layout.org("iris"), line.encode())

    put("IRIS")
    reconcile_tenant(releases.store, graphs, tenant("iris"), SOURCES, ORG)
    assert held(graphs, "geo")[graph] == {f'<https://e.org/iris> <https://schema.org/name> "IRIS" <{graph}> .\n'}
    put("EarthScope")
    result = reconcile_tenant(releases.store, graphs, tenant("iris"), SOURCES, ORG)
    assert (result.graphs_changed, result.graphs_added, result.graphs_removed) == (1, 0, 0)
    assert "EarthScope" in next(iter(held(graphs, "geo")[graph]))
    releases.store.delete([layout.org("iris")])
    result = reconcile_tenant(releases.store, graphs, tenant("iris"), SOURCES, ORG)
    assert graph not in held(graphs, "geo")
    assert result.problems == ()


def test_a_change_larger_than_a_batch_is_written_in_several(graphs: GraphStore, releases: Releases) -> None:
    reconcile_tenant(releases.store, graphs, tenant("iris"), SOURCES, ORG)
    releases.publish("iris", {document("iris", n): f"new {n}" for n in range(40)}, triples=7)
    size = BatchSize(quads=50)
    result = Reconciler(releases.store, graphs, tenant("iris"), SOURCES, ORG, "main", size).run()
    assert result.batches > 5
    assert result.problems == ()
    assert held(graphs, "geo") == releases.expected("iris")


def test_going_back_to_an_older_release_after_an_interrupted_change_is_not_mistaken_for_done(
    graphs: GraphStore, releases: Releases
) -> None:
    reconcile_tenant(releases.store, graphs, tenant("iris"), SOURCES, ORG)
    old = {document("iris", n): f"iris title {n}" for n in range(5)}
    releases.publish("iris", dict.fromkeys(old, "changed"))
    dying = Counting(graphs, die_at=2)
    with pytest.raises(TemporaryFault):
        Reconciler(releases.store, dying, tenant("iris"), SOURCES, ORG, "main", BatchSize(quads=6)).run()
    assert held(graphs, "geo") != releases.expected("iris")
    releases.publish("iris", old)
    result = reconcile_tenant(releases.store, graphs, tenant("iris"), SOURCES, ORG)
    assert held(graphs, "geo") == releases.expected("iris")
    assert result.problems == ()


def test_what_an_older_tool_loaded_before_us_is_replaced_and_what_is_not_ours_stays(
    graphs: GraphStore, releases: Releases
) -> None:
    ours, ghost, foreign = sorted(releases.held["iris"])[0], f"urn:gleaner.io:{ORG}:iris:data:old", "urn:other:data"
    line = '<https://e.org/x> <https://schema.org/name> "old" <{}> .\n'
    graphs.ensure("geo")
    graphs.apply("geo", GraphChanges(insert="".join(map(line.format, (ours, ghost, foreign))).encode()))
    result = reconcile_tenant(releases.store, graphs, tenant("iris", "nitrogen"), SOURCES, ORG)
    assert held(graphs, "geo") == releases.expected("iris", "nitrogen") | {foreign: {line.format(foreign)}}
    assert result.problems == ()


def test_a_damaged_release_is_refused_and_leaves_the_namespace_as_it_was(
    graphs: GraphStore, releases: Releases
) -> None:
    reconcile_tenant(releases.store, graphs, tenant("iris"), SOURCES, ORG)
    before = held(graphs, "geo")
    release = releases.publish("iris", {document("iris", n): f"new {n}" for n in range(20)})
    key = layout.release_file("iris", release, "release.nq.gz")
    whole = releases.store.get(key)
    for damaged in (whole[: len(whole) // 2], gzip.compress(gzip.decompress(whole).replace(b"new", b"neW"))):
        releases.store.put(key, damaged)
        with pytest.raises(SheafError, match=r"[Bb]uild the release again"):
            reconcile_tenant(releases.store, graphs, tenant("iris"), SOURCES, ORG)
        assert held(graphs, "geo") == before
        first = tenant("iris", community="fresh")
        with pytest.raises(SheafError, match=r"[Bb]uild the release again"):
            reconcile_tenant(releases.store, graphs, first, SOURCES, ORG)
        assert held(graphs, "fresh") == {}
    releases.store.put(key, whole)
    reconcile_tenant(releases.store, graphs, tenant("iris"), SOURCES, ORG)
    assert held(graphs, "geo") == releases.expected("iris")


@pytest.mark.parametrize("at_once", [1000, 30, 2])
def test_hashes_read_in_slices_give_the_same_difference(
    graphs: GraphStore, releases: Releases, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr("sheaf.graph.markers.HASHES_AT_ONCE", at_once)
    releases.publish("iris", {document("iris", n): f"title {n}" for n in range(120)})
    reconcile_tenant(releases.store, graphs, tenant("iris"), SOURCES, ORG)
    releases.publish("iris", {document("iris", n): f"title {n if n % 10 else -n}" for n in range(7, 130)})
    result = reconcile_tenant(releases.store, graphs, tenant("iris"), SOURCES, ORG)
    assert held(graphs, "geo") == releases.expected("iris")
    assert (result.graphs_added, result.graphs_removed) == (10, 7)
    assert result.graphs_changed == 11 + 1, "documents 10, 20, ... 110, and the catalogue graph"
    assert result.problems == ()


def test_a_graph_that_is_asked_for_out_of_order_is_written_again_rather_than_lost(
    graphs: GraphStore, releases: Releases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sheaf.graph.markers.HASHES_AT_ONCE", 2)
    reconcile_tenant(releases.store, graphs, tenant("iris"), SOURCES, ORG)
    names = sorted(releases.held["iris"])
    loaded = LoadedHashes(graphs, "geo", Markers(ORG, "geo"), "iris", len(names))
    taken = {name: loaded.take(name) for name in names}
    assert all(len(sha256) == 64 for sha256 in taken.values())
    assert loaded.take(names[0]) == ""
    assert list(loaded.leftovers()) == []


def test_a_first_load_holds_a_few_blocks_of_a_release_in_memory_and_not_the_release(
    graphs: GraphStore, releases: Releases
) -> None:
    releases.publish("iris", {document("iris", n): f"title {n}" for n in range(4000)}, triples=40)
    size = sum(len(line) for lines in releases.held["iris"].values() for line in lines)
    assert size > 20_000_000
    peaks: list[int] = []

    class Draining(Counting):
        """Takes the body as a slow store would, and keeps nothing."""

        def load(self, namespace: str, body: Callable[[], Any]) -> None:
            tracemalloc.start()
            for _ in body():
                pass
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
            raise TemporaryFault("that was all we wanted to know")

    reconciler = Reconciler(releases.store, Draining(graphs), tenant("iris"), SOURCES, ORG, "main")
    with pytest.raises(TemporaryFault):
        reconciler.run()
    assert max(peaks) < 8_000_000


@pytest.mark.parametrize("by_triple", [range(0), range(1, 1000)], ids=["graph by graph", "triple by triple"])
def test_a_large_graph_is_changed_by_the_triples_that_differ(
    graphs: GraphStore, releases: Releases, by_triple: range
) -> None:
    releases.publish("iris", {document("iris", n): f"title {n}" for n in range(60)}, triples=20)
    reconcile_tenant(releases.store, graphs, tenant("iris"), SOURCES, ORG)
    releases.publish("iris", {document("iris", n): f"title {n}" for n in range(1, 61)}, triples=19)
    size = BatchSize(by_triple=by_triple)
    result = Reconciler(releases.store, graphs, tenant("iris"), SOURCES, ORG, "main", size).run()
    assert held(graphs, "geo") == releases.expected("iris")
    assert result.problems == ()
    assert (result.graphs_added, result.graphs_changed, result.graphs_removed) == (1, 60, 1)
    assert (result.bytes_sent < 30_000) == (len(by_triple) > 0)


def test_a_graph_with_foreign_blank_nodes_is_replaced_as_a_whole(graphs: GraphStore, releases: Releases) -> None:
    releases.publish("iris", {document("iris", 1): "title"}, triples=9)
    reconcile_tenant(releases.store, graphs, tenant("iris"), SOURCES, ORG)
    graph = next(name for name in releases.held["iris"] if ":data:" in name)
    graphs.load("geo", lambda: iter([f"_:b <https://schema.org/name> _:c <{graph}> .\n".encode()]))
    releases.publish("iris", {document("iris", 1): "another title"}, triples=9)
    size = BatchSize(by_triple=range(1, 100))
    result = Reconciler(releases.store, graphs, tenant("iris"), SOURCES, ORG, "main", size).run()
    assert held(graphs, "geo") == releases.expected("iris")
    assert result.problems == ()


def test_two_runs_at_once_that_contradict_each_other_are_put_right_by_the_next(
    graphs: GraphStore, releases: Releases
) -> None:
    reconcile_tenant(releases.store, graphs, tenant("iris"), SOURCES, ORG)
    markers = Markers(ORG, "geo")
    graph = sorted(releases.held["iris"])[0]
    second = f'<{graph}> <urn:gleaner.io:marker:sha256> "{"0" * 64}" <{markers.of("iris")}> .\n'
    state = f'<{markers.of("iris")}> <urn:gleaner.io:marker:release> "another" <{markers.graph}> .\n'
    graphs.apply("geo", GraphChanges(insert=(second + state).encode()))
    result = reconcile_tenant(releases.store, graphs, tenant("iris"), SOURCES, ORG)
    assert (result.problems, result.graphs_changed) == ((), 1)
    assert graphs.count("geo") == sum(len(lines) for lines in releases.held["iris"].values()) + 6 + 4
    assert reconcile_tenant(releases.store, graphs, tenant("iris"), SOURCES, ORG).unchanged
