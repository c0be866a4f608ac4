"""Sitemaps and their indexes: one file at a time, each read once, whatever points at it."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import aclosing
from urllib.parse import urljoin, urlsplit

from sheaf.harvest.discovery.bodies import close, expect_success, read_body, read_text
from sheaf.harvest.discovery.markup import Pages, SitemapReader
from sheaf.harvest.discovery.types import DiscoveryReport, Fetch, Fetched, FetchFault
from sheaf.harvest.discovery.urls import AddressGate, Entry
from sheaf.harvest.robots import MAX_ROBOTS_BYTES, parse_robots

# An index of an index is rare, deeper ones are mistakes; 50,000 is what the protocol allows one index to list.
MAX_INDEX_DEPTH = 5
MAX_SITEMAPS = 50_000

ACCEPT = "application/xml, text/xml, application/rss+xml, application/atom+xml, text/plain;q=0.9, */*;q=0.5"


class SitemapWalk:
    """Walks sitemaps from their roots; a file that fails is recorded and the others still come."""

    def __init__(self, fetch: Fetch, report: DiscoveryReport, gate: AddressGate) -> None:
        self._fetch = fetch
        self._report = report
        self._gate = gate
        self._read: set[str] = set()

    async def pages(self, roots: list[str]) -> AsyncGenerator[list[Entry], None]:
        """The entries of every page, in lists as they are read: an index's children after it, in their order."""
        waiting = [(url, 1) for url in reversed(roots)]
        while waiting:
            url, depth = waiting.pop()
            if not self._enter(url, depth):
                continue
            children: list[str] = []
            async with aclosing(self._one(url, children)) as batches:
                async for pairs in batches:
                    yield pairs
            waiting.extend((child, depth + 1) for child in reversed(children))

    def _enter(self, url: str, depth: int) -> bool:
        if url in self._read:
            self._report.error(url, "sitemap_cycle", "listed again after it was read", incomplete=False)
            return False
        if depth > MAX_INDEX_DEPTH:
            self._report.error(url, "too_many_sitemaps", f"indexes nested deeper than {MAX_INDEX_DEPTH}")
            return False
        if len(self._read) >= MAX_SITEMAPS:
            self._report.error(url, "too_many_sitemaps", f"more than {MAX_SITEMAPS} sitemaps")
            return False
        self._read.add(url)
        return True

    async def _one(self, url: str, children: list[str]) -> AsyncGenerator[list[Entry], None]:
        """The pages of one file; the sitemaps that it lists are added to ``children``. Faults go into the report."""
        notes: Counter[str] = Counter()
        try:
            fetched = await self._open(url)
            if fetched is not None:
                async with aclosing(self._pages_of(fetched, notes, children)) as batches:
                    async for pairs in batches:
                        yield pairs
        except FetchFault as fault:
            self._report.error(url, fault.reason, fault.detail)
        finally:
            for what, times in sorted(notes.items()):
                self._report.repair(url, what if times == 1 else f"{what} ({times} times)")

    async def _pages_of(
        self, fetched: Fetched, notes: Counter[str], children: list[str]
    ) -> AsyncGenerator[list[Entry], None]:
        """The pages of one answer. Raises FetchFault behind the last page that could be read."""
        reader = SitemapReader(notes)
        fault: FetchFault | None = None
        size = 0
        try:
            async with aclosing(read_text(fetched, notes)) as windows:
                async for text in windows:
                    size += len(text)
                    for pages in reader.feed(text):
                        yield self._gate.admit(pages, fetched.url)
                    self._take_children(reader, fetched.url, children)
        except FetchFault as caught:
            if caught.reason in ("sitemap_is_html", "sitemap_unreadable"):
                raise
            fault = caught  # broken off: what it listed until then is true
        for pages in self._rest(reader, size, fault):
            yield self._gate.admit(pages, fetched.url)
        self._take_children(reader, fetched.url, children)
        if fault is not None:
            raise fault
        if size == 0:
            raise FetchFault("empty_body", "the file is empty")
        if reader.truncated:
            raise FetchFault("sitemap_truncated", "the file ends before its first element is closed")

    @staticmethod
    def _rest(reader: SitemapReader, size: int, fault: FetchFault | None) -> list[Pages]:
        if size == 0:
            return []
        try:
            return reader.finish()
        except FetchFault:
            if fault is None:
                raise
            return []  # the first fault is the cause

    async def _open(self, url: str) -> Fetched | None:
        """The answer for one sitemap; None when it turned out to be one that was read already."""
        fetched = await self._fetch(url, ACCEPT)
        self._report.sitemaps += 1
        await expect_success(fetched, not_found="sitemap_not_found")
        if fetched.url != url:
            if fetched.url in self._read:
                await close(fetched)
                self._report.error(url, "sitemap_cycle", f"redirects to {fetched.url}, read already", incomplete=False)
                return None
            self._read.add(fetched.url)
        return fetched

    def _take_children(self, reader: SitemapReader, base: str, children: list[str]) -> None:
        for address in reader.children:
            if len(children) > MAX_SITEMAPS:
                break
            child = self._gate.resolve(address, base)
            if child is not None:
                children.append(child)
        reader.children.clear()


def robots_url(url: str) -> str:
    """Where the robots.txt of a source of type robots lies: ``url`` itself when it names a file, else the site's."""
    return url if urlsplit(url).path.strip("/") else urljoin(url, "/robots.txt")


async def robots_sitemaps(url: str, fetch: Fetch, report: DiscoveryReport, gate: AddressGate) -> list[str]:
    """The sitemaps that the robots.txt at ``url`` names; [] with an error in the report when there are none."""
    try:
        fetched = await fetch(url, "text/plain, */*;q=0.5")
        await expect_success(fetched)
        body = await _start_of(fetched)
    except FetchFault as fault:
        report.error(url, fault.reason, fault.detail)
        return []
    robots = parse_robots(body, fetched.content_type)
    found = [gate.resolve(address, fetched.url) for address in robots.sitemaps]
    roots = list(dict.fromkeys(address for address in found if address is not None))
    if not roots:
        detail = "; ".join(robots.notes) or "no Sitemap line"
        report.error(url, "sitemap_not_found", f"robots.txt: {detail}")
    return roots


async def _start_of(fetched: Fetched) -> bytes:
    """At most as much of a robots.txt as is ever parsed."""
    return (await read_body(fetched, 16 * MAX_ROBOTS_BYTES))[: MAX_ROBOTS_BYTES + 1]
