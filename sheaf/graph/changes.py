"""One atomic batch of changes to a namespace, and how it is said in SPARQL 1.1 Update."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# RFC 3987 without what SPARQL's IRIREF excludes: a graph name that does not match would end the IRI early.
_IRI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^<>\"{}|^`\\\x00-\x20]*")


@dataclass(frozen=True, slots=True)
class GraphChanges:
    """What happens together or not at all, in this order: graphs go, quads go, quads come.

    ``remove`` and ``insert`` are N-Quads, one a line, each in a named graph and without blank nodes. To replace a
    graph, name it in ``drop`` and put its quads into ``insert``.
    """

    drop: tuple[str, ...] = ()
    remove: bytes = b""
    insert: bytes = b""

    @property
    def empty(self) -> bool:
        return not (self.drop or self.remove or self.insert)


def iri(value: str) -> str:
    """The IRI in angle brackets; ``ValueError`` when it is none."""
    if not _IRI.fullmatch(value):
        raise ValueError(f"{value!r} is no absolute IRI")
    return f"<{value}>"


def quad_pattern(nquads: bytes) -> str:
    """N-Quads lines as the inside of ``INSERT DATA { ... }``: a GRAPH block for each run of lines of one graph.

    The terms of N-Quads are SPARQL's; an IRI holds no space, so the last `` <`` of a line starts its graph name.
    ``ValueError`` names the first line that has no graph.
    """
    return "".join(_blocks(nquads))


def _blocks(nquads: bytes) -> Iterator[str]:
    current = b""
    for line in nquads.splitlines():
        if not line:
            continue
        cut = line.rfind(b" <")
        if cut < 0 or not line.endswith(b"> ."):
            raise ValueError(f"a line of N-Quads without a graph: {line[:200]!r}")
        graph = line[cut + 1 : -2]
        if graph != current:
            yield ("}\n" if current else "") + f"GRAPH {graph.decode()} {{\n"
            current = graph
        yield line[:cut].decode() + " .\n"
    if current:
        yield "}\n"


def sparql_update(changes: GraphChanges) -> str:
    """The batch as one request of SPARQL 1.1 Update, which the stores execute as one transaction."""
    parts = [f"DROP SILENT GRAPH {iri(graph)}" for graph in changes.drop]
    if changes.remove:
        parts.append(f"DELETE DATA {{\n{quad_pattern(changes.remove)}}}")
    if changes.insert:
        parts.append(f"INSERT DATA {{\n{quad_pattern(changes.insert)}}}")
    return " ;\n".join(parts)
