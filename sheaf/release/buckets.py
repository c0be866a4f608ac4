"""A harvest's documents, cut into buckets by the leading digits of their ids and converted side by side.

Ids are hex digests, so the buckets are of one size, and one behind the other they are the release in its order. What a
process holds is one bucket, however large the harvest is.
"""

from __future__ import annotations

import gc
import hashlib
import multiprocessing
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyoxigraph as ox

from sheaf.config import Source
from sheaf.errors import TemporaryFault
from sheaf.harvest.provenance import PROV_COLUMNS, prov_quads
from sheaf.release.catalogue import newest_date
from sheaf.release.conversion import NotConverted, convert_document
from sheaf.release.graph_names import data_graph
from sheaf.release.index import IndexRow
from sheaf.release.record import LeftOut

# Up to so many bytes of text one bucket, 16, 256; beyond 4,096. A bucket stays under 4 MB until there are 16 GB, and
# small enough that no process waits long for the last one.
_BUCKETS_FOR = (1 << 20, 8 << 20, 1 << 30)
_FLUSH_BYTES = 8 << 20
_GZIP_LEVEL = 3  # as fast as level 1 and 5 % smaller; level 6 takes twice the time for another 12 %

SPILL_COLUMNS = tuple(dict.fromkeys(["id", "url", *PROV_COLUMNS]))


def bucket_digits(text_bytes: int) -> int:
    """How many leading digits of the ids tell the buckets apart, for that much text."""
    return sum(text_bytes > limit for limit in _BUCKETS_FOR)


class Spill:
    """Takes documents in any order and keeps them on disk, a file a bucket, a line of JSON a document."""

    def __init__(self, folder: Path, digits: int) -> None:
        self._folder = folder
        self._digits = digits
        self._waiting: dict[str, bytearray] = {}
        self._waiting_bytes = 0
        self._paths: dict[str, Path] = {}
        self.documents = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Take a batch with ``SPILL_COLUMNS`` and ``text``."""
        columns = [batch[name].to_pylist() for name in (*SPILL_COLUMNS, "text")]
        for row in zip(*columns, strict=True):
            line = orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
            self._waiting.setdefault(row[0][: self._digits], bytearray()).extend(line)
            self._waiting_bytes += len(line)
        self.documents += batch.num_rows
        if self._waiting_bytes > _FLUSH_BYTES:
            self._flush()

    def finish(self) -> list[Path]:
        """The buckets' files in the order of the ids."""
        self._flush()
        return [self._paths[name] for name in sorted(self._paths)]

    def _flush(self) -> None:
        for name, data in self._waiting.items():
            path = self._paths.setdefault(name, self._folder / f"bucket-{len(self._paths):05d}")
            with path.open("ab") as file:
                file.write(data)
        self._waiting, self._waiting_bytes = {}, 0


@dataclass(frozen=True, slots=True)
class Task:
    """One bucket to convert; the results go beside it, under its name and a suffix."""

    path: Path
    org: str
    source: Source


@dataclass(slots=True)
class Bucket:
    """One converted bucket: its numbers; files ``.nq``, ``.nq.gz``, ``.summary.nq``, ``.prov.nq.gz``."""

    path: Path
    rows: list[IndexRow] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    quads: int = 0
    parsed_quads: int = 0
    prov_quads: int = 0
    summary_quads: int = 0
    datasets: int = 0
    newest_date: str = ""
    repaired: int = 0
    dropped: int = 0

    def file(self, suffix: str) -> Path:
        """One of the bucket's result files."""
        return self.path.with_name(self.path.name + suffix)


def convert_bucket(task: Task) -> Bucket:
    """Convert the documents of one bucket, in the order of their ids."""
    # Thousands of tuples live for a moment and none in a cycle: looking for cycles costs a tenth of the time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return _convert_bucket(task)
    finally:
        if collecting:
            gc.enable()


