"""Whatever a page holds, reading it ends in documents and troubles: no crash, no hang (bounded runs)."""

from __future__ import annotations

import json
from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sheaf.harvest.contexts import ContextUnavailable
from sheaf.harvest.documents import Document, DocumentRules, read_page
from sheaf.harvest.fixups import fix
from sheaf.harvest.json_spans import Edit, apply_edits, depth, elements, find_keys, members, value_end, value_start
from sheaf.harvest.repair import NotJson, repair
from sheaf.harvest.states import REASONS
from sheaf.release.rdf import ConversionError, canonical_nquads

FAST = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
RULES = DocumentRules(json_sha=True)

KEYS = st.sampled_from(
    ["@context", "@id", "@type", "@graph", "@value", "@language", "identifier", "name", "url", "a b"]
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.sampled_from(["http://schema.org", "Dataset", "schema:Dataset", "http://x/a b", "_:b", "rel", "en_US", ""]),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(max_size=5), inner, max_size=5),
    max_leaves=25,
)
OBJECTS = st.dictionaries(KEYS | st.text(max_size=5), VALUES, min_size=1, max_size=6)
MARKUP = ["<script type=application/ld+json>", "</script>", "<!--", "-->", "<![CDATA[", "]]>", "<style>", "<a x='"]
JSON = ['{"a":', "[", "]", "}", ",", '"', "\\", "\\u", "\\ud800", "//", "/*", "NaN", "null", "1e999", ";"]
SNIPPETS = st.sampled_from([*MARKUP, *JSON, "&quot;", "\ufeff", " ", "\n", "é", "\x00"])
SOUP = st.lists(SNIPPETS | st.text(max_size=6), max_size=25).map("".join)


@FAST
@given(
    st.binary(max_size=200) | SOUP.map(lambda text: text.encode()),
    st.sampled_from(["text/html", "application/json", "x"]),
)
def test_any_bytes_are_read(body: bytes, content_type: str) -> None:
    for one in read_page(body, content_type, "https://example.org/", RULES):
        if isinstance(one, Document):
            assert isinstance(orjson.loads(one.text), dict)
            assert orjson.loads(one.text)


@FAST
@given(SOUP)
def test_what_is_mended_is_json_and_mending_it_again_changes_nothing(text: str) -> None:
    try:
        mended, _ = repair(text)
    except NotJson:
        return
    assert repair(mended) == (mended, ())


@FAST
@given(OBJECTS, st.sampled_from([None, 1]), st.booleans())
def test_valid_json_is_never_repaired_and_only_its_contexts_and_ids_change(
    value: dict[str, Any], indent: int | None, ascii_only: bool
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    for one in read_page(text.encode(), "application/ld+json", "https://example.org/", RULES):
        if isinstance(one, Document):
            assert one.repaired == ()
            assert _without(orjson.loads(one.text)) == _without(orjson.loads(text))


@FAST
@given(OBJECTS)
def test_fix_ups_leave_nothing_to_fix(value: dict[str, Any]) -> None:
    text = json.dumps({**value, "@context": ["http://schema.org", {"x": "http://x/"}], "@type": "Dataset"})
    try:
        once, parsed = fix(text, orjson.loads(text))
    except ContextUnavailable:
        # A context further inside may be anything; it costs this document and says so.
        return
    assert orjson.loads(once) == parsed
    assert fix(once, parsed)[0] == once


@FAST
@given(OBJECTS)
def test_every_document_is_converted_or_refused_with_a_reason(value: dict[str, Any]) -> None:
    text = json.dumps({"@context": {"@vocab": "https://schema.org/"}, **value})
    try:
        written = canonical_nquads(text)
    except ConversionError as error:
        written = b""
        reason = error.reason
    else:
        reason = ""
    assert reason in ("", *REASONS)
    lines = written.decode().split("\n")[:-1]
    assert lines == sorted(set(lines))


@FAST
@given(OBJECTS, st.sampled_from([None, 2]), st.booleans())
def test_spans_are_those_of_the_values(value: dict[str, Any], indent: int | None, ascii_only: bool) -> None:
    text = "  " + json.dumps(value, indent=indent, ensure_ascii=ascii_only) + "\n"
    start = value_start(text)
    assert value_end(text, start) == len(text) - 1
    found = list(members(text, start))
    assert [member.key for member in found] == list(value)
    for member in found:
        assert json.loads(text[member.start : member.end]) == value[member.key]
        item = value[member.key]
        if isinstance(item, list):
            assert [json.loads(text[a:b]) for a, b in elements(text, member.start)] == item
    edits = [Edit(member.start, member.end, "0") for member in found]
    assert json.loads(apply_edits(text, edits)) == dict.fromkeys(value, 0)
    assert depth(text) == _depth(value)
    assert len(list(find_keys(text, "@context"))) == _contexts(value)


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


def _contexts(value: Any) -> int:
    if isinstance(value, dict):
        return sum(1 if key == "@context" else _contexts(item) for key, item in value.items())
    return sum(map(_contexts, value)) if isinstance(value, list) else 0


def _without(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without(item) for key, item in value.items() if key not in ("@context", "@id")}
    return [_without(item) for item in value] if isinstance(value, list) else value
