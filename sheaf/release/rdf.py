"""From a document's JSON-LD to RDF quads, and to canonical N-Quads (RDFC-1.0).

pyoxigraph drops what it cannot say (an IRI with a space, ``en_US``) without a word. So a document is parsed twice,
strictly and leniently; where the counts differ, the lenient quads are mended term by term and counted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import orjson
import pyoxigraph as ox

from sheaf.errors import SheafError
from sheaf.harvest.contexts import ContextUnavailable
from sheaf.harvest.fixups import fix
from sheaf.harvest.json_spans import depth, load
from sheaf.release.blank_nodes import TooComplex, canonical_labels, split_lines

# pyoxigraph's parser recurses: 5,000 levels end the process.
MAX_DEPTH = 200

_RDF_TYPE = ox.NamedNode("http://www.w3.org/1999/02/22-rdf-syntax-ns#type")
_DEFAULT_GRAPH = ox.DefaultGraph()
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*")
# Not in an IRI (RFC 3987), or in it but refused by other stores: the spaces and invisibles of Unicode.
_ILLEGAL = re.compile(
    r"""[\x00-\x20"<>\\^`{|}\x7f-\xa0\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ue000-\uf8ff\ufeff\ufff0-\uffff]"""
    r"|%(?![0-9A-Fa-f]{2})"
)
# The invisibles that a strict parser lets through; in the text raw or as an escape.
_INVISIBLE = re.compile(
    r"[\xa0\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]"
    r"|\\u(?:00[aA]0|1680|20[0126]|3000|[fF][eE][fF][fF])"
)


