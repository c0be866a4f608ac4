"""Close the runs that a stopped stack left behind.

Dagster's default launcher has no health check: a run whose worker is gone stays "started" for ever, and keeps its
source's and its host's place in the queue. When no code server lives, no worker does: every run under way is dead.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import dagster as dg

_UNDER_WAY = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


def close_dead_runs(
    instance: dg.DagsterInstance, location: str | None = None, before: datetime | None = None
) -> list[str]:
    """Mark runs under way as failed, so that run retries see them; canceling ones as canceled. Returns their ids.

    With a code location and the time (UTC) its server was last started: only what was launched from the server before.
    """
    closed = []
    for run in instance.get_runs(filters=dg.RunsFilter(statuses=_UNDER_WAY, updated_before=before)):
        origin = run.remote_job_origin
        if location and origin and origin.location_name != location:
            continue
        if run.status is dg.DagsterRunStatus.CANCELING:
            instance.report_run_canceled(run, message="The stack was stopped while this run was being canceled.")
        else:
            instance.report_run_failed(run, message="The process of this run was stopped with the stack, or died.")
        closed.append(run.run_id)
    return closed


def main(arguments: list[str]) -> int:
    """Open the instance of ``DAGSTER_HOME``, which also creates its storage, and close its dead runs.

    Arguments, none or both: a code location's name, and when its server was started (seconds since the epoch).
    """
    location, before = (arguments[0], datetime.fromtimestamp(float(arguments[1]), UTC)) if arguments else (None, None)
    with dg.DagsterInstance.get() as instance:
        for run_id in close_dead_runs(instance, location, before):
            print(f"closed run {run_id}, whose process is gone")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
