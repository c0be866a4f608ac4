"""From the bytes of a page to the texts of its JSON-LD scripts, or to the one text of a JSON body.

HTML is read by a scanner of the HTML tokenizer's rules for scripts (WHATWG HTML, 13.2.5), not by a tree builder:
200,000 nested elements took lexbor 106 s, 20,000 attributes 0.6 s, both quadratic; this is linear.
"""

from __future__ import annotations

import codecs
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_SCRIPTS = 200

_JSON_TYPES = ("application/ld+json", "application/json", "text/json")
_MARKUP_TYPES = ("text/html", "application/xhtml+xml", "application/xml", "text/xml")
# "+" may be written as an entity in the attribute, as ASP.NET does.
_LD_ENTITY = re.compile(rb"ld(?:&#x0*2b;?|&#0*43;?|&plus;)json")
_JSON_PATH = re.compile(r"\.json(?:ld)?(?:[?#]|\Z)", re.IGNORECASE)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([^\s\"';,>]+)", re.IGNORECASE)
_META = re.compile(rb"<meta\s[^>]*?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]+)", re.IGNORECASE)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# The labels that the WHATWG Encoding standard reads as something wider than their name says.
_WIDER = {"iso8859-1": "cp1252", "ascii": "cp1252", "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932"}
_WIDER |= {"euc_kr": "cp949", "iso8859-9": "cp1254", "tis-620": "cp874"}

_MARK = re.compile(
    r"<(?=[!sStTxXiInN])(?:!--|((?i:script|style|textarea|title|xmp|iframe|noembed|noframes))(?=[\s/>]))"
)
_ATTRIBUTE = r"""[\s/]*+([^\s/>][^\s/>=]*+)(?:\s*+=\s*+("[^"]*+"|'[^']*+'|[^\s>"'][^\s>]*+)?)?"""
_ATTRIBUTES = re.compile(_ATTRIBUTE)
_TAG_REST = re.compile(rf"(?:{_ATTRIBUTE})*+[\s/]*+>")
_COMMENT_END = re.compile(r"--!?>")
_TAG_NAME = re.compile(r"[A-Za-z][^\s/>]*+")
_RAW_ENDS = {
    name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE)
    for name in ("style", "textarea", "title", "xmp", "iframe", "noembed", "noframes")
}
_SCRIPT_END = re.compile(r"</[sS][cC][rR][iI][pP][tT](?=[\s/>])")
_SCRIPT_MARK = re.compile(r"<!--|-->|<(/?)script(?=[\s/>])", re.IGNORECASE)


class Undecodable(ValueError):
    """The bytes are not text in the encoding that is certain to be theirs."""


@dataclass(frozen=True, slots=True)
class Extracted:
    """Texts in page order, the codes of what had to be corrected to read them, how many more were left out.

    ``is_body``: the text is the whole body, not a script.
    """

    texts: tuple[str, ...]
    repaired: tuple[str, ...] = ()
    left_out: int = 0
    is_body: bool = False


_NOTHING = Extracted(())


def extract(body: bytes, content_type: str, url: str) -> Extracted:
    """The JSON texts of a page: its scripts of type ``application/ld+json``, or the whole body when that is JSON.

    A JSON body is never parsed as HTML. Raises Undecodable.
    """
    if is_json(body, content_type, url):
        text, repaired = decode(body, content_type)
        return Extracted((text,), repaired, is_body=True)
    last = _last_mark(body)
    if last < 0 and not _wide(body, content_type):
        return _NOTHING
    text, repaired = decode(body, content_type, markup=True)
    # In UTF-8 no character has fewer bytes than one, so an offset in bytes is never too small for characters.
    texts = list(scripts(text, len(text) if last < 0 else last))
    return Extracted(tuple(texts[:MAX_SCRIPTS]), repaired, max(0, len(texts) - MAX_SCRIPTS))


def is_json(body: bytes, content_type: str, url: str) -> bool:
    """Whether the body is JSON as it is: by type, by the path's ending, or a first ``{`` or ``[`` in other text."""
    kind = content_type.partition(";")[0].strip().lower()
    first = _first_byte(body)
    if kind in _JSON_TYPES or kind.endswith("+json") or _JSON_PATH.search(url.partition("#")[0]):
        return first != b"<"
    if first not in (b"{", b"["):
        return False
    # Servers send JSON as text/html too, but a page that holds scripts is a page.
    return kind not in _MARKUP_TYPES or b"<script" not in body.lower()


def decode(body: bytes, content_type: str, *, markup: bool = False) -> tuple[str, tuple[str, ...]]:
    """Text of the body, and ``charset`` or ``replaced_characters`` when it was not in the encoding it states.

    A byte order mark decides; then valid UTF-8 (which other encodings are never by accident); then what the
    header or a ``<meta>`` says; then windows-1252. Raises Undecodable for broken UTF-16 and UTF-32.
    """
    for mark, name in _BOMS:
        if body.startswith(mark):
            return _strict(body[len(mark) :], name)
    declared = _declared(body, content_type, markup)
    # Both are bytes that a UTF-8 decoder would accept: full of NULs, or all ASCII.
    if (declared.startswith(("utf-16", "utf-32")) and b"\0" in body[:64]) or declared.startswith(("iso2022", "hz")):
        return _strict(body, declared)
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return _other(body, declared)
    return text, ("charset",) if declared not in ("", "utf-8") and not text.isascii() else ()


