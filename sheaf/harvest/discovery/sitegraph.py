"""A sitegraph: one JSON-LD document that holds a whole repository, item by item.

Items are the elements of a root array, of ``@graph``, of an ItemList's ``itemListElement`` (their ``item``), of a
DataFeed's ``dataFeedElement`` and of a DataCatalog's ``dataset``, also when these lie in one another. An item becomes
a document of its own: its bytes as the publisher wrote them, with the contexts around it put in front. A list entry
that is only a link becomes a page to fetch.

An item's URL is its ``@id``, else its ``url``, when that is an absolute http(s) URL; else the sitegraph's URL with
``#`` and its ``@id`` or identifier, else with ``#sha1-`` and 16 digits of its content's SHA-1, so that an item that
is put in front of the others changes only itself.
"""

from __future__ import annotations

import hashlib
import mmap
import re
import tempfile
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import IO, Any
from urllib.parse import quote

import orjson

from sheaf.harvest.discovery.bodies import Decoder, expect_success, read_windows
from sheaf.harvest.discovery.json_file import (
    BrokenJson,
    Bytes,
    Member,
    byte_at,
    elements,
    members,
    skip_space,
    value_end,
)
from sheaf.harvest.discovery.types import DiscoveryReport, Fetch, Fetched, FetchFault, Found
from sheaf.harvest.discovery.urls import AddressGate, SeenUrls

ACCEPT = "application/ld+json, application/json;q=0.9, */*;q=0.5"
MAX_SITEGRAPH_BYTES = 1024 * 1024 * 1024
MAX_ITEM_BYTES = 64 * 1024 * 1024
MAX_LIST_DEPTH = 8
# Blank nodes of an @graph that are put into the items which refer to them; more than this in one item is no tree.
MAX_EMBEDDED = 1000

_SCHEMA = re.compile(r"^(?:schema:|sdo:|https?://(?:www\.)?schema\.org/)")
_LISTS = frozenset({"@graph", "itemListElement", "dataFeedElement", "dataset"})
_WRAPPERS = frozenset({"ListItem", "DataFeedItem"})
_LINK_KEYS = frozenset({"@id", "@type", "url"})
_BLANK_ID = re.compile(rb'"@id"\s*:\s*"(_:[^"\\]+)"')


async def sitegraph_items(
    url: str, fetch: Fetch, report: DiscoveryReport, gate: AddressGate, seen: SeenUrls
) -> AsyncGenerator[Found, None]:
    """The items of the sitegraph at ``url``; what goes wrong is recorded in the report, the items before it come.

    The body is kept in a temporary file, not in memory: its context may stand behind its items.
    """
    try:
        fetched = await fetch(url, ACCEPT)
        report.sitemaps += 1
        await expect_success(fetched)
        with tempfile.TemporaryFile(prefix="sheaf-sitegraph-") as spool:
            cut = await _spool(fetched, spool, url, report)
            size = spool.tell()
            if size == 0:
                raise cut or FetchFault("empty_body", "the sitegraph is empty")
            spool.flush()
            with mmap.mmap(spool.fileno(), 0, access=mmap.ACCESS_READ) as data:
                reader = SitegraphReader(data, fetched.url, report, gate, seen)
                for found in reader.items():
                    yield found
            if cut is not None:
                raise cut
    except FetchFault as fault:
        report.error(url, fault.reason, fault.detail)


async def _spool(fetched: Fetched, spool: IO[bytes], url: str, report: DiscoveryReport) -> FetchFault | None:
    """Write the body as UTF-8; a fault on the way is returned, what came before it is kept."""
    decoder = Decoder("", Counter())
    head = b""
    recode: bool | None = None
    try:
        async with aclosing(read_windows(fetched, MAX_SITEGRAPH_BYTES)) as windows:
            async for window in windows:
                if recode is None:
                    head += window
                    if len(head) < 4:
                        continue
                    window, head = head, b""
                    recode = window.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")) or window[:4].count(0) >= 2
                spool.write(decoder.feed(window).encode("utf-8", "replace") if recode else window)
    except FetchFault as fault:
        return fault
    finally:
        spool.write(head)
        if recode:
            report.repair(url, "a byte order mark or UTF-16, read as what it is")
            spool.write(decoder.feed(b"", final=True).encode("utf-8", "replace"))
    return None