class ConversionError(SheafError):
    """A document that cannot be converted; ``reason`` is a code of ``sheaf.harvest.states``."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Conversion:
    """Distinct quads in document order, all in the default graph, and how many terms were mended or left out.

    ``iris``: percent-encoded; ``languages``: corrected or dropped tags; ``left_out``: quads about relative IRIs or
    IRIs beyond repair; ``values``: values of the JSON that JSON-LD does not allow.
    """

    quads: list[ox.Quad]
    iris: int = 0
    languages: int = 0
    left_out: int = 0
    values: int = 0


def document_quads(text: str, base: str = "") -> list[ox.Quad]:
    """The quads of a document; ``base`` resolves its relative IRIs. Raises ConversionError."""
    return convert(text, base).quads


def convert(text: str, base: str = "", *, fixups: bool = True, relative_types: bool = False) -> Conversion:
    """The quads of a document and what was mended on the way.

    A root ``@id`` beside ``@graph`` names a graph: its quads are folded into the default one, because the document
    has a graph of its own. ``fixups`` also takes texts that were stored without fix-ups (``context.strict``).
    ``relative_types`` keeps relative ``@type`` values, as the originals' canonical form has them.
    """
    if text.count("{") + text.count("[") > MAX_DEPTH and depth(text) > MAX_DEPTH:
        raise ConversionError("nested_too_deep", f"the JSON is nested deeper than {MAX_DEPTH} levels")
    values = 0
    try:
        strict = _parse(text, base)
    except SyntaxError as error:
        text, values = _allowed(text, error, fixups)
        try:
            strict = _parse(text, base)
        except SyntaxError as second:
            raise ConversionError("conversion_failed", f"not convertible JSON-LD: {second}") from second
    lenient = _parse(text, base, lenient=True)
    if len(strict) == len(lenient) and not _has_invisibles(text):
        if '"@graph"' in text or "\\u0040" in text:
            strict = [ox.Quad(q.subject, q.predicate, q.object, _DEFAULT_GRAPH) for q in strict]
        return Conversion(list(dict.fromkeys(strict)), values=values)
    mender = _Mender(relative_types)
    quads = [quad for quad in map(mender.quad, lenient) if quad is not None]
    return Conversion(list(dict.fromkeys(quads)), mender.iris, mender.languages, mender.left_out, values)


def to_quads(text: str) -> ox.Dataset:
    """The document as a dataset with the blank node labels of RDFC-1.0. Raises ConversionError."""
    return ox.Dataset(ox.parse(canonical_nquads(text), format=ox.RdfFormat.N_QUADS, lenient=True))


def canonical_nquads(text: str, base: str = "", *, fixups: bool = True) -> bytes:
    """Canonical N-Quads of a document by RDFC-1.0, in the order of code points; empty when it says nothing.

    ``base`` and ``fixups`` as in ``convert``; relative types are kept. Raises ConversionError, with reason
    ``too_complex`` when the search for labels goes over its budget.
    """
    quads = convert(text, base, fixups=fixups, relative_types=True).quads
    written = ox.serialize(quads, format=ox.RdfFormat.N_TRIPLES) or b""
    triples = split_lines(written.decode())
    try:
        labels = {node: f"_:{label}" for node, label in canonical_labels(triples).items()}
    except TooComplex as error:
        raise ConversionError("too_complex", str(error)) from error
    return "".join(sorted(f"{labels.get(s, s)} {p} {labels.get(o, o)} .\n" for s, p, o in triples)).encode()


def legal_iri(iri: str) -> str | None:
    """``iri`` with its illegal characters percent-encoded as UTF-8; None when it is relative or beyond repair."""
    iri = iri.strip()
    if not _SCHEME.match(iri):
        return None
    encoded = _ILLEGAL.sub(_percent, iri)
    head, mark, fragment = encoded.partition("#")
    encoded = head + mark + fragment.replace("#", "%23")
    if _is_iri(encoded):
        return encoded
    # Brackets belong to an IPv6 host alone.
    start = encoded.find("/", encoded.find("://") + 3) if "://" in encoded else 0
    if start >= 0:
        encoded = encoded[:start] + encoded[start:].replace("[", "%5B").replace("]", "%5D")
    return encoded if _is_iri(encoded) else None


def _has_invisibles(text: str) -> bool:
    return (not text.isascii() or "\\u" in text) and _INVISIBLE.search(text) is not None


def _percent(found: re.Match[str]) -> str:
    return "%25" if found[0] == "%" else "".join(f"%{byte:02X}" for byte in found[0].encode())


def _is_iri(iri: str) -> bool:
    try:
        ox.NamedNode(iri)
    except ValueError:
        return False
    return True


def _parse(text: str, base: str, *, lenient: bool = False) -> list[ox.Quad]:
    return list(ox.parse(text, format=ox.RdfFormat.JSON_LD, base_iri=base or None, lenient=lenient))


class _Mender:
    """Makes leniently parsed quads legal, and counts what it did."""

    def __init__(self, relative_types: bool) -> None:
        self.relative_types = relative_types
        self.iris = self.languages = self.left_out = 0
        # One IRI written forty times is one IRI to mend.
        self._seen: dict[str, ox.NamedNode | None] = {}

    def quad(self, quad: ox.Quad) -> ox.Quad | None:
        subject = self._node(quad.subject)
        predicate = self._node(quad.predicate)
        value: Any = quad.object
        if isinstance(value, ox.Literal):
            value = self._literal(value)
        elif not (self.relative_types and _is_relative_type(quad)):
            value = self._node(value)
        if subject is None or not isinstance(predicate, ox.NamedNode) or value is None:
            self.left_out += 1
            return None
        return ox.Quad(subject, predicate, value, _DEFAULT_GRAPH)

    def _node(self, node: Any) -> Any:
        if not isinstance(node, ox.NamedNode):
            return node
        written = node.value
        if written in self._seen:
            return self._seen[written]
        legal = legal_iri(written)
        self.iris += legal is not None and legal != written
        mended = None if legal is None else node if legal == written else ox.NamedNode(legal)
        self._seen[written] = mended
        return mended

    def _literal(self, literal: ox.Literal) -> ox.Literal:
        language = literal.language
        if language is not None:
            if _LANGUAGE.fullmatch(language) and _is_language(language):
                return literal
            self.languages += 1
            better = language.strip().replace("_", "-")
            good = _LANGUAGE.fullmatch(better) and _is_language(better)
            return ox.Literal(literal.value, language=better) if good else ox.Literal(literal.value)
        datatype = self._node(literal.datatype)
        return literal if datatype is literal.datatype else ox.Literal(literal.value, datatype=datatype)


def _is_relative_type(quad: ox.Quad) -> bool:
    kind = quad.object
    return quad.predicate == _RDF_TYPE and isinstance(kind, ox.NamedNode) and not _SCHEME.match(kind.value)


def _is_language(tag: str) -> bool:
    try:
        ox.Literal("", language=tag)
    except ValueError:
        return False
    return True


def _allowed(text: str, error: SyntaxError, fixups: bool) -> tuple[str, int]:
    """The text without what JSON-LD does not allow, as new JSON, and how many values that were."""
    try:
        value = load(text)
    except orjson.JSONDecodeError as broken:
        raise ConversionError("not_json", f"not JSON: {broken}") from broken
    if fixups and isinstance(value, dict):
        try:
            _, value = fix(text, value)
        except ContextUnavailable as missing:
            raise ConversionError(missing.reason, str(missing)) from missing
    elif not fixups and "LoadDocument" in str(error):
        raise ConversionError("unreachable_context", "the @context is remote; fix-ups would make it local")
    cleaner = _Cleaner()
    return orjson.dumps(cleaner.node(value)).decode(), cleaner.removed


class _Cleaner:
    """Drops the single values that would cost the whole document (JSON-LD 1.1 API, section 5.1.2)."""

    def __init__(self) -> None:
        self.removed = 0

    def node(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.node(item) for item in value]
        if not isinstance(value, dict):
            return value
        if "@value" in value:
            return self._literal(value)
        return {key: kept for key, item in value.items() if (kept := self._member(key, item)) is not _DROPPED}

    def _member(self, key: str, item: Any) -> Any:
        if key == "@context":
            return _context(item, self)
        if key == "@type":
            types = [name for name in (item if isinstance(item, list) else [item]) if isinstance(name, str)]
            self.removed += len(types) != (len(item) if isinstance(item, list) else 1)
            return types
        right: dict[str, type | tuple[type, ...]] = {"@id": str, "@index": str, "@reverse": dict, "@nest": dict}
        right["@included"] = (dict, list)
        if key in right and not isinstance(item, right[key]):
            self.removed += 1
            return _DROPPED
        return self.node(item)

    def _literal(self, value: dict[str, Any]) -> Any:
        content, kind, language = value["@value"], value.get("@type"), value.get("@language")
        if isinstance(content, (dict, list)) and kind != "@json":
            self.removed += 1
            return None
        clean: dict[str, Any] = {"@value": content}
        if isinstance(kind, str):
            clean["@type"] = kind
        elif isinstance(language, str) and isinstance(content, str):
            clean["@language"] = language
        self.removed += len(value) != len(clean)
        return clean


_DROPPED = object()


def _context(context: Any, cleaner: _Cleaner) -> Any:
    """A context without the term definitions that are neither null, text nor object."""
    if isinstance(context, list):
        return [_context(part, cleaner) for part in context]
    if not isinstance(context, dict):
        return context
    kept = {
        key: term
        for key, term in context.items()
        if key in ("@version", "@propagate", "@protected") or term is None or isinstance(term, (str, dict))
    }
    cleaner.removed += len(context) - len(kept)
    return kept
