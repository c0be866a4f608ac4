"""JSONPaths that find a document's identifier: the six default ones by hand, a source's own by RFC 9535.

The originals used ojg (Go), which takes forms that RFC 9535 does not: a path without ``$``, names with a colon.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jsonpath_rfc9535

from sheaf.errors import BadInput

Finder = Callable[[dict[str, Any]], list[Any]]

_DOI = "https://registry.identifiers.org/registry/doi"
# What follows ".": ojg and people write names there that RFC 9535 wants in brackets.
_DOTTED = re.compile(r"\.(@?[^\W\d][\w:-]*|@[\w:-]+)")
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*+'|\"(?:[^\"\\]|\\.)*+\"")


def _children(value: Any) -> list[Any]:
    """What a filter looks at: the elements of an array or the values of an object (RFC 9535, 2.3.5)."""
    return value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else []


def _graph_dataset(document: dict[str, Any]) -> list[Any]:
    return [
        item["@id"]
        for item in _children(document.get("@graph"))
        if isinstance(item, dict) and item.get("@type") == "schema:Dataset" and "@id" in item
    ]


def _doi_value(document: dict[str, Any]) -> list[Any]:
    return [
        item["value"]
        for item in _children(document.get("identifier"))
        if isinstance(item, dict) and item.get("propertyID") == _DOI and "value" in item
    ]


def _identifier_value(document: dict[str, Any]) -> list[Any]:
    identifier = document.get("identifier")
    return [identifier["value"]] if isinstance(identifier, dict) and "value" in identifier else []


def _member(name: str) -> Finder:
    return lambda document: [document[name]] if name in document else []


DEFAULT_PATHS: dict[str, Finder] = {
    "$['@graph'][?(@['@type']=='schema:Dataset')]['@id']": _graph_dataset,
    f"$.identifier[?(@.propertyID=='{_DOI}')].value": _doi_value,
    "$.identifier.value": _identifier_value,
    "$.identifier": _member("identifier"),
    "$['@id']": _member("@id"),
    "$.url": _member("url"),
}


@lru_cache(maxsize=256)
def finder(path: str) -> Finder:
    """The function that gives the values a path selects, in document order.

    Raises BadInput for a path that cannot be read.
    """
    known = DEFAULT_PATHS.get(path)
    if known is not None:
        return known
    try:
        query = jsonpath_rfc9535.compile(standard_form(path))
    except jsonpath_rfc9535.JSONPathError as error:
        raise BadInput(
            f"identifierpath: {path!r} is not a JSONPath ({error}); write it like $.identifier or $.a[0]['@id']"
        ) from error

    def find(document: dict[str, Any]) -> list[Any]:
        try:
            return list(query.find(document).values())
        except (jsonpath_rfc9535.JSONPathError, RecursionError):
            return []

    return find


def standard_form(path: str) -> str:
    """``path`` as RFC 9535 writes it: with ``$`` in front, and odd names in brackets."""
    path = path.strip()
    if not path.startswith("$"):
        path = f"${path}" if path.startswith(("[", ".")) else f"$.{path}"
    pieces: list[str] = []
    position = 0
    for quoted in _QUOTED.finditer(path):
        pieces += (_bracketed(path[position : quoted.start()]), quoted[0])
        position = quoted.end()
    pieces.append(_bracketed(path[position:]))
    return "".join(pieces)


def _bracketed(piece: str) -> str:
    return _DOTTED.sub(lambda found: f"['{found[1]}']" if re.search(r"[@:-]", found[1]) else found[0], piece)
