"""The tenants in force, and what each one's namespaces hold."""

import dagster as dg

from code_locations.common.partitions import tenants
from code_locations.common.platform import PlatformParam
from code_locations.common.uploads import VALID, accepted
from code_locations.ingest.release.assets import published_release
from code_locations.ingest.tenants.findings import TENANT_CHECKS, tenant_result
from sheaf.config import ConfigRefused, accept_tenants
from sheaf.graph import reconcile_main, reconcile_summary

LOAD_RETRY = dg.RetryPolicy(max_retries=3, delay=10, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)
FROM_ALL_SOURCES = dg.AssetDep(published_release, partition_mapping=dg.AllPartitionMapping())


@dg.asset(
    group_name="configs",
    kinds={"s3", "yaml"},
    check_specs=[
        dg.AssetCheckSpec(VALID, asset="tenants_config", description="The uploaded file can be put in force.")
    ],
    retry_policy=dg.RetryPolicy(max_retries=2, delay=5),
)
def tenants_config(platform: PlatformParam) -> dg.MaterializeResult:
    """The uploaded `tenant.yaml`, validated as a whole against the sources in force, and put in force itself."""
    try:
        loaded = accept_tenants(platform.store, platform.store.get(platform.upload_key("tenants")), platform.settings)
    except ConfigRefused as refused:
        raise dg.Failure(str(refused), allow_retries=False) from refused
    return accepted(loaded, tenants=len(loaded.config.tenant))


@dg.asset(
    group_name="tenants", kinds={"sparql"}, partitions_def=tenants, deps=[tenants_config], retry_policy=LOAD_RETRY
)
def tenant_namespaces(context: dg.AssetExecutionContext, platform: PlatformParam) -> dg.MaterializeResult:
    """The tenant's main and summary namespaces exist in the triplestore."""
    tenant, _ = platform.tenant(context.partition_key)
    names = (tenant.graph.main_namespace, tenant.graph.summary_namespace)
    made = [name for name in names if platform.graphs.ensure(name)]
    return dg.MaterializeResult(metadata={"namespaces": len(names), "created": len(made), "names": ", ".join(names)})


@dg.asset(
    group_name="tenants",
    kinds={"sparql", "rdf"},
    partitions_def=tenants,
    deps=[tenant_namespaces, FROM_ALL_SOURCES],
    retry_policy=LOAD_RETRY,
    check_specs=TENANT_CHECKS["tenant_graph"],
)
def tenant_graph(context: dg.AssetExecutionContext, platform: PlatformParam) -> dg.MaterializeResult:
    """The tenant's main namespace holds exactly the published releases of its sources.

    Only what differs is written: new, changed and gone documents, sources that joined or left.
    """
    tenant, names = platform.tenant(context.partition_key)
    done = reconcile_main(platform.store, platform.graphs, tenant, names, platform.settings.org)
    return tenant_result("tenant_graph", done)


@dg.asset(
    group_name="tenants",
    kinds={"sparql", "rdf"},
    partitions_def=tenants,
    deps=[tenant_namespaces, FROM_ALL_SOURCES],
    retry_policy=LOAD_RETRY,
    check_specs=TENANT_CHECKS["tenant_summary"],
)
def tenant_summary(context: dg.AssetExecutionContext, platform: PlatformParam) -> dg.MaterializeResult:
    """The tenant's summary namespace holds one flat row a dataset, for search pages."""
    tenant, names = platform.tenant(context.partition_key)
    done = reconcile_summary(platform.store, platform.graphs, tenant, names, platform.settings.org)
    return tenant_result("tenant_summary", done)
