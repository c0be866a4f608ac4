"""The bytes of an answer: unpacked, capped, and decoded into text, a window at a time."""

from __future__ import annotations

import codecs
import re
import zlib
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing

from sheaf.harvest.discovery.types import Fetched, FetchFault, status_reason

WINDOW = 256 * 1024
GZIP_MAGIC = b"\x1f\x8b"
# A .xml.gz that the server packs once more is two layers; a third one is an attack.
MAX_LAYERS = 2
# The protocol allows 50 MB a file; real ones exceed it, a packed bomb exceeds everything.
MAX_SITEMAP_BYTES = 512 * 1024 * 1024

_DECLARATION = re.compile(rb"""^\s*<\?xml\b[^>]*?\bencoding\s*=\s*["']([A-Za-z0-9._:-]{1,40})["']""")
_CHARSET = re.compile(r"""charset\s*=\s*["']?([A-Za-z0-9._:-]{1,40})""", re.IGNORECASE)
# Only codecs of text: Python's registry also holds zlib, rot13 and unicode_escape.
_TEXT_CODEC = re.compile(
    r"^(ascii|utf-(8|16|32)(-(le|be))?|iso8859-\d+|cp\d{3,5}|koi8-[rtu]|mac-[a-z]+|gb2312|gbk|gb18030|big5(hkscs)?"
    r"|shift_jis\w*|euc_\w+|iso2022_\w+|johab|tis-620|hz)$"
)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def _as_windows_1252(error: UnicodeError) -> tuple[str, int]:
    """A byte that is not what the file claims to be is nearly always Windows-1252."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    wrong = error.object[error.start : error.end]
    return "".join(bytes([b]).decode("cp1252", "replace") for b in wrong), error.end


codecs.register_error("sheaf_cp1252", _as_windows_1252)


class Unpacker:
    """Undoes gzip layers, recognised by their magic bytes and not by any name or header."""

    def __init__(self, layer: int = 0) -> None:
        self._layer = layer
        self._head: bytes | None = b""
        self._stream: zlib._Decompress | None = None
        self._inner: Unpacker | None = None
        self._ended = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The unpacked bytes of ``data`` in windows. Raises FetchFault bad_content_encoding."""
        if self._head is not None:
            data = self._head + data
            if len(data) < len(GZIP_MAGIC):
                self._head = data
                return
            self._head = None
            if data.startswith(GZIP_MAGIC):
                self._start()
        if self._stream is None:
            for start in range(0, len(data), WINDOW):
                yield data[start : start + WINDOW]
            return
        yield from self._inflate(data)

    def finish(self) -> Iterator[bytes]:
        """The rest, when no more data comes. Raises FetchFault when a gzip stream ends in the middle."""
        if self._head:
            yield self._head
        if self._inner is not None:
            yield from self._inner.finish()
        if self._stream is not None and not self._ended:
            raise FetchFault("sitemap_truncated", "the gzip stream ends in the middle")

    def _start(self) -> None:
        if self._layer >= MAX_LAYERS:
            raise FetchFault("bad_content_encoding", f"more than {MAX_LAYERS} layers of gzip")
        self._stream = zlib.decompressobj(wbits=31)
        self._inner = self._inner or Unpacker(self._layer + 1)

    def _inflate(self, data: bytes) -> Iterator[bytes]:
        while data and not self._ended and self._stream is not None and self._inner is not None:
            try:
                plain = self._stream.decompress(data, WINDOW)
            except zlib.error as error:
                raise FetchFault("bad_content_encoding", f"gzip: {error}") from error
            data = self._stream.unconsumed_tail
            yield from self._inner.feed(plain)
            if self._stream.eof:
                data = self._stream.unused_data
                if data.startswith(GZIP_MAGIC):  # several members in one file
                    self._start()
                else:
                    self._ended = True  # padding after the last member


def _usable_codec(name: str) -> str | None:
    try:
        found = codecs.lookup(name).name
    except LookupError:
        return None
    if not _TEXT_CODEC.match(found):
        return None
    # Who declares ASCII or Latin-1 means their supersets (WHATWG Encoding, section 4.2).
    return {"ascii": "utf-8", "iso8859-1": "cp1252"}.get(found, found)


