"""The published summary: the rows of ``summary.nq`` as Turtle, a block a document (contracts.md, section 7)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from sheaf.release.terms import RDF_TYPE, SCHEMA

PREFIX = "ecsummary"  # the name the older summaries gave it
_LOCAL = re.compile(r"[A-Za-z]+")


def summary_turtle(nquads: Iterable[str]) -> Iterator[str]:
    """Turtle text, piece by piece, of N-Quads lines that are grouped by subject and sorted, as ``summary.nq`` is."""
    yield f"@prefix {PREFIX}: <{SCHEMA}> .\n"
    current = ""
    for line in nquads:
        subject, predicate, rest = line.split(" ", 2)
        value = rest[: rest.rindex(" <")]
        if subject != current:
            yield (" .\n" if current else "") + f"\n{subject}\n    {_verb(predicate)} {_object(value)}"
            current = subject
        else:
            yield f" ;\n    {_verb(predicate)} {_object(value)}"
    if current:
        yield " .\n"


def _verb(predicate: str) -> str:
    return "a" if predicate == RDF_TYPE else _object(predicate)


def _object(term: str) -> str:
    """A term of schema.org with its prefix; any other as it is, which N-Triples and Turtle write alike."""
    if term.startswith(f"<{SCHEMA}"):
        local = term[len(SCHEMA) + 1 : -1]
        if _LOCAL.fullmatch(local):
            return f"{PREFIX}:{local}"
    return term
