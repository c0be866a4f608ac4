"""What the Dagster UI shows of a release: numbers with stable names, and its checks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dagster as dg

from code_locations.common.partitions import sources
from sheaf.jobs.results import JobResult
from sheaf.release import ReleaseRecord

EXAMPLES = 20
CHECKS = {
    "not_empty": "The release holds documents.",
    "files_whole": "No file of the release is cut short.",
    "documents_lost": "Few enough documents were lost in conversion (thresholds.max_lost).",
    "no_drop": "The release did not lose too many documents against the published one (thresholds.max_drop).",
    "nquads_parse": "A parser reads all of release.nq.",
    "summary_complete": "Every dataset has its row in the summary.",
    "shacl": "No shape is violated; asked for by thresholds.shacl_blocks alone.",
    "harvest_whole": "The harvest behind it was not made with --limit or --only.",
}


def check_specs(release: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """The checks of every release; a blocking one that fails keeps it from being published."""
    return [
        dg.AssetCheckSpec(name, asset=release, description=description, blocking=True, partitions_def=sources)
        for name, description in CHECKS.items()
    ]


def check_results(record: ReleaseRecord, release: dg.AssetKey) -> Iterator[dg.AssetCheckResult]:
    """What the release job found, a check each; one that was not asked for has passed."""
    made = {check.name for check in record.checks}
    for name in CHECKS.keys() - made:
        yield dg.AssetCheckResult(asset_key=release, check_name=name, passed=True, description="not asked for")
    for check in record.checks:
        yield dg.AssetCheckResult(
            asset_key=release,
            check_name=check.name,
            passed=check.passed,
            severity=dg.AssetCheckSeverity.ERROR if check.blocking else dg.AssetCheckSeverity.WARN,
            description=check.message or None,
            metadata={name: dg.MetadataValue.float(float(value)) for name, value in check.numbers.items()},
        )


def release_metadata(record: ReleaseRecord, job: JobResult) -> dict[str, Any]:
    """Counts, bytes, what changed, and what was left out, with reasons."""
    rows = "\n".join(f"| {left.url} | {left.reason} | {left.detail} |" for left in record.left_out_documents[:EXAMPLES])
    return {
        "documents": record.documents,
        "datasets": record.datasets,
        "quads": record.quads,
        "bytes": record.bytes,
        "added": record.changes.added,
        "changed": record.changes.changed,
        "removed": record.changes.removed,
        "left_out": record.left_out,
        "left_out_documents": dg.MetadataValue.md(
            f"| page | reason | detail |\n|---|---|---|\n{rows}" if rows else "none"
        ),
        "repaired_iris": record.repaired_iris,
        "seconds": job.numbers.get("job_seconds", 0),
        "peak_memory_mb": job.numbers.get("peak_memory_mb", 0),
        "release_id": record.release_id,
        "harvest_id": record.harvest_id,
    }


def summary_metadata(record: ReleaseRecord) -> dict[str, Any]:
    """Rows and triples of the flat view."""
    return {"rows": record.datasets, "triples": record.summary_quads, "release_id": record.release_id}
