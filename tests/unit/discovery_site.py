"""A site in memory for the discovery tests: what each URL answers, and how often it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field

from sheaf.config import Source
from sheaf.harvest.discovery import DiscoveryReport, Fetched, FetchFault, Found, discover

HOME = "https://data.example.org/"
SITEMAP = f"{HOME}sitemap.xml"


@dataclass
class Answer:
    """One answer; ``chunk`` bytes at a time, broken off by ``fault`` after the body."""

    body: bytes
    status: int = 200
    content_type: str = "application/xml"
    chunk: int = 65536
    fault: FetchFault | None = None
    final_url: str = ""


@dataclass
class Site:
    """Answers by URL; anything else is a 404. ``sent`` counts the bytes that were read of each URL."""

    answers: dict[str, Answer | FetchFault] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    sent: dict[str, int] = field(default_factory=dict)
    closed: int = 0

    async def fetch(self, url: str, accept: str) -> Fetched:
        self.asked.append(url)
        answer = self.answers.get(url, Answer(b"not here", 404, "text/plain"))
        if isinstance(answer, FetchFault):
            raise answer
        return Fetched(answer.status, answer.final_url or url, answer.content_type, {}, self._chunks(url, answer))

    async def _chunks(self, url: str, answer: Answer) -> AsyncIterator[bytes]:
        try:
            for start in range(0, len(answer.body), answer.chunk):
                piece = answer.body[start : start + answer.chunk]
                self.sent[url] = self.sent.get(url, 0) + len(piece)
                yield piece
            if answer.fault is not None:
                raise answer.fault
        finally:
            self.closed += 1


def site(**named: bytes) -> Site:
    """A site of XML files: ``sitemap=b"..."`` answers at /sitemap.xml."""
    return Site({f"{HOME}{name}.xml": Answer(body) for name, body in named.items()})


def source(url: str = SITEMAP, **settings: object) -> Source:
    """A source of the demo's kind."""
    return Source.model_validate({"name": "demo", "url": url, **settings})


def run(where: Site, what: Source | None = None, at_most: int = 1_000_000) -> tuple[list[Found], DiscoveryReport]:
    """All that discovery finds, and its report."""
    report = DiscoveryReport()

    async def collect() -> list[Found]:
        found = []
        async for page in discover(what or source(), where.fetch, report):
            found.append(page)
            if len(found) >= at_most:
                break
        return found

    return asyncio.run(collect()), report


def urls(found: Iterable[Found]) -> list[str]:
    """Only the URLs, without the site in front of them."""
    return [page.url.removeprefix(HOME) for page in found]


def urlset(*locs: str, space: str = "http://www.sitemaps.org/schemas/sitemap/0.9") -> bytes:
    """A sitemap of these locs, written as they are."""
    entries = "".join(f"<url><loc>{loc}</loc></url>\n" for loc in locs)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="{space}">\n{entries}</urlset>\n'.encode()


def index(*locs: str) -> bytes:
    """A sitemap index of these locs."""
    entries = "".join(f"<sitemap><loc>{loc}</loc></sitemap>\n" for loc in locs)
    return f'<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{entries}</sitemapindex>'.encode()
