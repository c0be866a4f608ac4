"""From the script to what goes over the wire: the reply for a path on a day at a visit, made once and kept."""

from __future__ import annotations

import gzip
import hashlib
import html
import itertools
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from http import HTTPStatus

import brotli  # type: ignore[import-untyped]
import zstandard

from sheaf.demo.bodies import page_body, page_type
from sheaf.demo.listings import listing_body, listing_type
from sheaf.demo.script import Answer, Listing, Page, Site

GATEWAY_TEXT = {
    403: "Checking that you are not a robot. Enable JavaScript and cookies to continue.",
    404: "There is no page here.",
    429: "Too many requests.",
    500: "An unexpected error occurred.",
    503: "Down for maintenance.",
}


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer in bytes. ``delay`` in seconds, ``reset_after`` in bytes of the body, ``endless`` in chunks."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    delay: float = 0.0
    reset_after: int | None = None
    endless: bool = False

    def head(self, last: bool) -> bytes:
        """Status line and headers; ``last`` closes the connection after this answer."""
        try:
            phrase = HTTPStatus(self.status).phrase
        except ValueError:
            phrase = "Answer"
        lines = [f"HTTP/1.1 {self.status} {phrase}", *(f"{name}: {value}" for name, value in self.headers)]
        if self.endless:
            lines.append("Transfer-Encoding: chunked")
        elif self.status != 304:
            lines.append(f"Content-Length: {len(self.body)}")
        if last:
            lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


@dataclass(slots=True)
class Replies:
    """All replies of a site that runs at ``base``."""

    site: Site
    base: str
    pages: dict[str, Page] = field(default_factory=dict)
    listings: dict[str, tuple[str, Listing]] = field(default_factory=dict)
    made: dict[tuple[str, int, int, str], Reply] = field(default_factory=dict)
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.pages = {page.path: page for source in self.site.sources for page in source.pages}
        self.listings = {
            listing.path: (source.name, listing) for source in self.site.sources for listing in source.listings
        }

    def reply(self, path: str, day: int, visit: int, accept_encoding: str) -> Reply:
        """The reply for a request target (path and query). An unknown path is a 404, as on any site."""
        day = min(day, self.site.day_count - 1)
        answer = self._answer(path, day, visit)
        if answer is None:
            return self._besides(path)
        encoding = answer.encoding if answer.encoding and answer.encoding in accept_encoding else ""
        last_visit = min(visit, len(self.pages[path].on(day).answers) - 1 if path in self.pages else 0)
        key = (path, day, last_visit, encoding)
        made = self.made.get(key)
        if made is None:
            made = self.made[key] = self._make(path, day, answer, encoding)
        moving = answer.retry_after.startswith("date+") or answer.etag == "changing"
        return self._dated(made, answer) if moving else made

    def _answer(self, path: str, day: int, visit: int) -> Answer | None:
        if path in self.pages:
            today = self.pages[path].on(day)
            return today.answers[min(visit, len(today.answers) - 1)] if today.present else None
        if path in self.listings:
            return self.listings[path][1].on(day).answer
        return None

    def _besides(self, path: str) -> Reply:
        if path == "/robots.txt" and self.site.robots:
            body = self.site.robots.replace("${base}", self.base).encode()
            return Reply(200, (("Content-Type", "text/plain; charset=utf-8"),), body)
        if path == "/":
            return Reply(200, (("Content-Type", "text/html; charset=utf-8"),), self._front_page().encode())
        return Reply(404, (("Content-Type", "text/plain"),), GATEWAY_TEXT[404].encode())

    def _front_page(self) -> str:
        rows = "".join(
            f"<li><a href='{self.base}{html.escape(source.url)}'>{html.escape(source.title)}</a> "
            f"({len(source.pages)} pages): {html.escape(source.about)}</li>\n"
            for source in self.site.sources
        )
        name = html.escape(self.site.name)
        head = f"<!DOCTYPE html>\n<html><head><title>{name}</title></head>\n"
        return f"{head}<body><h1>{name}</h1><ul>\n{rows}</ul></body></html>\n"

    def _make(self, path: str, day: int, answer: Answer, encoding: str) -> Reply:
        if path in self.listings:
            source_name, listing = self.listings[path]
            kind = answer.content_type or listing_type(listing, day)
            body = listing_body(self.site.source(source_name), listing, day, self.base)
        else:
            kind, body = page_type(answer), page_body(answer, self.base)
        if answer.status >= 400 and answer.body is None:
            words = GATEWAY_TEXT.get(answer.status, f"Error {answer.status}.")
            kind, body = "text/html; charset=utf-8", f"<html><body><h1>{words}</h1></body></html>\n".encode()
        headers = [("Content-Type", kind)]
        if answer.etag == "auto" and answer.status == 200:
            headers.append(("ETag", f'"{hashlib.sha256(body).hexdigest()[:16]}"'))
        elif answer.etag not in ("auto", "none", "changing"):
            headers.append(("ETag", answer.etag))
        if answer.last_modified:
            headers.append(("Last-Modified", answer.last_modified))
        if answer.retry_after and not answer.retry_after.startswith("date+"):
            headers.append(("Retry-After", answer.retry_after))
        if answer.redirect:
            target = answer.redirect
            headers.append(("Location", self.base + target if target.startswith("/") else target))
        if encoding:
            body = encoded(body, encoding)
            headers.append(("Content-Encoding", encoding))
        headers.extend(answer.headers.items())
        status = 302 if answer.redirect and answer.status == 200 else answer.status
        return Reply(status, tuple(headers), body, answer.delay, answer.reset_after, answer.endless)

    def _dated(self, made: Reply, answer: Answer) -> Reply:
        headers = list(made.headers)
        if answer.retry_after.startswith("date+"):
            when = datetime.now(UTC) + timedelta(seconds=int(answer.retry_after[5:]))
            headers.append(("Retry-After", format_datetime(when, usegmt=True)))
        if answer.etag == "changing":
            headers.append(("ETag", f'"request-{next(self.numbers)}"'))
        return Reply(made.status, tuple(headers), made.body, made.delay, made.reset_after, made.endless)


def encoded(body: bytes, encoding: str) -> bytes:
    """The body in that Content-Encoding; ``ValueError`` for one that a script cannot name."""
    if encoding == "gzip":
        return gzip.compress(body, mtime=0)
    if encoding == "deflate":
        return zlib.compress(body)
    if encoding == "br":
        return bytes(brotli.compress(body, quality=4))
    if encoding == "zstd":
        return zstandard.ZstdCompressor().compress(body)
    raise ValueError(f"unknown content encoding {encoding!r}")


def not_modified(reply: Reply, headers: Mapping[str, str]) -> bool:
    """Whether a conditional request (RFC 9110, section 13) is answered by 304: weak comparison, ETag before date."""
    ours = dict(reply.headers)
    asked = headers.get("if-none-match")
    if asked is not None:
        tag = ours.get("ETag", "")
        tags = [one.strip().removeprefix("W/") for one in asked.split(",")]
        return bool(tag) and (tag.removeprefix("W/") in tags or "*" in tags)
    since = headers.get("if-modified-since")
    if since is None or "Last-Modified" not in ours:
        return False
    try:
        return parsedate_to_datetime(ours["Last-Modified"]) <= parsedate_to_datetime(since)
    except (TypeError, ValueError):
        return False
