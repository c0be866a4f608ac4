"""Content negotiation (RFC 9110, section 12.5.1) between what a client accepts and what Oxigraph writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from pyoxigraph import QueryResultsFormat, RdfFormat

from sheaf.graph.server.limits import Refused

F = TypeVar("F")
Offers = Sequence[tuple[str, F]]

# The first of each list is what a client gets that accepts anything.
SOLUTIONS: Offers[QueryResultsFormat] = (
    ("application/sparql-results+json", QueryResultsFormat.JSON),
    ("application/sparql-results+xml", QueryResultsFormat.XML),
    ("text/csv", QueryResultsFormat.CSV),
    ("text/tab-separated-values", QueryResultsFormat.TSV),
    ("application/json", QueryResultsFormat.JSON),
    ("text/json", QueryResultsFormat.JSON),
    ("application/xml", QueryResultsFormat.XML),
    ("text/xml", QueryResultsFormat.XML),
)
TRIPLES: Offers[RdfFormat] = (
    ("application/n-triples", RdfFormat.N_TRIPLES),
    ("text/turtle", RdfFormat.TURTLE),
    ("application/rdf+xml", RdfFormat.RDF_XML),
    ("application/ld+json", RdfFormat.JSON_LD),
    ("application/n-quads", RdfFormat.N_QUADS),
    ("application/trig", RdfFormat.TRIG),
    ("text/x-nquads", RdfFormat.N_QUADS),
    ("application/x-turtle", RdfFormat.TURTLE),
    ("text/plain", RdfFormat.N_TRIPLES),
    ("application/json", RdfFormat.JSON_LD),
    ("text/n3", RdfFormat.N3),
)
QUADS: Offers[RdfFormat] = (
    ("application/n-quads", RdfFormat.N_QUADS),
    ("application/trig", RdfFormat.TRIG),
    ("application/ld+json", RdfFormat.JSON_LD),
    ("text/x-nquads", RdfFormat.N_QUADS),
)
# The names that Blazegraph's clients put into ``format=``.
SHORT = {
    "json": ("application/sparql-results+json", "application/ld+json"),
    "xml": ("application/sparql-results+xml", "application/rdf+xml"),
    "csv": ("text/csv", ""),
    "tsv": ("text/tab-separated-values", ""),
    "ttl": ("", "text/turtle"),
    "turtle": ("", "text/turtle"),
    "nt": ("", "application/n-triples"),
    "nq": ("", "application/n-quads"),
}


def media_type(header: str) -> str:
    """The media type alone, lower-cased, without its parameters."""
    return header.split(";", 1)[0].strip().lower()


def rdf_format(content_type: str) -> RdfFormat | None:
    """How a body of that content type is parsed; None when it is no RDF that we know."""
    return dict(TRIPLES).get(media_type(content_type)) or dict(QUADS).get(media_type(content_type))


def _weights(accept: str) -> list[tuple[str, float]]:
    weights = []
    for part in accept.split(","):
        fields = [field.strip() for field in part.split(";")]
        quality = 1.0
        for field in fields[1:]:
            if field.lower().startswith("q="):
                try:
                    quality = float(field[2:])
                except ValueError:
                    quality = 0.0
        if fields[0]:
            weights.append((fields[0].lower(), quality))
    return weights


def _quality(offer: str, weights: Sequence[tuple[str, float]]) -> float:
    """The weight of the most specific range that covers the offer; 0 when none does."""
    found: dict[int, float] = {}
    for given, quality in weights:
        if given == offer:
            found[2] = quality
        elif given.endswith("/*") and given != "*/*" and offer.startswith(given[:-1]):
            found[1] = quality
        elif given in {"*/*", "*"}:
            found[0] = quality
    return found[max(found)] if found else 0.0


def negotiate(accept: str, offers: Offers[F]) -> tuple[str, F]:
    """The offer the client likes best (our order decides between equals); 406 when it likes none."""
    weights = _weights(accept)
    if not weights:
        return offers[0]
    best = max(offers, key=lambda offer: _quality(offer[0], weights))  # max keeps the first of equals
    if _quality(best[0], weights) <= 0:
        raise Refused(406, "this answer can be had as " + ", ".join(name for name, _ in offers))
    return best
