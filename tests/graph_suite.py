"""What every triplestore has to do, in one suite: each test class that inherits gives it a ``graphs`` fixture.

The fixture's store is shared by the tests of a class, as servers are slow to start; each test begins with no
namespaces ``geo`` and ``geo_summary``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sheaf.errors import BadInput, SheafError, TemporaryFault
from sheaf.graph import GraphChanges, GraphStore, reconcile_tenant
from sheaf.graph.batches import BatchSize
from sheaf.graph.reconcile import Reconciler
from sheaf.graph.verify import differences
from tests.graphs import ORG, Counting, Releases, document, held, lines_of, tenant

NAMESPACES = ("geo", "geo_summary")
SOURCES = ["nitrogen", "nitrogen2", "iris"]
GRAPH = f"urn:gleaner.io:{ORG}:iris:data:0"


def quads(graph: str, title: str, triples: int = 3) -> bytes:
    return "".join(lines_of(graph, title, triples)).encode()


class DriverSuite:
    """The protocol, and a tenant's life on it."""

    @pytest.fixture(autouse=True)
    def _empty(self, graphs: GraphStore) -> None:
        for name in NAMESPACES:
            graphs.drop(name)

    @pytest.fixture
    def releases(self) -> Releases:
        made = Releases()
        for source in SOURCES:
            made.publish(source, {document(source, n): f"{source} title {n}" for n in range(5)})
        return made

    def same(self, graphs: GraphStore, releases: Releases, *sources: str) -> None:
        assert held(graphs, "geo") == releases.expected(*sources)
        assert held(graphs, "geo_summary") == releases.expected_summary(*sources)

    # the protocol

    def test_a_namespace_is_made_once_and_dropped_once(self, graphs: GraphStore) -> None:
        assert not graphs.exists("geo")
        assert graphs.ensure("geo")
        assert not graphs.ensure("geo")
        assert graphs.exists("geo")
        assert "geo" in graphs.namespaces()
        assert not graphs.exists("ge")
        assert graphs.drop("geo")
        assert not graphs.drop("geo")
        assert not graphs.exists("geo")

    def test_a_namespace_made_again_after_a_drop_is_empty(self, graphs: GraphStore) -> None:
        graphs.ensure("geo")
        graphs.apply("geo", GraphChanges(insert=quads(GRAPH, "old")))
        graphs.drop("geo")
        graphs.ensure("geo")
        assert graphs.count("geo") == 0
        assert graphs.graphs("geo") == set()

    def test_two_namespaces_do_not_see_each_other(self, graphs: GraphStore) -> None:
        for name in NAMESPACES:
            graphs.ensure(name)
        graphs.apply("geo", GraphChanges(insert=quads(GRAPH, "one")))
        assert (graphs.count("geo"), graphs.count("geo_summary")) == (3, 0)

    def test_text_survives_an_update_and_a_load_character_by_character(self, graphs: GraphStore) -> None:
        graphs.ensure("geo")
        other = f"{GRAPH}1"
        graphs.apply("geo", GraphChanges(insert=quads(GRAPH, "Ærø 日本 😀")))
        graphs.load("geo", lambda: iter([quads(other, "Ærø 日本 😀")]))
        assert held(graphs, "geo") == {graph: set(lines_of(graph, "Ærø 日本 😀")) for graph in (GRAPH, other)}
        found = graphs.query("geo", 'ASK { GRAPH ?g { ?s ?p "Ærø 日本 😀"@en } }')
        assert found["boolean"] is True

    def test_a_batch_replaces_a_graph_and_changes_single_quads_together(self, graphs: GraphStore) -> None:
        graphs.ensure("geo")
        other = f"{GRAPH}1"
        graphs.apply("geo", GraphChanges(insert=quads(GRAPH, "old", 9) + quads(other, "other")))
        one = lines_of(other, "other")[0]
        graphs.apply("geo", GraphChanges(drop=(GRAPH,), remove=one.encode(), insert=quads(GRAPH, "new", 2)))
        assert held(graphs, "geo") == {GRAPH: set(lines_of(GRAPH, "new", 2)), other: set(lines_of(other, "other")[1:])}

    def test_dropping_a_graph_that_is_not_there_is_no_error(self, graphs: GraphStore) -> None:
        graphs.ensure("geo")
        graphs.apply("geo", GraphChanges(drop=(f"{GRAPH}none",), insert=quads(GRAPH, "x")))
        assert graphs.graphs("geo") == {GRAPH}

    def test_a_batch_with_one_bad_line_changes_nothing(self, graphs: GraphStore) -> None:
        graphs.ensure("geo")
        graphs.apply("geo", GraphChanges(insert=quads(GRAPH, "old")))
        bad = quads(f"{GRAPH}1", "new") + b"<https://e/s> <https://e/p> broken <urn:g:1> .\n"
        with pytest.raises(SheafError):
            graphs.apply("geo", GraphChanges(drop=(GRAPH,), insert=bad))
        assert held(graphs, "geo") == {GRAPH: set(lines_of(GRAPH, "old"))}

    def test_a_load_with_one_bad_line_changes_nothing(self, graphs: GraphStore) -> None:
        graphs.ensure("geo")
        with pytest.raises(SheafError):
            graphs.load("geo", lambda: iter([quads(GRAPH, "new", 500), b"broken\n"]))
        assert graphs.count("geo") == 0

    def test_a_query_that_is_no_sparql_is_refused_with_the_stores_words(self, graphs: GraphStore) -> None:
        graphs.ensure("geo")
        with pytest.raises(BadInput, match="refused the request"):
            graphs.query("geo", "SELECT nonsense")

    # a tenant's life

    def test_a_tenant_holds_exactly_what_its_sources_publish(self, graphs: GraphStore, releases: Releases) -> None:
        result = reconcile_tenant(releases.store, graphs, tenant("iris", "nitrogen"), SOURCES, ORG)
        self.same(graphs, releases, "iris", "nitrogen")
        assert result.problems == ()
        assert (result.graphs_total, result.graphs_added) == (12, 12)
        assert result.triples == sum(len(lines) for lines in held(graphs, "geo").values())
        assert sorted(result.sources) == ["iris", "nitrogen"]

    def test_loading_twice_changes_no_count_and_writes_nothing(self, graphs: GraphStore, releases: Releases) -> None:
        reconcile_tenant(releases.store, graphs, tenant("all"), SOURCES, ORG)
        before = [graphs.count(name) for name in NAMESPACES]
        counting = Counting(graphs)
        result = reconcile_tenant(releases.store, counting, tenant("all"), SOURCES, ORG)
        assert result.unchanged
        assert (counting.writes, result.batches) == (0, 0)
        assert counting.reads <= 4, "a namespace that is up to date costs one or two reads"
        assert [graphs.count(name) for name in NAMESPACES] == before

    def test_a_changed_an_added_and_a_removed_document(self, graphs: GraphStore, releases: Releases) -> None:
        reconcile_tenant(releases.store, graphs, tenant("all"), SOURCES, ORG)
        documents = {document("iris", n): f"iris title {n}" for n in range(1, 5)}
        documents |= {document("iris", 1): "another title", document("iris", 9): "a new one"}
        releases.publish("iris", documents)
        result = reconcile_tenant(releases.store, graphs, tenant("all"), SOURCES, ORG)
        self.same(graphs, releases, *SOURCES)
        # the catalogue graph changes with the documents it lists
        assert (result.graphs_added, result.graphs_changed, result.graphs_removed) == (1, 2, 1)
        assert result.problems == ()

    def test_a_source_that_left_the_tenant_takes_its_graphs_along(self, graphs: GraphStore, releases: Releases) -> None:
        reconcile_tenant(releases.store, graphs, tenant("all"), SOURCES, ORG)
        result = reconcile_tenant(releases.store, graphs, tenant("iris", "nitrogen2"), SOURCES, ORG)
        self.same(graphs, releases, "iris", "nitrogen2")
        assert result.main.sources_removed == ("nitrogen",)
        assert graphs.count("geo") == sum(len(lines) for lines in held(graphs, "geo").values()) + 12 + 8

    def test_a_source_that_joins_is_added_to_what_is_there(self, graphs: GraphStore, releases: Releases) -> None:
        reconcile_tenant(releases.store, graphs, tenant("nitrogen2"), SOURCES, ORG)
        result = reconcile_tenant(releases.store, graphs, tenant("nitrogen2", "nitrogen"), SOURCES, ORG)
        self.same(graphs, releases, "nitrogen", "nitrogen2")
        assert result.graphs_added == 6

    @pytest.mark.parametrize("done_first", [False, True])
    def test_whatever_interrupts_the_next_run_heals_it(
        self, graphs: GraphStore, releases: Releases, done_first: bool
    ) -> None:
        size = BatchSize(quads=4, bytes=2000, drops=2, by_triple=range(5, 99) if done_first else range(0))
        for name in NAMESPACES:
            graphs.ensure(name)
        at = 0
        while True:
            at += 1
            for kind in ("main", "summary"):
                Reconciler(releases.store, graphs, tenant("iris", "nitrogen"), SOURCES, ORG, kind).run()
            later = Releases(releases.store, releases.held, releases.summaries)
            later.publish("iris", {document("iris", n): f"title {n} after {at}" for n in range(2, 8)})
            counting, died = Counting(graphs, at, done_first), False
            try:
                Reconciler(later.store, counting, tenant("iris", "nitrogen2"), SOURCES, ORG, "main", size).run()
            except TemporaryFault:
                died = True
            result = reconcile_tenant(later.store, graphs, tenant("iris", "nitrogen2"), SOURCES, ORG)
            self.same(graphs, later, "iris", "nitrogen2")
            assert result.problems == ()
            if not died:
                break
        assert at > 5, "the run was meant to be interrupted at several places"

    @pytest.mark.parametrize("share", [0.3, 0.6, 0.99])
    def test_a_first_load_of_which_a_store_kept_the_beginning_is_completed(
        self, graphs: GraphStore, releases: Releases, share: float
    ) -> None:
        """As Fuseki does when the client dies between two lines of a body."""

        class Forgetful(Counting):
            def load(self, namespace: str, body: Callable[[], Any]) -> None:
                lines = b"".join(body()).splitlines(keepends=True)
                self.inner.load(namespace, lambda: iter(lines[: int(len(lines) * share)]))
                raise TemporaryFault("the client died")

        for kind in ("main", "summary"):
            with pytest.raises(TemporaryFault):
                Reconciler(releases.store, Forgetful(graphs), tenant("iris"), SOURCES, ORG, kind).run()
        result = reconcile_tenant(releases.store, graphs, tenant("iris"), SOURCES, ORG)
        self.same(graphs, releases, "iris")
        assert result.problems == ()

    def test_verify_names_what_somebody_changed_by_hand(self, graphs: GraphStore, releases: Releases) -> None:
        reconcile_tenant(releases.store, graphs, tenant("iris"), SOURCES, ORG)
        reconciler = Reconciler(releases.store, graphs, tenant("iris"), SOURCES, ORG, "main")
        assert list(differences(reconciler)) == []
        gone, altered = sorted(releases.held["iris"])[:2]
        line = sorted(releases.held["iris"][altered])[0].encode()
        changed = line.replace(b"title", b"TITLE") if b"title" in line else line
        ghost = f"urn:gleaner.io:{ORG}:nitrogen:data:ghost"
        graphs.apply("geo", GraphChanges(drop=(gone,), remove=line, insert=changed + quads(ghost, "ghost")))
        found = {difference.graph: difference.what for difference in differences(reconciler)}
        assert sorted(found) == sorted([gone, altered, ghost])
        assert "missing" in found[gone]
        assert "1 triples of the release are missing, 1 others are there" in found[altered]
        assert "no source of this tenant" in found[ghost]

    def test_counts_that_are_wrong_after_a_write_are_repaired(self, graphs: GraphStore, releases: Releases) -> None:
        reconcile_tenant(releases.store, graphs, tenant("iris"), SOURCES, ORG)
        lost = sorted(releases.held["iris"])[0]
        old = f"urn:gleaner.io:{ORG}:iris:prov:an-older-tool-left-this"
        stray = f"urn:gleaner.io:{ORG}:gone:data:1"
        graphs.apply("geo", GraphChanges(drop=(lost,), insert=quads(old, "x") + quads(stray, "y")))
        result = reconcile_tenant(releases.store, graphs, tenant("iris", "nitrogen"), SOURCES, ORG)
        assert held(graphs, "geo") == releases.expected("iris", "nitrogen")
        assert result.main.repaired == 3
        assert result.problems == ()