class SitegraphReader:
    """Cuts the items out of one sitegraph (see the module). ``url`` is where the document lies.

    ``seen`` holds the URLs given so far; an item that comes twice is one, two different ones under one URL are two.
    """

    def __init__(self, data: Bytes, url: str, report: DiscoveryReport, gate: AddressGate, seen: SeenUrls) -> None:
        self._data = data
        self._url = url
        self._report = report
        self._gate = gate
        self._seen = seen
        self._contents = SeenUrls()
        self._broken = ""

    def items(self) -> Iterator[Found]:
        """Every item once. Raises FetchFault sitegraph_unreadable: at once, or behind the last item that is whole."""
        start = skip_space(self._data, 0)
        first = byte_at(self._data, start)
        if first not in (b"{", b"["):
            what = "an HTML page" if first == b"<" else f"it starts with {first!r}"
            raise FetchFault("sitegraph_unreadable", f"not JSON-LD: {what}")
        count = 0
        for found in self._values(start, [], 0):
            count += 1
            yield found
        if self._broken:
            raise FetchFault("sitegraph_unreadable", f"broken JSON: {self._broken}")
        if not count:
            raise FetchFault("sitegraph_unreadable", "no items: neither @graph, itemListElement, dataset nor an array")

    def _values(self, start: int, contexts: list[bytes], depth: int) -> Iterator[Found]:
        """The items of the value at ``start``: of each element of an array, of a list's members, or itself."""
        if depth > MAX_LIST_DEPTH:
            self._break(f"lists nested deeper than {MAX_LIST_DEPTH} at byte {start}")
            return
        first = byte_at(self._data, start)
        if first == b"[":
            for element, end in self._elements(start):
                yield from self._element(element, end, contexts, depth)
        elif first == b"{":
            yield from self._object(start, contexts, depth)

    def _element(self, start: int, end: int, contexts: list[bytes], depth: int) -> Iterator[Found]:
        """One element of a list. An item, the usual case, is parsed once and not looked at again."""
        if end - start <= MAX_ITEM_BYTES and byte_at(self._data, start) == b"{":
            text = self._data[start:end]
            value = _parse(text)
            if value is not None and _is_item(value):
                yield from self._item(text, value, contexts)
                return
        yield from self._values(start, contexts, depth + 1)

    def _object(self, start: int, contexts: list[bytes], depth: int) -> Iterator[Found]:
        parts = self._members(start)
        own = parts.get("@context")
        inner = [*contexts, self._data[own.start : own.end]] if own is not None and own.whole else contexts
        lists = [part for part in parts.values() if self._is_list(part)]
        if not lists:
            yield from self._entry(start, parts, contexts, inner, depth)
        for part in lists:
            if part.key == "@graph":
                yield from self._graph(part, inner, depth)
            else:
                yield from self._values(part.start, inner, depth + 1)

    def _is_list(self, part: Member) -> bool:
        """A list of items: an array, or one object, under one of the keys that hold items."""
        return plain_name(part.key) in _LISTS and byte_at(self._data, part.start) in (b"[", b"{")

    def _entry(
        self, start: int, parts: dict[str, Member], contexts: list[bytes], inner: list[bytes], depth: int
    ) -> Iterator[Found]:
        """A list entry's ``item``, a link to a page, or the object itself as an item."""
        names = {plain_name(key): part for key, part in parts.items()}
        item = names.get("item")
        if item is not None and byte_at(self._data, item.start) == b"{":
            yield from self._values(item.start, inner, depth + 1)
            return
        end = self._end(start)
        if end is None:
            return
        if end - start > MAX_ITEM_BYTES:
            self._report.error(self._url, "too_large", f"the item at byte {start} has {end - start} bytes")
            return
        text = self._data[start:end]
        value = _parse(text)
        if depth > 0 and value is not None and _is_link(value):
            yield from self._link(value)
        elif depth > 0 or any(key.startswith("@") for key in parts):  # else an error message in JSON, not JSON-LD
            yield from self._item(text, value, contexts)

    def _link(self, value: dict[str, Any]) -> Iterator[Found]:
        named = {plain_name(key): inner for key, inner in value.items()}
        address = next((text for key in ("item", "url", "@id") if (text := first_text(named.get(key)))), "")
        page = self._gate.admit_one(address, self._url)
        if page is None:
            return
        if self._seen.add(page):
            yield Found(page)
        else:
            self._report.duplicates += 1

    def _graph(self, part: Member, contexts: list[bytes], depth: int) -> Iterator[Found]:
        """The nodes of an ``@graph``. Blank nodes that others refer to go into those: alone they would mean nothing."""
        blanks = self._blank_nodes(part)
        for start, end in self._elements_of(part):
            if blanks:
                text = self._data[start:end]
                if _own_label(text) in blanks:
                    continue
                if any(label in blanks for label in _BLANK_ID.findall(text)) and (whole := _embed(text, blanks)):
                    yield from self._item(*whole, contexts)
                    continue
            yield from self._element(start, end, contexts, depth)

    def _blank_nodes(self, part: Member) -> dict[bytes, bytes]:
        """Blank nodes of the graph that another node refers to, and that are no dataset: label -> bytes."""
        if _BLANK_ID.search(self._data, part.start, part.end) is None:
            return {}
        mentions: Counter[bytes] = Counter()
        own: dict[bytes, bytes] = {}
        for start, end in self._elements_of(part):
            text = self._data[start:end]
            mentions.update(set(_BLANK_ID.findall(text)))
            label = _own_label(text)
            if label is not None:
                own[label] = text
        return {label: text for label, text in own.items() if mentions[label] > 1 and b'Dataset"' not in text}

    def _item(self, text: bytes, value: dict[str, Any] | None, contexts: list[bytes]) -> Iterator[Found]:
        document = with_contexts(text, contexts, own=value is None or "@context" in value)
        digest = hashlib.sha1(document).hexdigest()
        url = self._item_url(value, digest)
        if not self._contents.add(f"{digest} {url}"):
            self._report.duplicates += 1
            return
        if not self._seen.add(url):
            # One URL on two different items: both are kept, the later one under its content's digest.
            url = f"{url}#sha1-{digest[:16]}"
            self._seen.add(url)
        yield Found(url, item=document, content_type="application/ld+json")

    def _item_url(self, value: dict[str, Any] | None, digest: str) -> str:
        named: dict[str, str] = {}
        for key, inner in (value or {}).items():  # a broken item is told by its content; its trouble is found later
            named.setdefault(plain_name(key), first_text(inner))
        for name in ("@id", "id", "url"):
            if named.get(name, "").lower().startswith(("http://", "https://")):
                page = self._gate.admit_one(named[name], self._url)
                if page is not None:
                    return page
        label = named.get("@id") or named.get("id") or named.get("identifier") or ""
        key = quote(label.removeprefix("#"), safe="!$&'()*+,;=:@/?-._~")[:500] if label else f"sha1-{digest[:16]}"
        return f"{self._url.partition('#')[0]}#{key}"

    def _break(self, message: str) -> None:
        self._broken = self._broken or message

    def _end(self, start: int) -> int | None:
        try:
            return value_end(self._data, start)
        except BrokenJson as error:
            self._break(str(error))
            return None

    def _members(self, start: int) -> dict[str, Member]:
        parts: dict[str, Member] = {}
        try:
            for part in members(self._data, start):
                parts.setdefault(part.key, part)
        except BrokenJson as error:
            self._break(str(error))
        return parts

    def _elements(self, start: int) -> Iterator[tuple[int, int]]:
        try:
            yield from elements(self._data, start)
        except BrokenJson as error:
            self._break(str(error))

    def _elements_of(self, part: Member) -> Iterator[tuple[int, int]]:
        if byte_at(self._data, part.start) == b"[":
            yield from self._elements(part.start)
        elif part.whole:
            yield part.start, part.end


