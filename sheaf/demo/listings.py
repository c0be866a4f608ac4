"""The bytes of sitemaps, sitemap indexes, feeds and sitegraphs, and which pages they lead to."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from fnmatch import fnmatchcase
from xml.sax.saxutils import escape

from sheaf.demo.script import Listing, ListingDay, Page, PageDay, SourceScript

HTML_IN_PLACE = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body><p>Please sign in.</p></body></html>\n"


def listed_pages(source: SourceScript, listing: Listing, day: int) -> list[Page]:
    """The pages that one listing itself names on that day, in the script's order, each once."""
    patterns = listing.on(day).pages
    return [
        page
        for page in source.pages
        if page.on(day).present and page.on(day).listed and any(fnmatchcase(page.path, one) for one in patterns)
    ]


def found_pages(source: SourceScript, day: int) -> list[Page]:
    """The pages that discovery finds on that day through every listing that can be read, each once."""
    by_path = {listing.path: listing for listing in source.listings}
    found: dict[str, Page] = {}
    waiting, seen = list(source.entries), set[str]()
    while waiting:
        path = waiting.pop(0)
        if path in seen or path not in by_path or not by_path[path].on(day).readable:
            continue
        seen.add(path)
        here = by_path[path].on(day)
        if here.kind == "index":
            waiting.extend(here.children)
        elif "empty" not in here.quirks:
            found |= {page.path: page for page in listed_pages(source, by_path[path], day)}
    return list(found.values())


def discovery_complete(source: SourceScript, day: int) -> bool:
    """Whether every listing of the source can be read to its end on that day."""
    return all(listing.on(day).readable for listing in source.listings)


def listing_body(source: SourceScript, listing: Listing, day: int, base: str) -> bytes:
    """The file's bytes on a site that runs at ``base``."""
    here = listing.on(day)
    if here.answer.body is not None:
        return here.answer.body.replace("${base}", base).encode()
    if "html" in here.quirks:
        return HTML_IN_PLACE.encode()
    rows = [(base + page.path, page.on(day)) for page in listed_pages(source, listing, day)]
    if "unsorted" in here.quirks:
        rows = rows[::2][::-1] + rows[1::2]
    if "duplicates" in here.quirks:
        rows = rows + rows[::3]
    if "empty" in here.quirks:
        rows = []
    text = _text(source, here, rows, base)
    if "truncated" in here.quirks:
        text = text[: text.rindex("<loc>") + 12]
    if "one_line" in here.quirks:
        text = text.replace("\n", "")
    if "bom" in here.quirks:
        text = "\ufeff" + text
    data = text.encode("latin-1" if "latin1" in here.quirks else "utf-8")
    return gzip.compress(data, mtime=0) if here.gzip else data


def listing_type(listing: Listing, day: int) -> str:
    """The Content-Type header of the file."""
    here = listing.on(day)
    if "html" in here.quirks:
        return "text/html; charset=utf-8"
    if here.gzip:
        return "application/x-gzip"
    kinds = {"text": "text/plain", "rss": "application/rss+xml", "atom": "application/atom+xml"}
    return kinds.get(here.kind, "application/ld+json" if here.kind == "sitegraph" else "application/xml")


def _text(source: SourceScript, here: ListingDay, rows: Sequence[tuple[str, PageDay]], base: str) -> str:
    if here.kind == "sitegraph":
        items = [document for _, day in rows for script in day.answers[-1].scripts for document in script.documents]
        graph = {"@context": {"@vocab": "https://schema.org/"}, "@graph": items}
        return json.dumps(graph, indent=1, ensure_ascii=False).replace("${base}", base)
    if here.kind == "text":
        return "".join(f"{url}\n" for url, _ in rows)
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    if "latin1" in here.quirks:
        head = '<?xml version="1.0" encoding="ISO-8859-1"?>\n<!-- zuletzt geändert: gestern -->\n'
    if here.kind == "index":
        inner = "".join(f"<sitemap><loc>{escape(base + child)}</loc></sitemap>\n" for child in here.children)
        return f'{head}<sitemapindex xmlns="{here.namespace}">\n{inner}</sitemapindex>\n'
    titled = [(escape(day.answers[-1].title), escape(url)) for url, day in rows]
    if here.kind == "rss":
        inner = "".join(f"<item><title>{title}</title><link>{url}</link></item>\n" for title, url in titled)
        channel = f"<channel><title>{escape(source.title)}</title>\n{inner}</channel>"
        return f'{head}<rss version="2.0">{channel}</rss>\n'
    if here.kind == "atom":
        inner = "".join(f'<entry><title>{title}</title><link href="{url}"/></entry>\n' for title, url in titled)
        return f'{head}<feed xmlns="http://www.w3.org/2005/Atom">\n{inner}</feed>\n'
    inner = "".join(_url_element(url, day.lastmod, here) for url, day in rows)
    return f'{head}<urlset xmlns="{here.namespace}">\n{inner}</urlset>\n'


def _url_element(url: str, lastmod: str, here: ListingDay) -> str:
    loc = url if "bare_ampersand" in here.quirks else escape(url)
    if "spaces" in here.quirks:
        loc = f"\n      {loc}  \n    "
    stamp = f"<lastmod>{lastmod}</lastmod>" if lastmod else ""
    return f"  <url><loc>{loc}</loc>{stamp}</url>\n"
