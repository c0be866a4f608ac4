"""The end of a harvest: rows settled, current texts carried over, manifest written, summary last."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from sheaf import __version__
from sheaf.config import Source
from sheaf.harvest.breaker import SourceDown
from sheaf.harvest.carry import carry_over
from sheaf.harvest.discovery.types import DiscoveryReport
from sheaf.harvest.journal import PARQUET
from sheaf.harvest.manifest import put_summary, write_manifest
from sheaf.harvest.schema import HarvestStart, HarvestSummary
from sheaf.harvest.settling import Settled, counts, settle, tables, wanted_of_before
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
    fresh: pa.Table,
    before: pa.Table,
    next_part: int,
    folder: Path,
    clock: Callable[[], datetime],
) -> HarvestSummary:
    """Write carried parts, manifest and summary. Raises ``SourceDown`` when not one document is current."""
    start = ending.start
    settled = settle(
        fresh,
        before,
        complete=ending.report.complete,
        partial=ending.partial,
        shrink_limit=source.shrink_limit,
        shrink_agreed=ending.agree_to_shrink,
    )
    sizes = _sizes(settled)
    if not sizes:
        said = ", ".join(f"{state} {count}" for state, count in counts(settled, Counter()).items())
        down = SourceDown("no_documents", f"not one page of {source.name} has a document ({said})", passing=False)
        stopped_summary(store, ending, str(down), clock())
        raise down
    wanted = wanted_of_before(settled)
    carried = carry_over(store, start.source, start.previous, start.harvest_id, before, wanted, next_part)
    path = folder / "manifest.parquet"
    write_manifest(tables(settled, carried.rows, carried.moved), path)
    store.put_file(layout.harvest_manifest(start.source, start.harvest_id), path, PARQUET)
    reasons: Counter[str] = Counter()
    states = counts(settled, reasons)
    if settled.clashes:
        reasons["identifier_clash"] = sum(settled.clash)
    summary = HarvestSummary.model_validate(
        {
            **ending.fields(clock()),
            "counts": states,
            "reasons": dict(sorted(reasons.items())),
            "documents": len(sizes),
            "bytes": sum(sizes.values()),
            "new": settled.new,
            "changed": settled.changed,
            "unchanged": settled.unchanged,
            "gone": settled.gone,
            "clashes": settled.clashes,
            "shrink": settled.left if settled.kept == "shrink_limit" and not ending.partial else 0,
            "parts": carried.next_part,
        }
    )
    put_summary(store, summary)
    return summary


def _sizes(settled: Settled) -> dict[str, int]:
    """The bytes of each current document, by its final id."""
    both = pa.concat_tables([settled.fresh.select(["bytes"]), settled.before.select(["bytes"])])
    rows = [row for row, document_id in enumerate(settled.ids) if document_id]
    sizes = both["bytes"].take(pa.array([settled.document[row] for row in rows], pa.int64())).to_pylist()
    return {settled.ids[row]: size for row, size in zip(rows, sizes, strict=True)}
