"""For the tests of graphs: releases made by hand, a real graph server in a thread, what a namespace really holds."""

from __future__ import annotations

import gzip
import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import uvicorn

from sheaf.config import Tenant
from sheaf.errors import TemporaryFault
from sheaf.graph import GraphChanges, GraphStore
from sheaf.graph.drivers import Access, SheafStore
from sheaf.graph.server import Limits, create_app
from sheaf.release.record import Pointer
from sheaf.store import MemoryStore, layout
from tests.integration.servers import TOKEN, free_port

ORG = "test"
SCHEMA = "https://schema.org/"


def document(source: str, number: int) -> str:
    """The id of a made-up document: hex, as the real ones are."""
    return hashlib.sha1(f"{source} {number}".encode()).hexdigest()


def lines_of(graph: str, title: str, triples: int = 3) -> list[str]:
    """A document's quads: as many as asked for, with what breaks careless code in the literals."""
    subject = f"<https://example.org/{graph.rsplit(':', 1)[-1]}>"
    said = [f'{subject} <{SCHEMA}name> "{title}"@en <{graph}> .']
    for number in range(triples - 1):
        text = f'{number}: é 😀 C:\\\\u0041 \\"quoted\\" <x> {{}} # ; {title}'
        said.append(f'{subject} <{SCHEMA}description> "{text}" <{graph}> .')
    return sorted(f"{line}\n" for line in said)


@dataclass
class Releases:
    """Publishes releases into a store in memory; what they hold is remembered for comparison."""

    store: MemoryStore = field(default_factory=MemoryStore)
    held: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    summaries: dict[str, dict[str, set[str]]] = field(default_factory=dict)

    def publish(self, source: str, documents: Mapping[str, str], triples: int = 3) -> str:
        """Documents by id with their titles, as one published release; its id."""
        graphs: dict[str, list[str]] = {}
        for name in sorted(documents):
            graph = f"urn:gleaner.io:{ORG}:{source}:data:{name}"
            graphs[graph] = lines_of(graph, documents[name], triples)
        catalogue = f"urn:gleaner.io:{ORG}:{source}:datacatalog"
        graphs[catalogue] = [f"<{catalogue}> <{SCHEMA}dataset> <{graph}> <{catalogue}> .\n" for graph in graphs]
        summary = {
            graph: [
                f'<{graph}> <{SCHEMA}name> "{documents[graph.rsplit(":", 1)[-1]]}" <{graph}> .\n',
                f"<{graph}> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <{SCHEMA}Dataset> <{graph}> .\n",
            ]
            for graph in graphs
            if graph != catalogue
        }
        self.held[source] = {graph: set(lines) for graph, lines in graphs.items()}
        self.summaries[source] = {graph: set(lines) for graph, lines in summary.items()}
        return self._write(source, graphs, "".join(line for lines in summary.values() for line in lines).encode())

    def _write(self, source: str, graphs: Mapping[str, list[str]], summary: bytes) -> str:
        rows, blocks, offset = [], [], 0
        for graph, lines in graphs.items():
            block = "".join(lines).encode()
            rows.append((graph, hashlib.sha256(block).hexdigest(), offset, len(block), len(lines)))
            blocks.append(block)
            offset += len(block)
        content = b"".join(blocks)
        release_id = "20250101T000000Z-" + hashlib.sha256(content + summary).hexdigest()[:12]
        names = ["graph", "sha256", "offset", "bytes", "quads"]
        table = pa.table({name: [row[at] for row in rows] for at, name in enumerate(names)})
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        # several gzip members, as a release that was made in parallel has
        packed = b"".join(gzip.compress(block, mtime=0) for block in blocks)
        for name, data in (("release.nq.gz", packed), ("summary.nq", summary)):
            self.store.put(layout.release_file(source, release_id, name), data)
        self.store.put(layout.release_file(source, release_id, "index.parquet"), sink.getvalue().to_pybytes())
        pointer = Pointer(
            release_id=release_id,
            source=source,
            org=ORG,
            harvest_id="20250101T000000Z",
            created=datetime(2025, 1, 1, tzinfo=UTC),
            harvested=len(graphs) - 1,
            documents=len(graphs) - 1,
            datasets=len(graphs) - 1,
            quads=sum(len(lines) for lines in graphs.values()),
            catalogue_quads=len(graphs) - 1,
            prov_quads=0,
            summary_quads=summary.count(b"\n"),
            bytes=len(content),
            content_sha256=hashlib.sha256(content + summary).hexdigest(),
            parsed_quads=content.count(b"\n"),
            files={},
        )
        self.store.put(layout.latest_pointer(source), pointer.model_dump_json().encode())
        return release_id

    def expected(self, *sources: str) -> dict[str, set[str]]:
        """What the main namespace of a tenant of these sources holds."""
        return {graph: lines for source in sources for graph, lines in self.held[source].items()}

    def expected_summary(self, *sources: str) -> dict[str, set[str]]:
        """What its summary namespace holds."""
        return {graph: lines for source in sources for graph, lines in self.summaries[source].items()}


