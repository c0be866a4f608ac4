"""The graphs of a release, one after the other out of its N-Quads: what each says of types, keywords and variables.

Memory is one graph at a time. Graphs of other names (the catalogue, another source) are passed over, and no statement
is ever read together with one of another graph.
"""

from __future__ import annotations

import gzip
import io
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, cast

from sheaf.errors import TemporaryFault
from sheaf.release.blank_nodes import GENID
from sheaf.release.graph_names import data_graph
from sheaf.release.record import RELEASE
from sheaf.release.terms import RDF_TYPE, SCHEMA, SCHEMAS
from sheaf.store import ObjectStore, layout

DATASET = f"{SCHEMA}Dataset"
_READ_BYTES = 1 << 20
_OURS = f"<{GENID}".encode()

_TYPE, _KEYWORDS, _VARIABLE, _NAME, _VERSION = range(5)
_PREDICATES = {RDF_TYPE.encode(): _TYPE} | {
    f"<{schema}{name}>".encode(): kind
    for schema in SCHEMAS
    for name, kind in (
        ("keywords", _KEYWORDS),
        ("variableMeasured", _VARIABLE),
        ("name", _NAME),
        ("version", _VERSION),
    )
}
_ESCAPED = re.compile(r'\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([tbnrf"\'\\]))')
_LETTERS = {"t": "\t", "b": "\b", "n": "\n", "r": "\r", "f": "\f"}

Pair = tuple[str, bytes]  # a value, and the subject (as N-Quads writes it) that states it


@dataclass(slots=True)
class GraphFacts:
    """What one document's graph says; each pair once, schema.org under https whichever way it was written."""

    graph: str
    quads: int = 0
    types: set[Pair] = field(default_factory=set)
    keywords: set[Pair] = field(default_factory=set)
    variables: set[Pair] = field(default_factory=set)
    versioned: set[bytes] = field(default_factory=set)

    @property
    def datasets(self) -> int:
        """Subjects that are a schema.org Dataset."""
        return sum(kind == DATASET for kind, _ in self.types)


def is_shared(subject: bytes) -> bool:
    """Whether a subject may be the same in another graph: it has a name of its own, and is no skolemised blank node."""
    return subject.startswith(b"<") and not subject.startswith(_OURS)


@contextmanager
def release_lines(store: ObjectStore, source: str, release_id: str) -> Iterator[Iterable[bytes]]:
    """The lines of a release's ``release.nq.gz``, unpacked as they are read; ``TemporaryFault`` when it breaks off."""
    key = layout.release_file(source, release_id, RELEASE)
    with store.open(key) as stream:
        try:
            # gzip asks a stream for read alone.
            with gzip.GzipFile(fileobj=cast(IO[bytes], stream)) as unpacked:
                yield io.BufferedReader(cast(io.RawIOBase, unpacked), _READ_BYTES)
        except (EOFError, gzip.BadGzipFile) as error:
            raise TemporaryFault(f"{key} breaks off or is damaged ({error}): make the release again") from error


def read_graphs(lines: Iterable[bytes], org: str, source: str) -> Iterator[GraphFacts]:
    """The facts of each document's graph. The lines are N-Quads as a release holds them, graph by graph."""
    wanted = f"<{data_graph(org, source, '')}".encode()
    tail, current = b"\0", None
    for line in lines:
        if not line.endswith(tail):
            if current is not None:
                yield current.facts()
            name = line.rsplit(b" ", 2)[1]
            tail = b" " + name + b" .\n"
            current = _Graph(name[1:-1].decode()) if name.startswith(wanted) else None
        if current is None:
            continue
        current.quads += 1
        subject, predicate, rest = line.split(b" ", 2)
        kind = _PREDICATES.get(predicate)
        if kind is not None:
            current.take(kind, subject, rest[: -len(tail)])
    if current is not None:
        yield current.facts()


class _Graph:
    """Collects the statements of one graph until all of it was read."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.quads = 0
        self._types: set[Pair] = set()
        self._keywords: dict[bytes, list[bytes]] = {}
        self._variables: dict[bytes, list[bytes]] = {}
        self._names: dict[bytes, list[bytes]] = {}
        self._versioned: set[bytes] = set()

    def take(self, kind: int, subject: bytes, value: bytes) -> None:
        if kind == _TYPE:
            self._types.add((_type_name(value), subject))
        elif kind == _NAME:
            self._names.setdefault(subject, []).append(value)
        elif kind == _KEYWORDS:
            self._keywords.setdefault(subject, []).append(value)
        elif kind == _VARIABLE:
            self._variables.setdefault(subject, []).append(value)
        else:
            self._versioned.add(subject)

    def facts(self) -> GraphFacts:
        facts = GraphFacts(self.name, self.quads, self._types, versioned=self._versioned)
        for subject, values in self._keywords.items():
            facts.keywords.update((word, subject) for word in self._words(values))
        for subject, values in self._variables.items():
            for value in values:
                names = [value] if value.startswith(b'"') else self._names.get(value, ())
                facts.variables.update((name, subject) for term in names if (name := literal_text(term)))
        return facts

    def _words(self, values: list[bytes]) -> Iterator[str]:
        """Keywords: schema.org has them delimited by commas in one text, or the property repeated, or as terms."""
        literals = [value for value in values if value.startswith(b'"')]
        for value in literals:
            text = literal_text(value)
            words = text.split(",") if len(literals) == 1 else [text]
            yield from (word for each in words if (word := each.strip()))
        for value in values:
            if value.startswith(b'"'):
                continue
            names = [name for term in self._names.get(value, ()) if (name := literal_text(term))]
            yield from names or ([value[1:-1].decode()] if is_shared(value) else [])


def _type_name(value: bytes) -> str:
    text = value[1:-1].decode()
    return SCHEMA + text.removeprefix(SCHEMAS[1]) if text.startswith(SCHEMAS[1]) else text


def literal_text(term: bytes) -> str:
    """A literal's text with its escapes undone, without white space around it; empty for a node."""
    if not term.startswith(b'"'):
        return ""
    text = term[1 : term.rindex(b'"')].decode()
    return (_ESCAPED.sub(_unescaped, text) if "\\" in text else text).strip()


def _unescaped(found: re.Match[str]) -> str:
    code = found[1] or found[2]
    if code is None:
        return _LETTERS.get(found[3], found[3])
    number = int(code, 16)
    # A surrogate is no character: nothing that is written in UTF-8 can hold it.
    return chr(number) if number < 0x110000 and not 0xD800 <= number < 0xE000 else "\ufffd"
