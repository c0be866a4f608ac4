"""A document's identifier (contracts.md, section 4): SHA-1, lower-case hex, of one of three things it says.

Values are written as Go's ``fmt`` writes them, because the digest is taken of that text: identifiers that
operators have in their buckets and graphs must come out the same.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sheaf.harvest.jsonpath import DEFAULT_PATHS, finder
from sheaf.release.rdf import ConversionError, canonical_nquads


@dataclass(frozen=True, slots=True)
class Identity:
    """One document's identifier.

    ``type`` is the type that was really used: ``filesha``, ``identifiersha``, ``identifierstring``, ``jsonsha``
    (of the canonical N-Quads), ``normalizedjsonsha`` (asked for, and nothing canonical). ``json_sha`` is "" when
    it was not asked for.
    """

    id: str
    type: str
    matched_path: str = ""
    matched_string: str = ""
    json_sha: str = ""


def identify(
    text: str, value: dict[str, Any], kind: str, paths: Sequence[str] = (), *, with_json_sha: bool = True
) -> Identity:
    """The identifier of fixed-up ``text`` whose JSON is ``value``.

    ``paths`` are the source's own, in the order they are tried, in front of the default ones. ``identifierstring``
    takes the same digest as ``identifiersha``: ids are hex digests here (architecture.md, the way of the data).
    """
    if kind in ("identifiersha", "identifierstring"):
        path, matched = match(text, value, paths)
        if path:
            json_sha = _normalized(text).json_sha if with_json_sha else ""
            return Identity(sha1(matched), kind, path, matched, json_sha)
        return _normalized(text)
    if kind == "normalizedjsonsha":
        return _normalized(text)
    digest = sha1(text)
    return Identity(digest, "filesha", json_sha=digest)


def match(text: str, value: dict[str, Any], paths: Sequence[str] = ()) -> tuple[str, str]:
    """The first path with a match and its values as bracketed text, or two empty strings."""
    for path in (*paths, *DEFAULT_PATHS):
        found = finder(path)(value)
        if not found:
            continue
        if any(map(_is_wide, found)):
            # Beyond 64 bits the fast parser gives floats, where the originals kept the digits.
            found = finder(path)(json.loads(text, parse_int=str))
        matched = f"[{' '.join(sorted(map(go_text, found)))}]"
        if matched != "[]":
            return path, matched
    return "", ""


def clash_id(matched: str, url: str) -> str:
    """The id of a further document under an identifier that is taken: of the bracketed text, a newline, its URL."""
    return sha1(f"{matched}\n{url}")


def sha1(text: str) -> str:
    """SHA-1 of the UTF-8 bytes, lower-case hex."""
    return hashlib.sha1(text.encode()).hexdigest()


def go_text(value: Any) -> str:
    """A JSON value as Go's ``fmt.Sprint`` writes what ojg parsed."""
    if isinstance(value, str):
        return value
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _go_float(value)
    if isinstance(value, list):
        return f"[{' '.join(map(go_text, value))}]"
    return f"map[{' '.join(f'{key}:{go_text(value[key])}' for key in sorted(value))}]"


def _go_float(value: float) -> str:
    """Go's ``%v`` of a float64: shortest digits, with an exponent below 1e-4 and from 1e6 on (strconv, 'g')."""
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    digits, exponent = _decimal(value)
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    if exponent < -4 or exponent >= 6:
        mantissa = digits[0] + (f".{digits[1:]}" if len(digits) > 1 else "")
        return f"{sign}{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    whole = digits[: exponent + 1].ljust(exponent + 1, "0")
    fraction = digits[exponent + 1 :]
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"


def _decimal(value: float) -> tuple[str, int]:
    """Shortest significant digits, and the power of ten of the first of them."""
    mantissa, _, power = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return "0", 0
    leading = len(whole) if whole != "0" else len(digits) - len(fraction)
    return digits.rstrip("0") or "0", int(power or 0) + leading - 1


def _is_wide(value: Any) -> bool:
    if isinstance(value, float):
        return abs(value) >= 2**63
    if isinstance(value, (list, dict)):
        return any(map(_is_wide, value.values() if isinstance(value, dict) else value))
    return False


def _normalized(text: str) -> Identity:
    digest = sha1(text)
    if text.strip() == "{}":
        # An empty object keeps the 80 digits that the originals gave it (golden data): hex of the hex digest.
        spread = digest.encode().hex()
        return Identity(spread, "normalizedjsonsha", json_sha=spread)
    try:
        canonical = canonical_nquads(text)
    except ConversionError:
        canonical = b""
    if not canonical:
        return Identity(digest, "filesha", json_sha=digest)
    digest = hashlib.sha1(canonical).hexdigest()
    return Identity(digest, "jsonsha", json_sha=digest)
