"""Bring a tenant's namespaces to what its sources publish (architecture.md, point 5).

One read says which release of each source is loaded; a source whose release is the published one is left alone. The
others are compared graph by graph and the difference is written in batches, data and markers together.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from sheaf.config import Tenant
from sheaf.errors import NotFound
from sheaf.graph.batches import BatchSize, Sent, SourceBatches
from sheaf.graph.content import Content, MainContent, SummaryContent, organization
from sheaf.graph.counting import Census, repair
from sheaf.graph.driver import GraphStore
from sheaf.graph.markers import LoadedHashes, Markers, SourceState, hash_lines, read_states
from sheaf.graph.results import Kind, NamespaceResult, TenantResult
from sheaf.release.archive import published
from sheaf.release.record import ReleaseRecord
from sheaf.store import ObjectStore

log = logging.getLogger("sheaf.graph")
SEND_BYTES = 256 * 1024  # of a first load: one chunk of the request's body


@dataclass(frozen=True, slots=True)
class Wanted:
    """One source as it should be in a namespace."""

    source: str
    content: Content
    release: str
    organization: str = ""  # digest of its lines, as they change without a release


def reconcile_tenant(
    store: ObjectStore, graphs: GraphStore, tenant: Tenant, source_names: Sequence[str], org: str
) -> TenantResult:
    """Both namespaces of the tenant. ``source_names`` are all sources in force; the tenant's list picks from them.

    Raises ``TemporaryFault`` when the triplestore or the object store does not answer; what was done until then is
    whole, and the next call goes on from there.
    """
    return TenantResult(
        community=tenant.community,
        main=reconcile_main(store, graphs, tenant, source_names, org),
        summary=reconcile_summary(store, graphs, tenant, source_names, org),
    )


def reconcile_main(
    store: ObjectStore, graphs: GraphStore, tenant: Tenant, source_names: Sequence[str], org: str
) -> NamespaceResult:
    """The tenant's main namespace: the documents' graphs of all its sources."""
    return Reconciler(store, graphs, tenant, source_names, org, "main").run()


def reconcile_summary(
    store: ObjectStore, graphs: GraphStore, tenant: Tenant, source_names: Sequence[str], org: str
) -> NamespaceResult:
    """The tenant's summary namespace: the flat rows that search pages query."""
    return Reconciler(store, graphs, tenant, source_names, org, "summary").run()


