"""``discover``: one stream of pages, whatever a source's type is."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

import httpx

from sheaf.errors import BadInput
from sheaf.harvest.discovery.api import api_pages
from sheaf.harvest.discovery.googledrive import TIMEOUT, drive_files, read_service_account
from sheaf.harvest.discovery.sitegraph import sitegraph_items
from sheaf.harvest.discovery.sitemap import SitemapWalk, robots_sitemaps, robots_url
from sheaf.harvest.discovery.types import DiscoveryReport, Fetch, Found
from sheaf.harvest.discovery.urls import AddressGate, SeenUrls

if TYPE_CHECKING:
    from sheaf.config import Source


async def discover(source: Source, fetch: Fetch, report: DiscoveryReport) -> AsyncGenerator[Found, None]:
    """Every page of ``source``, each URL once, while the list is still being read.

    What goes wrong is in ``report`` and ends nothing that can go on; ``report.complete`` tells, when the stream has
    ended, whether the list is whole. Stops at ``source.max_urls``. Raises BadInput for a source whose settings
    cannot work: its type, an api url without ``%d``, missing credentials.
    """
    seen = SeenUrls()
    gate = AddressGate([source.url, source.domain], report)
    batches = _sitemap_pages if source.sourcetype in ("sitemap", "robots") else _single_pages
    async with aclosing(batches(source, fetch, report, gate, seen)) as stream:
        async for batch in stream:
            room = source.max_urls - report.urls
            report.urls += min(len(batch), room)
            for found in batch[:room] if len(batch) > room else batch:
                yield found
            if len(batch) > room:
                report.error(source.url, "too_many_urls", f"more than max_urls: {source.max_urls}")
                return
    if report.urls == 0 and report.complete:
        report.error(source.url, "sitemap_empty", "not a single page is listed", incomplete=False)


async def _sitemap_pages(
    source: Source, fetch: Fetch, report: DiscoveryReport, gate: AddressGate, seen: SeenUrls
) -> AsyncGenerator[list[Found], None]:
    roots = [source.url]
    if source.sourcetype == "robots":
        roots = await robots_sitemaps(robots_url(source.url), fetch, report, gate)
    walk = SitemapWalk(fetch, report, gate)
    async with aclosing(walk.pages(roots)) as stream:
        async for entries in stream:
            fresh = seen.keep_new(entries)
            if len(fresh) != len(entries):
                report.duplicates += len(entries) - len(fresh)
                report.counts["duplicate_url"] += len(entries) - len(fresh)
            yield fresh


async def _single_pages(
    source: Source, fetch: Fetch, report: DiscoveryReport, gate: AddressGate, seen: SeenUrls
) -> AsyncGenerator[list[Found], None]:
    if source.sourcetype == "sitegraph":
        items = sitegraph_items(source.url, fetch, report, gate, seen)
    elif source.sourcetype == "api":
        items = api_pages(
            source.url, source.apipagelimit, source.max_page_bytes, source.acceptcontenttype, fetch, report
        )
    elif source.sourcetype == "googledrive":
        items = _drive_items(source, report, seen)
    else:
        raise BadInput(
            f"source {source.name}: unknown sourcetype {source.sourcetype!r}; "
            "use sitemap, robots, sitegraph, api or googledrive"
        )
    async with aclosing(items) as stream:
        async for found in stream:
            yield [found]


async def _drive_items(source: Source, report: DiscoveryReport, seen: SeenUrls) -> AsyncGenerator[Found, None]:
    account = read_service_account(source.credentialsfile)
    async with (
        httpx.AsyncClient(timeout=TIMEOUT, verify=source.verify_tls) as http,
        aclosing(drive_files(source.url, account, source.max_page_bytes, report, http)) as files,
    ):
        async for found in files:
            if seen.add(found.url):
                yield found
            else:
                report.duplicates += 1
