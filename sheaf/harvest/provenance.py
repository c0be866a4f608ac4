"""Where each document came from, as PROV-O, and the organization that a source is (contracts.md, section 6).

Pure functions of a manifest row and a source: the same document gives the same bytes. The shape is what Gleaner wrote
(Organization, page, Collection, run); the graph names are the contract's, and the time is a whole xsd:dateTime.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from sheaf.config import Source

PROV = "http://www.w3.org/ns/prov#"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
RDFS = "http://www.w3.org/2000/01/rdf-schema#"
SCHEMA = "https://schema.org/"
XSD_DATETIME = "http://www.w3.org/2001/XMLSchema#dateTime"
PROV_COLUMNS = ("id", "url", "stored_at")

# What RFC 3987 keeps out of an IRI, and N-Quads with it.
_ILLEGAL = re.compile(r"[\x00-\x20<>\"{}|\\^`\x7f-\xa0\u202f\u2028\u2029\ufffe\uffff]")
_LITERAL = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r"}


def prov_quads(row: Mapping[str, Any], org: str, source: Source) -> list[str]:
    """The N-Quads lines (sorted, each with its line end) of one document's provenance graph.

    ``row`` is a manifest row with ``PROV_COLUMNS`` at least; ``stored_at`` is the moment at which this text was first
    harvested, so an unchanged document keeps its provenance to the byte.
    """
    document, page = str(row["id"]), _iri(str(row["url"]))
    base = f"urn:gleaner.io:{org}:{source.name}"
    graph, data = _iri(f"{base}:prov:{document}"), _iri(f"{base}:data:{document}")
    publisher = _iri(source.pid or organization_iri(source.name))
    collection = _iri(f"https://gleaner.io/id/collection/{document}")
    run = _iri(f"https://gleaner.io/id/run/{document}")
    a = _iri(RDF + "type")
    triples = [
        (publisher, a, _iri(PROV + "Organization")),
        (publisher, _iri(RDF + "name"), _literal(source.propername or source.name)),
        (publisher, _iri(RDFS + "seeAlso"), _literal(source.domain or source.robots_base)),
        (page, a, _iri(PROV + "Entity")),
        (page, _iri(PROV + "wasAttributedTo"), publisher),
        (page, _iri(PROV + "value"), _literal(str(row["url"]))),
        (collection, a, _iri(PROV + "Collection")),
        (collection, _iri(PROV + "hadMember"), page),
        (data, a, _iri(PROV + "Entity")),
        (data, _iri(PROV + "value"), _literal(f"{document}.jsonld")),
        (run, a, _iri(PROV + "Activity")),
        (run, _iri(PROV + "generated"), data),
        (run, _iri(PROV + "used"), collection),
    ]
    if row.get("stored_at") is not None:
        triples.append(
            (run, _iri(PROV + "endedAtTime"), f"{_literal(_moment(row['stored_at']))}^^{_iri(XSD_DATETIME)}")
        )
    return sorted(f"{subject} {predicate} {value} {graph} .\n" for subject, predicate, value in triples)


def prov_jsonld(row: Mapping[str, Any], org: str, source: Source) -> dict[str, Any]:
    """The same record as JSON-LD: what ``prov/<source>/<id>.jsonld`` holds with ``summoner.provobjects``."""
    document, page = str(row["id"]), _legal(str(row["url"]))
    publisher = _legal(source.pid or organization_iri(source.name))
    data = f"urn:gleaner.io:{org}:{source.name}:data:{document}"
    stored_at = row.get("stored_at")
    ended = {"prov:endedAtTime": {"@value": _moment(stored_at), "@type": XSD_DATETIME}} if stored_at else {}
    return {
        "@context": {"rdf": RDF, "rdfs": RDFS, "prov": PROV},
        "@graph": [
            {
                "@id": publisher,
                "@type": "prov:Organization",
                "rdf:name": source.propername or source.name,
                "rdfs:seeAlso": source.domain or source.robots_base,
            },
            {
                "@id": page,
                "@type": "prov:Entity",
                "prov:wasAttributedTo": {"@id": publisher},
                "prov:value": str(row["url"]),
            },
            {
                "@id": f"https://gleaner.io/id/collection/{document}",
                "@type": "prov:Collection",
                "prov:hadMember": {"@id": page},
            },
            {"@id": data, "@type": "prov:Entity", "prov:value": f"{document}.jsonld"},
            {
                "@id": f"https://gleaner.io/id/run/{document}",
                "@type": "prov:Activity",
                **ended,
                "prov:generated": {"@id": data},
                "prov:used": {"@id": f"https://gleaner.io/id/collection/{document}"},
            },
        ],
    }


def org_quads(org: str, source: Source) -> list[str]:
    """The N-Quads lines (sorted) of ``orgs/<source>.nq``: name, the url that is harvested, and the PID if any."""
    graph = _iri(f"urn:gleaner.io:{org}:orgs:{source.name}")
    me, a = _iri(organization_iri(source.name)), _iri(RDF + "type")
    triples = [
        (me, a, _iri(SCHEMA + "Organization")),
        (me, _iri(SCHEMA + "name"), _literal(source.name)),
        (me, _iri(SCHEMA + "url"), _literal(source.url)),
    ]
    if source.pid:
        pid = _iri(source.pid)
        triples += [
            (me, _iri(SCHEMA + "identifier"), pid),
            (pid, a, _iri(SCHEMA + "PropertyValue")),
            (pid, _iri(SCHEMA + "propertyID"), _literal("https://registry.identifiers.org/registry/doi")),
            (pid, _iri(SCHEMA + "url"), _literal(source.pid)),
            (pid, _iri(SCHEMA + "description"), _literal("Persistent identifier for this organization")),
        ]
    return sorted(f"{subject} {predicate} {value} {graph} .\n" for subject, predicate, value in triples)


def organization_iri(source_name: str) -> str:
    """How a source's organization is named where it has no PID."""
    return f"https://gleaner.io/id/org/{source_name}"


def _moment(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _legal(text: str) -> str:
    # A PID such as "doi:10.1/x y" comes from a person: what is no IRI must not spoil the file.
    clean = _ILLEGAL.sub(lambda match: quote(match[0]), text)
    return clean if ":" in clean else f"https://gleaner.io/id/{clean}"


def _iri(text: str) -> str:
    return f"<{_legal(text)}>"


def _literal(text: str) -> str:
    return '"' + "".join(_LITERAL.get(char, char) for char in text) + '"'