def _convert_bucket(task: Task) -> Bucket:
    bucket = Bucket(task.path)
    lines = task.path.read_bytes().split(b"\n")
    task.path.unlink()
    # From the end, so that a text is let go of when its lines are made.
    documents = sorted((orjson.loads(line) for line in lines if line), key=lambda document: str(document[0]))[::-1]
    del lines
    release: list[bytes] = []
    summary: list[str] = []
    prov: list[str] = []
    while documents:
        row = dict(zip((*SPILL_COLUMNS, "text"), documents.pop(), strict=True))
        _convert_one(task, row, bucket, release, summary, prov)
    data = b"".join(release)
    bucket.parsed_quads = parsed_quads(data)
    bucket.file(".nq").write_bytes(data)
    bucket.file(".nq.gz").write_bytes(gzipped(data))
    bucket.file(".summary.nq").write_bytes("".join(summary).encode())
    bucket.file(".prov.nq.gz").write_bytes(gzipped("".join(prov).encode()))
    bucket.prov_quads, bucket.summary_quads = len(prov), len(summary)
    return bucket


def _convert_one(
    task: Task, row: dict[str, Any], bucket: Bucket, release: list[bytes], summary: list[str], prov: list[str]
) -> None:
    graph = data_graph(task.org, task.source.name, row["id"])
    try:
        converted = convert_document(row["text"], graph)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of pyoxigraph is no Exception
        reason = error.reason if isinstance(error, NotConverted) else "internal_error"
        detail = error.detail if isinstance(error, NotConverted) else repr(error)
        bucket.left_out.append(LeftOut(id=row["id"], url=row["url"], reason=reason, detail=detail[:300]))
        return
    digest = hashlib.sha256(converted.nquads).hexdigest()
    bucket.rows.append((graph, digest, len(converted.nquads), converted.quads, row["id"], row["url"]))
    bucket.quads += converted.quads
    bucket.repaired += converted.repaired
    bucket.dropped += converted.dropped
    release.append(converted.nquads)
    stored_at = row["stored_at"]
    prov.extend(
        prov_quads(
            {**row, "stored_at": datetime.fromisoformat(stored_at) if stored_at else None}, task.org, task.source
        )
    )
    if converted.row is not None:
        bucket.datasets += 1
        bucket.newest_date = max(bucket.newest_date, newest_date(converted.row.dates))
        summary.extend(f"<{graph}> {predicate} {value} <{graph}> .\n" for predicate, value in converted.row.pairs)


def parsed_quads(nquads: bytes) -> int:
    """How many quads a parser finds; -1 when it finds no N-Quads at all."""
    try:
        return sum(1 for _ in ox.parse(nquads, format=ox.RdfFormat.N_QUADS))
    except SyntaxError:
        return -1


def gzipped(data: bytes) -> bytes:
    """One gzip member without time or name, by Arrow's own zlib: the same bytes whatever Python was built with.

    Nothing gives nothing, so that empty buckets leave no trace.
    """
    if not data:
        return b""
    return bytes(pa.Codec("gzip", compression_level=_GZIP_LEVEL).compress(data, asbytes=True))


class Converters:
    """Converts buckets: in this process with one worker, else in that many processes of their own."""

    def __init__(self, pool: Executor | None) -> None:
        self._pool = pool

    def run(self, tasks: Iterable[Task]) -> Iterator[Bucket]:
        """The converted buckets in the tasks' order. ``TemporaryFault`` when a process dies (of hunger, mostly)."""
        if self._pool is None:
            yield from map(convert_bucket, tasks)
            return
        try:
            yield from self._pool.map(convert_bucket, tasks)
        except BrokenProcessPool as error:
            raise TemporaryFault(
                "a process that converted documents was killed: most likely it had too little memory; "
                "give the job more, or make the release with one worker"
            ) from error


@contextmanager
def converters(workers: int) -> Iterator[Converters]:
    """Workers that start right away, while the documents are still being spilled."""
    if workers < 2:
        yield Converters(None)
        return
    # A fork of this process would copy its threads' locks; the fork server is single-threaded and imports only once.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["sheaf.release.buckets"])
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        for _ in range(workers):
            pool.submit(_ready)
        yield Converters(pool)


def _ready() -> None:
    """Nothing; asking for it starts a process."""
