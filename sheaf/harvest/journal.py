"""The rows of a running harvest: put to the store part by part, and kept without their texts on this machine.

The parts are the journal: what stands in them is not fetched again when a killed harvest is resumed.
"""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sheaf.harvest.manifest import JOURNAL, PARQUET, part_bytes, part_kind, part_numbers
from sheaf.harvest.ranges import RowFile
from sheaf.harvest.schema import EMPTY_ROW, PART_BYTES, PART_ROWS, PART_SECONDS, PARTS, ROWS
from sheaf.store import ObjectStore, layout

# A row without a text weighs little: an unchanged source should not leave a part for every 500 pages.
_BARE_ROWS = 10 * PART_ROWS
_WAITING_PARTS = 1


class Journal:
    """Takes rows as they come; parts of about 500 texts, 8 MiB or 5 seconds go to the store in the background."""

    def __init__(self, store: ObjectStore, source: str, harvest_id: str, folder: Path) -> None:
        self._store, self._source, self._harvest_id = store, source, harvest_id
        self._rows_file = RowFile(folder / "rows.arrow")
        self._rows: list[Mapping[str, Any]] = []
        self._texts = self._bytes = 0
        self._flushed = time.monotonic()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._waiting: list[Future[None]] = []
        self.next_part = 0
        self.rows = 0
        self.urls_done: set[int] = set()

    # ------------------------------------------------------------ while it runs

    async def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add the rows of one page; waits when the store does not keep up."""
        for row in rows:
            self._rows.append(row)
            text = row.get("text")
            if text is not None:
                self._texts += 1
                self._bytes += len(text)
        if self._texts >= PART_ROWS or self._bytes >= PART_BYTES or len(self._rows) >= _BARE_ROWS:
            await self.flush()

    async def tick(self) -> None:
        """Flush when the oldest row has waited long enough; call it every second or so."""
        if self._rows and time.monotonic() - self._flushed >= PART_SECONDS:
            await self.flush()

    async def flush(self) -> None:
        """Start to write what is there; raises what an earlier write came to."""
        self._begin()
        while len(self._waiting) > _WAITING_PARTS:
            first = self._waiting[0]
            # Shielded: a harvest that is cancelled while it waits here must not lose the part.
            await asyncio.shield(asyncio.wrap_future(first))
            if self._waiting and self._waiting[0] is first:
                del self._waiting[0]

    def _begin(self) -> None:
        self._flushed = time.monotonic()
        for done in [future for future in self._waiting if future.done()]:
            self._waiting.remove(done)
            done.result()
        if not self._rows:
            return
        rows, self._rows, self._texts, self._bytes = self._rows, [], 0, 0
        number = self.next_part
        self.next_part += 1
        self.rows += len(rows)
        self._waiting.append(self._pool.submit(self._write, rows, number))

    def _write(self, rows: list[Mapping[str, Any]], number: int) -> None:
        columns = []
        for field in PARTS:
            empty = EMPTY_ROW[field.name]
            columns.append(pa.array([row.get(field.name, empty) for row in rows], field.type))
        table = pa.Table.from_arrays(columns, schema=PARTS)
        table = _with_part(table, number)
        data = part_bytes(table, self._harvest_id, JOURNAL)
        self._store.put(layout.harvest_part(self._source, self._harvest_id, number), data, PARQUET)
        self._rows_file.write(table.select(ROWS.names).cast(ROWS))

    def drain(self) -> None:
        """Write everything and wait for it; blocks. Raises what a write came to."""
        self._begin()
        for future in self._waiting:
            future.result()
        self._waiting.clear()

    # ------------------------------------------------------------ when it is over

    def close(self) -> RowFile:
        """All rows of the journal without their texts, in a file of this machine."""
        self.drain()
        self.abandon()
        return self._rows_file

    def abandon(self) -> None:
        """Let go of the file and the thread; what is in the store stays."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._rows_file.close()

    # ------------------------------------------------------------ resuming

    def resume(self) -> int:
        """Take up the parts that a killed run left; returns the number of pages that are done.

        Parts that were being carried over are deleted: they follow from the journal and are made again.
        """
        stale = []
        for number in part_numbers(self._store, self._source, self._harvest_id):
            key = layout.harvest_part(self._source, self._harvest_id, number)
            file = pq.ParquetFile(io.BytesIO(self._store.get(key)))
            if part_kind(file) != (self._harvest_id, JOURNAL):
                stale.append(key)
                continue
            table = file.read(columns=ROWS.names).select(ROWS.names).cast(ROWS)
            self._rows_file.write(table)
            self.rows += table.num_rows
            self.urls_done.update(map(hash, table["url"].to_pylist()))
            self.next_part = number + 1
        if stale:
            self._store.delete(stale)
        return len(self.urls_done)


def _with_part(table: pa.Table, number: int) -> pa.Table:
    """The number of the part beside each text that it holds."""
    here = [number if text else -1 for text in table["text"].is_valid().to_pylist()]
    place = table.schema.get_field_index("part")
    return table.set_column(place, PARTS.field("part"), pa.array(here, pa.int32()))
