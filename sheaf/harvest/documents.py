"""A page's bytes in, its documents out: extraction, repair, fix-ups and identifiers in one call.

Each document's trouble is its own: a bad script never costs the good one beside it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import orjson

from sheaf.config.sources import ProjectConfig, Source
from sheaf.harvest.contexts import Contexts, ContextUnavailable
from sheaf.harvest.extract import Undecodable, extract
from sheaf.harvest.fixups import fix
from sheaf.harvest.identifiers import identify
from sheaf.harvest.json_spans import depth, elements, load, value_start
from sheaf.harvest.jsonpath import finder
from sheaf.harvest.repair import NotJson, repair
from sheaf.harvest.states import REASONS

MAX_DEPTH = 150
MAX_ITEMS = 10_000


@dataclass(frozen=True, slots=True)
class DocumentRules:
    """How a source's documents are read.

    ``identifier_paths``: the source's own, in the order they are tried. ``schema_namespace``: what the spellings of
    schema.org become. ``json_sha``: whether ``Document.json_sha`` is filled for ``identifiersha`` too, which costs
    a conversion to RDF (three times everything else); ``identifiers.identify`` does it later where it is wanted.
    """

    identifier_type: str = "identifiersha"
    identifier_paths: tuple[str, ...] = ()
    fix_contexts: bool = True
    schema_namespace: str = "https://schema.org/"
    repair: bool = True
    contexts: Contexts | None = None
    json_sha: bool = False

    @classmethod
    def for_source(cls, source: Source, project: ProjectConfig, contexts: Contexts | None = None) -> DocumentRules:
        """The rules of one source (contracts.md, sections 1 and 5). Raises BadInput for an unreadable JSONPath."""
        for path in source.identifier_paths:
            finder(path)
        return cls(
            identifier_type=source.effective_identifier_type,
            identifier_paths=source.identifier_paths,
            fix_contexts=not project.context.strict or source.fixcontextoption != 0,
            schema_namespace="http://schema.org/" if source.fixcontextoption in (2, 4) else "https://schema.org/",
            repair=source.repair,
            contexts=contexts,
        )


@dataclass(frozen=True, slots=True)
class Document:
    """One document as it is stored. ``sha256`` is of the text's UTF-8 bytes; ``repaired`` holds repair codes."""

    text: str
    id: str
    identifier_type: str
    matched_path: str
    matched_string: str
    json_sha: str
    sha256: str
    repaired: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a script or a body gave no document; ``reason`` is a code of ``sheaf.harvest.states.REASONS``."""

    reason: str
    detail: str = ""

    def __post_init__(self) -> None:
        if self.reason not in REASONS:
            raise ValueError(f"{self.reason!r} is not in the closed list of reasons")


def read_page(body: bytes, content_type: str, url: str, rules: DocumentRules) -> list[Document | Trouble]:
    """The documents of a page and the troubles of the scripts that gave none, in page order; [] = no JSON-LD."""
    try:
        found = extract(body, content_type, url)
    except Undecodable as error:
        return [Trouble("bad_encoding", str(error))]
    results: list[Document | Trouble] = []
    for number, text in enumerate(found.texts, 1):
        where = "body" if found.is_body else f"script {number}"
        read = read_json(text, url, rules, where=where)
        if found.repaired:
            read = [
                replace(one, repaired=found.repaired + one.repaired) if isinstance(one, Document) else one
                for one in read
            ]
        results += read
    if found.left_out:
        results.append(Trouble("too_many_scripts", f"{found.left_out} scripts were left out"))
    return results


def read_json(text: str, url: str, rules: DocumentRules, where: str = "body") -> list[Document | Trouble]:
    """The documents of one JSON text: one, or one for each element of an array, however nested.

    An element without an ``@context`` of its own gets none: by JSON-LD 1.1 (section 5.1 of the API) the elements
    of an array do not share one. ``@graph`` stays one document.
    """
    repaired: tuple[str, ...] = ()
    if not text or text.isspace():
        return [Trouble("empty_body" if where == "body" else "empty_script", where)]
    try:
        value = load(text)
    except orjson.JSONDecodeError as error:
        if _too_deep(text):
            return [_deep(where)]
        if not rules.repair:
            return [Trouble("not_json", f"{where}: {error}")]
        try:
            text, repaired = repair(text)
            value = load(text)
        except (NotJson, orjson.JSONDecodeError) as second:
            if not text.strip("\ufeff \t\r\n"):
                return [Trouble("empty_body" if where == "body" else "empty_script", where)]
            return [Trouble("not_json", f"{where}: {error}; not mended: {second}")]
    if _too_deep(text):
        return [_deep(where)]
    if isinstance(value, dict):
        return [_document(text, value, url, rules, where, repaired)]
    if not isinstance(value, list):
        return [Trouble("not_an_object", f"{where}: the JSON is {text.strip()[:40]}")]
    if not value:
        return [Trouble("empty_object", f"{where}: an empty array")]
    results: list[Document | Trouble] = []
    for number, (piece, item) in enumerate(_flattened(text, value_start(text), value), 1):
        if number > MAX_ITEMS:
            results.append(Trouble("too_many_items", f"{where}: more than {MAX_ITEMS} documents in one array"))
            break
        place = f"{where}, item {number}"
        if isinstance(item, dict):
            results.append(_document(piece, item, url, rules, place, repaired))
        elif item == []:
            results.append(Trouble("empty_object", f"{place}: an empty array"))
        else:
            results.append(Trouble("not_an_object", f"{place}: the JSON is {piece[:40]}"))
    return results


def _document(
    text: str, value: dict[str, Any], url: str, rules: DocumentRules, where: str, repaired: tuple[str, ...]
) -> Document | Trouble:
    if not value:
        return Trouble("empty_object", where)
    if rules.fix_contexts:
        try:
            text, value = fix(text, value, rules.schema_namespace, rules.contexts, url)
        except ContextUnavailable as error:
            return Trouble(error.reason, f"{where}: {error}")
    identity = identify(text, value, rules.identifier_type, rules.identifier_paths, with_json_sha=rules.json_sha)
    return Document(
        text,
        identity.id,
        identity.type,
        identity.matched_path,
        identity.matched_string,
        identity.json_sha,
        hashlib.sha256(text.encode()).hexdigest(),
        repaired,
    )


def _flattened(text: str, start: int, items: list[Any]) -> Iterator[tuple[str, Any]]:
    """Text and value of each element, arrays inside arrays opened; empty ones stay, to be reported."""
    for (begin, end), item in zip(elements(text, start), items, strict=True):
        if isinstance(item, list) and item:
            yield from _flattened(text, begin, item)
        else:
            yield text[begin:end], item


def _too_deep(text: str) -> bool:
    # Counting brackets is a hundred times cheaper than following them.
    return text.count("{") + text.count("[") > MAX_DEPTH and depth(text) > MAX_DEPTH


def _deep(where: str) -> Trouble:
    return Trouble("nested_too_deep", f"{where}: deeper than {MAX_DEPTH} levels")
