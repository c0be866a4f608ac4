"""Counting what a namespace holds, and writing again what the counts show to be wrong."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

from sheaf.graph.batches import Sent, SourceBatches
from sheaf.graph.changes import GraphChanges
from sheaf.graph.content import Content
from sheaf.graph.driver import GraphStore
from sheaf.graph.markers import LoadedHashes, Markers, SourceState
from sheaf.release.graph_names import organization_graph

# Not COUNT(DISTINCT ?g): Blazegraph has the distinct terms of an index at hand, which is 20 times faster.
COUNT_GRAPHS = "SELECT (COUNT(*) AS ?n) WHERE { { SELECT DISTINCT ?g WHERE { GRAPH ?g { ?s ?p ?o } } } }"
NewBatches = Callable[[str, SourceState | None], SourceBatches]


class Census:
    """What one namespace really holds, by asking it."""

    def __init__(self, graphs: GraphStore, namespace: str, markers: Markers) -> None:
        self.graphs, self.namespace, self.markers = graphs, namespace, markers
        self.prefix = f"urn:gleaner.io:{markers.org}:"

    def _number(self, query: str) -> int:
        return int(self.graphs.query(self.namespace, query)["results"]["bindings"][0]["n"]["value"])

    def _names(self, query: str) -> Iterator[str]:
        for row in self.graphs.query(self.namespace, query)["results"]["bindings"]:
            yield str(row["x"]["value"])

    def trouble(self, states: Mapping[str, SourceState]) -> list[str]:
        """How the counts differ from what the states say; empty when they do not.

        Graphs outside of ``urn:gleaner.io:<org>:`` are somebody else's, and do not count.
        """
        ours = states.values()
        state_lines = sum(state.lines(self.markers, source).count(b"\n") for source, state in states.items())
        quads = sum(state.quads + state.graphs for state in ours) + state_lines
        named = sum(state.graphs for state in ours) + sum(state.graphs > 0 for state in ours) + bool(states)
        counted = self.graphs.count(self.namespace)
        counted_graphs = self._number(COUNT_GRAPHS)
        if (counted, counted_graphs) == (quads, named):
            return []
        foreign = f'GRAPH ?g {{ ?s ?p ?o }} FILTER(!STRSTARTS(STR(?g), "{self.prefix}"))'
        counted -= self._number(f"SELECT (COUNT(*) AS ?n) WHERE {{ {foreign} }}")
        counted_graphs -= self._number(f"SELECT (COUNT(DISTINCT ?g) AS ?n) WHERE {{ {foreign} }}")
        trouble = []
        if counted_graphs != named:
            trouble.append(f"{counted_graphs:,} graphs are there, {named:,} should be (marker graphs included)")
        if counted != quads:
            trouble.append(f"{counted:,} triples are there, {quads:,} should be (marker triples included)")
        return trouble

    def sources(self) -> set[str]:
        """The sources of which any graph is there, by the whole segment of the graphs' names."""
        query = (
            f'SELECT DISTINCT (STRBEFORE(STRAFTER(STR(?g), "{self.prefix}"), ":") AS ?x) '
            f'WHERE {{ GRAPH ?g {{ ?s ?p ?o }} FILTER(STRSTARTS(STR(?g), "{self.prefix}")) }}'
        )
        return set(self._names(query))

    def graphs_of(self, source: str) -> dict[str, int]:
        """Triples in each graph of a source, its organization's included."""
        own = f'STRSTARTS(STR(?g), "{self.prefix}{source}:")'
        org = f'STR(?g) = "{organization_graph(self.markers.org, source)}"'
        query = f"SELECT ?g (COUNT(*) AS ?n) WHERE {{ GRAPH ?g {{ ?s ?p ?o }} FILTER({own} || {org}) }} GROUP BY ?g"
        rows = self.graphs.query(self.namespace, query)["results"]["bindings"]
        return {row["g"]["value"]: int(row["n"]["value"]) for row in rows if "g" in row}

    def strays(self, known: Collection[str]) -> list[str]:
        """Graphs under our prefix that belong to no known source: what an older tool, or a lost marker, left."""
        names = "|".join(sorted(known))
        others = f' && !REGEX(STR(?g), "^{self.prefix}({names}):")' if names else ""
        query = (
            "SELECT DISTINCT (STR(?g) AS ?x) WHERE { GRAPH ?g { ?s ?p ?o } "
            f'FILTER(STRSTARTS(STR(?g), "{self.prefix}"){others}) }}'
        )
        keep = {self.markers.graph}
        for source in known:
            keep |= {self.markers.of(source), organization_graph(self.markers.org, source)}
        return sorted(set(self._names(query)) - keep)

    def drop_strays(self, known: Collection[str], at_once: int, sent: Sent) -> int:
        """Remove them; how many there were."""
        strays = self.strays(known)
        for start in range(0, len(strays), at_once):
            self.graphs.apply(self.namespace, GraphChanges(drop=tuple(strays[start : start + at_once])))
            sent.batches += 1
        sent.graphs_removed += len(strays)
        return len(strays)


def differences(census: Census, content: Content, source: str) -> Iterator[tuple[str, int, int]]:
    """Graph, triples there, triples wanted: of each graph of a source whose numbers differ."""
    there = census.graphs_of(source)
    for piece in content.pieces():
        counted = there.pop(piece.graph, 0)
        if counted != piece.quads:
            yield piece.graph, counted, piece.quads
    for graph, counted in there.items():
        yield graph, counted, 0


def repair(census: Census, content: Content, source: str, state: SourceState, new_batches: NewBatches) -> int:
    """Write again each graph of a source whose count or marker is wrong; how many there were."""
    there = census.graphs_of(source)
    loaded = LoadedHashes(census.graphs, census.namespace, census.markers, source, content.expected)
    batches = new_batches(source, state)
    repaired = 0
    for piece in content.pieces():
        counted, sha256 = there.pop(piece.graph, 0), loaded.take(piece.graph)
        if (counted, sha256) != (piece.quads, piece.sha256):
            batches.put(piece, sha256, there=counted > 0)
            repaired += 1
    for graph, sha256 in loaded.leftovers():
        there.pop(graph, None)
        batches.drop(graph, sha256)
        repaired += 1
    for graph in there:
        batches.drop(graph, "")
        repaired += 1
    batches.finish(state)
    return repaired
