"""Fix-ups of a document (contracts.md, section 5): contexts and relative ids, each in its own span of the text.

Every ``@context`` of the document is treated alike, the root's and those further inside: a string becomes
``{"@vocab": ...}``, an array is merged key by key, and remote contexts are inlined.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

import orjson

from sheaf.harvest.contexts import Contexts, ContextUnavailable
from sheaf.harvest.json_spans import Edit, apply_edits, elements, find_keys, load, members, value_start

_SCHEMA_ORG = re.compile(
    r"\s*(?:(?:https?:)?//)?(?:www\.)?schema\.org/*"
    r"(?:docs/jsonldcontext\.json(?:ld)?/?|version/[^/]+/schemaorg-[^/]*\.jsonld)?\s*",
    re.IGNORECASE,
)
# A scheme, or a blank node: what is neither is relative (RFC 3986, section 4.1).
_ABSOLUTE = re.compile(r"\s*(?:[A-Za-z][A-Za-z0-9+.-]*:|_:)")
_MAX_REMOTE_DEPTH = 4


class BadContext(ContextUnavailable):
    """A ``@context`` that is not a string, an object or an array of these."""

    def __init__(self, value: Any) -> None:
        super().__init__("bad_context", f"@context holds {str(value)[:60]!r}, not a string, object or array of these")


def fix(
    text: str,
    value: dict[str, Any],
    namespace: str = "https://schema.org/",
    contexts: Contexts | None = None,
    url: str = "",
) -> tuple[str, dict[str, Any]]:
    """The document's text and value with all fix-ups; the same objects when nothing has to change.

    ``namespace`` is what schema.org's spellings become, ``url`` the page that relative contexts are resolved
    against. Raises ContextUnavailable for a remote context that cannot be had.
    """
    if _may_need_contexts(text, value, namespace):
        fixer = _Fixer(namespace, contexts, url)
        edits = [edit for start, end in find_keys(text, "@context") for edit in fixer.edits(text, start, end)]
        if edits:
            text = apply_edits(text, edits)
            value = load(text)
    if _may_need_ids(value):
        edits = list(_relative_ids(text, value))
        if edits:
            text = apply_edits(text, edits)
            value = load(text)
    return text, value


def is_schema_org(iri: str) -> bool:
    """Whether an IRI is one of the spellings of schema.org's root or of its context."""
    return _SCHEMA_ORG.fullmatch(iri) is not None


def _may_need_contexts(text: str, value: dict[str, Any], namespace: str) -> bool:
    count = text.count('"@context"')
    context = value.get("@context")
    if count != 1 or "\\u0040" in text or not isinstance(context, dict):
        return count > 0 or "\\u0040" in text
    return "@import" in context or any(
        isinstance(iri, str) and iri != namespace and is_schema_org(iri) for iri in context.values()
    )


class _Fixer:
    def __init__(self, namespace: str, contexts: Contexts | None, url: str) -> None:
        self.namespace = namespace
        self.contexts = contexts
        self.url = url

    def edits(self, text: str, start: int, end: int) -> Iterator[Edit]:
        """What to change in the context between ``start`` and ``end``."""
        context = load(text[start:end])
        if context is None:
            return
        if isinstance(context, dict) and "@import" not in context:
            for member in members(text, start):
                if text[member.start] == '"':
                    iri = orjson.loads(text[member.start : member.end])
                    if iri != self.namespace and is_schema_org(iri):
                        yield Edit(member.start, member.end, f'"{self.namespace}"')
            return
        yield Edit(start, end, orjson.dumps(self.merged(context)).decode())

    def merged(self, context: Any, depth: int = 0) -> dict[str, Any]:
        """One object that means the same as ``context``, its parts taken in order."""
        if isinstance(context, str):
            return self._string(context, depth)
        if isinstance(context, dict):
            own = {key: self._root_spelling(iri) for key, iri in context.items() if key != "@import"}
            imported = context.get("@import")
            return {**self._remote(imported, depth), **own} if isinstance(imported, str) else own
        if not isinstance(context, list):
            raise BadContext(context)
        result: dict[str, Any] = {}
        for part in context:
            if part is None:
                result = {}
            elif isinstance(part, str) and not is_schema_org(part):
                result.update(self._remote(part, depth))
            else:
                result.update(self.merged(part, depth))
        return result

    def _string(self, iri: str, depth: int) -> dict[str, Any]:
        if is_schema_org(iri):
            return {"@vocab": self.namespace}
        if self.contexts is not None and self.contexts.is_document(iri):
            return self._remote(iri, depth)
        return {"@vocab": iri}

    def _remote(self, iri: str, depth: int) -> dict[str, Any]:
        iri = urljoin(self.url, iri.strip())
        if self.contexts is None:
            raise ContextUnavailable("unreachable_context", f"the context {iri} is remote, and none are loaded here")
        if depth >= _MAX_REMOTE_DEPTH:
            raise ContextUnavailable("unreachable_context", f"the context {iri} refers to others without end")
        return self.merged(self.contexts.get(iri), depth + 1)

    def _root_spelling(self, iri: Any) -> Any:
        return self.namespace if isinstance(iri, str) and is_schema_org(iri) else iri


def _types(value: dict[str, Any]) -> list[Any]:
    kind = value.get("@type")
    return kind if isinstance(kind, list) else [kind]


def _is_relative(iri: Any) -> bool:
    return isinstance(iri, str) and iri != "" and _ABSOLUTE.match(iri) is None


def _items(value: dict[str, Any]) -> list[Any]:
    listed = value.get("itemListElement")
    return listed if isinstance(listed, list) else [listed]


def _may_need_ids(value: dict[str, Any]) -> bool:
    context = value.get("@context")
    if isinstance(context, dict) and "@base" in context:
        return False
    types = _types(value)
    if "Dataset" in types:
        return _is_relative(value.get("@id"))
    return "ItemList" in types and any(
        isinstance(entry, dict) and isinstance(entry.get("item"), dict) and _is_relative(entry["item"].get("@id"))
        for entry in _items(value)
    )


def _relative_ids(text: str, value: dict[str, Any]) -> Iterator[Edit]:
    root = value_start(text)
    if "Dataset" in _types(value):
        yield from _prefixed(text, root)
        return
    for member in members(text, root):
        if member.key != "itemListElement":
            continue
        starts = [start for start, _ in elements(text, member.start)] if text[member.start] == "[" else [member.start]
        for entry in starts:
            if text[entry] != "{":
                continue
            for item in members(text, entry):
                if item.key == "item" and text[item.start] == "{":
                    yield from _prefixed(text, item.start)


def _prefixed(text: str, start: int) -> Iterator[Edit]:
    """Put ``file://`` in front of the relative ``@id`` of the object at ``start``, after its opening quote."""
    for member in members(text, start):
        if member.key == "@id" and _is_relative(orjson.loads(text[member.start : member.end])):
            yield Edit(member.start + 1, member.start + 1, "file://")
