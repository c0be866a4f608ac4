"""``index.parquet``: each graph of a release, its digest and where it lies in the uncompressed ``release.nq``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType

import pyarrow as pa
import pyarrow.parquet as pq

from sheaf.release.record import LISTED, Changes

INDEX_SCHEMA = pa.schema(
    [
        pa.field("graph", pa.string(), metadata={"about": "name of the graph; the rows are sorted by it"}),
        pa.field("sha256", pa.string(), metadata={"about": "hex, of the graph's lines in release.nq"}),
        pa.field("offset", pa.int64(), metadata={"about": "of the graph's first byte in the uncompressed release.nq"}),
        pa.field("bytes", pa.int64(), metadata={"about": "length of the graph's lines"}),
        pa.field("quads", pa.int32(), metadata={"about": "number of lines"}),
        pa.field("id", pa.string(), metadata={"about": "the document's id; empty for the catalogue, the last row"}),
        pa.field("url", pa.string(), metadata={"about": "the page the document was harvested from"}),
    ],
    metadata={"sheaf.schema": "1"},
)
_ROWS_AT_ONCE = 20_000

IndexRow = tuple[str, str, int, int, str, str]  # graph, sha256, bytes, quads, id, url


class IndexWriter:
    """Writes rows in their order, a row group at a time; the offset is counted here."""

    def __init__(self, path: Path) -> None:
        self._writer = pq.ParquetWriter(path, INDEX_SCHEMA, compression="zstd", use_dictionary=False)
        self._columns: list[list[str | int]] = [[] for _ in INDEX_SCHEMA.names]
        self.offset = 0

    def __enter__(self) -> IndexWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._flush()
        self._writer.close()

    def add(self, rows: Iterable[IndexRow]) -> None:
        """Append rows."""
        for graph, sha256, size, quads, document, url in rows:
            values: tuple[str | int, ...] = (graph, sha256, self.offset, size, quads, document, url)
            for column, value in zip(self._columns, values, strict=True):
                column.append(value)
            self.offset += size
            if len(self._columns[0]) >= _ROWS_AT_ONCE:
                self._flush()

    def _flush(self) -> None:
        if self._columns[0]:
            self._writer.write_table(pa.table(dict(zip(INDEX_SCHEMA.names, self._columns, strict=True)), INDEX_SCHEMA))
            self._columns = [[] for _ in INDEX_SCHEMA.names]


def documents(path: Path) -> Iterator[tuple[str, str]]:
    """Id and sha256 of each document of an index file, sorted by id; constant memory."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(10_000, columns=["id", "sha256"]):
            for document, sha256 in zip(batch["id"].to_pylist(), batch["sha256"].to_pylist(), strict=True):
                if document:
                    yield document, sha256


def compare(old: Iterable[tuple[str, str]], new: Iterable[tuple[str, str]], listed: int = LISTED) -> Changes:
    """What ``new`` has against ``old``; both sorted by id, as ``documents`` gives them."""
    counts = {"added": 0, "changed": 0, "removed": 0}
    ids: dict[str, list[str]] = {kind: [] for kind in counts}

    def note(kind: str, document: str) -> None:
        counts[kind] += 1
        if len(ids[kind]) < listed:
            ids[kind].append(document)

    olds, news = iter(old), iter(new)
    before, after = next(olds, None), next(news, None)
    while before is not None or after is not None:
        if before is not None and (after is None or before[0] < after[0]):
            note("removed", before[0])
            before = next(olds, None)
        elif after is not None and (before is None or after[0] < before[0]):
            note("added", after[0])
            after = next(news, None)
        elif before is not None and after is not None:
            if before[1] != after[1]:
                note("changed", after[0])
            before, after = next(olds, None), next(news, None)
    return Changes(
        **counts,
        added_ids=tuple(ids["added"]),
        changed_ids=tuple(ids["changed"]),
        removed_ids=tuple(ids["removed"]),
    )
