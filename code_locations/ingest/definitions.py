"""The code location ``ingest``: the whole way from config to tenants."""

import dagster as dg

from code_locations.common.failures import slack_on_run_failure
from code_locations.common.platform import Platform
from code_locations.common.reaper import job_reaper_sensor
from code_locations.ingest.harvest import assets as harvest
from code_locations.ingest.harvest.jobs import summon_and_release_job
from code_locations.ingest.release import assets as release
from code_locations.ingest.sources import assets as sources
from code_locations.ingest.sources.jobs import sources_config_updated_job
from code_locations.ingest.sources.schedules import sources_schedule
from code_locations.ingest.sources.sensors import s3_config_source_sensor, sources_sensor
from code_locations.ingest.tenants import assets as tenants
from code_locations.ingest.tenants.jobs import tenant_config_updated_job, tenant_namespaces_job, tenant_release_job
from code_locations.ingest.tenants.schedules import tenants_nightly_schedule
from code_locations.ingest.tenants.sensors import release_file_sensor, s3_config_tenant_sensor, tenant_names_sensor


@dg.definitions
def defs() -> dg.Definitions:
    """All definitions of the location; a run is its own process already, so its steps share it."""
    return dg.Definitions(
        assets=dg.load_assets_from_modules([sources, harvest, release, tenants]),
        jobs=[
            sources_config_updated_job,
            summon_and_release_job,
            tenant_config_updated_job,
            tenant_namespaces_job,
            tenant_release_job,
        ],
        sensors=[
            s3_config_source_sensor,
            sources_sensor,
            s3_config_tenant_sensor,
            tenant_names_sensor,
            release_file_sensor,
            slack_on_run_failure,
            job_reaper_sensor,
        ],
        schedules=[sources_schedule, tenants_nightly_schedule],
        resources={"platform": Platform()},
        executor=dg.in_process_executor,
    )
