"""Shapes of SHACL Core (W3C Recommendation, 2017-07-20), as far as checks of datasets need them.

Understood: class targets; predicate and alternative paths; minCount, maxCount, minLength, maxLength, pattern with
flags, nodeKind, datatype, class, in, hasValue, node, property, or, message, severity, deactivated. Anything else is
refused by name, never passed over. http and https schema.org count as one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyoxigraph as ox

from sheaf.errors import BadInput
from sheaf.release.blank_nodes import Triple
from sheaf.release.terms import RDF_TYPE, text_of, unescape

SH = "http://www.w3.org/ns/shacl#"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
OWN_SHAPES = Path(__file__).with_name("shapes")
SEVERITIES = ("Violation", "Warning", "Info")

_XSD_STRING = "<http://www.w3.org/2001/XMLSchema#string>"
_LANG_STRING = f"<{RDF}langString>"
_KNOWN = frozenset(
    {"path", "minCount", "maxCount", "minLength", "maxLength", "pattern", "flags", "nodeKind", "datatype", "class",
     "in", "hasValue", "node", "property", "or", "message", "severity", "deactivated", "targetClass", "name",
     "description", "order", "group"}
)  # fmt: skip
_KINDS = {
    "IRI": "<", "BlankNode": "_", "Literal": '"', "BlankNodeOrIRI": "<_", "BlankNodeOrLiteral": '_"',
    "IRIOrLiteral": '<"',
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shape:
    """A node shape (no ``path``) or a property shape; terms as N-Triples writes them."""

    iri: str
    targets: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    properties: tuple[Shape, ...] = ()
    min_count: int | None = None
    max_count: int | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: re.Pattern[str] | None = None
    node_kind: str = ""
    datatype: str = ""
    classes: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    has_value: str = ""
    node: tuple[Shape, ...] = ()
    any_of: tuple[Shape, ...] = ()
    message: str = ""
    severity: str = "Violation"


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of a validation: which shape, which constraint of it, the node, and the value if it is about one."""

    shape: str
    constraint: str
    severity: str
    message: str
    focus: str
    value: str = ""


def read_shapes(text: str, file: str) -> list[Shape]:
    """The shapes with a target of a Turtle document. Raises ``BadInput`` for what is not Turtle or not understood."""
    try:
        quads = list(ox.parse(text, format=ox.RdfFormat.TURTLE))
    except SyntaxError as error:
        raise BadInput(f"{file} is no Turtle: {error}. Check it with a Turtle validator.") from error
    reader = _Reader(quads, file)
    shapes = [reader.shape(node) for node in sorted(reader.targeted(), key=str)]
    if not shapes:
        raise BadInput(f"{file} has no shape with a sh:targetClass, so it would check nothing. Give a shape a target.")
    return shapes


class _Reader:
    """Turns the triples of a shapes graph into shapes."""

    def __init__(self, quads: Iterable[ox.Quad], file: str) -> None:
        self._file = file
        self._values: dict[Any, dict[str, list[Any]]] = {}
        for quad in quads:
            self._values.setdefault(quad.subject, {}).setdefault(quad.predicate.value, []).append(quad.object)

    def targeted(self) -> list[Any]:
        return [node for node, values in self._values.items() if SH + "targetClass" in values]

    def shape(self, node: Any, depth: int = 0) -> Shape:
        if depth > 20:
            raise BadInput(f"{self._file}: the shape {node} leads back to itself. Recursive shapes are not understood.")
        values = self._values.get(node, {})
        for predicate in values:
            if predicate.startswith(SH) and predicate.removeprefix(SH) not in _KNOWN:
                raise BadInput(
                    f"{self._file}: the shape {node} uses sh:{predicate.removeprefix(SH)}, which is not understood. "
                    f"Understood are: {', '.join(sorted(_KNOWN))}."
                )
        if self._text(node, "deactivated") == "true":
            return Shape(_name(node))
        severity = self._text(node, "severity").removeprefix(SH) or "Violation"
        if severity not in SEVERITIES:
            raise BadInput(f"{self._file}: the severity {severity} of {node} is none of {', '.join(SEVERITIES)}.")
        return Shape(
            iri=_name(node),
            targets=tuple(_https(str(target)) for target in self._all(node, "targetClass")),
            path=self._path(node),
            properties=self._shapes(self._all(node, "property"), depth),
            min_count=self._number(node, "minCount"),
            max_count=self._number(node, "maxCount"),
            min_length=self._number(node, "minLength"),
            max_length=self._number(node, "maxLength"),
            pattern=self._pattern(node),
            node_kind=self._kind(node),
            datatype=next((str(kind) for kind in self._all(node, "datatype")), ""),
            classes=tuple(_https(str(kind)) for kind in self._all(node, "class")),
            values=tuple(_https(str(value)) for head in self._all(node, "in") for value in self._list(head)),
            has_value=next((_https(str(value)) for value in self._all(node, "hasValue")), ""),
            node=self._shapes(self._all(node, "node"), depth),
            any_of=self._shapes([one for head in self._all(node, "or") for one in self._list(head)], depth),
            message=self._text(node, "message"),
            severity=severity,
        )

    def _all(self, node: Any, name: str) -> list[Any]:
        return sorted(self._values.get(node, {}).get(SH + name, []), key=str)

    def _text(self, node: Any, name: str) -> str:
        return next((str(value.value) for value in self._all(node, name)), "")

    def _number(self, node: Any, name: str) -> int | None:
        text = self._text(node, name)
        if text and not text.isdigit():
            raise BadInput(f"{self._file}: sh:{name} of {node} is {text!r}. It has to be a number from 0 on.")
        return int(text) if text else None

    def _shapes(self, nodes: Iterable[Any], depth: int) -> tuple[Shape, ...]:
        return tuple(self.shape(node, depth + 1) for node in nodes)

    def _kind(self, node: Any) -> str:
        kind = self._text(node, "nodeKind").removeprefix(SH)
        if kind and kind not in _KINDS:
            raise BadInput(f"{self._file}: sh:nodeKind of {node} is {kind}. It has to be one of {', '.join(_KINDS)}.")
        return _KINDS.get(kind, "")

    def _pattern(self, node: Any) -> re.Pattern[str] | None:
        text = self._text(node, "pattern")
        flags = re.IGNORECASE if "i" in self._text(node, "flags") else 0
        try:
            return re.compile(text, flags) if text else None
        except re.error as error:
            raise BadInput(f"{self._file}: sh:pattern {text!r} of {node} is no regular expression: {error}.") from error

    def _path(self, node: Any) -> tuple[str, ...]:
        paths: list[str] = []
        for path in self._all(node, "path"):
            if isinstance(path, ox.NamedNode):
                paths.append(_https(str(path)))
                continue
            alternatives = [item for head in self._all_of_path(path) for item in self._list(head)]
            if not alternatives or not all(isinstance(item, ox.NamedNode) for item in alternatives):
                raise BadInput(f"{self._file}: a path of {node} is neither a property nor sh:alternativePath of some.")
            paths += [_https(str(item)) for item in alternatives]
        return tuple(paths)

    def _all_of_path(self, path: Any) -> list[Any]:
        return self._values.get(path, {}).get(SH + "alternativePath", [])

    def _list(self, head: Any) -> list[Any]:
        items = []
        while head in self._values and RDF + "first" in self._values[head]:
            items.append(self._values[head][RDF + "first"][0])
            head = self._values[head][RDF + "rest"][0]
        return items


