"""A paged API: ``url`` holds one ``%d``, the number of the page, from 0; each page's body is a page to extract from."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncGenerator
from typing import Any

import orjson

from sheaf.errors import BadInput
from sheaf.harvest.discovery.bodies import close, expect_success, read_body
from sheaf.harvest.discovery.types import DiscoveryReport, Fetch, FetchFault, Found

# An API that never repeats itself and never ends is stopped here.
MAX_API_PAGES = 100_000
# Past the last page, APIs say one of these; any other status means that pages are missing.
END_STATUSES = frozenset({204, 400, 404, 410, 416, 422})

_SCRIPT = re.compile(rb"""<script[^>]{0,500}application/ld\+json[^>]{0,500}>\s*+[^\s<]""", re.IGNORECASE)
_LISTS = ("@graph", "itemListElement", "dataset", "dataFeedElement")
# What APIs call the list of their page; inside a typed object these are properties like any other.
_ENVELOPES = ("items", "results", "data", "hits", "records")
_DEEP = 20


def page_url(template: str, page: int) -> str:
    """The URL of a page, counted from 0. Raises BadInput unless the template holds exactly one ``%d``.

    ``%d`` with a hex digit behind it may be an escaped character and then counts only when there is no other.
    """
    places = [found.start() for found in re.finditer("%d", template)]
    if len(places) > 1:
        places = [place for place in places if not re.match("[0-9A-Fa-f]", template[place + 2 : place + 3])]
    if len(places) != 1:
        raise BadInput(f"the url of an api source holds exactly one %d, the number of the page, not {template!r}")
    return f"{template[: places[0]]}{page}{template[places[0] + 2 :]}"


async def api_pages(
    template: str, limit: int, max_bytes: int, accept: str, fetch: Fetch, report: DiscoveryReport
) -> AsyncGenerator[Found, None]:
    """The pages one after the other, until ``limit`` (0: none), a status, an empty page or one that came before.

    The first page must be there, and a server error or a refusal on a later one is no end: both make the discovery
    incomplete.
    """
    bodies: set[bytes] = set()
    page = 0
    while limit <= 0 or page < limit:
        url = page_url(template, page)
        if page >= MAX_API_PAGES:
            report.error(url, "too_many_urls", f"the API does not end after {MAX_API_PAGES} pages")
            return
        try:
            fetched = await fetch(url, accept)
            report.sitemaps += 1
            if page > 0 and fetched.status in END_STATUSES:
                await close(fetched)
                return
            await expect_success(fetched)
            body = await read_body(fetched, max_bytes)
        except FetchFault as fault:
            report.error(url, fault.reason, fault.detail)
            return
        digest = hashlib.blake2b(body, digest_size=16).digest()
        if digest in bodies:
            detail = f"page {page} is one that came before: the paging ends there"
            report.error(url, "api_repeated_page", detail, incomplete=False)
            return
        bodies.add(digest)
        if not holds_documents(body):
            if page == 0:
                report.error(url, "api_unreadable", "the first page holds no JSON-LD")
            return
        yield Found(url, item=body, content_type=fetched.content_type)
        page += 1


def holds_documents(body: bytes) -> bool:
    """Is there any JSON-LD on a page? False for nothing, empty lists, an object of empty lists, HTML without a script.

    JSON that cannot be parsed counts as a document: its trouble belongs into the harvest's report.
    """
    text = body.removeprefix(b"\xef\xbb\xbf").strip()
    if not text:
        return False
    if text[:1] not in (b"{", b"["):
        return _SCRIPT.search(body) is not None
    try:
        return _not_empty(orjson.loads(text))
    except orjson.JSONDecodeError:
        return True


def _not_empty(value: Any, depth: int = 0) -> bool:
    if depth > _DEEP:
        return True
    if isinstance(value, list):
        return any(_not_empty(element, depth + 1) for element in value[:1000])
    if not isinstance(value, dict) or not value:
        return False
    keys = _LISTS if "@type" in value else _LISTS + _ENVELOPES
    lists = [value[key] for key in keys if isinstance(value.get(key), (list, dict))]
    if lists:
        return any(_not_empty(inner, depth + 1) for inner in lists)
    return any(key.startswith("@") and key != "@context" for key in value) or "type" in value or "id" in value
