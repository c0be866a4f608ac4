"""Fix-ups (contracts.md, section 5): what changes, and that nothing else does."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from sheaf.config.sources import ProjectConfig, Source
from sheaf.harvest.contexts import ContextCache, ContextUnavailable
from sheaf.harvest.documents import Document, DocumentRules, Trouble, read_page
from sheaf.harvest.fixups import fix

VOCAB = {"@vocab": "https://schema.org/"}


def fixed(text: str, **options: Any) -> str:
    return fix(text, orjson.loads(text), **options)[0]


def context_of(context: Any, **options: Any) -> Any:
    return json.loads(fixed(json.dumps({"@context": context, "name": "n"}), **options))["@context"]


def cache(**contexts: Any) -> ContextCache:
    known = {f"https://ctx.example.org/{name}": context for name, context in contexts.items()}

    def fetch(iri: str) -> bytes:
        return orjson.dumps({"@context": known[iri]})

    return ContextCache(fetch)


@pytest.mark.parametrize(
    "spelling",
    [
        "http://schema.org",
        "http://schema.org/",
        "https://schema.org",
        "https://schema.org//",
        "http://www.schema.org",
        "https://www.schema.org/",
        "HTTP://Schema.org/",
        "https://schema.org/docs/jsonldcontext.json",
        "https://schema.org/docs/jsonldcontext.jsonld",
        "http://schema.org/docs/jsonldcontext.jsonld",
        "//schema.org/",
        "schema.org",
        " https://schema.org ",
    ],
)
def test_every_spelling_of_schema_org_becomes_one(spelling: str) -> None:
    assert context_of(spelling) == VOCAB
    assert context_of({"@vocab": spelling, "s": spelling}) == {**VOCAB, "s": "https://schema.org/"}
    assert context_of(spelling, namespace="http://schema.org/") == {"@vocab": "http://schema.org/"}


@pytest.mark.parametrize("iri", ["http://schema.org/Dataset", "https://bib.schema.org/", "https://notschema.org/"])
def test_other_addresses_are_no_spellings_of_it(iri: str) -> None:
    assert context_of({"@vocab": iri}) == {"@vocab": iri}
    assert context_of(iri) == {"@vocab": iri}


def test_a_string_context_of_anything_else_becomes_the_vocabulary() -> None:
    assert context_of("https://w3id.org/x/terms") == {"@vocab": "https://w3id.org/x/terms"}


def test_only_the_span_of_the_context_is_rewritten() -> None:
    before = (
        '\n{\n  "name" : "@context \\u00e9 \\"http://schema.org\\"",\t"@context" :  "http://schema.org" , "x":1.50e0}\n'
    )
    after = before.replace(':  "http://schema.org" ,', ':  {"@vocab":"https://schema.org/"} ,')
    assert fixed(before) == after


def test_only_the_values_inside_an_object_context_are_rewritten() -> None:
    before = '{"@context": { "@vocab" : "http://schema.org/" ,\n "geo": {"@id": "http://www.schema.org"} }}'
    assert fixed(before) == before.replace('"http://schema.org/"', '"https://schema.org/"')


def test_a_document_that_needs_nothing_is_the_same_object() -> None:
    text = '{"@context":{"@vocab":"https://schema.org/"},"@type":"Dataset","@id":"https://x/1"}'
    value = orjson.loads(text)
    assert fix(text, value) == (text, value)
    assert fix(text, value)[0] is text


def test_an_array_context_is_merged_key_by_key_in_order() -> None:
    context = ["http://schema.org", {"geo": "http://g/", "@language": "en"}, {"geo": "http://h/", "@version": 1.1}]
    assert context_of(context) == {**VOCAB, "geo": "http://h/", "@language": "en", "@version": 1.1}
    assert context_of([{"a": "http://a/"}, None, "https://schema.org/"]) == VOCAB
    assert context_of([["https://schema.org/"], [{"a": "http://a/"}]]) == {**VOCAB, "a": "http://a/"}


def test_definitions_version_language_and_base_stay_what_they_are() -> None:
    context = {
        **VOCAB,
        "@version": 1.1,
        "@language": "en",
        "@base": "https://b/",
        "geo": {"@id": "http://g/geo", "@type": "@id", "@container": "@list"},
        "gone": None,
    }
    assert context_of(context) == context
    assert context_of([context]) == context


def test_contexts_inside_a_graph_get_the_same_treatment() -> None:
    text = (
        '{"@graph":[{"@context":"http://schema.org","@id":"http://x/1"},'
        '{"@context":["https://schema.org",{"a":"http://a/"}],"b":{"@context":{"@vocab":"http://www.schema.org"}}}]}'
    )
    assert fixed(text) == (
        '{"@graph":[{"@context":{"@vocab":"https://schema.org/"},"@id":"http://x/1"},'
        '{"@context":{"@vocab":"https://schema.org/","a":"http://a/"},"b":{"@context":{"@vocab":"https://schema.org/"}}}]}'
    )


def test_a_key_written_with_escapes_is_the_same_key() -> None:
    assert fixed('{"\\u0040context":"http://schema.org"}') == '{"\\u0040context":{"@vocab":"https://schema.org/"}}'


def test_a_missing_context_stays_missing() -> None:
    text = '{"@type":"Dataset","name":"n"}'
    assert fixed(text) == text


def test_remote_contexts_are_inlined_where_they_stand() -> None:
    contexts = cache(a={"a": "http://a/", "b": "http://b/"}, nested=["https://ctx.example.org/a", {"c": "http://c/"}])
    merged = context_of(["https://schema.org/", "https://ctx.example.org/a", {"b": "http://own/"}], contexts=contexts)
    assert merged == {**VOCAB, "a": "http://a/", "b": "http://own/"}
    assert context_of(["https://ctx.example.org/nested"], contexts=contexts)["c"] == "http://c/"
    imported = context_of({"@import": "https://ctx.example.org/a", "b": "http://own/"}, contexts=contexts)
    assert imported == {"a": "http://a/", "b": "http://own/"}


def test_a_relative_remote_context_is_looked_up_beside_the_page() -> None:
    merged = context_of(["/a"], contexts=cache(a={"a": "http://a/"}), url="https://ctx.example.org/pages/1")
    assert merged == {"a": "http://a/"}


def test_a_context_that_refers_to_itself_ends() -> None:
    with pytest.raises(ContextUnavailable, match="without end"):
        context_of(["https://ctx.example.org/a"], contexts=cache(a=["https://ctx.example.org/a"]))


def test_an_unreachable_context_costs_its_document_alone() -> None:
    script = '<script type="application/ld+json">{"@context":%s,"@type":"Dataset","@id":"http://x/%d"}</script>'
    page = script % ('["https://ctx.example.org/none"]', 1) + script % ('"https://schema.org"', 2)
    found = read_page(page.encode(), "text/html", "https://example.org/", DocumentRules(contexts=cache()))
    assert isinstance(found[0], Trouble)
    assert found[0].reason == "unreachable_context"
    assert "https://ctx.example.org/none" in found[0].detail
    assert isinstance(found[1], Document)


def test_a_context_of_the_wrong_kind_is_named() -> None:
    page = b'{"@context": 5, "name": "n"}'
    (found,) = read_page(page, "application/json", "https://example.org/", DocumentRules())
    assert isinstance(found, Trouble)
    assert found.reason == "bad_context"


@pytest.mark.parametrize("kind", ['"Dataset"', '["Dataset"]', '["Thing","Dataset"]'])
@pytest.mark.parametrize("relative", ["abc", "#x", "/a/b", "10.1234/x", "a b", "../c"])
def test_a_relative_id_of_a_dataset_becomes_a_file_iri(kind: str, relative: str) -> None:
    text = f'{{"@context":{{"@vocab":"https://schema.org/"}}, "@id" : "{relative}" ,"@type":{kind}}}'
    assert fixed(text) == text.replace(f'"{relative}"', f'"file://{relative}"')


@pytest.mark.parametrize("absolute", ["https://x/1", "urn:x", "doi:10.1/x", "_:b0", "", "ark:/1/2"])
def test_other_ids_are_left_alone(absolute: str) -> None:
    text = f'{{"@type":"Dataset","@id":"{absolute}"}}'
    assert fixed(text) == text


@pytest.mark.parametrize(
    "text",
    [
        '{"@type":"Person","@id":"abc"}',
        '{"@context":{"@vocab":"https://schema.org/","@base":"https://b/"},"@type":"Dataset","@id":"abc"}',
        '{"@type":"Dataset","creator":{"@id":"abc"}}',
        '{"@type":"Dataset","@id":5}',
    ],
)
def test_relative_ids_elsewhere_are_left_alone(text: str) -> None:
    assert fixed(text) == text


def test_the_items_of_a_list_get_file_iris_too() -> None:
    text = (
        '{"@type":"ItemList","@id":"list","itemListElement":'
        '[{"item":{"@id":"a"}},{"item":{"x":{"@id":"n"},"@id":"http://b"}},{"item":"c"},5]}'
    )
    assert fixed(text) == text.replace('"a"', '"file://a"')
    alone = '{"@type":["ItemList"],"itemListElement":{"item":{"@id":"a"}}}'
    assert fixed(alone) == alone.replace('"a"', '"file://a"')


def rules(strict: bool, option: int) -> DocumentRules:
    source = Source(name="a", url="https://example.org/sitemap.xml", fixcontextoption=option)
    return DocumentRules.for_source(
        source, ProjectConfig.model_validate({"context": {"strict": strict}, "sources": []})
    )


@pytest.mark.parametrize(
    ("strict", "option", "context"),
    [
        (False, 0, VOCAB),
        (False, 1, VOCAB),
        (False, 2, {"@vocab": "http://schema.org/"}),
        (True, 0, "http://schema.org"),
        (True, 3, VOCAB),
        (True, 4, {"@vocab": "http://schema.org/"}),
    ],
)
def test_strict_projects_fix_only_the_sources_that_ask_for_it(strict: bool, option: int, context: Any) -> None:
    body = b'{"@context":"http://schema.org","@type":"Dataset"}'
    (found,) = read_page(body, "application/json", "https://example.org/", rules(strict, option))
    assert isinstance(found, Document)
    assert json.loads(found.text)["@context"] == context
