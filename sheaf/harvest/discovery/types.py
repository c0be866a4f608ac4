"""What discovery takes and gives: the fetch it is handed, the URLs it finds, and the report it fills."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from sheaf.errors import SheafError
from sheaf.harvest.states import REASONS

# A million bad lines in one sitemap must not fill the memory: examples are kept, all of them are counted.
MAX_EXAMPLES = 200


class Found(NamedTuple):
    """One page to harvest (a tuple: a million of them are made in half the time of a frozen dataclass).

    ``url`` is an absolute http or https URL. ``lastmod`` is the publisher's own text, "" when none. ``item`` is the
    document itself where discovery already holds it (sitegraph, api, googledrive); such a URL is not fetched again.
    ``content_type`` says what ``item`` is, "" when there is no item.
    """

    url: str
    lastmod: str = ""
    item: bytes | None = None
    content_type: str = ""


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer whose body is still to be read: ``url`` after redirects, ``chunks`` with Content-Encoding undone.

    Reading ``chunks`` may raise FetchFault when the connection breaks in the middle. Header names are lower case.
    """

    status: int
    url: str
    content_type: str
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]


# fetch(url, accept): raises FetchFault when there is no answer at all; any status is an answer.
Fetch = Callable[[str, str], Awaitable[Fetched]]


class FetchFault(SheafError):
    """No answer, or half of one. ``reason`` is a code of ``states.REASONS``, ``detail`` what happened."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(slots=True)
class DiscoveryReport:
    """Counters that fill up while the URLs stream by; final when the stream has ended.

    ``complete`` is False as soon as something that may list pages could not be read to its end: then no page may be
    declared gone. ``errors`` are (url, reason, detail), ``repaired`` (url, what was mended); both keep the first
    MAX_EXAMPLES entries, while ``counts`` (by reason) counts all. ``refused`` URLs are listed but never harvested
    (scheme, length, unreadable) and do not make a discovery incomplete. ``hosts`` counts the other hosts by name.
    """

    complete: bool = True
    urls: int = 0
    duplicates: int = 0
    other_hosts: int = 0
    sitemaps: int = 0
    repaired: list[tuple[str, str]] = field(default_factory=list)
    errors: list[tuple[str, str, str]] = field(default_factory=list)
    refused: list[tuple[str, str, str]] = field(default_factory=list)
    hosts: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)

    def error(self, url: str, reason: str, detail: str, *, incomplete: bool = True) -> None:
        """Record what went wrong at ``url``; ``incomplete=False`` when no page can have been missed by it."""
        self.counts[reason] += 1
        if incomplete:
            self.complete = False
        if len(self.errors) < MAX_EXAMPLES:
            self.errors.append((url, reason, detail[:500]))

    def refuse(self, url: str, reason: str, detail: str) -> None:
        """Record a listed URL that is not going to be harvested."""
        self.counts[reason] += 1
        if len(self.refused) < MAX_EXAMPLES:
            self.refused.append((url[:500], reason, detail[:500]))

    def other_host(self, host: str) -> None:
        """Count a listed URL on another host than the source's; it is harvested all the same."""
        self.other_hosts += 1
        if host in self.hosts or len(self.hosts) < MAX_EXAMPLES:
            self.hosts[host] += 1

    def repair(self, url: str, what: str) -> None:
        """Record that the file at ``url`` broke a rule and was read all the same."""
        self.counts["sitemap_repaired"] += 1
        if len(self.repaired) < MAX_EXAMPLES:
            self.repaired.append((url, what[:500]))


def status_reason(status: int) -> str:
    """The reason code of an HTTP status that is no success: ``http_404_not_found``, else ``http_4xx`` and the like."""
    exact = next((code for code in REASONS if code.startswith(f"http_{status}_")), "")
    if exact:
        return exact
    return f"http_{status // 100}xx" if status // 100 in (4, 5) else "http_unexpected"