def scripts(page: str, last: int | None = None) -> Iterator[str]:
    """The contents of the ``script`` elements of type ``application/ld+json``, as a browser's parser delimits them.

    ``last``: behind this offset the page is known to open no such script.
    Line ends are normalised (WHATWG HTML, 13.2.3.5); scripts in comments, styles and titles are none.
    """
    position = 0
    stop = len(page) if last is None else last
    unclosed: set[str] = set()
    while position <= stop and (found := _MARK.search(page, position)) is not None:
        position = _open_tag_around(page, found.start())
        if position > found.start():
            continue
        position = found.end()
        if found[1] is None:
            position = _comment_end(page, position)
            continue
        rest = _TAG_REST.match(page, position)
        if rest is None:
            # Only the end of the page ends such a tag: nothing behind it is markup.
            return
        name = found[1].lower()
        if name == "script":
            wanted = _is_ld_json(page[position : rest.end() - 1])
            start, position = rest.end(), _script_end(page, rest.end())
            if wanted:
                content = page[start:position]
                yield content.replace("\r\n", "\n").replace("\r", "\n") if "\r" in content else content
            continue
        end = None if name in unclosed else _RAW_ENDS[name].search(page, rest.end())
        if end is None:
            unclosed.add(name)
        position = (end or rest).end()


def _comment_end(page: str, position: int) -> int:
    """The offset behind the comment whose content starts at ``position``."""
    if page.startswith((">", "->"), position):
        return page.index(">", position) + 1
    end = _COMMENT_END.search(page, position)
    return end.end() if end else len(page)


def _open_tag_around(page: str, position: int) -> int:
    """The end of the tag whose attribute value holds ``position``, or 0 when there is none."""
    start = page.rfind("<", max(0, position - 2000), position)
    if start < 0 or page.find(">", start, position) >= 0:
        return 0
    name = _TAG_NAME.match(page, start + 1)
    if name is None:
        return 0
    rest = _TAG_REST.match(page, name.end())
    return rest.end() if rest else len(page)


def _is_ld_json(attributes: str) -> bool:
    for found in _ATTRIBUTES.finditer(attributes):
        if found[1].lower() == "type":
            value = html.unescape((found[2] or "").strip("\"'"))
            return re.split(r"[;\s,]", value.strip().lower(), maxsplit=1)[0] == "application/ld+json"
    return False


def _script_end(page: str, start: int) -> int:
    """Where the script's content ends; inside ``<!-- <script`` a ``</script>`` does not end it."""
    first = _SCRIPT_END.search(page, start)
    if first is None or page.find("<!--", start, first.start()) < 0:
        return first.start() if first else len(page)
    comment = nested = False
    for found in _SCRIPT_MARK.finditer(page, start):
        mark = found[0]
        if mark == "<!--":
            comment = True
        elif mark == "-->":
            comment = nested = False
        elif found[1]:
            if not nested:
                return found.start()
            nested = False
        else:
            nested = comment
    return len(page)


def _first_byte(body: bytes) -> bytes:
    for mark, _ in _BOMS:
        if body.startswith(mark):
            return body[len(mark) : len(mark) + 64].replace(b"\0", b"").lstrip()[:1]
    return body[:4096].lstrip()[:1]


def _last_mark(body: bytes) -> int:
    """Offset of the last ``ld+json``, in any case or spelling, -1 when there is none."""
    lowered = body.lower()
    last = lowered.rfind(b"ld+json")
    if b"ld&" in lowered:
        last = max([last, *(found.start() for found in _LD_ENTITY.finditer(lowered))])
    return last


def _wide(body: bytes, content_type: str) -> bool:
    """Whether ASCII text in the body may be spread over two or four bytes a character."""
    return body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or _codec(content_type).startswith("utf-")


def _declared(body: bytes, content_type: str, markup: bool) -> str:
    found = _CHARSET.search(content_type) if "harset" in content_type or "HARSET" in content_type else None
    name = _lookup(found[1]) if found else ""
    if name or not markup:
        return name
    meta = _META.search(body, 0, 4096)
    name = _lookup(meta[1].decode("ascii")) if meta else ""
    # A <meta> that could be read as ASCII was not written in UTF-16 (WHATWG HTML, 13.2.3.2).
    return "utf-8" if name.startswith(("utf-16", "utf-32")) else name


def _codec(content_type: str) -> str:
    found = _CHARSET.search(content_type)
    name = _lookup(found[1]) if found else ""
    return name if name != "utf-8" else ""


def _lookup(label: str) -> str:
    """Python's name of a text encoding, "" for a label that names none."""
    try:
        info = codecs.lookup(label)
        # Some codecs turn bytes into bytes, and say so only when they are used.
        b"".decode(info.name)
    except (LookupError, UnicodeError, ValueError):
        return ""
    return _WIDER.get(info.name, info.name)


def _strict(body: bytes, name: str) -> tuple[str, tuple[str, ...]]:
    try:
        return body.decode(name), ()
    except UnicodeDecodeError as error:
        if name == "utf-8":
            return body.decode(name, "replace"), ("replaced_characters",)
        raise Undecodable(f"not {name}: {error.reason} at byte {error.start}") from error


def _other(body: bytes, declared: str) -> tuple[str, tuple[str, ...]]:
    """Text of bytes that are not UTF-8."""
    if declared not in ("", "utf-8"):
        try:
            return body.decode(declared), ()
        except UnicodeDecodeError:
            return body.decode(declared, "replace"), ("replaced_characters",)
    mended = body.decode("utf-8", "replace")
    broken = mended.count("�")
    # Mostly right UTF-8 with a few bytes cut is still UTF-8; single bytes alone are windows-1252.
    if len(mended) - broken - len(mended.encode("ascii", "ignore")) > broken:
        return mended, ("replaced_characters",)
    try:
        return body.decode("cp1252"), ("charset",)
    except UnicodeDecodeError:
        return body.decode("latin-1"), ("charset",)
