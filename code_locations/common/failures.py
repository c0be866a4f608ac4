"""What happens when a run fails: somebody is told, once, with what still stands."""

from __future__ import annotations

import dagster as dg

from code_locations.common.notifications import Failure, notify
from code_locations.common.platform import PlatformParam
from sheaf.release import published


@dg.run_failure_sensor(
    name="slack_on_run_failure", default_status=dg.DefaultSensorStatus.RUNNING, minimum_interval_seconds=15
)
def slack_on_run_failure(context: dg.RunFailureSensorContext, platform: PlatformParam) -> dg.SkipReason | None:
    """Tells the Slack channel which source or tenant failed, why, what is still published, and where to look."""
    settings = platform.settings
    if not settings.slack_channel:
        return dg.SkipReason("SLACK_CHANNEL is not set")
    run = context.dagster_run
    key = run.tags.get("dagster/partition", "")
    steps = context.get_step_failure_events()
    step = steps[0].step_key if steps else None
    error = steps[0].step_failure_data if steps else None
    said = error.user_failure_data.description if error and error.user_failure_data else None
    good = published(platform.store, key) if key and run.job_name == "summon_and_release_job" else None
    failure = Failure(
        subject=f"{key or run.job_name} ({settings.project})",
        step=step or run.job_name,
        reason=said
        or (error.error_display_string if error else "")
        or context.failure_event.message
        or "no reason was given",
        last_good=f"release {good.release_id}, {good.documents} documents" if good else "",
        link=f"{settings.dagster_url}/runs/{run.run_id}",
    )
    notify(settings, failure.text(), context.log)
    return None
