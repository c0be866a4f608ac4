"""When a source falls due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from code_locations.ingest.sources.schedules import EVERY_MINUTES, due_slot


def slots(cron: str, zone: str, name: str, start: datetime, days: int) -> list[datetime]:
    ticks = int(timedelta(days=days) / timedelta(minutes=EVERY_MINUTES))
    found = (due_slot(cron, zone, name, start + timedelta(minutes=EVERY_MINUTES * n)) for n in range(ticks))
    return [slot for slot in found if slot is not None]


def test_each_slot_of_a_cron_falls_due_exactly_once() -> None:
    start = datetime(2026, 11, 1, tzinfo=UTC)
    for name in ("iris", "opentopography"):
        for cron, expected in (("0 3 * * 0", 1), ("@daily", 7), ("*/30 * * * *", 48 * 7), ("0 0 4 * *", 1)):
            found = slots(cron, "UTC", name, start + timedelta(hours=1), 7)
            assert abs(len(found) - expected) <= 1, (name, cron)
            assert len(set(found)) == len(found), (name, cron)


def test_the_time_zone_of_a_schedule_is_kept_over_a_change_of_the_clocks() -> None:
    found = slots("0 3 * * *", "America/Los_Angeles", "iris", datetime(2026, 10, 30, 6, tzinfo=UTC), 4)
    assert {(slot.hour, slot.minute) for slot in found} == {(3, 0)}


def test_sources_of_one_cron_do_not_start_all_at_once() -> None:
    start = datetime(2026, 11, 1, tzinfo=UTC)
    ticks = [start + timedelta(minutes=EVERY_MINUTES * n) for n in range(8)]
    due = {now: sum(due_slot("@daily", "UTC", f"source{n}", now) is not None for n in range(100)) for now in ticks}
    assert sum(due.values()) == 100
    assert max(due.values()) < 50