def _name(node: Any) -> str:
    """The shape's IRI; a blank node has no name that is the same tomorrow."""
    return node.value if isinstance(node, ox.NamedNode) else ""


def _https(term: str) -> str:
    return f"<https://schema.org/{term[19:]}" if term.startswith("<http://schema.org/") else term


class Document:
    """A document's triples as shapes look at them."""

    def __init__(self, triples: Iterable[Triple]) -> None:
        self.types: dict[str, set[str]] = {}
        self._values: dict[tuple[str, str], list[str]] = {}
        for subject, predicate, value in triples:
            if predicate == RDF_TYPE:
                self.types.setdefault(subject, set()).add(_https(value))
            self._values.setdefault((subject, _https(predicate)), []).append(value)

    def of(self, node: str, path: Sequence[str]) -> list[str]:
        """The values at the end of a path, each once."""
        return list(dict.fromkeys(value for step in path for value in self._values.get((node, step), ())))


def validate(triples: Iterable[Triple], shapes: Sequence[Shape]) -> Iterator[Finding]:
    """What of a document does not keep to the shapes."""
    document = Document(triples)
    for shape in shapes:
        for focus, kinds in document.types.items():
            if kinds.intersection(shape.targets):
                yield from _violations(document, focus, shape)


def _violations(document: Document, focus: str, shape: Shape) -> Iterator[Finding]:
    """Of a node shape at its focus, or of a property shape at the values behind its path."""
    values = document.of(focus, shape.path) if shape.path else [focus]
    if shape.path:
        if shape.min_count is not None and len(values) < shape.min_count:
            yield _finding(shape, "minCount", focus)
        if shape.max_count is not None and len(values) > shape.max_count:
            yield _finding(shape, "maxCount", focus)
    if shape.has_value and shape.has_value not in map(_https, values):
        yield _finding(shape, "hasValue", focus)
    for value in values:
        for constraint in _failed(document, value, shape):
            yield _finding(shape, constraint, focus, value)
        for inner in shape.properties:
            yield from _violations(document, value, inner)


def _failed(document: Document, value: str, shape: Shape) -> Iterator[str]:
    """The names of the constraints that a value does not meet."""
    if shape.min_length or shape.max_length is not None or shape.pattern:
        # SHACL, 4.4: the string of a literal or an IRI; a blank node has none and always fails.
        text = (
            None if value[0] == "_" else unescape(value[1 : value.rindex('"')]) if value[0] == '"' else text_of(value)
        )
        if shape.min_length and (text is None or len(text) < shape.min_length):
            yield "minLength"
        if shape.max_length is not None and (text is None or len(text) > shape.max_length):
            yield "maxLength"
        if shape.pattern and (text is None or not shape.pattern.search(text)):
            yield "pattern"
    if shape.node_kind and value[0] not in shape.node_kind:
        yield "nodeKind"
    if shape.datatype and _datatype(value) != shape.datatype:
        yield "datatype"
    if not set(shape.classes) <= document.types.get(value, set()):
        yield "class"
    if shape.values and _https(value) not in shape.values:
        yield "in"
    if any(_breaks(document, value, inner) for inner in shape.node):
        yield "node"
    if shape.any_of and all(_breaks(document, value, inner) for inner in shape.any_of):
        yield "or"


def _breaks(document: Document, value: str, shape: Shape) -> bool:
    return next(_violations(document, value, shape), None) is not None


def _datatype(value: str) -> str:
    if value[0] != '"':
        return ""
    if value[-1] == ">":
        return value[value.rindex("^^<") + 2 :]
    return _XSD_STRING if value[-1] == '"' else _LANG_STRING


def _finding(shape: Shape, constraint: str, focus: str, value: str = "") -> Finding:
    message = shape.message or f"{constraint} of {', '.join(shape.path) or shape.iri}"
    return Finding(shape.iri or " | ".join(shape.path), constraint, shape.severity, message, focus, value[:200])
