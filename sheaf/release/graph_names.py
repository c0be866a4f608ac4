"""The names of the graphs that a release is made of (contracts.md, section 6)."""

from __future__ import annotations


def data_graph(org: str, source: str, document_id: str) -> str:
    """The graph of one document."""
    return f"urn:gleaner.io:{org}:{source}:data:{document_id}"


def prov_graph(org: str, source: str, document_id: str) -> str:
    """The graph of one document's provenance."""
    return f"urn:gleaner.io:{org}:{source}:prov:{document_id}"


def organization_graph(org: str, source: str) -> str:
    """The graph of a source's organization."""
    return f"urn:gleaner.io:{org}:orgs:{source}"


def catalogue_graph(org: str, source: str) -> str:
    """The graph that lists a release's documents; sorts behind all of them."""
    return f"urn:gleaner.io:{org}:{source}:datacatalog"
