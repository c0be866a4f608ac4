"""A source's release, its summary, and the pointer to what is published."""

import time
from collections.abc import Iterator

import dagster as dg

from code_locations.common.jobs import run_job
from code_locations.common.partitions import sources
from code_locations.common.platform import PlatformParam
from code_locations.ingest.harvest.assets import summoned
from code_locations.ingest.release.findings import check_results, check_specs, release_metadata, summary_metadata
from sheaf.errors import CheckFailed
from sheaf.harvest.manifest import latest_harvest
from sheaf.jobs.ending import peak_memory_mb
from sheaf.release import publish_release, read_release

RELEASE = dg.AssetSpec(
    "release",
    group_name="release",
    kinds={"rdf"},
    deps=[summoned],
    partitions_def=sources,
    description="The harvest as sorted N-Quads with provenance and catalogue, in the archive under its release id. "
    "Equal documents give equal bytes. `release.json` says what is in it and what was left out, with reasons.",
)
SUMMARY = dg.AssetSpec(
    "release_summary",
    group_name="release",
    kinds={"rdf"},
    deps=[summoned],
    partitions_def=sources,
    description="The flat view that search pages query, one row a dataset, made in the same pass as the release.",
)


@dg.multi_asset(specs=[RELEASE, SUMMARY], check_specs=check_specs(RELEASE.key))
def release_and_summary(
    context: dg.AssetExecutionContext, platform: PlatformParam
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Runs the release job on the source's newest harvest."""
    _, source, sha = platform.source(context.partition_key)
    harvest = latest_harvest(platform.store, source.name)
    if harvest is None:
        raise dg.Failure(f"{source.name} has no finished harvest: materialize 'summoned' first", allow_retries=False)
    result = run_job(context, platform, "release", "--config-sha", sha, "--harvest-id", harvest.harvest_id)
    record = read_release(platform.store, source.name, result.release_id)
    yield dg.MaterializeResult(
        asset_key=RELEASE.key, metadata=release_metadata(record, result), data_version=dg.DataVersion(record.release_id)
    )
    yield dg.MaterializeResult(
        asset_key=SUMMARY.key, metadata=summary_metadata(record), data_version=dg.DataVersion(record.release_id)
    )
    yield from check_results(record, RELEASE.key)


@dg.asset(group_name="release", kinds={"s3", "rdf"}, partitions_def=sources, deps=[RELEASE.key, SUMMARY.key])
def published_release(context: dg.AssetExecutionContext, platform: PlatformParam) -> dg.MaterializeResult:
    """`graphs/latest/<source>_release.nq` and its neighbours: what tenants load and people download.

    The pointer `graphs/latest/<source>_release.json` is written last. A release that is published moves nothing.
    """
    _, source, _ = platform.source(context.partition_key)
    release_id, begun = newest_release_id(context), time.monotonic()
    try:
        done = publish_release(platform.store, source, release_id)
    except CheckFailed as failed:
        raise dg.Failure(str(failed), allow_retries=False) from failed
    record = read_release(platform.store, source.name, release_id)
    return dg.MaterializeResult(
        metadata={
            "moved": int(done.moved),
            "documents": record.documents,
            "quads": record.quads,
            "warnings": len(done.warnings),
            "seconds": round(time.monotonic() - begun, 3),
            "peak_memory_mb": peak_memory_mb(),
            "release_id": release_id,
        },
        data_version=dg.DataVersion(release_id),
    )


def newest_release_id(context: dg.AssetExecutionContext) -> str:
    """The release that was made last for this run's source, by Dagster's own record."""
    wanted = dg.AssetRecordsFilter(asset_key=RELEASE.key, asset_partitions=[context.partition_key])
    records = context.instance.fetch_materializations(wanted, limit=1).records
    made = records[0].asset_materialization if records else None
    if made is None:
        raise dg.Failure(f"{context.partition_key} has no release: materialize 'release' first", allow_retries=False)
    return str(made.metadata["release_id"].value)
