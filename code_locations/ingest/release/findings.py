"""What the Dagster UI shows of a release: numbers with stable names, and its checks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dagster as dg

from sheaf.release import CHECK_DESCRIPTIONS, ReleaseRecord

NON_BLOCKING = {"few_documents_lost"}


def check_specs(release: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """The checks of every release; a failed one keeps it from being published."""
    return [
        dg.AssetCheckSpec(name, asset=release, description=description, blocking=True)
        for name, description in CHECK_DESCRIPTIONS.items()
    ]


def check_results(record: ReleaseRecord, release: dg.AssetKey) -> Iterator[dg.AssetCheckResult]:
    """What the release job found, a check each."""
    for check in record.checks:
        yield dg.AssetCheckResult(
            asset_key=release,
            check_name=check.name,
            passed=check.passed,
            severity=dg.AssetCheckSeverity.ERROR if check.blocking else dg.AssetCheckSeverity.WARN,
            description=check.message,
            metadata={name: dg.MetadataValue.float(float(value)) for name, value in check.numbers.items()},
        )


def release_metadata(record: ReleaseRecord) -> dict[str, Any]:
    """Counts, bytes and what was left out, with reasons."""
    rows = "\n".join(f"| {left.url} | {left.reason} |" for left in record.left_out[:20])
    return {
        "documents": record.documents,
        "datasets": record.datasets,
        "quads": record.quads,
        "bytes": record.bytes,
        "added": record.added,
        "changed": record.changed,
        "removed": record.removed,
        "left_out": record.left_out_count,
        "left_out_list": dg.MetadataValue.md(f"| page | reason |\n|---|---|\n{rows}" if rows else "none"),
        "release_id": record.release_id,
    }


def summary_metadata(record: ReleaseRecord) -> dict[str, Any]:
    """Rows of the flat view."""
    return {"rows": record.summary_rows, "release_id": record.release_id}
