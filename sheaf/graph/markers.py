"""The marker graphs: what a tenant's namespace says it holds (architecture.md, point 5).

``urn:gleaner.io:<org>:tenant:<community>:loaded`` has a few triples a source: its release, and how many graphs and
quads of it are there. ``...:loaded:<source>`` has one triple a graph: the sha256 of its lines. Each batch changes data
and markers in one request, so what the markers say is true at every moment; a release id of "" says "in the middle".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product

from sheaf.graph.changes import iri
from sheaf.graph.driver import GraphStore

VOCABULARY = "urn:gleaner.io:marker:"
SHA256 = f"{VOCABULARY}sha256"
# Hashes that are read at once: about 15 MB of JSON.
HASHES_AT_ONCE = 50_000
HEX = "0123456789abcdef"
ALL, OTHER = "all", "other"  # slices beside those of leading digits


@dataclass(frozen=True, slots=True)
class Markers:
    """The names of one tenant's marker graphs."""

    org: str
    community: str

    @property
    def graph(self) -> str:
        return f"urn:gleaner.io:{self.org}:tenant:{self.community}:loaded"

    def of(self, source: str) -> str:
        """The marker graph of one source, which is also the subject of its state."""
        return f"{self.graph}:{source}"


@dataclass(frozen=True, slots=True)
class SourceState:
    """What the namespace says about one source; ``release`` is empty while a change is under way."""

    release: str = ""
    organization: str = ""
    graphs: int = 0
    quads: int = 0
    said: bytes = field(default=b"", compare=False, repr=False)  # the triples as they were read

    def lines(self, markers: Markers, source: str) -> bytes:
        """The state as N-Quads. In the middle of a change only the empty release is said."""
        if self.said:
            return self.said
        values = {"release": self.release}
        if self.release:
            values |= {"organization": self.organization, "graphs": str(self.graphs), "quads": str(self.quads)}
        return _state_lines(markers, source, values.items())


def _state_lines(markers: Markers, source: str, values: Iterable[tuple[str, str]]) -> bytes:
    subject, graph = iri(markers.of(source)), iri(markers.graph)
    return "".join(f'{subject} <{VOCABULARY}{name}> "{value}" {graph} .\n' for name, value in values).encode()


def hash_lines(markers: Markers, source: str, graph: str, hashes: str) -> bytes:
    """The marker of one graph as N-Quads: a line for each hash, where ``LoadedHashes`` found several."""
    name, markers_of_source = iri(graph), iri(markers.of(source))
    return b"".join(f'{name} <{SHA256}> "{one}" {markers_of_source} .\n'.encode() for one in hashes.split())


def read_states(graphs: GraphStore, namespace: str, markers: Markers) -> dict[str, SourceState]:
    """The state of each source that the namespace knows, in one read.

    Two runs at once may leave a source with two releases: that counts as being in the middle of a change.
    """
    query = f"SELECT ?s ?p ?o WHERE {{ GRAPH {iri(markers.graph)} {{ ?s ?p ?o }} }}"
    prefix = markers.of("")
    found: dict[str, list[tuple[str, str]]] = {}
    for row in graphs.query(namespace, query)["results"]["bindings"]:
        source = str(row["s"]["value"]).removeprefix(prefix)
        name = str(row["p"]["value"]).removeprefix(VOCABULARY)
        found.setdefault(source, []).append((name, str(row["o"]["value"])))
    states = {}
    for source, pairs in found.items():
        values = dict(pairs)
        states[source] = SourceState(
            values.get("release", "") if len(values) == len(pairs) else "",
            values.get("organization", ""),
            int(values.get("graphs", "0")),
            int(values.get("quads", "0")),
            _state_lines(markers, source, pairs),
        )
    return states


def communities(graphs: GraphStore, namespace: str, org: str) -> list[str]:
    """The tenants that ever loaded anything into the namespace, by its marker graphs."""
    query = f"SELECT DISTINCT ?g WHERE {{ GRAPH ?g {{ ?s <{VOCABULARY}release> ?o }} }}"
    names = (row["g"]["value"] for row in graphs.query(namespace, query)["results"]["bindings"])
    prefix = f"urn:gleaner.io:{org}:tenant:"
    return sorted(name.removeprefix(prefix).split(":")[0] for name in names if name.startswith(prefix))


class LoadedHashes:
    """The hashes of one source's graphs in the namespace, taken one by one in the order of the graphs' names.

    They are read in slices by the leading digits of the document ids, so that a source of a million documents costs
    no more memory than one of fifty thousand.
    """

    def __init__(self, graphs: GraphStore, namespace: str, markers: Markers, source: str, expected: int) -> None:
        self._graphs, self._namespace, self._graph = graphs, namespace, markers.of(source)
        self._documents = f"urn:gleaner.io:{markers.org}:{source}:data:"
        digits = 0
        while expected > HASHES_AT_ONCE * 16**digits:
            digits += 1
        self._digits = digits
        # a dict, as an ordered set of the slices that were not read yet
        self._unread = dict.fromkeys([*map("".join, product(HEX, repeat=digits)), OTHER] if digits else [ALL])
        self._slice = ""
        self._hashes: dict[str, str] = {}
        self._gone: list[tuple[str, str]] = []

    def take(self, graph: str) -> str:
        """The hash of a graph, empty when the namespace does not say to hold it."""
        wanted = self._slice_of(graph)
        if wanted != self._slice and wanted in self._unread:
            self._gone.extend(self._hashes.items())
            self._hashes, self._slice = self._read(wanted), wanted
        return self._hashes.pop(graph, "")

    def gone(self) -> Iterator[tuple[str, str]]:
        """Graph and hash of each that the slices done with still held: graphs that have to go."""
        gone, self._gone = self._gone, []
        yield from gone

    def leftovers(self) -> Iterator[tuple[str, str]]:
        """The same, at the end of the comparison: whatever was never taken."""
        yield from self.gone()
        yield from self._hashes.items()
        self._hashes = {}
        for name in list(self._unread):
            yield from self._read(name).items()

    def _slice_of(self, graph: str) -> str:
        if not self._digits:
            return ALL
        rest = graph.removeprefix(self._documents)
        digits = rest[: self._digits]
        ours = rest != graph and len(digits) == self._digits and not digits.strip(HEX)
        return digits if ours else OTHER

    def _read(self, name: str) -> dict[str, str]:
        del self._unread[name]
        condition = ""
        if name == OTHER:
            condition = f'FILTER(!REGEX(STR(?g), "^{self._documents}[0-9a-f]{{{self._digits}}}"))'
        elif name != ALL:
            condition = f'FILTER(STRSTARTS(STR(?g), "{self._documents}{name}"))'
        query = f"SELECT ?g ?h WHERE {{ GRAPH {iri(self._graph)} {{ ?g <{SHA256}> ?h {condition} }} }}"
        hashes: dict[str, str] = {}
        for row in self._graphs.query(self._namespace, query)["results"]["bindings"]:
            graph, sha256 = str(row["g"]["value"]), str(row["h"]["value"])
            # two of one graph, which two runs at once may leave, are no hash of anything, and both are removed
            hashes[graph] = f"{hashes[graph]} {sha256}" if graph in hashes else sha256
        return hashes