def plain_name(key: str) -> str:
    """``schema:item`` and ``https://schema.org/item`` are ``item``."""
    return _SCHEMA.sub("", key)


def _parse(text: bytes) -> dict[str, Any] | None:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def _types(value: dict[str, Any]) -> set[str]:
    stated = value.get("@type", value.get("type"))
    words = stated if isinstance(stated, list) else [stated]
    return {plain_name(word) for word in words if isinstance(word, str)}


def _is_link(value: dict[str, Any]) -> bool:
    """A list entry that says where an item is and nothing about it."""
    keys = {plain_name(key) for key in value}
    if _types(value) & _WRAPPERS:
        return True
    address = first_text(value.get("url")) or first_text(value.get("@id"))
    return keys <= _LINK_KEYS and address.startswith(("http://", "https://"))


def _is_item(value: dict[str, Any]) -> bool:
    """Neither a list of items, nor a wrapper around one, nor a link."""
    keys = {plain_name(key) for key in value}
    return not keys & _LISTS and not _types(value) & _WRAPPERS and "item" not in keys and not _is_link(value)


def with_contexts(item: bytes, contexts: list[bytes], *, own: bool = True) -> bytes:
    """The item with the contexts around it, outermost first; its own comes last, as JSON-LD applies them (4.1).

    ``own=False`` when the item is known to have none.
    """
    if not contexts or item[:1] != b"{":
        return item
    try:
        stated = next((part for part in members(item, 0) if part.key == "@context"), None) if own else None
    except BrokenJson:
        stated = None
    if stated is not None:
        merged = _merged([*contexts, item[stated.start : stated.end]])
        return item[: stated.start] + merged + item[stated.end :]
    rest = item[1:].lstrip()
    return b'{"@context": ' + _merged(contexts) + (b"" if rest.startswith(b"}") else b", ") + rest


