"""Changes of one source collected into batches, each with its markers, each atomic."""

from __future__ import annotations

from dataclasses import dataclass, field

from pyoxigraph import RdfFormat, Triple, parse

from sheaf.graph.changes import GraphChanges, iri
from sheaf.graph.content import Piece
from sheaf.graph.driver import GraphStore
from sheaf.graph.markers import Markers, SourceState, hash_lines
from sheaf.graph.terms import comparable, has_blank_node, triple


@dataclass(frozen=True, slots=True)
class BatchSize:
    """When a batch is sent: whichever comes first."""

    quads: int = 10_000
    bytes: int = 4 * 1024 * 1024
    drops: int = 500
    by_triple: range = range(500, 200_001)  # quads of a graph that is compared triple by triple


@dataclass(slots=True)
class Sent:
    """What went to the namespace so far; shared by all sources of one reconcile."""

    batches: int = 0
    bytes: int = 0
    graphs_added: int = 0
    graphs_changed: int = 0
    graphs_removed: int = 0
    sources_added: list[str] = field(default_factory=list)
    sources_removed: list[str] = field(default_factory=list)


class SourceBatches:
    """The batches that bring one source from the state the namespace says to the one it should say.

    The first batch takes the old state away and the last one puts the new one in; between the two the namespace says
    "in the middle", so whatever interrupts, the next reconcile compares graph by graph.
    """

    def __init__(
        self,
        graphs: GraphStore,
        namespace: str,
        markers: Markers,
        source: str,
        before: SourceState | None,
        sent: Sent,
        size: BatchSize,
    ) -> None:
        self._graphs, self._namespace, self._markers, self._source = graphs, namespace, markers, source
        self._said = before
        # Only after an interruption, or where others wrote, may a graph be there that no marker names. RDF4J takes
        # 20 ms to drop a graph that is not there, so new graphs are not dropped to be sure.
        self._unmarked = before is None or not before.release
        self._sent, self._size = sent, size
        self._drop: list[str] = []
        self._remove: list[bytes] = []
        self._insert: list[bytes] = []
        self._quads = 0
        self._bytes = 0

    def put(self, piece: Piece, old: str, there: bool = False) -> None:
        """Write a graph anew; ``old`` is the hash that the namespace has of it, empty when none. ``there`` says that
        the graph was seen although no marker names it."""
        self._sent.graphs_changed += bool(old)
        self._sent.graphs_added += not old
        if old and piece.quads in self._size.by_triple and self._put_difference(piece, old):
            return
        if self._quads and self._quads + piece.quads > self._size.quads:
            self._send()
        if old or there or self._unmarked:
            self._take_away(piece.graph, old)
        for block in piece.lines():
            if self._bytes and self._bytes + len(block) > self._size.bytes:
                self._send()  # a graph larger than a batch: its marker comes with its last lines
            self._insert.append(block)
            self._bytes += len(block)
        self._quads += piece.quads
        self._insert.append(hash_lines(self._markers, self._source, piece.graph, piece.sha256))
        self._send_when_full()

    def _put_difference(self, piece: Piece, old: str) -> bool:
        """Write only the triples in which a large graph (the catalogue, most often) differs from what the store has;
        false when that cannot be said, as it holds blank nodes."""
        query = f"SELECT ?s ?p ?o WHERE {{ GRAPH {iri(piece.graph)} {{ ?s ?p ?o }} }}"
        there: dict[object, Triple] = {}
        for row in self._graphs.query(self._namespace, query)["results"]["bindings"]:
            found = triple(row)
            if has_blank_node(found):
                return False
            there[comparable(found)] = found
        for block in piece.lines():
            lines = block.splitlines(keepends=True)
            for line, quad in zip(lines, parse(block, RdfFormat.N_QUADS), strict=True):
                if there.pop(comparable(quad.triple), None) is None:
                    self._insert.append(line)
                    self._quads += 1
                    self._bytes += len(line)
        graph = iri(piece.graph)
        self._remove.extend(f"{gone} {graph} .\n".encode() for gone in there.values())
        self._quads += len(there)
        self._remove.append(hash_lines(self._markers, self._source, piece.graph, old))
        self._insert.append(hash_lines(self._markers, self._source, piece.graph, piece.sha256))
        self._send_when_full()
        return True

    def drop(self, graph: str, old: str) -> None:
        """Take a graph and its marker away."""
        self._sent.graphs_removed += 1
        self._take_away(graph, old)
        self._send_when_full()

    def finish(self, after: SourceState | None) -> None:
        """Send what is left, with the new state; None: the source is gone, and says nothing any more."""
        if after is None:
            self._drop.append(self._markers.of(self._source))
        self._send(after, last=True)

    def _take_away(self, graph: str, old: str) -> None:
        self._drop.append(graph)
        if old:
            self._remove.append(hash_lines(self._markers, self._source, graph, old))

    def _send_when_full(self) -> None:
        full = self._quads >= self._size.quads or self._bytes >= self._size.bytes
        if full or len(self._drop) >= self._size.drops:
            self._send()

    def _send(self, after: SourceState | None = None, last: bool = False) -> None:
        saying = after if last else SourceState()
        remove, insert = self._remove, self._insert
        if saying != self._said:
            if self._said is not None:
                remove = [*remove, self._said.lines(self._markers, self._source)]
            if saying is not None:
                insert = [*insert, saying.lines(self._markers, self._source)]
            self._said = saying
        changes = GraphChanges(tuple(self._drop), b"".join(remove), b"".join(insert))
        self._drop, self._remove, self._insert = [], [], []
        self._quads = self._bytes = 0
        if not changes.empty:
            self._graphs.apply(self._namespace, changes)
            self._sent.batches += 1
            self._sent.bytes += len(changes.insert)
