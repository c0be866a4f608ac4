"""A source's harvest and its object view."""

import dagster as dg

from code_locations.common.jobs import run_job
from code_locations.common.partitions import sources
from code_locations.common.platform import PlatformParam
from code_locations.ingest.harvest.findings import harvest_checks, harvest_metadata
from code_locations.ingest.sources.assets import sources_config
from sheaf.harvest.manifest import latest_harvest
from sheaf.harvest.objects import reconcile_objects
from sheaf.jobs.ending import peak_memory_mb

CHECKS = [
    dg.AssetCheckSpec(name, asset="summoned", blocking=blocking, description=about, partitions_def=sources)
    for name, blocking, about in (
        ("found_documents", True, "The harvest found documents."),
        ("pages_without_loss", False, "No page failed or held broken JSON-LD."),
        ("nothing_waits_for_a_person", False, "Not more pages went than the source's shrink_limit allows."),
    )
]


@dg.asset(
    group_name="harvest",
    kinds={"jsonld", "parquet"},
    partitions_def=sources,
    deps=[sources_config],
    check_specs=CHECKS,
)
def summoned(context: dg.AssetExecutionContext, platform: PlatformParam) -> dg.MaterializeResult:
    """All pages of the source, visited: a manifest with a row a page, and parts with the documents' text.

    Unchanged documents are carried over, a page that fails keeps its last good copy, and a page that left the
    sitemap goes only after a complete harvest. The report below says which pages were lost, and why.
    """
    _, source, sha = platform.source(context.partition_key)
    result = run_job(context, platform, "summon", "--config-sha", sha)
    harvest = latest_harvest(platform.store, source.name)
    if harvest is None or harvest.harvest_id != result.harvest_id:
        raise dg.Failure(f"harvest {result.harvest_id} of {source.name} is not in the store", allow_retries=False)
    return dg.MaterializeResult(
        metadata=harvest_metadata(platform.store, harvest, result),
        check_results=harvest_checks(harvest),
        data_version=dg.DataVersion(harvest.harvest_id),
        tags={"sheaf/harvest_id": harvest.harvest_id},
    )


@dg.asset(group_name="harvest", kinds={"s3", "jsonld"}, partitions_def=sources, deps=[summoned])
def summoned_objects(context: dg.AssetExecutionContext, platform: PlatformParam) -> dg.MaterializeResult:
    """`summoned/<source>/<id>.jsonld`, a view of the harvest for older tools and people's links.

    New and changed objects are written, gone ones deleted, nothing else is touched.
    `summoner.objects: false` in the config switches it off.
    """
    project, source, _ = platform.source(context.partition_key)
    if not project.summoner.objects:
        return dg.MaterializeResult(metadata={"switched_on": False})
    prov = (platform.settings.org, source) if project.summoner.provobjects else None
    done = reconcile_objects(platform.store, source.name, prov=prov)
    return dg.MaterializeResult(
        metadata={
            "written": done.written,
            "deleted": done.deleted,
            "unchanged": done.unchanged,
            "seconds": done.seconds,
            "peak_memory_mb": peak_memory_mb(),
        }
    )
