"""Sitemaps as they are: urlset, sitemapindex, RSS, Atom and plain text, read leniently from windows of text.

A tokenizer of our own rather than expat, because expat ends at the first bare ``&`` and cannot be resumed; and
expat's callbacks cost a Python call for each tag. Nothing is ever expanded but the five entities of XML and
character references, so that a DTD has no power here.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from sheaf.harvest.discovery.types import FetchFault

MAX_TOKEN = 1024 * 1024  # characters of one tag, comment or CDATA section
MAX_DEPTH = 64
MAX_LASTMOD = 64
# A file that starts with this many lines of which none is a URL is no plain-text sitemap.
MAX_FOREIGN_LINES = 100

_ROOTS = frozenset({"urlset", "sitemapindex", "rss", "rdf", "feed", "channel", "url", "sitemap", "item", "entry"})
_HTML = frozenset({"html", "head", "body", "meta", "title", "script", "div", "p", "table", "center", "h1"})
# The element that stands for one page, and the children of it that we read.
_ENTRIES: dict[str, frozenset[str]] = {
    "url": frozenset({"loc", "lastmod"}),
    "sitemap": frozenset({"loc", "lastmod"}),
    "item": frozenset({"link", "guid", "pubdate", "date", "lastbuilddate"}),
    "entry": frozenset({"link", "id", "updated"}),
}
_DATES = frozenset({"lastmod", "pubdate", "date", "lastbuilddate", "updated"})

# What nearly every sitemap is made of, one match a page; possessive, so that a near miss costs one pass. Any other
# text between two entries is a match of the last group.
_PLAIN_ENTRY = re.compile(
    r"<url>\s*+<loc>\s*+([!-;=-~]{1,2048}+)\s*+</loc>\s*+(?:<lastmod>([^<]{0,64}+)</lastmod>\s*+)?+"
    r"(?:<(?![!?]|lastmod>|loc>|url>|/url>|/urlset>)[^<>]*+>[^<]*+)*+</url>\s*+|(\S[^<]*+)"
)
_TOKEN = re.compile(
    r"<!--.*?-->"
    r"|<!\[CDATA\[(?P<cdata>.*?)\]\]>"
    r"|<\?.*?\?>"
    r"|<!DOCTYPE(?P<doctype>(?:[^\[>]|\[.*?\]\s*(?=>))*)>"
    r"|</(?P<end>[^\s<>/]+)[^<>]*>"
    r"|<(?P<start>[^\s<>/!?]+)(?P<attributes>[^<>]*)>"
    r"|(?P<text>[^<]+)"
    r"|(?P<bare><)",
    re.DOTALL | re.IGNORECASE,
)
# The look-behind lets a match begin at a word only: without it a long attribute costs its length squared.
_ATTRIBUTE = re.compile(r"""(?:^|(?<=[\s"']))([^\s=<>"']++)\s*+=\s*+(?:"([^"]*)"|'([^']*)')""")
_OPENING = re.compile(r"<!--|<!\[CDATA\[|<!DOCTYPE|<\?", re.IGNORECASE)
_REFERENCE = re.compile(r"&(?:(amp|lt|gt|quot|apos)|#([0-9]{1,7})|#[xX]([0-9a-fA-F]{1,6}));")
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
# What a broken script printed above the sitemap is skipped, within reason.
_LATE_START = re.compile(r"<\?xml\s|<(?:\w+:)?(?:urlset|sitemapindex|rss|feed)\b")
_LATE_LIMIT = 4096
_LINE_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


class Pages(NamedTuple):
    """Pages in the order of the file as (address as written, lastmod, "").

    ``plain``: every address is 1 to 2,048 characters of printable ASCII, so that only its start is left to look at.
    """

    entries: list[tuple[str, str, str]]
    plain: bool


@dataclass(slots=True)
class _Entry:
    """The page being read: its addresses and its date."""

    kind: str
    prefix: str
    depth: int
    addresses: list[str] = field(default_factory=list)
    fallback: str = ""
    lastmod: str = ""


class SitemapReader:
    """Fed with text, gives pages; ``children`` are the sitemaps of an index, for the caller to take out.

    ``notes`` counts what was mended. Raises FetchFault sitemap_is_html or sitemap_unreadable when the text is no
    sitemap at all. After ``finish``, ``truncated`` tells whether the file ended in the middle.
    """

    def __init__(self, notes: Counter[str]) -> None:
        self.children: list[str] = []
        self.truncated = False
        self.kind = ""
        self._notes = notes
        self._buffer = ""
        self._stack: list[str] = []
        self._entry: _Entry | None = None
        self._field: str = ""
        self._permanent = True
        self._text: list[str] = []
        self._misses = 0
        self._closed = False
        self._pending: list[str] = []
        self._pending_size = 0
        self._foreign_lines = 0
        self._text_urls = 0

    def feed(self, text: str) -> list[Pages]:
        """The pages that are complete with this piece of text."""
        if "\x00" in text:
            self._notes["NUL characters, left out"] += text.count("\x00")
            text = text.replace("\x00", "")
        self._pending.append(text)
        self._pending_size += len(text)
        if self._pending_size * 8 < len(self._buffer):
            return []  # a long unfinished token is not read again for every few characters
        buffer = self._take_buffer()
        if not self.kind:
            buffer = self._recognise(buffer)
        if not self.kind:
            return []
        if self.kind == "text":
            return self._lines(buffer, final=False)
        return self._markup(buffer, final=False)

    def finish(self) -> list[Pages]:
        """The pages that the end of the file completes."""
        buffer = self._take_buffer()
        if self.kind == "text":
            pages = self._lines(buffer, final=True)
            if not self._text_urls:
                raise FetchFault("sitemap_unreadable", "neither XML nor a list of URLs")
            return pages
        pages = self._markup(buffer, final=True) if buffer else []
        if self.kind == "xml" and not self._closed:
            self.truncated = True
            last: list[tuple[str, str, str]] = []
            self._field = ""  # an address cut in the middle is not an address
            self._end_entry(last)
            if last:
                pages.append(Pages(last, plain=False))
        return pages

    def _take_buffer(self) -> str:
        buffer = self._buffer + "".join(self._pending)
        self._buffer, self._pending, self._pending_size = "", [], 0
        return buffer

    def _recognise(self, buffer: str) -> str:
        """Sets ``kind`` by the first character that counts; returns the text from there on."""
        buffer = buffer.lstrip(" \t\r\n\ufeff")
        if buffer and buffer[0] != "<" and (late := _LATE_START.search(buffer, 0, _LATE_LIMIT)):
            self._notes["text before the first element"] += 1
            buffer = buffer[late.start() :]
        if buffer:
            self.kind = "xml" if buffer[0] == "<" else "text"
        return buffer

    # plain text, one URL a line

    def _lines(self, buffer: str, *, final: bool) -> list[Pages]:
        lines = buffer.splitlines()
        if not final and lines and not buffer.endswith(("\n", "\r")):
            self._buffer = lines.pop()
            if len(self._buffer) > MAX_TOKEN:
                raise FetchFault("sitemap_unreadable", f"a line of more than {MAX_TOKEN} characters")
        found: list[tuple[str, str, str]] = []
        for line in lines:
            address = line.strip(" \t\ufeff")
            if _LINE_URL.match(address):
                found.append((address, "", ""))
            elif address and not address.startswith("#"):
                self._foreign_lines += 1
        self._text_urls += len(found)
        if not self._text_urls and self._foreign_lines >= MAX_FOREIGN_LINES:
            raise FetchFault("sitemap_unreadable", "neither XML nor a list of URLs")
        if self._text_urls and self._foreign_lines:
            self._notes["lines that are no URL, left out"] += self._foreign_lines
            self._foreign_lines = 0
        return [Pages(found, plain=False)] if found else []

    # markup

    def _markup(self, buffer: str, *, final: bool) -> list[Pages]:
        pages: list[Pages] = []
        start = 0
        # Cut behind an entry where there is one, so that the next region starts between two entries.
        behind_entry = buffer.rfind("</url>") + len("</url>")
        entries = behind_entry >= len("</url>")
        cut = len(buffer) if final else behind_entry if entries else buffer.rfind(">") + 1
        if entries and self._entry is None and len(self._stack) == 1 and self._misses < 4:
            fast = self._plain(buffer[:behind_entry])
            if fast is not None:
                pages.append(Pages(fast, plain=True))
                start = behind_entry
        slow: list[tuple[str, str, str]] = []
        stopped = self._tokens(buffer, start, cut, slow, final=final)
        if slow:
            pages.append(Pages(slow, plain=False))
        self._buffer = buffer[stopped:]
        if len(self._buffer) > MAX_TOKEN:
            raise FetchFault("sitemap_unreadable", f"a tag or comment of more than {MAX_TOKEN} characters")
        return pages

    def _plain(self, region: str) -> list[tuple[str, str, str]] | None:
        """All pages of a region in which nothing is but plain entries; None when there is anything else."""
        if "&" in region:
            if region.count("&") != region.count("&amp;"):
                return None
            region = region.replace("&amp;", "&")
        found = _PLAIN_ENTRY.findall(region)
        if any(strange for _, _, strange in found):
            self._misses += 1  # a file of another make: after a few regions it is not tried any more
            return None
        self._misses = 0
        return found

    def _tokens(self, buffer: str, start: int, cut: int, pages: list[tuple[str, str, str]], *, final: bool) -> int:
        """Read tokens up to ``cut``; returns where the part begins that is not complete yet."""
        for token in _TOKEN.finditer(buffer, start, cut):
            kind = token.lastgroup
            if kind == "text":
                if self._field:
                    self._text.append(self._decode(token[0]))
                elif not self._stack and not self._closed:
                    self._stray(token[0])
            elif kind == "attributes":
                self._start(token["start"], token["attributes"], pages)
            elif kind == "end":
                self._end(token["end"], pages)
            elif kind == "cdata":
                if self._field:
                    self._text.append(token["cdata"])
            elif kind == "doctype":
                self._doctype(token["doctype"])
            elif kind == "bare":
                if _OPENING.match(buffer, token.start()):
                    return len(buffer) if final else token.start()
                self._notes["bare < in text"] += 1
                if self._field:
                    self._text.append("<")
        return cut

    def _stray(self, text: str) -> None:
        if text.strip():
            self._notes["text before the first element"] += 1

    def _doctype(self, declaration: str) -> None:
        if declaration.split(None, 1)[:1] and declaration.split(None, 1)[0].lower() == "html":
            raise FetchFault("sitemap_is_html", "an HTML page was served in place of the sitemap")
        if "<!ENTITY" in declaration.upper():
            self._notes["entity declarations, not expanded"] += 1

    def _start(self, name: str, attributes: str, pages: list[tuple[str, str, str]]) -> None:
        prefix, _, local = name.rpartition(":")
        local = local.lower()
        empty = attributes.endswith("/")
        if not self._stack and not self._closed:
            self._check_root(name, local)
        entry = self._entry
        if local in _ENTRIES and (entry is None or (local == entry.kind and prefix == entry.prefix)):
            if entry is not None:
                self._notes[f"<{entry.kind}> without an end"] += 1
                del self._stack[entry.depth :]
                self._end_entry(pages)
            if not empty:
                self._entry = _Entry(local, prefix, len(self._stack))
        elif entry is not None and len(self._stack) == entry.depth + 1:
            self._start_field(prefix, local, attributes, empty)
        elif self._field and entry is not None and local in _ENTRIES[entry.kind]:
            self._notes[f"<{self._field}> without an end"] += 1
            del self._stack[entry.depth + 1 :]
            self._end_field()
            self._start_field(prefix, local, attributes, empty)
        if not empty:
            if len(self._stack) >= MAX_DEPTH:
                raise FetchFault("sitemap_unreadable", f"elements nested deeper than {MAX_DEPTH}")
            self._stack.append(name.lower())

    def _check_root(self, name: str, local: str) -> None:
        if local in _HTML:
            raise FetchFault("sitemap_is_html", f"the first element is <{local}>")
        if local not in _ROOTS:
            raise FetchFault(
                "sitemap_unreadable", f"<{name[:60]}> is the first element, not <urlset> or <sitemapindex>"
            )

    def _start_field(self, prefix: str, local: str, attributes: str, empty: bool) -> None:
        entry = self._entry
        if entry is None or local not in _ENTRIES[entry.kind] or (prefix != entry.prefix and local != "date"):
            return
        if entry.kind == "entry" and local == "link":
            values = {key.lower(): a or b for key, a, b in _ATTRIBUTE.findall(attributes)}
            if values.get("rel", "alternate") == "alternate" and values.get("href") and not entry.addresses:
                entry.addresses.append(self._decode(values["href"]))
            return
        if empty:
            return
        self._permanent = not re.search(r"ispermalink\s*=\s*[\"']false", attributes, re.IGNORECASE)
        self._field = local
        self._text = []

    def _end(self, name: str, pages: list[tuple[str, str, str]]) -> None:
        name = name.lower()
        if not self._stack or name not in self._stack:
            self._notes["end tag without a start"] += 1
            return
        while self._stack:
            top = self._stack.pop()
            if top != name:
                self._notes[f"<{top[:40]}> without an end"] += 1
            entry = self._entry
            if self._field and entry is not None and len(self._stack) <= entry.depth + 1:
                self._end_field()
            if entry is not None and len(self._stack) <= entry.depth:
                self._end_entry(pages)
            if top == name:
                break
        if not self._stack:
            self._closed = True

    def _end_field(self) -> None:
        entry, value = self._entry, "".join(self._text)
        local, self._field, self._text = self._field, "", []
        if entry is None:
            return
        if local in _DATES:
            entry.lastmod = " ".join(value.split())[:MAX_LASTMOD] or entry.lastmod
        elif local in ("guid", "id"):
            if self._permanent and value.strip().lower().startswith(("http://", "https://")):
                entry.fallback = value
        else:
            entry.addresses.append(value)

    def _end_entry(self, pages: list[tuple[str, str, str]]) -> None:
        entry, self._entry = self._entry, None
        if entry is None:
            return
        addresses = entry.addresses or ([entry.fallback] if entry.fallback else [])
        if entry.kind == "sitemap":
            self.children.extend(addresses)
        else:
            pages.extend((address, entry.lastmod, "") for address in addresses)

    def _decode(self, text: str) -> str:
        """The text with its character references read once; a bare ``&`` stays what it is, and is noted."""
        if "&" not in text:
            return text
        if text.count("&") != len(_REFERENCE.findall(text)):
            self._notes["bare & in text"] += 1
        return _REFERENCE.sub(_character, text)


def _character(reference: re.Match[str]) -> str:
    name, decimal, hexadecimal = reference.groups()
    if name:
        return _NAMED[name]
    code = int(decimal) if decimal else int(hexadecimal, 16)
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF or code == 0:
        return ""
    return chr(code)
