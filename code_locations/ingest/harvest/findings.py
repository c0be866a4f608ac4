"""What the Dagster UI shows of a harvest: numbers with stable names, checks, and a report a provider understands."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pyarrow.compute as pc

from sheaf.harvest.manifest import read_manifest
from sheaf.harvest.schema import HarvestSummary
from sheaf.harvest.states import REASONS
from sheaf.jobs.results import JobResult
from sheaf.store import ObjectStore

EXAMPLES = 3
COLUMNS = ("url", "state", "reason", "detail")


def harvest_metadata(store: ObjectStore, harvest: HarvestSummary, job: JobResult) -> dict[str, Any]:
    """Counts, bytes and seconds for the plots, and the lost pages by reason."""
    counts = harvest.counts
    return {
        "pages": harvest.urls,
        "documents": harvest.documents,
        "bytes": harvest.bytes,
        "seconds": harvest.seconds,
        "new": harvest.new,
        "changed": harvest.changed,
        "unchanged": harvest.unchanged,
        "gone": harvest.gone,
        "failed": counts.get("failed", 0),
        "invalid_jsonld": counts.get("invalid_jsonld", 0),
        "no_jsonld": counts.get("no_jsonld", 0),
        "clashes": harvest.clashes,
        "requests": harvest.requests,
        "peak_memory_mb": job.numbers.get("peak_memory_mb", 0),
        "lost_pages": dg.MetadataValue.md(lost_pages(store, harvest)),
        "harvest_id": harvest.harvest_id,
    }


def lost_pages(store: ObjectStore, harvest: HarvestSummary) -> str:
    """A Markdown table: each reason, its meaning, how many rows, and some of their pages."""
    if not harvest.reasons:
        return "none"
    rows = read_manifest(store, harvest.source, harvest.harvest_id, COLUMNS)
    lines = ["| reason | meaning | pages | such as |", "|---|---|---|---|"]
    for reason, count in sorted(harvest.reasons.items(), key=lambda item: -item[1]):
        urls = rows.filter(pc.equal(rows["reason"], reason))["url"].slice(0, EXAMPLES).to_pylist()
        lines.append(f"| {reason} | {REASONS.get(reason, '')} | {count} | {' '.join(f'<{url}>' for url in urls)} |")
    return "\n".join(lines)


def harvest_checks(harvest: HarvestSummary) -> list[dg.AssetCheckResult]:
    """Nothing found blocks; losses warn; a list that shrank too far waits for a person."""
    lost = harvest.counts.get("failed", 0) + harvest.counts.get("invalid_jsonld", 0)
    return [
        dg.AssetCheckResult(
            check_name="found_documents", passed=harvest.documents > 0, metadata={"documents": harvest.documents}
        ),
        dg.AssetCheckResult(
            check_name="pages_without_loss",
            passed=lost == 0 and harvest.complete,
            severity=dg.AssetCheckSeverity.WARN,
            description=f"{lost} of {harvest.urls} pages failed or held broken JSON-LD; "
            f"the discovery was {'complete' if harvest.complete else 'not complete'}",
            metadata={"lost": lost},
        ),
        dg.AssetCheckResult(
            check_name="nothing_waits_for_a_person",
            passed=harvest.shrink == 0,
            severity=dg.AssetCheckSeverity.WARN,
            description=f"{harvest.shrink} pages left the list, more than the source's shrink_limit; they are kept",
            metadata={"kept": harvest.shrink},
        ),
    ]