class Reconciler:
    """One run over one namespace of one tenant."""

    def __init__(
        self,
        store: ObjectStore,
        graphs: GraphStore,
        tenant: Tenant,
        source_names: Sequence[str],
        org: str,
        kind: Kind,
        size: BatchSize | None = None,
    ) -> None:
        self.store, self.graphs, self.org, self.kind = store, graphs, org, kind
        self.namespace = tenant.graph.main_namespace if kind == "main" else tenant.graph.summary_namespace
        self.markers = Markers(org, tenant.community)
        self.visibility = tenant.visibility
        self.members = tenant.members(source_names)
        self.size = size or BatchSize()
        self.sent = Sent()
        self.problems: list[str] = []
        self._strays: set[str] | None = None

    def run(self) -> NamespaceResult:
        """Compare, write the difference, look whether it is there."""
        begun = time.perf_counter()
        states = self._states()
        created = not states and not self.graphs.exists(self.namespace) and self.graphs.ensure(self.namespace)
        self.graphs.protect(self.namespace, self.visibility)
        wanted, waiting = self.wanted()
        for source in sorted(set(states) - set(self.members)):
            self._leave(source, states.pop(source))
        for each in wanted:
            before = states.get(each.source)
            if before is None or (before.release, before.organization) != (each.release, each.organization):
                states[each.source] = self._bring(each, before)
        repaired = self._verify(wanted, states) if self.sent.batches else 0
        return NamespaceResult(
            namespace=self.namespace,
            kind=self.kind,
            endpoint=self.graphs.endpoint(self.namespace),
            created=created,
            graphs_total=sum(state.graphs for state in states.values()),
            graphs_added=self.sent.graphs_added,
            graphs_changed=self.sent.graphs_changed,
            graphs_removed=self.sent.graphs_removed,
            triples=sum(state.quads for state in states.values()),
            batches=self.sent.batches,
            bytes_sent=self.sent.bytes,
            seconds=round(time.perf_counter() - begun, 3),
            sources={source: states[source].release for source in sorted(states)},
            sources_added=tuple(self.sent.sources_added),
            sources_removed=tuple(self.sent.sources_removed),
            waiting=tuple(waiting),
            unchanged=not self.sent.batches and not created,
            repaired=repaired,
            problems=tuple(self.problems),
        )

    def _states(self) -> dict[str, SourceState]:
        try:
            return read_states(self.graphs, self.namespace, self.markers)
        except NotFound:
            return {}

    def wanted(self) -> tuple[list[Wanted], list[str]]:
        """The tenant's sources with their published releases, and those that wait for their first."""
        wanted, waiting = [], []
        for source in self.members:
            pointer = published(self.store, source)
            if pointer is None:
                waiting.append(source)
            elif self.kind == "summary":
                content = SummaryContent(self.store, source, pointer.release_id, pointer.datasets)
                wanted.append(Wanted(source, content, pointer.release_id))
            else:
                wanted.append(self._wanted_main(source, pointer))
        return wanted, waiting

    def _wanted_main(self, source: str, pointer: ReleaseRecord) -> Wanted:
        graph, lines = organization(self.store, source, self.org)
        content = MainContent(self.store, source, pointer.release_id, pointer.documents + 2, (graph, lines))
        digest = hashlib.sha256(lines).hexdigest()[:16] if lines else ""
        return Wanted(source, content, pointer.release_id, digest)

    def _bring(self, wanted: Wanted, before: SourceState | None) -> SourceState:
        """Load a source that is not there yet, or write what differs of one that is."""
        if before is None:
            self.sent.sources_added.append(wanted.source)
            if not self._left_behind(wanted.source):
                return self._first_load(wanted)
        return self._difference(wanted, before)

    def _first_load(self, wanted: Wanted) -> SourceState:
        """All graphs in one request of the store's bulk way, each graph's marker behind it, the state as the last
        line: what a store keeps of a request that was cut off is then never taken for more than it is."""
        log.info("%s: loading %s, release %s", self.namespace, wanted.source, wanted.release)
        counted: list[SourceState] = []

        def body() -> Iterator[bytes]:
            graphs = quads = 0
            waiting, size = list[bytes](), 0
            for piece in wanted.content.pieces():
                graphs, quads = graphs + 1, quads + piece.quads
                marker = hash_lines(self.markers, wanted.source, piece.graph, piece.sha256)
                for block in chain(piece.lines(), [marker]):
                    waiting.append(block)
                    size += len(block)
                    if size >= SEND_BYTES:
                        yield b"".join(waiting)
                        self.sent.bytes += size
                        waiting, size = [], 0
            state = SourceState(wanted.release, wanted.organization, graphs, quads)
            counted[:] = [state]
            self.sent.bytes += size
            yield b"".join([*waiting, state.lines(self.markers, wanted.source)])

        self.graphs.load(self.namespace, body)
        self.sent.batches += 1
        self.sent.graphs_added += counted[0].graphs
        return counted[0]

    def _difference(self, wanted: Wanted, before: SourceState | None) -> SourceState:
        log.info("%s: comparing %s with release %s", self.namespace, wanted.source, wanted.release)
        loaded = LoadedHashes(self.graphs, self.namespace, self.markers, wanted.source, wanted.content.expected)
        batches = self.batches(wanted.source, before)
        graphs = quads = 0
        for piece in wanted.content.pieces():
            graphs, quads = graphs + 1, quads + piece.quads
            old = loaded.take(piece.graph)
            for gone, sha256 in loaded.gone():
                batches.drop(gone, sha256)
            if old != piece.sha256:
                batches.put(piece, old)
        for gone, sha256 in loaded.leftovers():
            batches.drop(gone, sha256)
        after = SourceState(wanted.release, wanted.organization, graphs, quads)
        batches.finish(after)
        return after

    def _leave(self, source: str, before: SourceState) -> None:
        """Remove a source that left the tenant, graph by graph as its markers name them."""
        log.info("%s: removing %s", self.namespace, source)
        batches = self.batches(source, before)
        for graph, sha256 in LoadedHashes(self.graphs, self.namespace, self.markers, source, before.graphs).leftovers():
            batches.drop(graph, sha256)
        batches.finish(None)
        self.sent.sources_removed.append(source)

    def batches(self, source: str, before: SourceState | None) -> SourceBatches:
        """An empty series of batches for one source."""
        return SourceBatches(self.graphs, self.namespace, self.markers, source, before, self.sent, self.size)

    def _left_behind(self, source: str) -> bool:
        """True when graphs of the source lie in the namespace although no marker says so; asked once a run."""
        if self._strays is None:
            self._strays = Census(self.graphs, self.namespace, self.markers).sources()
        return source in self._strays

    def _verify(self, wanted: Sequence[Wanted], states: dict[str, SourceState]) -> int:
        """Count what is there; when it is not what it should be, find out where, and write that again, once."""
        census = Census(self.graphs, self.namespace, self.markers)
        if not census.trouble(states):
            return 0
        by_source = {each.source: each.content for each in wanted}
        repaired = 0
        for source in sorted(states):
            if content := by_source.get(source):
                repaired += repair(census, content, source, states[source], self.batches)
        repaired += census.drop_strays(set(states), self.size.drops, self.sent)
        self.problems.extend(f"after the repair: {trouble}" for trouble in census.trouble(states))
        return repaired
