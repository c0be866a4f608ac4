"""Which listed addresses are URLs to harvest, and which of them are new."""

from __future__ import annotations

import re
from array import array
from urllib.parse import quote, urljoin, urlsplit

from sheaf.harvest.discovery.markup import Pages
from sheaf.harvest.discovery.types import DiscoveryReport, Found

# (URL or address as written, lastmod, ""): the third is the fast reader's and always empty here.
Entry = tuple[str, str, str]

# sitemaps.org wants less than 2,048 characters. Real URLs beyond 1,024 bytes exist and work; longer ones than this
# are sessions and loops.
MAX_URL_BYTES = 2048

_PLAIN_URL = re.compile(r"https?://[!-~]+")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_LINE_BREAK = re.compile(r" *[\t\r\n]+ *")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b\u2060\ufeff]")
_SCHEMES = ("https", "http")
_EDGES = " \t\r\n\x0b\x0c\u00a0\u200b\u2060\ufeff"
_KEEP = "".join(chr(c) for c in range(0x21, 0x7F))


class Refused(ValueError):
    """An address that is not going to be harvested; ``reason`` is a code of ``states.REASONS``."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def read_address(address: str, base: str) -> tuple[str, list[str]]:
    """An address as a publisher wrote it → absolute http(s) URL, and what was mended. Raises Refused.

    Space around it and line breaks with their indentation inside it go, a space inside becomes %20, control and
    zero-width characters go, anything outside ASCII is percent-encoded as UTF-8 (RFC 3987, section 3.1), a relative
    address is resolved against ``base``. The rest is kept as written: the server knows its own URLs.
    """
    mended: list[str] = []
    url = address.strip(_EDGES)
    if not url:
        raise Refused("bad_url", "an empty address")
    if _LINE_BREAK.search(url):
        mended.append("line break inside a URL")
        url = _LINE_BREAK.sub("", url)
    if _CONTROL.search(url):
        mended.append("control characters inside a URL")
        url = _CONTROL.sub("", url)
    if " " in url:
        mended.append("space inside a URL")
        url = url.replace(" ", "%20")
    try:
        if not _SCHEME.match(url):
            url = urljoin(base, url)
            mended.append("relative address")
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise Refused("bad_url", str(error)) from error
    if parts.scheme not in ("http", "https"):
        raise Refused("bad_scheme", f"scheme {parts.scheme[:40]!r} is not http or https")
    if not host:
        raise Refused("bad_url", "no host name")
    if not url.isascii():
        # The host's IDNA form is the fetcher's business: it has to resolve the name anyway.
        rest = quote(url[url.index(parts.netloc) + len(parts.netloc) :], safe=_KEEP, errors="replace")
        url = f"{parts.scheme}://{parts.netloc}{rest}"
    url = parts.scheme + url[len(parts.scheme) :]
    check_length(url)
    return url, mended


def check_length(url: str) -> None:
    """Raises Refused url_too_long beyond MAX_URL_BYTES."""
    size = len(url.encode("utf-8", "replace"))
    if size > MAX_URL_BYTES:
        raise Refused("url_too_long", f"{size} bytes; {MAX_URL_BYTES} are allowed")


def host_of(url: str) -> str:
    """The host of a URL in lower case, "" when it has none."""
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def _site_of(url: str) -> str:
    try:
        return urlsplit(url).netloc
    except ValueError:
        return ""


class AddressGate:
    """Lets the URLs of one source through: refuses what cannot be fetched, counts what lies on other hosts."""

    def __init__(self, own_urls: list[str], report: DiscoveryReport) -> None:
        self._report = report
        self._hosts = {host for host in map(host_of, own_urls) if host}
        # "https://host/" -> the host's name if it is another one, "" if it is ours
        self._prefixes: dict[str, str] = {}
        self._own = tuple({f"{scheme}://{site}/" for site in map(_site_of, own_urls) if site for scheme in _SCHEMES})

    def admit(self, pages: Pages, base: str) -> list[Entry]:
        """The pages of a sitemap at ``base`` that may be harvested, in their order, each with its absolute URL."""
        own = self._own
        if pages.plain and own:
            entries = [entry for entry in pages.entries if entry[0].startswith(own)]
            if len(entries) == len(pages.entries):
                return entries
        admitted: list[Entry] = []
        for address, lastmod, _ in pages.entries:
            url = self.admit_one(address, base)
            if url is not None:
                admitted.append((url, lastmod, ""))
        return admitted

    def resolve(self, address: str, base: str) -> str | None:
        """A sitemap's address as an absolute URL, never counted as a page; None when it is refused."""
        try:
            return read_address(address, base)[0]
        except Refused as refused:
            self._report.refuse(address.strip(), refused.reason, refused.detail)
            return None

    def admit_one(self, address: str, base: str) -> str | None:
        """One address as an absolute URL; None, with its reason in the report, when it is refused."""
        report = self._report
        # Only a start that was read in full once is trusted, so that a bad host or port is refused.
        if len(address) <= MAX_URL_BYTES and _PLAIN_URL.fullmatch(address):
            prefix = address[: address.find("/", 8) + 1]
            other = self._prefixes.get(prefix) if prefix else None
            if other is not None:
                if other:
                    report.other_host(other)
                return address
        try:
            url, mended = read_address(address, base)
        except Refused as refused:
            report.refuse(address.strip(), refused.reason, refused.detail)
            return None
        for what in mended:
            report.repair(base, f"{what}: {address.strip()[:200]!r}")
        host = host_of(url)
        other = "" if host in self._hosts else host
        if other:
            report.other_host(other)
        prefix = url[: url.find("/", 8) + 1]
        if prefix and len(self._prefixes) < 1000:
            self._prefixes[prefix] = other
        return url


class SeenUrls:
    """The URLs that were there before, as 64-bit digests in one packed table: 12 to 96 bytes a URL.

    A set of a million digests takes 90 MB, of a million strings 200 MB. The digest is SipHash with the process's own
    key (Python's ``hash``): two of ten million URLs meet with a chance of 3 in a million, and nobody can aim at it.
    """

    def __init__(self, slots: int = 1 << 16) -> None:
        self._slots = slots
        self._table = array("q", bytes(8 * slots))
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def keep_new(self, entries: list[Entry]) -> list[Found]:
        """The entries whose URL was not seen before, in order; they are seen from now on.

        One loop of plain steps: what is in it runs for each of a million URLs.
        """
        while (self._count + len(entries)) * 3 > self._slots * 2:
            self._grow()
        table, mask = self._table, self._slots - 1
        fresh: list[Found] = []
        keep, make = fresh.append, tuple.__new__
        for url, lastmod, _ in entries:
            digest = hash(url)
            slot = digest & mask
            while held := table[slot]:
                if held == digest:
                    break
                slot = (slot + 1) & mask
            else:
                table[slot] = digest
                keep(make(Found, (url, lastmod, None, "")))
        self._count += len(fresh)
        return fresh

    def add(self, url: str) -> bool:
        """True when the URL is new."""
        return bool(self.keep_new([(url, "", "")]))

    def _grow(self) -> None:
        # By much at once: moving a digest costs as much as adding it.
        slots = self._slots * (8 if self._slots < 1 << 21 else 2)
        table, mask = array("q", bytes(8 * slots)), slots - 1
        for digest in self._table:
            if digest:
                slot = digest & mask
                while table[slot]:
                    slot = (slot + 1) & mask
                table[slot] = digest
        self._slots, self._table = slots, table
