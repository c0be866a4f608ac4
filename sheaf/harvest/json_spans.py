"""Where the values of a JSON text lie, so that a change touches its own span and nothing else.

All functions take text that a JSON parser has accepted (RFC 8259); offsets count characters of that text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

_SPACE = re.compile(r"[ \t\n\r]*+")
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_SCALAR = re.compile(r"[^ \t\n\r,\]}]++")
_BRACKET_OR_STRING = re.compile(r'[{}\[\]]|"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)


_NUMBER_OR_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|-?\d[\d.eE+-]*+', re.DOTALL)
_NUMBER = re.compile(r"-?\d++(?:\.\d++)?(?:[eE][+-]?\d++)?")


@dataclass(frozen=True, slots=True)
class Member:
    """One ``"key": value`` of an object; ``start`` to ``end`` is the value."""

    key: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace ``start`` to ``end`` by ``text``."""

    start: int
    end: int
    text: str


def load(text: str) -> Any:
    """The value of a JSON text; a number too large for a double is the largest double's order, 1e308.

    Raises orjson.JSONDecodeError.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if "infinity" not in str(error):
            raise
    return orjson.loads(_NUMBER_OR_STRING.sub(_finite, text))


def value_start(text: str, position: int = 0) -> int:
    """The first character of the value at or after ``position``."""
    return _SPACE.match(text, position).end()  # type: ignore[union-attr]


def value_end(text: str, start: int) -> int:
    """The offset just behind the value that starts at ``start``."""
    first = text[start]
    if first == '"':
        return _match(_STRING, text, start)
    if first not in "{[":
        return _match(_SCALAR, text, start)
    depth = 0
    for found in _BRACKET_OR_STRING.finditer(text, start):
        character = text[found.start()]
        if character in "{[":
            depth += 1
        elif character in "}]":
            depth -= 1
            if depth == 0:
                return found.end()
    raise ValueError(f"no end to the value at character {start}")


def members(text: str, start: int) -> Iterator[Member]:
    """The members of the object that starts at ``start``, in order; a key that occurs twice comes twice."""
    position = value_start(text, start + 1)
    while text[position] != "}":
        key_end = _match(_STRING, text, position)
        raw = text[position:key_end]
        key = orjson.loads(raw) if "\\" in raw else raw[1:-1]
        begin = value_start(text, value_start(text, key_end) + 1)
        end = value_end(text, begin)
        yield Member(key, begin, end)
        position = _after_comma(text, end)


def elements(text: str, start: int) -> Iterator[tuple[int, int]]:
    """Start and end of each element of the array that starts at ``start``."""
    position = value_start(text, start + 1)
    while text[position] != "]":
        end = value_end(text, position)
        yield position, end
        position = _after_comma(text, end)


def find_keys(text: str, key: str) -> Iterator[tuple[int, int]]:
    """Start and end of the value of every member ``key`` at any depth, in one pass; not inside such values."""
    position = 0
    plain = f'"{key}"'
    only_one = text.count(plain) == 1 and "\\u" not in text
    while (found := _STRING.search(text, position)) is not None:
        position = found.end()
        token = found[0]
        if token != plain and ("\\" not in token or orjson.loads(token) != key):
            continue
        colon = value_start(text, position)
        # In valid JSON a string before a colon is always a key.
        if not text.startswith(":", colon):
            continue
        start = value_start(text, colon + 1)
        position = value_end(text, start)
        yield start, position
        if only_one:
            return


def depth(text: str) -> int:
    """How deep objects and arrays are nested; a scalar has depth 0. One pass, no recursion."""
    level = deepest = 0
    for found in _BRACKET_OR_STRING.finditer(text):
        character = text[found.start()]
        if character in "{[":
            level += 1
            deepest = max(deepest, level)
        elif character in "}]":
            level -= 1
    return deepest


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """``text`` with the edits made; they must not overlap."""
    pieces: list[str] = []
    position = 0
    for edit in sorted(edits, key=lambda edit: edit.start):
        pieces += (text[position : edit.start], edit.text)
        position = edit.end
    pieces.append(text[position:])
    return "".join(pieces)


def _finite(found: re.Match[str]) -> str:
    token = found[0]
    if token[0] == '"' or not _NUMBER.fullmatch(token) or not math.isinf(float(token)):
        return token
    return "-1e308" if token[0] == "-" else "1e308"


def _match(pattern: re.Pattern[str], text: str, position: int) -> int:
    found = pattern.match(text, position)
    if found is None:
        raise ValueError(f"not JSON at character {position}")
    return found.end()


def _after_comma(text: str, position: int) -> int:
    position = value_start(text, position)
    return value_start(text, position + 1) if text[position] == "," else position
