"""A document's triples as terms of N-Triples, fast: one lenient parse, each distinct IRI looked at once.

``rdf.convert`` parses twice and holds every term as an object. Most documents need no mending, and for these the lines
that the serializer writes say all. Whatever looks odd in them goes to ``rdf.convert``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pyoxigraph as ox

from sheaf.harvest.json_spans import depth
from sheaf.release.blank_nodes import Triple, split_lines
from sheaf.release.rdf import MAX_DEPTH, convert, legal_iri

_SCHEME = re.compile(r"<[A-Za-z][A-Za-z0-9+.-]*:.*>$", re.DOTALL)
_TYPED = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"\^\^(<[^<>]*>)')
_LINES = re.compile(r"([^ ]+) ([^ ]+) (.*) \.\n")
_LINE = re.compile(r"(<[^<>\n]*>|_:[^\s<>]+) (<[^<>\n]*>) (<[^<>\n]*>|_:[^\s<>]+|\".*)")
_REMEMBERED = 100_000

# Terms that were found to be good IRIs; a pure cache, so that processes need not share it.
_good: set[str] = set()


class _Odd(Exception):
    """Something in the document needs mending, or a closer look."""


@dataclass(frozen=True, slots=True)
class Triples:
    """Distinct triples, and two counts.

    ``repaired``: IRIs and language tags that were mended; ``dropped``: triples with an IRI that is relative or has
    white space around it, which JSON-LD 1.1 (API, section 8.1) leaves out of RDF.
    """

    triples: list[Triple]
    repaired: int = 0
    dropped: int = 0


def document_triples(text: str) -> Triples:
    """The triples of JSON-LD ``text``, blank nodes under labels of the moment. Raises ``ConversionError``."""
    try:
        return _plain(text)
    except _Odd:
        found = convert(text)
    triples = split_lines(ntriples(_relabelled(found.quads)))
    return Triples(triples, found.iris + found.languages, found.left_out + found.values)


def _relabelled(quads: Iterable[ox.Quad]) -> Iterator[ox.Quad]:
    """The quads with blank nodes whose labels are legal: a lenient parser takes any text for one."""
    nodes: dict[str, ox.BlankNode] = {}

    def node(term: Any) -> Any:
        return nodes.setdefault(term.value, ox.BlankNode(f"b{len(nodes)}")) if isinstance(term, ox.BlankNode) else term

    for quad in quads:
        yield ox.Quad(node(quad.subject), quad.predicate, node(quad.object))


def ntriples(quads: Iterable[ox.Quad]) -> str:
    """Quads of the default graph as canonical N-Triples; ``ValueError`` for any other graph."""
    return (ox.serialize(quads, format=ox.RdfFormat.N_TRIPLES) or b"").decode()


def _plain(text: str) -> Triples:
    if "@language" in text or "\\u0040" in text:
        raise _Odd
    if text.count("{") + text.count("[") > MAX_DEPTH and depth(text) > MAX_DEPTH:
        raise _Odd
    try:
        # Renamed, because a lenient parser takes any text for a blank node's label.
        parsed = ox.parse(text, format=ox.RdfFormat.JSON_LD, lenient=True, rename_blank_nodes=True)
        written = ntriples(parsed)
    except (SyntaxError, ValueError):
        raise _Odd from None
    lines: list[Triple] = _LINES.findall(written)
    if len(lines) != written.count("\n"):
        raise _Odd
    triples = list(dict.fromkeys(lines))
    good = _good
    unknown = set()
    for subject, predicate, value in triples:
        if subject not in good and subject[0] != "_":
            unknown.add(subject)
        if predicate not in good:
            unknown.add(predicate)
        if value[0] == "<":
            if value not in good:
                unknown.add(value)
        elif value[0] == '"' and value[-1] != '"':
            unknown.add(_datatype(value))
    if _all_good(unknown):
        return Triples(triples)
    kept = [triple for triple in map(_checked, triples) if triple is not None]
    return Triples(kept, 0, len(triples) - len(kept))


def _all_good(terms: set[str]) -> bool:
    """Whether all of these are good IRIs; those that are will be known from now on."""
    new = terms - _good
    found = {term for term in new if _SCHEME.match(term) and legal_iri(term[1:-1]) == term[1:-1]}
    if len(_good) >= _REMEMBERED:
        _good.clear()
    _good.update(found)
    return len(found) == len(new)


def _datatype(typed_literal: str) -> str:
    found = _TYPED.fullmatch(typed_literal)
    if found is None:
        raise _Odd
    return found[1]


def _checked(triple: Triple) -> Triple | None:
    """The triple with its terms cut where they end; None when an IRI of it is relative, or has white space around it.

    Raises ``_Odd`` for what has to be mended.
    """
    found = _LINE.fullmatch(" ".join(triple))
    if found is None:
        raise _Odd
    subject, predicate, value = found.groups()
    terms = [term for term in (subject, predicate, value) if term[0] == "<"]
    if value[0] == '"' and value[-1] != '"':
        terms.append(_datatype(value))
    if not all(_SCHEME.match(term) and not term[-2].isspace() for term in terms):
        return None
    if any(legal_iri(term[1:-1]) != term[1:-1] for term in terms):
        raise _Odd
    return subject, predicate, value
