"""The jobs of one tenant."""

import dagster as dg

from code_locations.ingest.tenants.assets import tenant_graph, tenant_namespaces, tenant_summary, tenants_config

tenant_config_updated_job = dg.define_asset_job(
    "tenant_config_updated_job",
    selection=[tenants_config],
    description="Validates the uploaded tenant.yaml and puts it in force.",
    tags={"dagster/priority": "10"},
)
tenant_namespaces_job = dg.define_asset_job(
    "tenant_namespaces_job",
    selection=[tenant_namespaces],
    description="Creates one tenant's namespaces.",
    tags={"dagster/priority": "20"},
)
tenant_release_job = dg.define_asset_job(
    "tenant_release_job",
    selection=[tenant_namespaces, tenant_graph, tenant_summary],
    description="Brings one tenant's namespaces to what its sources have published.",
    tags={"dagster/priority": "3", "ingest": "graph"},
)
