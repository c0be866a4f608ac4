"""What robots.txt says about each host of a harvest, asked once a host and kept for the harvest."""

from __future__ import annotations

import asyncio
import logging
import re
from contextlib import suppress

from sheaf.config import Source
from sheaf.harvest.discovery.types import FetchFault
from sheaf.harvest.fetching import Fetcher, authority
from sheaf.harvest.robots import MAX_ROBOTS_BYTES, Robots, RobotsVerdict, judge_robots

log = logging.getLogger(__name__)

_MOST_HOSTS = 1_000
_BASE = re.compile(r"https?://[^/?#]*", re.IGNORECASE)


class Access:
    """Asks robots.txt of every host that pages lie on. ``rude`` sources ask nobody (contracts.md, section 1)."""

    def __init__(self, source: Source, fetcher: Fetcher, delay_ms: int) -> None:
        self._source, self._fetcher = source, fetcher
        self._delay = max(source.delay, delay_ms) / 1000
        self._verdicts: dict[str, RobotsVerdict] = {}
        self._faults: dict[str, str] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def own(self) -> RobotsVerdict | None:
        """The verdict for the source's own site (``domain``, or its url's); None when it is not asked."""
        return None if self._source.rude else await self._verdict(_base(self._source.url))

    async def refusal(self, url: str) -> str:
        """The reason code why a URL must not be asked for, "" when it may."""
        base = _base(url)
        verdict = self._verdicts.get(base)
        if verdict is None:
            if self._source.rude:
                self._pace(base, None)
                return ""
            verdict = await self._verdict(base)
        if not verdict.reachable and verdict.basis == "unreachable":
            return self._faults.get(base, "robots_unreachable")
        return "" if verdict.robots.allowed(url) else "robots_disallowed"

    async def _verdict(self, base: str) -> RobotsVerdict:
        lock = self._locks.setdefault(base, asyncio.Lock())
        async with lock:
            found = self._verdicts.get(base)
            if found is None:
                if len(self._verdicts) >= _MOST_HOSTS:
                    self._verdicts.clear()
                    self._locks.clear()
                # The config may say that the site's robots.txt is looked up elsewhere (domain).
                own = base == _base(self._source.url)
                found = await self._ask(base, self._source.robots_base if own else base)
                self._verdicts[base] = found
                self._pace(base, found.robots)
            return found

    async def _ask(self, base: str, at: str) -> RobotsVerdict:
        try:
            answer = await self._fetcher.listing(f"{at}/robots.txt", "text/plain, */*;q=0.1")
            body = bytearray()
            async for chunk in answer.chunks:
                body += chunk
                if len(body) > MAX_ROBOTS_BYTES:
                    break
        except FetchFault as fault:
            if fault.reason in ("too_many_redirects", "redirect_loop", "bad_redirect"):
                return judge_robots(310, detail=str(fault))
            # No server there at all: that says more than that its robots.txt cannot be had.
            self._faults[base] = fault.reason
            verdict = judge_robots(None, detail=str(fault))
        else:
            verdict = judge_robots(answer.status, bytes(body), answer.content_type)
        if verdict.detail:
            log.info("%s/robots.txt: %s", at, verdict.detail)
        return verdict

    def _pace(self, base: str, robots: Robots | None) -> None:
        asked = robots.delay(self._source.crawl_delay_cap) if robots else 0.0
        pause = max(asked, self._delay)
        if pause and base not in self._faults:
            with suppress(FetchFault):  # no URL at all: asking for it says so
                self._fetcher.politeness.pause(authority(base), pause)


def _base(url: str) -> str:
    """Scheme, host and port of a URL as they are written."""
    found = _BASE.match(url)
    return found[0] if found else url
