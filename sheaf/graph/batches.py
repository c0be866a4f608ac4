"""Changes of one source collected into batches, each with its markers, each atomic."""

from __future__ import annotations

from dataclasses import dataclass, field

from sheaf.graph.changes import GraphChanges
from sheaf.graph.content import Piece
from sheaf.graph.driver import GraphStore
from sheaf.graph.markers import Markers, SourceState, hash_line


@dataclass(frozen=True, slots=True)
class BatchSize:
    """When a batch is sent: whichever comes first."""

    quads: int = 10_000
    bytes: int = 4 * 1024 * 1024
    drops: int = 500


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
        self._sent, self._size = sent, size
        self._drop: list[str] = []
        self._remove: list[bytes] = []
        self._insert: list[bytes] = []
        self._quads = 0
        self._bytes = 0

    def put(self, piece: Piece, old: str) -> None:
        """Write a graph anew; ``old`` is the hash that the namespace has of it, empty when none."""
        self._sent.graphs_changed += bool(old)
        self._sent.graphs_added += not old
        if self._quads and self._quads + piece.quads > self._size.quads:
            self._send()
        self._take_away(piece.graph, old)
        for block in piece.lines():
            if self._bytes and self._bytes + len(block) > self._size.bytes:
                self._send()  # a graph larger than a batch: its marker comes with its last lines
            self._insert.append(block)
            self._bytes += len(block)
        self._quads += piece.quads
        self._insert.append(hash_line(self._markers, self._source, piece.graph, piece.sha256))
        self._send_when_full()

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
            self._remove.append(hash_line(self._markers, self._source, graph, old))

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
