"""A JSON document too large for memory, cut into its values without parsing it.

``sheaf.harvest.json_spans`` does the same for accepted text in memory; this one reads mapped bytes that nobody has
checked, and must give what it can of a file that is broken or ends in the middle.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from typing import NamedTuple

import orjson

_SPACE = re.compile(rb"[ \t\n\r]*+")
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_SCALAR = re.compile(rb'[^ \t\n\r,\[\]{}":]++')
_STRUCTURE = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\]]', re.DOTALL)

Bytes = bytes | mmap.mmap


class BrokenJson(ValueError):
    """The text is no JSON from some byte on; the message names the byte."""


class Member(NamedTuple):
    """``key`` and where its value lies; ``whole`` is False when the file ends inside the value."""

    key: str
    start: int
    end: int
    whole: bool = True


def skip_space(data: Bytes, position: int) -> int:
    """The first byte at or after ``position`` that is no white space."""
    found = _SPACE.match(data, position)
    return found.end() if found else position


def byte_at(data: Bytes, position: int) -> bytes:
    """One byte, b"" behind the end."""
    return data[position : position + 1]


def value_end(data: Bytes, start: int) -> int:
    """The offset behind the value at ``start``. Raises BrokenJson when it has no end."""
    first = byte_at(data, start)
    if first in (b"{", b"["):
        depth = 0
        for found in _STRUCTURE.finditer(data, start):
            mark = data[found.start() : found.start() + 1]
            if mark in (b"{", b"["):
                depth += 1
            elif mark in (b"}", b"]"):
                depth -= 1
                if depth == 0:
                    return found.end()
        raise BrokenJson(f"the value at byte {start} has no end")
    found_scalar = (_STRING if first == b'"' else _SCALAR).match(data, start)
    if found_scalar is None:
        raise BrokenJson(f"no value at byte {start}")
    return found_scalar.end()


def members(data: Bytes, start: int) -> Iterator[Member]:
    """The members of the object at ``start``. One that the file's end cuts off is not ``whole``; then BrokenJson."""
    position = skip_space(data, start + 1)
    while byte_at(data, position) != b"}":
        if byte_at(data, position) != b'"':
            raise BrokenJson(f"no member name at byte {position}")
        end = value_end(data, position)
        key = read_string(data[position:end])
        position = skip_space(data, end)
        if byte_at(data, position) != b":":
            raise BrokenJson(f"no colon at byte {position}")
        begin = skip_space(data, position + 1)
        try:
            end = value_end(data, begin)
        except BrokenJson:
            yield Member(key, begin, len(data), whole=False)
            raise
        yield Member(key, begin, end)
        position = _after_comma(data, end)


def elements(data: Bytes, start: int) -> Iterator[tuple[int, int]]:
    """Where each element of the array at ``start`` lies. Raises BrokenJson behind the last whole one."""
    position = skip_space(data, start + 1)
    while byte_at(data, position) != b"]":
        end = value_end(data, position)
        yield position, end
        position = _after_comma(data, end)


def read_string(raw: bytes) -> str:
    """A JSON string; what cannot be decoded is read leniently, "" for what is no string."""
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return raw[1:-1].decode("utf-8", "replace") if raw[:1] == b'"' else ""
    return value if isinstance(value, str) else ""


def _after_comma(data: Bytes, position: int) -> int:
    position = skip_space(data, position)
    mark = byte_at(data, position)
    if mark == b",":
        return skip_space(data, position + 1)
    if mark not in (b"}", b"]"):
        raise BrokenJson(f"neither a comma nor an end at byte {position}")
    return position
