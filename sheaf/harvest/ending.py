"""The end of a harvest: rows settled, current texts carried over, manifest written, summary last."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sheaf import __version__
from sheaf.config import Source
from sheaf.harvest.breaker import SourceDown
from sheaf.harvest.carry import Carried, Place, Wanted, carry_over
from sheaf.harvest.clashes import Identities
from sheaf.harvest.discovery.types import DiscoveryReport
from sheaf.harvest.manifest import PARQUET, put_summary, write_manifest
from sheaf.harvest.previous import Previous
from sheaf.harvest.ranges import RowFile, UrlRange, cut
from sheaf.harvest.schema import ROWS, HarvestStart, HarvestSummary
from sheaf.harvest.settling import FRESH_TEXT, NO_TEXT, OLD_TEXT, SETTLED, Settled, count_left, keep_reason, settle
from sheaf.store import ObjectStore, layout


@dataclass(slots=True)
class Ending:
    """What the summary says of the harvest as a whole; ``begun`` is a monotonic time."""

    start: HarvestStart
    reading: str
    report: DiscoveryReport
    requests: int
    begun: float
    partial: bool
    agree_to_shrink: bool = False

    def fields(self, ended_at: datetime) -> dict[str, Any]:
        """The summary's fields that do not depend on the rows."""
        start, report = self.start, self.report
        return {
            "source": start.source,
            "harvest_id": start.harvest_id,
            "config_sha": start.config_sha,
            "fingerprint": start.fingerprint,
            "reading": self.reading,
            "mode": start.mode,
            "started_at": start.started_at,
            "ended_at": ended_at,
            "complete": report.complete,
            "partial": self.partial,
            "previous": start.previous,
            "urls": report.urls,
            "requests": self.requests,
            "discovery": dict(sorted(report.counts.items())),
            "discovery_errors": tuple(report.errors[:20]),
            "seconds": round(time.monotonic() - self.begun, 3),
            "tool_version": __version__,
        }


def stopped_summary(store: ObjectStore, ending: Ending, why: str, ended_at: datetime) -> None:
    """Say why a harvest ended without a manifest; it is not taken up again, and never counts as the latest."""
    put_summary(store, HarvestSummary.model_validate({**ending.fields(ended_at), "stopped": why}))


def write_ending(
    store: ObjectStore,
    source: Source,
    ending: Ending,
    fresh: RowFile,
    previous: Previous,
    next_part: int,
    folder: Path,
    clock: Callable[[], datetime],
) -> HarvestSummary:
    """Write carried parts, manifest and summary. Raises ``SourceDown`` when not one document is current."""
    start = ending.start
    before_rows = sum(previous.summary.counts.values()) if previous.summary else 0
    ranges = cut(fresh, previous.batches(), before_rows, folder)
    left, kept = _left(ranges, source, ending)
    tally = _Tally()
    settled = []
    for number, one in enumerate(ranges):
        rows = settle(*one.tables(), kept, partial=ending.partial)
        settled.append(RowFile(folder / f"settled-{number}.arrow", SETTLED))
        settled[-1].write(tally.count(rows))
        one.remove()
    tally.identities.decide()
    if not tally.identities.documents:
        said = ", ".join(f"{state} {count}" for state, count in sorted(tally.states.items()))
        down = SourceDown("no_documents", f"not one page of {source.name} has a document ({said})", passing=False)
        stopped_summary(store, ending, str(down), clock())
        raise down
    carried = carry_over(
        store, start.source, start.previous, start.harvest_id, tally.wanted, partial(_places, settled), next_part
    )
    path = folder / "manifest.parquet"
    write_manifest((_final(rows, tally, carried) for rows in settled), path)
    store.put_file(layout.harvest_manifest(start.source, start.harvest_id), path, PARQUET)
    shrink = left if kept == "shrink_limit" and not ending.partial else 0
    summary = HarvestSummary.model_validate(
        {**ending.fields(clock()), **tally.fields(), "shrink": shrink, "parts": carried.next_part}
    )
    put_summary(store, summary)
    return summary


@dataclass(slots=True)
class _Tally:
    """What is counted over all ranges."""

    identities: Identities = field(default_factory=Identities)
    wanted: Wanted = field(default_factory=Wanted)
    states: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    numbers: Counter[str] = field(default_factory=Counter)

    def count(self, rows: Settled) -> pa.Table:
        """Count the rows of one range; returns them as a table."""
        table = rows.table()
        self.states.update(rows.state)
        self.reasons.update(filter(None, table["reason"].to_pylist()))
        self.numbers.update(new=rows.new, changed=rows.changed, unchanged=rows.unchanged, gone=rows.gone)
        texts = table.filter(pc.not_equal(table["origin"], NO_TEXT))
        self.identities.see(*(texts[name].to_pylist() for name in ("plain_id", "sha256", "bytes")))
        old = texts.filter(pc.equal(texts["origin"], OLD_TEXT))
        self.wanted.add(old["part"].to_pylist(), old["bytes"].to_pylist())
        return table

    def fields(self) -> dict[str, Any]:
        """The summary's fields that follow from the rows."""
        return {
            "counts": dict(sorted(self.states.items())),
            "reasons": dict(sorted(self.reasons.items())),
            "documents": self.identities.documents,
            "bytes": self.identities.bytes,
            "clashes": self.identities.clashes,
            **self.numbers,
        }


def _left(ranges: list[UrlRange], source: Source, ending: Ending) -> tuple[int, str]:
    """How many pages left the list, and why they are kept ("" when they go)."""
    left = known = 0
    if not ending.partial:
        for one in ranges:
            here, all_here = count_left(*one.tables())
            left, known = left + here, known + all_here
    return left, keep_reason(ending.report.complete, left, known, source.shrink_limit, ending.agree_to_shrink)


def _places(settled: list[RowFile], parts: Collection[int]) -> dict[int, set[Place]]:
    """The (url, position) of the rows whose text lies in these parts of the harvest before."""
    found: dict[int, set[Place]] = {part: set() for part in parts}
    chosen = pa.array(sorted(parts), pa.int32())
    for rows in settled:
        table = rows.read().select(["url", "position", "part", "origin"])
        table = table.filter(pc.and_(pc.equal(table["origin"], OLD_TEXT), pc.is_in(table["part"], value_set=chosen)))
        for url, position, part in zip(*(table[n].to_pylist() for n in ("url", "position", "part")), strict=True):
            found[part].add((url, position))
    return found


def _final(rows: RowFile, tally: _Tally, carried: Carried) -> pa.Table:
    """The manifest's rows of one range: final ids, and the parts of this harvest."""
    table = rows.read()
    rows.remove()
    names = ("url", "plain_id", "sha256", "matched_string")
    ids, flags = tally.identities.final(*(table[name].to_pylist() for name in names))
    tally.reasons["identifier_clash"] += sum(flags)
    if not tally.reasons["identifier_clash"]:
        del tally.reasons["identifier_clash"]
    parts = []
    for part, origin, url, position in zip(
        *(table[name].to_pylist() for name in ("part", "origin", "url", "position")), strict=True
    ):
        if origin == OLD_TEXT:
            parts.append(carried.part_of(part, url, position))
        else:
            parts.append(part if origin == FRESH_TEXT else -1)
    columns = {name: table[name] for name in ROWS.names}
    columns["id"] = pa.array(ids, pa.string())
    columns["clash"] = pa.array(flags, pa.bool_())
    columns["part"] = pa.array(parts, pa.int32())
    return pa.table([columns[name] for name in ROWS.names], schema=ROWS)
