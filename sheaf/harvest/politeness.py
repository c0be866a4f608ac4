"""How fast one host is asked: a pause between requests, and a hold when the server asks us to wait."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# A server that asks for more patience than this is as good as down: the page fails and the breaker decides.
MAX_WAIT_SECONDS = 120.0
FIRST_BACKOFF_SECONDS = 0.5
MAX_BACKOFF_SECONDS = 30.0


@dataclass(slots=True)
class _Host:
    gap: float = 0.0
    next_start: float = 0.0
    hold_until: float = 0.0


class Politeness:
    """The budget of each host (``name:port``), shared by everything that one job asks of it. Times in seconds."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock, self._sleep = clock, sleep
        self._hosts: dict[str, _Host] = {}

    def _host(self, host: str) -> _Host:
        return self._hosts.setdefault(host, _Host())

    def pause(self, host: str, seconds: float) -> None:
        """Leave at least this much between the starts of two requests; the longest pause asked for counts."""
        known = self._host(host)
        known.gap = max(known.gap, seconds)

    def hold(self, host: str, seconds: float) -> None:
        """Send nothing to the host for this long: Retry-After concerns everybody who talks to it."""
        known = self._host(host)
        known.hold_until = max(known.hold_until, self._clock() + min(seconds, MAX_WAIT_SECONDS))

    async def turn(self, host: str) -> None:
        """Wait until the next request to this host may start."""
        known = self._hosts.get(host)
        if known is None:
            return
        if known.gap:
            now = self._clock()
            start = max(now, known.next_start)
            known.next_start = start + known.gap
            if start > now:
                await self._sleep(start - now)
        while (left := known.hold_until - self._clock()) > 0:
            # Spread over a moment, or all that waited would knock at once.
            await self._sleep(left + random.uniform(0, min(1.0, left / 10)))  # noqa: S311


def retry_after(value: str, now: datetime | None = None) -> float | None:
    """Seconds that a Retry-After header asks for (RFC 9110, 10.2.3: seconds or a date); None when it is neither."""
    text = value.strip()
    if text.isdigit():
        return float(text[:9])
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, float((when - (now or datetime.now(UTC))).total_seconds()))


def backoff(attempt: int) -> float:
    """Seconds to wait before the attempt after ``attempt`` (from 1): doubled each time, half of it by chance."""
    whole: float = min(MAX_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2.0 ** (attempt - 1))
    return whole * random.uniform(0.5, 1.0)  # noqa: S311
