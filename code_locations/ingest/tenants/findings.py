"""What the Dagster UI shows of a tenant's namespace."""

from __future__ import annotations

import dagster as dg

from code_locations.common.partitions import tenants
from sheaf.graph import NamespaceResult
from sheaf.jobs.ending import peak_memory_mb

EQUALS = "equals_the_releases"
COMPLETE = "has_all_its_sources"
TENANT_CHECKS = {
    asset: [
        dg.AssetCheckSpec(name, asset=asset, description=about, partitions_def=tenants)
        for name, about in (
            (EQUALS, "The store's counts are those of the published releases."),
            (COMPLETE, "Every source of the tenant has a published release."),
        )
    ]
    for asset in ("tenant_graph", "tenant_summary")
}


def tenant_result(asset: str, done: NamespaceResult) -> dg.MaterializeResult:
    """Counts of graphs and triples, what was written, and the two checks."""
    rows = "\n".join(f"| {name} | {release} |" for name, release in sorted(done.sources.items()))
    return dg.MaterializeResult(
        metadata={
            "graphs": done.graphs_total,
            "triples": done.triples,
            "graphs_added": done.graphs_added,
            "graphs_changed": done.graphs_changed,
            "graphs_removed": done.graphs_removed,
            "batches": done.batches,
            "bytes_sent": done.bytes_sent,
            "seconds": done.seconds,
            "peak_memory_mb": peak_memory_mb(),
            "sources": len(done.sources),
            "releases": dg.MetadataValue.md(f"| source | release |\n|---|---|\n{rows}" if rows else "none"),
            "endpoint": dg.MetadataValue.url(done.endpoint),
        },
        check_results=[
            dg.AssetCheckResult(
                asset_key=dg.AssetKey(asset),
                check_name=EQUALS,
                passed=not done.problems,
                description="; ".join(done.problems) or None,
                metadata={"problems": len(done.problems), "repaired": done.repaired},
            ),
            dg.AssetCheckResult(
                asset_key=dg.AssetKey(asset),
                check_name=COMPLETE,
                passed=not done.waiting,
                severity=dg.AssetCheckSeverity.WARN,
                description=f"waiting for a release of {', '.join(done.waiting)}" if done.waiting else None,
                metadata={"waiting": len(done.waiting)},
            ),
        ],
    )
