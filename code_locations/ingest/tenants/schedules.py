"""The nightly look at every tenant: what a sensor's cursor can miss, this cannot."""

from collections.abc import Iterator

import dagster as dg

from code_locations.common.platform import PlatformParam
from code_locations.ingest.tenants.jobs import tenant_release_job


@dg.schedule(
    job=tenant_release_job,
    cron_schedule="30 2 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    execution_timezone="UTC",
)
def tenants_nightly_schedule(
    context: dg.ScheduleEvaluationContext, platform: PlatformParam
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Reconciles every tenant once a night; a tenant that is as it should be costs two reads."""
    found = platform.tenants()
    if found is None:
        yield dg.SkipReason("no tenants are in force yet")
        return
    night = f"{context.scheduled_execution_time:%Y%m%d}"
    for tenant in found[0].tenant:
        yield dg.RunRequest(
            partition_key=tenant.community, run_key=f"{tenant.community}:{night}", tags={"sheaf/cause": "nightly"}
        )
