"""The rows of two harvests, cut into ranges of URLs that are small enough to be looked at in memory, one by one.

A million pages need no more memory than ten thousand: rows lie in temporary files, a file a range and side.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from sheaf.harvest.schema import ROWS

RANGE_ROWS = 8_000
MAX_RANGES = 250
_SAMPLE = 64


class RowFile:
    """Rows that are written once and read once or twice; ``schema.ROWS``, or what is given."""

    def __init__(self, path: Path, schema: pa.Schema = ROWS) -> None:
        self.path, self.schema, self.rows = path, schema, 0
        self._writer: pa.ipc.RecordBatchStreamWriter | None = None

    def write(self, table: pa.Table) -> None:
        """Append rows."""
        if self._writer is None:
            self._writer = pa.ipc.new_stream(
                pa.OSFile(str(self.path), "wb"), self.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")
            )
        self._writer.write_table(table)
        self.rows += table.num_rows

    def close(self) -> None:
        """No more rows come."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def batches(self) -> Iterator[pa.Table]:
        """The rows in their order, as they were appended."""
        self.close()
        if not self.rows:
            return
        with pa.OSFile(str(self.path), "rb") as source, pa.ipc.open_stream(source) as reader:
            for batch in reader:
                yield pa.Table.from_batches([batch], self.schema)

    def read(self) -> pa.Table:
        """All rows."""
        tables = list(self.batches())
        return pa.concat_tables(tables) if tables else self.schema.empty_table()

    def remove(self) -> None:
        """Give the space back."""
        self.close()
        self.path.unlink(missing_ok=True)


class UrlRange:
    """The rows of both harvests whose URLs lie in one range."""

    def __init__(self, folder: Path, number: int) -> None:
        self._fresh = RowFile(folder / f"fresh-{number}.arrow")
        self._before = RowFile(folder / f"before-{number}.arrow")

    def tables(self) -> tuple[pa.Table, pa.Table]:
        """This harvest's rows, and those of the one before; both sorted by url and position."""
        order = [("url", "ascending"), ("position", "ascending")]
        return self._fresh.read().sort_by(order), self._before.read()

    def remove(self) -> None:
        """Give the space back."""
        self._fresh.remove()
        self._before.remove()

    def add(self, table: pa.Table, *, fresh: bool) -> None:
        """Append rows of one side."""
        (self._fresh if fresh else self._before).write(table)


def cut(fresh: RowFile, before: Iterable[pa.Table], before_rows: int, folder: Path) -> list[UrlRange]:
    """Ranges in the order of the URLs; ``before`` gives sorted rows, about ``before_rows`` of them."""
    count = min(MAX_RANGES, 1 + max(fresh.rows, before_rows) // RANGE_ROWS)
    ends = _ends(fresh, count)
    ranges = [UrlRange(folder, number) for number in range(len(ends) + 1)]
    for rows in fresh.batches():
        _share(rows, ends, ranges, fresh=True)
    for rows in before:
        _share(rows, ends, ranges, fresh=False)
    return ranges


def _ends(fresh: RowFile, count: int) -> list[str]:
    if count == 1 or not fresh.rows:
        return []
    step = max(1, fresh.rows // (count * _SAMPLE))
    sample: list[str] = []
    at = 0
    for rows in fresh.batches():
        while at < rows.num_rows:
            sample.append(rows["url"][at].as_py())
            at += step
        at -= rows.num_rows
    sample.sort()
    return sorted({sample[number * len(sample) // count] for number in range(1, count)})


def _share(rows: pa.Table, ends: list[str], ranges: list[UrlRange], *, fresh: bool) -> None:
    if not ends:
        if rows.num_rows:
            ranges[0].add(rows, fresh=fresh)
        return
    shares: dict[int, list[int]] = {}
    for row, url in enumerate(rows["url"].to_pylist()):
        shares.setdefault(bisect_right(ends, url), []).append(row)
    for number, chosen in shares.items():
        ranges[number].add(rows.take(pa.array(chosen, pa.int64())).combine_chunks(), fresh=fresh)
