"""Compare a tenant's namespace with its sources' releases, document by document; nothing is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pyoxigraph import RdfFormat, parse

from sheaf.graph.changes import iri
from sheaf.graph.content import Piece
from sheaf.graph.counting import Census
from sheaf.graph.markers import LoadedHashes, read_states
from sheaf.graph.reconcile import Reconciler, Wanted
from sheaf.graph.terms import comparable, comparables, triple

GRAPHS_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Difference:
    """One graph that is not what it should be; ``what`` says how."""

    source: str
    graph: str
    what: str


def differences(reconciler: Reconciler) -> Iterator[Difference]:
    """Each graph of the namespace that differs from the published releases, source by source.

    A source whose marker names another release than the published one is only behind: one line says so.
    """
    graphs, namespace, markers = reconciler.graphs, reconciler.namespace, reconciler.markers
    if not graphs.exists(namespace):
        yield Difference("", "", f"the namespace {namespace} is missing: sheaf graph reconcile makes it")
        return
    states = read_states(graphs, namespace, markers)
    census = Census(graphs, namespace, markers)
    wanted, _ = reconciler.wanted()
    for each in wanted:
        state = states.get(each.source)
        if state is None or state.release != each.release:
            said = "nothing" if state is None else state.release or "a change that was interrupted"
            yield Difference(each.source, "", f"{said} is loaded, {each.release} is published")
        else:
            yield from _of_source(census, each)
    members = {each.source for each in wanted}
    for source in sorted(set(states) - set(reconciler.members)):
        yield Difference(source, "", "is loaded, but is no source of this tenant any more")
    for graph in census.strays(members | set(states)):
        yield Difference("", graph, "belongs to no source of this tenant")


def _of_source(census: Census, wanted: Wanted) -> Iterator[Difference]:
    there = census.graphs_of(wanted.source)
    loaded = LoadedHashes(census.graphs, census.namespace, census.markers, wanted.source, wanted.content.expected)

    def counted() -> Iterator[tuple[str, bytes] | Difference]:
        for piece in wanted.content.pieces():
            found, sha256 = there.pop(piece.graph, 0), loaded.take(piece.graph)
            if problem := _by_numbers(piece, found, sha256):
                yield Difference(wanted.source, piece.graph, problem)
            else:
                yield piece.graph, b"".join(piece.lines())

    rows = counted()
    while some := list(islice(rows, GRAPHS_AT_ONCE)):
        yield from (row for row in some if isinstance(row, Difference))
        whole = dict(row for row in some if not isinstance(row, Difference))
        yield from _by_content(census, wanted.source, whole)
    for graph, _ in loaded.leftovers():
        if graph not in there:
            yield Difference(wanted.source, graph, "has a marker, but is in neither the release nor the store")
    for graph, found in there.items():
        yield Difference(wanted.source, graph, f"has {found} triples, but is not in the release")


def _by_numbers(piece: Piece, found: int, sha256: str) -> str:
    if not found:
        return f"is missing; the release has {piece.quads} triples of it"
    if found != piece.quads:
        return f"has {found} triples, the release {piece.quads}"
    return "" if sha256 == piece.sha256 else "has the marker of another version"


def _by_content(census: Census, source: str, whole: Mapping[str, bytes]) -> Iterator[Difference]:
    if not whole:
        return
    values = " ".join(iri(graph) for graph in whole)
    query = f"SELECT ?g ?s ?p ?o WHERE {{ VALUES ?g {{ {values} }} GRAPH ?g {{ ?s ?p ?o }} }}"
    there: dict[str, set[Any]] = {graph: set() for graph in whole}
    for row in census.graphs.query(census.namespace, query)["results"]["bindings"]:
        there[row["g"]["value"]].add(comparable(triple(row)))
    for graph, lines in whole.items():
        wanted = comparables(quad.triple for quad in parse(lines, RdfFormat.N_QUADS))
        if there[graph] != wanted:
            missing, extra = len(wanted - there[graph]), len(there[graph] - wanted)
            yield Difference(source, graph, f"{missing} triples of the release are missing, {extra} others are there")
