"""Mending JSON that publishers break, where the meaning is plain; every change is named by a code.

Only text that a strict parser refused gets here. What cannot be mended by these rules stays broken: a guess
that changes a value is worse than a reported failure.
"""

from __future__ import annotations

import html
import re

import orjson

from sheaf.harvest.json_spans import load

REPAIRS: dict[str, str] = {
    "bom": "a byte order mark around the JSON was left out",
    "html_comment": "an HTML comment around the JSON was left out",
    "cdata": "a CDATA section around the JSON was left out",
    "entities": "HTML entities that stood for quotes were decoded",
    "comment": "a comment inside the JSON was left out",
    "trailing_comma": "a comma without a value behind it was left out",
    "missing_value": "a member without a value got null",
    "missing_comma": "a comma between two members on different lines was put in",
    "control_character": "a raw line break or control character inside a string was escaped",
    "bad_escape": "a backslash sequence that JSON does not know was corrected",
    "lone_surrogate": "half of a surrogate pair became U+FFFD",
    "not_a_number": "NaN, Infinity, None or undefined became null",
    "inner_quote": "a quote inside a string was escaped",
    "semicolon": "a semicolon behind the JSON was left out",
    "several_values": "several JSON values one behind the other were taken one by one",
    "charset": "the bytes were in another encoding than stated",
    "replaced_characters": "bytes that are no text in the encoding became U+FFFD",
}

_EDGE = "\ufeff\u200b\u2060 \t\r\n\f\v\u00a0"
_OPENERS = (
    ("html_comment", re.compile(r"<!--")),
    ("cdata", re.compile(r"(?://|/\*)?\s*+<!\[CDATA\[(?:\s*+\*/)?")),
)
_CLOSER = re.compile(r"(?:(?://\s*+)?--!?>|(?://\s*+|/\*\s*+)?\]\]>(?:\s*+\*/)?)\Z")
_ENCODED_QUOTE = re.compile(r"[\[{\s]++&(?:amp;)*+(?:quot|#0*34|#[xX]0*22);")
_TOKEN = re.compile(
    r"""(?P<space>[\s\ufeff\u00a0\u200b]++)
    |(?P<string>")
    |(?P<comment>//[^\n\r]*+|/\*.*?\*/|<!--.*?-->)
    |(?P<mark>[{}\[\]:,])
    |(?P<nothing>NaN|[-+]?Infinity|undefined|None\b)
    |(?P<word>true|false|null|-?(?:0|[1-9]\d*+)(?:\.\d++)?(?:[eE][-+]?\d++)?)""",
    re.VERBOSE | re.DOTALL,
)
_PLAIN = re.compile(r'[^"\\\x00-\x1f]++')
_ESCAPE = re.compile(r'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})')
_PAIR = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_AFTER_STRING = re.compile(r"(\s*+)(?:([,:}\]]|//|/\*)|(\")|(\Z))")


class NotJson(ValueError):
    """The text is not JSON and cannot be mended; the message says where and why."""


def unwrap(text: str) -> tuple[str, list[str]]:
    """``text`` without byte order marks, HTML comment and CDATA around it, and the codes of what was left out."""
    repaired: list[str] = []
    inner = text.strip(_EDGE)
    if "\ufeff" in text[: len(text) - len(text.lstrip(_EDGE))] + text[len(text.rstrip(_EDGE)) :]:
        repaired.append("bom")
    if inner.endswith(";"):
        inner = inner.rstrip(f";{_EDGE}")
        repaired.append("semicolon")
    for code, opener in _OPENERS * 2:
        found = opener.match(inner)
        if found:
            # The end may be missing; what closes lies in the last characters.
            inner = inner[found.end() :].rstrip(_EDGE)
            closer = _CLOSER.search(inner, max(0, len(inner) - 40))
            inner = (inner[: closer.start()] if closer else inner).strip(_EDGE)
            repaired.append(code)
    if inner.endswith(";"):
        inner = inner.rstrip(f";{_EDGE}")
        repaired.append("semicolon")
    return inner, repaired


def repair(text: str) -> tuple[str, tuple[str, ...]]:
    """JSON text made of ``text``, and the codes (``REPAIRS``) of the changes.

    Raises NotJson when the rules do not lead to JSON.
    """
    inner, repaired = unwrap(text)
    while _ENCODED_QUOTE.match(inner):
        inner = html.unescape(inner)
        repaired.append("entities")
    if not _is_json(inner):
        inner, found = _Mender(inner).run()
        repaired += found
        try:
            load(inner)
        except orjson.JSONDecodeError as error:
            raise NotJson(str(error)) from error
    return inner, tuple(dict.fromkeys(repaired))


