"""One document becomes the sorted N-Quads of its graph, and its row of the summary."""

from __future__ import annotations

from dataclasses import dataclass

from sheaf.release.blank_nodes import BUDGET, TooComplex, skolem_iris
from sheaf.release.rdf import ConversionError
from sheaf.release.summary import Row, flat_row
from sheaf.release.triples import document_triples


class NotConverted(Exception):
    """A document that a release leaves out; ``reason`` is a code of ``sheaf.harvest.states.REASONS``."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Converted:
    """A document's graph: N-Quads lines in the order of their code points, how many, and its row if it has one."""

    nquads: bytes
    quads: int
    row: Row | None
    repaired: int
    dropped: int


def convert_document(text: str, graph: str, budget: int = BUDGET) -> Converted:
    """Convert JSON-LD ``text`` into the graph of that name; the same text and name give the same bytes.

    Raises ``NotConverted``.
    """
    try:
        found = document_triples(text)
    except ConversionError as error:
        raise NotConverted(error.reason, str(error)) from error
    triples = found.triples
    if not triples:
        raise NotConverted("no_triples", "nothing in it has an absolute IRI as its name: is there an @context?")
    try:
        names = skolem_iris(graph, triples, budget)
    except TooComplex as error:
        raise NotConverted("too_complex", str(error)) from error
    get, end = names.get, f"<{graph}> .\n"
    lines = [f"{get(s, s)} {p} {get(o, o)} {end}" for s, p, o in triples]
    lines.sort()
    return Converted("".join(lines).encode(), len(lines), flat_row(triples, names), found.repaired, found.dropped)
