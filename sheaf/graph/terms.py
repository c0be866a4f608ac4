"""RDF terms as SPARQL results give them, and triples as values: equal when a store may take them for equal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pyoxigraph import BlankNode, Literal, NamedNode, Triple

XSD = "http://www.w3.org/2001/XMLSchema#"
NUMERIC = {f"{XSD}{name}" for name in ("integer", "decimal", "double", "float", "int", "long", "boolean", "dateTime")}


def triple(row: Mapping[str, Mapping[str, str]]) -> Triple:
    """One row of ``SELECT ?s ?p ?o`` as a triple."""
    return Triple(term(row["s"]), term(row["p"]), term(row["o"]))  # type: ignore[arg-type]


def term(value: Mapping[str, str]) -> NamedNode | BlankNode | Literal:
    """A term of SPARQL 1.1 Query Results JSON (W3C, section 3.2.2)."""
    if value["type"] == "uri":
        return NamedNode(value["value"])
    if value["type"] == "bnode":
        return BlankNode(value["value"])
    if language := value.get("xml:lang"):
        return Literal(value["value"], language=language)
    datatype = value.get("datatype")
    return Literal(value["value"], datatype=NamedNode(datatype)) if datatype else Literal(value["value"])


def comparable(one: Triple) -> tuple[Any, ...]:
    """A triple as a value. Some stores keep numbers by value (1.50 is 1.5), and language tags in another case (RDF 1.1,
    section 3.3)."""
    return _comparable(one.subject), _comparable(one.predicate), _comparable(one.object)


def comparables(triples: Iterable[Triple]) -> set[tuple[Any, ...]]:
    """The same of several."""
    return {comparable(one) for one in triples}


def has_blank_node(one: Triple) -> bool:
    """True when the triple cannot be named in DELETE DATA."""
    return isinstance(one.subject, BlankNode) or isinstance(one.object, BlankNode)


def _comparable(value: Any) -> Any:
    if isinstance(value, Literal):
        datatype = value.datatype.value
        if datatype in NUMERIC:
            try:
                return datatype, float(value.value)
            except ValueError:
                return datatype, value.value
        return datatype, (value.language or "").lower(), value.value
    return str(value)