def _is_json(text: str) -> bool:
    try:
        load(text)
    except orjson.JSONDecodeError:
        return False
    return True


class _Mender:
    """One pass over the tokens that writes them again with what is missing or too much put right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.out: list[str] = []
        self.codes: list[str] = []
        # The last mark or value written, "" at the start: decides what may follow.
        self.last = ""
        self.depth = 0
        self.values = 0

    def run(self) -> tuple[str, list[str]]:
        """The mended text and the codes of the repairs, in the order of the first of each."""
        position = 0
        while position < len(self.text):
            found = _TOKEN.match(self.text, position)
            if found is None:
                line = self.text.count("\n", 0, position) + 1
                raise NotJson(f"{self.text[position : position + 12]!r} at line {line} cannot stand there")
            kind = found.lastgroup
            position = found.end()
            if kind == "space":
                self.out.append(found[0] if found[0].isascii() else " ")
            elif kind == "comment":
                self.codes.append("comment")
            elif kind == "mark":
                self._mark(found[0])
            elif kind == "string":
                piece, position = self._string(position)
                self._value(piece)
            elif kind == "nothing":
                self.codes.append("not_a_number")
                self._value("null")
            else:
                self._value(found[0])
        if self.depth:
            raise NotJson("the text ends before the JSON does")
        text = "".join(self.out)
        if self.values > 1:
            self.codes.append("several_values")
            text = f"[{text}]"
        return text, list(dict.fromkeys(self.codes))

    def _value(self, piece: str) -> None:
        if self.depth == 0:
            self._top_level()
        elif self.last == "value":
            self._insert_comma()
        self.out.append(piece)
        self.last = "value"

    def _mark(self, mark: str) -> None:
        if mark in "{[":
            if self.depth == 0:
                self._top_level()
            elif self.last == "value":
                self._insert_comma()
            self.depth += 1
        elif mark in "}]":
            self.depth -= 1
            if self.last == ",":
                self._drop_comma()
            elif self.last == ":":
                self._fill()
        elif mark == ",":
            if self.depth == 0:
                return
            if self.last == ":":
                self._fill()
            elif self.last != "value":
                self.codes.append("trailing_comma")
                return
        self.out.append(mark)
        self.last = "value" if mark in "}]" else mark

    def _top_level(self) -> None:
        self.values += 1
        if self.values > 1:
            self.out.append(",")

    def _fill(self) -> None:
        self.out.append(" null" if self.out[-1] == ":" else "null")
        self.codes.append("missing_value")

    def _drop_comma(self) -> None:
        for index in range(len(self.out) - 1, -1, -1):
            if self.out[index] == ",":
                del self.out[index]
                break
        self.codes.append("trailing_comma")

    def _insert_comma(self) -> None:
        index = len(self.out)
        while index and self.out[index - 1].isspace():
            index -= 1
        self.out.insert(index, ",")
        self.codes.append("missing_comma")

    def _string(self, position: int) -> tuple[str, int]:
        """The string whose content starts at ``position``, quoted again, and the offset behind it."""
        text = self.text
        pieces = ['"']
        while position < len(text):
            plain = _PLAIN.match(text, position)
            if plain:
                pieces.append(plain[0])
                position = plain.end()
                continue
            character = text[position]
            if character == '"':
                if self._closes(position + 1):
                    return "".join([*pieces, '"']), position + 1
                pieces.append('\\"')
                self.codes.append("inner_quote")
                position += 1
            elif character == "\\":
                piece, position = self._escape(position)
                pieces.append(piece)
            else:
                pieces.append(_escaped(character))
                self.codes.append("control_character")
                position += 1
        raise NotJson("a string has no end")

    def _closes(self, position: int) -> bool:
        found = _AFTER_STRING.match(self.text, position)
        if found is None:
            return False
        # Two strings on different lines: the comma between them is missing, the quote is a real end.
        return not found[3] or "\n" in found[1]

    def _escape(self, position: int) -> tuple[str, int]:
        text = self.text
        pair = _PAIR.match(text, position)
        if pair:
            return pair[0], pair.end()
        if _SURROGATE.match(text, position):
            self.codes.append("lone_surrogate")
            return "\\ufffd", position + 6
        known = _ESCAPE.match(text, position)
        if known:
            return known[0], known.end()
        self.codes.append("bad_escape")
        following = text[position + 1 : position + 2]
        if following in ("\n", "\r"):
            return _escaped(following), position + 2
        return ("'", position + 2) if following == "'" else ("\\\\", position + 1)


def _escaped(character: str) -> str:
    return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(character, f"\\u{ord(character):04x}")