def sniff_charset(head: bytes, content_type: str, notes: Counter[str]) -> tuple[str, int]:
    """The codec of a text that starts with ``head``, and the length of its byte order mark.

    Order: byte order mark, zero bytes, XML declaration, charset of the Content-Type, UTF-8. Servers attach a default
    charset to everything, so the file's own word counts more (unlike RFC 7303).
    """
    for mark, codec in _BOMS:
        if head.startswith(mark):
            return codec, len(mark)
    if head[:4].count(0) >= 2 and len(head) >= 4:
        return ("utf-16-le" if head[1] == 0 else "utf-16-be"), 0
    declared = _DECLARATION.match(head)
    named = declared.group(1).decode("ascii") if declared else ""
    if not named and (stated := _CHARSET.search(content_type)):
        named = stated.group(1)
    if not named:
        return "utf-8", 0
    codec_name = _usable_codec(named)
    if codec_name is None:
        notes[f"unknown charset {named!r}, read as UTF-8"] += 1
        return "utf-8", 0
    if codec_name.startswith(("utf-16", "utf-32")):
        notes[f"declares {named}, but is not; read as UTF-8"] += 1
        return "utf-8", 0
    return codec_name, 0


class Decoder:
    """Bytes to text in pieces; a byte that is wrong in the charset is read as Windows-1252 and noted."""

    def __init__(self, content_type: str, notes: Counter[str]) -> None:
        self._content_type = content_type
        self._notes = notes
        self._head = b""
        self._decoder: codecs.IncrementalDecoder | None = None

    def feed(self, data: bytes, *, final: bool = False) -> str:
        """The text of ``data``; "" while the charset cannot be told yet."""
        if self._decoder is None:
            self._head += data
            if not final and self._undecided():
                return ""
            codec, mark = sniff_charset(self._head, self._content_type, self._notes)
            self._decoder = codecs.getincrementaldecoder(codec)("strict")
            data, self._head = self._head[mark:], b""
        before = self._decoder.getstate()
        try:
            return self._decoder.decode(data, final)
        except UnicodeDecodeError as error:
            self._notes[f"bytes that are not {error.encoding}, read as Windows-1252"] += 1
            self._decoder.setstate(before)
            self._decoder.errors = "sheaf_cp1252"
            return self._decoder.decode(data, final)

    def _undecided(self) -> bool:
        head = self._head
        if len(head) < 4:
            return True
        return head.lstrip()[:5] in b"<?xml" and b"?>" not in head and len(head) < 1024


async def read_text(fetched: Fetched, notes: Counter[str], cap: int = MAX_SITEMAP_BYTES) -> AsyncGenerator[str, None]:
    """The body as text in windows; ``notes`` counts what had to be mended on the way.

    Raises FetchFault: what ``chunks`` raises, bad_content_encoding, sitemap_truncated (gzip), too_large (unpacked).
    """
    decoder = Decoder(fetched.content_type, notes)
    async with aclosing(read_windows(fetched, cap)) as windows:
        async for window in windows:
            if text := decoder.feed(window):
                yield text
    if text := decoder.feed(b"", final=True):
        yield text


async def read_windows(fetched: Fetched, cap: int) -> AsyncGenerator[bytes, None]:
    """The unpacked body in windows of at most WINDOW bytes. Raises FetchFault as ``read_text`` does."""
    unpacker = Unpacker()
    total = 0
    try:
        async for chunk in fetched.chunks:
            for window in unpacker.feed(chunk):
                total += len(window)
                if total > cap:
                    raise FetchFault("too_large", f"more than {cap} bytes unpacked")
                yield window
        for window in unpacker.finish():
            yield window
    finally:
        await close(fetched)


async def read_body(fetched: Fetched, cap: int) -> bytes:
    """The whole unpacked body, for what is small. Raises FetchFault as ``read_text`` does."""
    parts = [window async for window in read_windows(fetched, cap)]
    return b"".join(parts)


async def expect_success(fetched: Fetched, *, not_found: str = "") -> None:
    """Raises FetchFault for any status but 200; ``not_found`` is the reason to give for 404 and 410."""
    if fetched.status == 200:
        return
    await close(fetched)
    reason = not_found if not_found and fetched.status in (404, 410) else status_reason(fetched.status)
    raise FetchFault(reason, f"{fetched.url}: status {fetched.status}")


async def close(fetched: Fetched) -> None:
    """Give the connection back, also when nobody wanted the body."""
    closing = getattr(fetched.chunks, "aclose", None)
    if closing is not None:
        await closing()
