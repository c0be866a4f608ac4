"""The job that puts uploaded sources in force."""

import dagster as dg

from code_locations.ingest.sources.assets import sources_config

sources_config_updated_job = dg.define_asset_job(
    "sources_config_updated_job",
    selection=[sources_config],
    description="Validates the uploaded gleanerconfig.yaml and puts it in force.",
    tags={"dagster/priority": "11"},
)
