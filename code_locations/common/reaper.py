"""Removes what killed workers left behind."""

from __future__ import annotations

import dagster as dg

from code_locations.common.platform import PlatformParam
from sheaf.errors import SheafError


def run_is_over(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether nobody waits for this run any more: it is finished, or was never known here."""
    run = instance.get_run_by_id(run_id)
    return run is None or run.is_finished


@dg.sensor(default_status=dg.DefaultSensorStatus.RUNNING, minimum_interval_seconds=60)
def job_reaper_sensor(context: dg.SensorEvaluationContext, platform: PlatformParam) -> dg.SkipReason:
    """Removes job containers whose run is over: a worker that is killed cannot do it itself."""
    try:
        removed = platform.launcher.reap(lambda run_id: run_is_over(context.instance, run_id))
    except SheafError as error:
        return dg.SkipReason(str(error))
    return dg.SkipReason(f"removed {', '.join(removed)}" if removed else "nothing was left behind")