def _merged(contexts: list[bytes]) -> bytes:
    """Several contexts as one array; an array among them is spliced in, one that repeats the last is left out."""
    pieces: list[bytes] = []
    for context in contexts:
        parts = [context[a:b] for a, b in elements(context, 0)] if context[:1] == b"[" else [context]
        pieces += [part for part in parts if not pieces or part != pieces[-1]]
    return pieces[0] if len(pieces) == 1 else b"[" + b", ".join(pieces) + b"]"


def first_text(value: Any) -> str:
    """The text of a value: a string, the first of an array, an object's ``@id``, ``@value``, ``value`` or ``url``."""
    if isinstance(value, list):
        value = value[0] if value else ""
    if isinstance(value, dict):
        value = next((value[key] for key in ("@id", "@value", "value", "url") if value.get(key)), "")
    return value.strip() if isinstance(value, str) else ""


def _own_label(item: bytes) -> bytes | None:
    """The item's own blank node label, None when it has another id or none."""
    if item[:1] != b"{" or b'"_:' not in item:
        return None
    try:
        for part in members(item, 0):
            if part.key == "@id":
                label = item[part.start + 1 : part.end - 1]
                return label if label.startswith(b"_:") else None
    except BrokenJson:
        return None
    return None


def _embed(item: bytes, blanks: dict[bytes, bytes]) -> tuple[bytes, dict[str, Any]] | None:
    """The item with the blank nodes it refers to put in place, and what these refer to; None when it cannot be."""
    budget = MAX_EMBEDDED

    def place(value: Any, path: frozenset[str]) -> Any:
        nonlocal budget
        if isinstance(value, list):
            return [place(element, path) for element in value]
        if not isinstance(value, dict):
            return value
        label = value.get("@id")
        if len(value) == 1 and isinstance(label, str) and label.encode() in blanks and label not in path and budget > 0:
            budget -= 1
            value = orjson.loads(blanks[label.encode()])
            path = path | {label}
        return {key: place(inner, path) for key, inner in value.items()}

    try:
        whole = place(orjson.loads(item), frozenset())
        return (orjson.dumps(whole), whole) if isinstance(whole, dict) else None
    except (orjson.JSONDecodeError, orjson.JSONEncodeError, RecursionError):
        return None
