"""What a namespace should hold of one source: the graphs of its published release, one after the other.

The main namespace holds the documents' graphs, the catalogue graph and the source's organization; the summary
namespace holds the summary's row of each document, in the graph of the document's own name. Provenance stays in the
bucket (docs/decisions/0003-graph-changes.md).
"""

from __future__ import annotations

import gzip
import hashlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol, cast

import pyarrow.parquet as pq
from pyoxigraph import NamedNode, Quad, RdfFormat, parse, serialize

from sheaf.errors import NotFound, SheafError
from sheaf.release.graph_names import organization_graph
from sheaf.store import ObjectStore, layout

BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Piece:
    """One graph: its name, the sha256 of its lines, how many, and the lines themselves in blocks of whole lines.

    ``lines`` has to be called before the next piece is asked for, or not at all.
    """

    graph: str
    sha256: str
    quads: int
    lines: Callable[[], Iterator[bytes]]


class Content(Protocol):
    """The graphs of one source; ``expected`` is about how many."""

    expected: int

    def pieces(self) -> Iterator[Piece]: ...


class MainContent:
    """A release's graphs by ``index.parquet`` and ``release.nq.gz``, then the source's organization."""

    def __init__(
        self, store: ObjectStore, source: str, release_id: str, expected: int, organization: tuple[str, bytes]
    ) -> None:
        self._store, self._source, self._release_id = store, source, release_id
        self._organization = organization  # the graph's name and its lines, which may be none
        self.expected = expected

    def pieces(self) -> Iterator[Piece]:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sheaf-index-")))
            index = folder / "index.parquet"
            self._store.download(layout.release_file(self._source, self._release_id, "index.parquet"), index)
            release = _ReleaseLines(self._store, self._source, self._release_id, stack)
            file = stack.enter_context(pq.ParquetFile(index))
            for batch in file.iter_batches(10_000, columns=["graph", "sha256", "offset", "bytes", "quads"]):
                columns = batch.to_pydict()
                for graph, sha256, offset, size, quads in zip(*columns.values(), strict=True):
                    yield Piece(graph, sha256, quads, release.reader(graph, sha256, offset, size))
        graph, lines = self._organization
        if lines:
            yield _piece(graph, lines)


class _ReleaseLines:
    """``release.nq.gz`` read forwards, opened when the first lines are asked for."""

    def __init__(self, store: ObjectStore, source: str, release_id: str, stack: ExitStack) -> None:
        self._store, self._stack = store, stack
        self._key = layout.release_file(source, release_id, "release.nq.gz")
        self._file: gzip.GzipFile | None = None
        self._at = 0

    def reader(self, graph: str, sha256: str, offset: int, size: int) -> Callable[[], Iterator[bytes]]:
        """A function that gives the lines of one graph and checks their digest."""

        def lines() -> Iterator[bytes]:
            file = self._open()
            while self._at < offset:
                self._at += len(self._read(file, min(BLOCK, offset - self._at)))
            digest, rest = hashlib.sha256(), b""
            while self._at < offset + size:
                data = self._read(file, min(BLOCK, offset + size - self._at))
                self._at += len(data)
                digest.update(data)
                block = rest + data
                cut = block.rfind(b"\n") + 1
                rest = block[cut:]
                yield block[:cut]
            if digest.hexdigest() != sha256 or rest:
                raise SheafError(f"{self._key} is not what its index says at {graph}: build the release again")

        return lines

    def _open(self) -> gzip.GzipFile:
        if self._file is None:
            stream = self._stack.enter_context(self._store.open(self._key))
            self._file = self._stack.enter_context(gzip.GzipFile(fileobj=cast(IO[bytes], stream)))
        return self._file

    def _read(self, file: gzip.GzipFile, size: int) -> bytes:
        try:
            data = file.read(size)
        except (EOFError, gzip.BadGzipFile) as error:
            raise SheafError(f"{self._key} cannot be read: {error}. Build the release again") from error
        if not data:
            raise SheafError(f"{self._key} ends before its index does: build the release again")
        return data


class SummaryContent:
    """The rows of ``summary.nq``, which is sorted by document; each line already names the document's graph."""

    def __init__(self, store: ObjectStore, source: str, release_id: str, expected: int) -> None:
        self._store, self._key = store, layout.release_file(source, release_id, "summary.nq")
        self.expected = expected

    def pieces(self) -> Iterator[Piece]:
        with self._store.open(self._key) as stream:
            graph, lines = b"", list[bytes]()
            for line in _lines(stream.read):
                subject = line[: line.find(b" ")]
                if subject != graph:
                    if lines:
                        yield _piece(graph[1:-1].decode(), b"".join(lines))
                    graph, lines = subject, []
                lines.append(line)
            if lines:
                yield _piece(graph[1:-1].decode(), b"".join(lines))


def _lines(read: Callable[[int], bytes]) -> Iterator[bytes]:
    rest = b""
    while data := read(BLOCK):
        lines = (rest + data).split(b"\n")
        rest = lines.pop()
        yield from (line + b"\n" for line in lines if line)
    if rest:
        yield rest + b"\n"


def _piece(graph: str, lines: bytes) -> Piece:
    return Piece(graph, hashlib.sha256(lines).hexdigest(), lines.count(b"\n"), lambda: iter([lines]))


def organization(store: ObjectStore, source: str, org: str) -> tuple[str, bytes]:
    """``orgs/<source>.nq`` as sorted N-Quads in the graph that the contract names, with that name; often no lines.

    Raises ``SheafError`` when the file cannot be parsed.
    """
    graph, key = organization_graph(org, source), layout.org(source)
    try:
        text = store.get(key)
    except NotFound:
        return graph, b""
    try:
        quads = {Quad(q.subject, q.predicate, q.object, NamedNode(graph)) for q in parse(text, RdfFormat.N_QUADS)}
    except SyntaxError as error:
        raise SheafError(f"{key} is no N-Quads: {error}") from error
    lines = serialize(quads, format=RdfFormat.N_QUADS) or b""
    return graph, b"".join(sorted(lines.splitlines(keepends=True)))
