"""Texts of the harvest before that are still current move into this one, so that each harvest is complete in itself.

A part much of which is current is copied byte by byte; of the others the current rows are gathered into new parts.
Memory is a few parts at a time, whatever the size of the source.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.parquet as pq

from sheaf.errors import SheafError
from sheaf.harvest.manifest import CARRIED, PARQUET, part_bytes
from sheaf.harvest.schema import PART_BYTES, PART_ROWS, PARTS
from sheaf.store import ObjectStore, layout

Place = tuple[str, int]

# Below both, a part is gathered with others, or small changes would leave ever more small parts behind.
_WORTH_COPYING_ROWS = PART_ROWS // 2
_WORTH_COPYING_BYTES = PART_BYTES // 2
_COPIES_AT_ONCE = 4


@dataclass(slots=True)
class Wanted:
    """How many rows, and how many bytes of text, of each part of the harvest before are still current."""

    rows: Counter[int] = field(default_factory=Counter)
    bytes: Counter[int] = field(default_factory=Counter)

    def add(self, parts: Collection[int], sizes: Collection[int]) -> None:
        """Take note of rows: their part, and the bytes of their text."""
        self.rows.update(parts)
        for part, size in zip(parts, sizes, strict=True):
            self.bytes[part] += size

    def worth_copying(self, part: int) -> bool:
        """Whether the part is copied as it is."""
        return self.rows[part] >= _WORTH_COPYING_ROWS or self.bytes[part] >= _WORTH_COPYING_BYTES


@dataclass(slots=True)
class Carried:
    """Where the carried texts lie now: ``moved`` old part to new part, ``rows`` (old part, url, position) to it."""

    next_part: int
    moved: dict[int, int] = field(default_factory=dict)
    rows: dict[tuple[int, str, int], int] = field(default_factory=dict)

    def part_of(self, old_part: int, url: str, position: int) -> int:
        """The part of this harvest that holds the text."""
        found = self.moved.get(old_part)
        return self.rows[old_part, url, position] if found is None else found


def carry_over(
    store: ObjectStore,
    source: str,
    previous_id: str,
    harvest_id: str,
    wanted: Wanted,
    places: Callable[[Collection[int]], dict[int, set[Place]]],
    next_part: int,
) -> Carried:
    """Move the texts of ``wanted`` into parts of ``harvest_id`` from ``next_part`` on.

    ``places`` gives the (url, position) of the current rows of the parts that are gathered. Raises ``SheafError`` when
    a part of the harvest before lacks a text that its manifest promises.
    """
    carried = Carried(next_part)
    scattered = [part for part in sorted(wanted.rows) if not wanted.worth_copying(part)]
    copied = sorted(wanted.rows.keys() - set(scattered))
    carried.moved = {part: next_part + number for number, part in enumerate(copied)}
    carried.next_part += len(copied)

    def copy(part: int) -> None:
        data = store.get(layout.harvest_part(source, previous_id, part))
        store.put(layout.harvest_part(source, harvest_id, carried.moved[part]), data, PARQUET)

    with ThreadPoolExecutor(_COPIES_AT_ONCE, thread_name_prefix="carry") as pool:
        list(pool.map(copy, copied))
    gathered: list[tuple[int, pa.Table]] = []
    size = count = 0
    current = places(scattered) if scattered else {}
    for part in scattered:
        gathered.append((part, _picked(store, source, previous_id, part, current.pop(part))))
        size += wanted.bytes[part]
        count += wanted.rows[part]
        if count >= PART_ROWS or size >= PART_BYTES:
            _write(store, source, harvest_id, gathered, carried)
            gathered, size, count = [], 0, 0
    if gathered:
        _write(store, source, harvest_id, gathered, carried)
    return carried


def _picked(store: ObjectStore, source: str, previous_id: str, part: int, wanted: set[Place]) -> pa.Table:
    key = layout.harvest_part(source, previous_id, part)
    table = pq.ParquetFile(io.BytesIO(store.get(key))).read(columns=PARTS.names).select(PARTS.names).cast(PARTS)
    places = zip(table["url"].to_pylist(), table["position"].to_pylist(), table["text"].is_valid(), strict=True)
    chosen = [row for row, (url, position, text) in enumerate(places) if text.as_py() and (url, position) in wanted]
    if len(chosen) != len(wanted):
        raise SheafError(
            f"{key} lacks {len(wanted) - len(chosen)} texts that its manifest promises: "
            f"run 'sheaf job summon --source {source} --mode full' to harvest them again"
        )
    return table.take(pa.array(chosen, pa.int64()))


def _write(
    store: ObjectStore, source: str, harvest_id: str, gathered: list[tuple[int, pa.Table]], carried: Carried
) -> None:
    data = part_bytes(pa.concat_tables([piece for _, piece in gathered]), harvest_id, CARRIED)
    store.put(layout.harvest_part(source, harvest_id, carried.next_part), data, PARQUET)
    for part, piece in gathered:
        for url, position in zip(piece["url"].to_pylist(), piece["position"].to_pylist(), strict=True):
            carried.rows[part, url, position] = carried.next_part
    carried.next_part += 1
