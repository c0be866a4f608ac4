"""The catalogue graph of a release: what Nabu wrote, with a date that follows from the documents (contracts.md, 6)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from sheaf.config import Source
from sheaf.release.graph_names import catalogue_graph
from sheaf.release.terms import RDF_TYPE, escape, iri, literal, schema

_DATE = re.compile(r"(?:19|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])")


def newest_date(texts: Iterable[str]) -> str:
    """The newest ISO date (``YYYY-MM-DD``) that any of the texts starts with; empty when none does."""
    return max((found[0] for text in texts if (found := _DATE.match(text))), default="")


def catalogue_lines(org: str, source: Source, date: str, graphs: Iterable[str]) -> Iterator[str]:
    """The sorted N-Quads lines of the catalogue; ``graphs`` are the documents' graph names, sorted."""
    graph = catalogue_graph(org, source.name)
    provider, publisher = iri(f"urn:gleaner.io:{org}:provider"), iri(f"urn:gleaner.io:{source.name}:publisher")
    about = [
        (iri(graph), RDF_TYPE, schema("DataCatalog")),
        (iri(graph), schema("description"), literal(escape(f"Datasets of {source.propername or source.name}"))),
        (iri(graph), schema("provider"), provider),
        (iri(graph), schema("publisher"), publisher),
        (provider, RDF_TYPE, schema("Organization")),
        (provider, schema("name"), literal(escape(org))),
        (publisher, RDF_TYPE, schema("Organization")),
        (publisher, schema("name"), literal(escape(source.propername or source.name))),
        (publisher, schema("url"), literal(escape(source.domain or source.robots_base))),
    ]
    if date:
        about.append((iri(graph), schema("dateCreated"), literal(date)))
    lines = sorted(f"{subject} {predicate} {value} {iri(graph)} .\n" for subject, predicate, value in about)
    # The documents' lines stand where "<graph> <https://schema.org/dataset>" has its place among the others.
    entry = f"{iri(graph)} {schema('dataset')} "
    yield from (line for line in lines if line < entry)
    for document in graphs:
        yield f"{entry}{iri(document)} {iri(graph)} .\n"
    yield from (line for line in lines if line >= entry)
