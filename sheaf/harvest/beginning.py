"""A harvest is begun anew, or one that was killed is taken up where its journal ends."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from sheaf.errors import NotFound
from sheaf.harvest.manifest import read_start
from sheaf.harvest.schema import HarvestStart
from sheaf.store import ObjectStore, layout

RESUME_WITHIN = timedelta(days=1)
# A source's unfinished harvests pile up only while it is down; this many are looked at.
_LOOKED_AT = 5

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC)


def new_harvest_id(now: datetime) -> str:
    """``YYYYMMDDTHHMMSSZ-<6 hex>``: ids of one source sort by their start, to the microsecond (the first 5 digits)."""
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{now.microsecond:05x}{secrets.choice('0123456789abcdef')}"


def begin(
    store: ObjectStore,
    source: str,
    config_sha: str,
    fingerprint: str,
    mode: str,
    *,
    limit: int | None,
    only: Sequence[str],
    previous: str,
    harvest_id: str | None,
    clock: Clock,
) -> tuple[HarvestStart, bool]:
    """The start of this harvest, and whether it is taken up from a run that was killed.

    Taken up is the newest harvest without a summary that was begun within a day with the same fingerprint, mode, limit
    and URLs, and that carries on from the same harvest; any other is left alone.
    """
    now = clock()
    wanted = (fingerprint, mode, limit, tuple(only), previous)
    for found in _unfinished(store, source, harvest_id):
        same = (found.fingerprint, found.mode, found.limit, found.only, found.previous) == wanted
        if same and now - found.started_at < RESUME_WITHIN:
            return found, True
    start = HarvestStart(
        source=source,
        harvest_id=harvest_id or new_harvest_id(now),
        config_sha=config_sha,
        fingerprint=fingerprint,
        mode=mode,
        limit=limit,
        only=tuple(only),
        started_at=now,
        previous=previous,
    )
    key = layout.harvest_start(source, start.harvest_id)
    store.put(key, start.model_dump_json(indent=1).encode(), "application/json")
    return start, False


def _unfinished(store: ObjectStore, source: str, harvest_id: str | None) -> list[HarvestStart]:
    found = []
    ids = [harvest_id] if harvest_id else sorted(store.folders(layout.harvests_prefix(source)), reverse=True)
    for one in ids[:_LOOKED_AT]:
        if store.stat(layout.harvest_summary(source, one)) is not None:
            continue
        try:
            found.append(read_start(store, source, one))
        except (NotFound, ValueError):
            continue
    return found