def tenant(*sources: str, community: str = "geo", exclude: tuple[str, ...] = ()) -> Tenant:
    """A tenant of these sources, with namespaces of its own."""
    graph = {"main_namespace": community, "summary_namespace": f"{community}_summary"}
    return Tenant.model_validate(
        {"community": community, "graph": graph, "sources": list(sources) or ["all"], "exclude": list(exclude)}
    )


def held(graphs: GraphStore, namespace: str) -> dict[str, set[str]]:
    """Every quad of a namespace as N-Quads lines by graph; marker graphs are left out."""
    query = "SELECT ?g ?s ?p ?o WHERE { GRAPH ?g { ?s ?p ?o } }"
    found: dict[str, set[str]] = {}
    for row in graphs.query(namespace, query)["results"]["bindings"]:
        graph = row["g"]["value"]
        if not graph.startswith(f"urn:gleaner.io:{ORG}:tenant:"):
            line = " ".join(_written(row[name]) for name in "spo") + f" <{graph}> .\n"
            found.setdefault(graph, set()).add(line)
    return found


def _written(term: dict[str, Any]) -> str:
    if term["type"] == "uri":
        return f"<{term['value']}>"
    text = term["value"].replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{text}"' + (f"@{term['xml:lang'].lower()}" if "xml:lang" in term else "")


class Counting:
    """A graph store that counts what is asked of it, and may die at the n-th write, before or after doing it."""

    def __init__(self, inner: GraphStore, die_at: int = 0, done_first: bool = False) -> None:
        self.inner = inner
        self.reads = 0
        self.writes = 0
        self._die_at, self._done_first = die_at, done_first

    def _write(self, call: Callable[[], Any]) -> Any:
        self.writes += 1
        dying = self.writes == self._die_at
        if dying and not self._done_first:
            raise TemporaryFault("the machine died before the write")
        result = call()
        if dying:
            raise TemporaryFault("the machine died after the write")
        return result

    def endpoint(self, namespace: str) -> str:
        return self.inner.endpoint(namespace)

    def namespaces(self) -> list[str]:
        self.reads += 1
        return self.inner.namespaces()

    def exists(self, namespace: str) -> bool:
        self.reads += 1
        return self.inner.exists(namespace)

    def ensure(self, namespace: str) -> bool:
        return bool(self._write(lambda: self.inner.ensure(namespace)))

    def protect(self, namespace: str, visibility: str, read_token: str = "") -> bool:
        self.reads += 1
        return self.inner.protect(namespace, visibility, read_token)

    def drop(self, namespace: str) -> bool:
        return bool(self._write(lambda: self.inner.drop(namespace)))

    def apply(self, namespace: str, changes: GraphChanges) -> None:
        self._write(lambda: self.inner.apply(namespace, changes))

    def load(self, namespace: str, body: Callable[[], Any]) -> None:
        self._write(lambda: self.inner.load(namespace, body))

    def query(self, namespace: str, sparql: str) -> dict[str, Any]:
        self.reads += 1
        return self.inner.query(namespace, sparql)

    def count(self, namespace: str) -> int:
        self.reads += 1
        return self.inner.count(namespace)

    def graphs(self, namespace: str) -> set[str]:
        self.reads += 1
        return self.inner.graphs(namespace)


@contextmanager
def server_in_thread(location: Path, limits: Limits | None = None, token: str = TOKEN) -> Iterator[str]:
    """The graph server on a free port, over real HTTP; yields the root of its URLs."""
    port = free_port()
    config = uvicorn.Config(create_app(location, token, limits), host="127.0.0.1", port=port, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the graph server did not start"
            thread.join(0.01)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(30)


@contextmanager
def own_store(location: Path) -> Iterator[SheafStore]:
    """The driver of our server, with the server behind it."""
    with server_in_thread(location) as root:
        graphs = SheafStore(f"{root}/blazegraph", Access(token=TOKEN))
        yield graphs
        graphs.close()
