"""When sources are harvested again: each by its own cron, from one schedule."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg
from croniter import croniter

from code_locations.common.platform import PlatformParam
from code_locations.ingest.harvest.jobs import summon_and_release_job

EVERY_MINUTES = 15
SPREAD_MINUTES = 60


def due_slot(cron: str, zone: str, name: str, now: datetime) -> datetime | None:
    """The slot of a cron that falls due in the 15 minutes up to ``now``, spread by the source's name; else None.

    The spread, up to an hour and never past the next slot, keeps sources of one cron from starting all at once.
    """
    local = now.astimezone(ZoneInfo(zone))
    slot: datetime = croniter(cron, local + timedelta(seconds=1)).get_prev(datetime)
    for _ in range(2):
        period = croniter(cron, slot).get_next(datetime) - slot
        share = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 2**32
        due = slot + min(timedelta(minutes=SPREAD_MINUTES), period / 2) * share
        if local - timedelta(minutes=EVERY_MINUTES) < due <= local:
            return slot
        slot = croniter(cron, slot).get_prev(datetime)
    return None


@dg.schedule(
    job=summon_and_release_job,
    cron_schedule=f"*/{EVERY_MINUTES} * * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    execution_timezone="UTC",
)
def sources_schedule(
    context: dg.ScheduleEvaluationContext, platform: PlatformParam
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Every quarter of an hour asks for the sources whose own cron (or the default one) fell due."""
    found = platform.project()
    if found is None:
        yield dg.SkipReason("no sources are in force yet")
        return
    settings, now = platform.settings, context.scheduled_execution_time.astimezone(UTC)
    due = 0
    for source in found[0].sources:
        zone = source.timezone or settings.default_schedule_timezone
        slot = due_slot(source.schedule or settings.default_schedule, zone, source.name, now) if source.active else None
        if slot is None:
            continue
        due += 1
        key = f"{source.name}:{slot.astimezone(UTC):%Y%m%dT%H%M}"
        tags = {"sheaf/host": source.host, "sheaf/cause": "schedule"}
        yield dg.RunRequest(partition_key=source.name, run_key=key, tags=tags)
    if not due:
        yield dg.SkipReason("no source is due")
