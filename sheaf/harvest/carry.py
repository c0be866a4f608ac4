"""Texts of the harvest before that are still current move into this one, so that each harvest is complete in itself.

A part most of which is current is copied byte by byte; of the others the current rows are gathered into new parts.
Memory is one part at a time, whatever the size of the source.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.parquet as pq

from sheaf.errors import SheafError
from sheaf.harvest.journal import PARQUET
from sheaf.harvest.manifest import CARRIED, part_bytes
from sheaf.harvest.schema import PART_BYTES, PART_ROWS, PARTS
from sheaf.store import ObjectStore, layout

# Below this a part is gathered with others, or small changes would leave ever more small parts behind.
_WORTH_COPYING_ROWS = PART_ROWS // 2
_WORTH_COPYING_SHARE = 0.5


@dataclass(slots=True)
class Carried:
    """Where the carried texts lie: ``moved`` old part to new part, ``rows`` (old part, url, position) to new part."""

    next_part: int
    moved: dict[int, int] = field(default_factory=dict)
    rows: dict[tuple[int, str, int], int] = field(default_factory=dict)


def carry_over(
    store: ObjectStore,
    source: str,
    previous_id: str,
    harvest_id: str,
    before: pa.Table,
    wanted: dict[int, list[int]],
    next_part: int,
) -> Carried:
    """Move the texts of ``wanted`` (rows of ``before``, by part) into parts of ``harvest_id`` from ``next_part`` on.

    Raises ``SheafError`` when a part of the harvest before lacks a text that its manifest promises.
    """
    carried = Carried(next_part)
    gathered: list[tuple[int, pa.Table]] = []
    size = count = 0
    for part in sorted(wanted):
        data = store.get(layout.harvest_part(source, previous_id, part))
        file = pq.ParquetFile(io.BytesIO(data))
        rows = wanted[part]
        if len(rows) >= max(_WORTH_COPYING_ROWS, _WORTH_COPYING_SHARE * file.metadata.num_rows):
            store.put(layout.harvest_part(source, harvest_id, carried.next_part), data, PARQUET)
            carried.moved[part] = carried.next_part
            carried.next_part += 1
            continue
        piece = _picked(file, before.select(["url", "position"]).take(pa.array(rows, pa.int64())), part)
        gathered.append((part, piece))
        size += sum(filter(None, piece["bytes"].to_pylist()))
        count += piece.num_rows
        if count >= PART_ROWS or size >= PART_BYTES:
            _write(store, source, harvest_id, gathered, carried)
            gathered, size, count = [], 0, 0
    if gathered:
        _write(store, source, harvest_id, gathered, carried)
    return carried


def _picked(file: pq.ParquetFile, rows: pa.Table, part: int) -> pa.Table:
    wanted = set(zip(rows["url"].to_pylist(), rows["position"].to_pylist(), strict=True))
    table = file.read(columns=PARTS.names).select(PARTS.names).cast(PARTS)
    places = zip(table["url"].to_pylist(), table["position"].to_pylist(), table["text"].is_valid(), strict=True)
    chosen = [row for row, (url, position, text) in enumerate(places) if text.as_py() and (url, position) in wanted]
    if len(chosen) != len(wanted):
        raise SheafError(
            f"part {part} of the harvest before lacks {len(wanted) - len(chosen)} texts that its manifest promises: "
            "run 'sheaf job summon SOURCE --mode full' to harvest them again"
        )
    return table.take(pa.array(chosen, pa.int64()))


def _write(
    store: ObjectStore, source: str, harvest_id: str, gathered: list[tuple[int, pa.Table]], carried: Carried
) -> None:
    # A row group a piece: rows of one (url, position) never come from two parts, so a flat file will do.
    table = pa.concat_tables([piece for _, piece in gathered])
    store.put(
        layout.harvest_part(source, harvest_id, carried.next_part), part_bytes(table, harvest_id, CARRIED), PARQUET
    )
    for part, piece in gathered:
        for url, position in zip(piece["url"].to_pylist(), piece["position"].to_pylist(), strict=True):
            carried.rows[part, url, position] = carried.next_part
    carried.next_part += 1
