"""Identifiers (contracts.md, section 4): Go's text forms, the order of the paths, the fallbacks."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
import pytest

from sheaf.config.sources import ProjectConfig, Source
from sheaf.errors import BadInput
from sheaf.harvest.documents import Document, DocumentRules, read_page
from sheaf.harvest.identifiers import clash_id, identify, match, sha1
from sheaf.harvest.jsonpath import finder

DOI = "https://registry.identifiers.org/registry/doi"


def matched(text: str, *paths: str) -> tuple[str, str]:
    return match(text, orjson.loads(text), paths)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("null", "[<nil>]"),
        ("true", "[true]"),
        ("12345", "[12345]"),
        ("1000000", "[1000000]"),
        ("1.5", "[1.5]"),
        ("1.0", "[1]"),
        ("-0.0", "[-0]"),
        ("1e5", "[100000]"),
        ("1e20", "[1e+20]"),
        ("1e21", "[1e+21]"),
        ("12345678.5", "[1.23456785e+07]"),
        ("0.0001", "[0.0001]"),
        ("0.00001", "[1e-05]"),
        ("123.456", "[123.456]"),
        ("9223372036854775808", "[9223372036854775808]"),
        ("123456789012345678901234567890", "[123456789012345678901234567890]"),
        ('["b","a"]', "[[b a]]"),
        ("[]", "[[]]"),
        ("{}", "[map[]]"),
        ('["",""]', "[[ ]]"),
        ('{"url":"http://z","@type":"PropertyValue"}', "[map[@type:PropertyValue url:http://z]]"),
        ('{"a":null,"b":[1,2.5,"x y",true]}', "[map[a:<nil> b:[1 2.5 x y true]]]"),
    ],
)
def test_values_are_written_as_go_writes_them(value: str, written: str) -> None:
    # The right hand sides were printed by ojg v1.14.5 and fmt.Sprint.
    assert matched(f'{{"identifier":{value}}}') == ("$.identifier", written)


def test_an_empty_string_is_no_match() -> None:
    assert matched('{"identifier":"","@id":"","url":"http://x"}') == ("$.url", "[http://x]")
    assert matched('{"identifier":"","name":"n"}') == ("", "")


@pytest.mark.parametrize(
    ("text", "path", "written"),
    [
        (
            '{"@graph":[{"@type":"schema:Dataset","@id":"b"},{"@type":"schema:Dataset","@id":"a"}],"url":"u"}',
            0,
            "[a b]",
        ),
        ('{"@graph":{"x":{"@type":"schema:Dataset","@id":"z"}}}', 0, "[z]"),
        ('{"@graph":[{"@type":["schema:Dataset"],"@id":"y"}],"url":"u"}', 5, "[u]"),
        (f'{{"identifier":[{{"propertyID":"{DOI}","value":"v"}},{{"propertyID":"x","value":"w"}}]}}', 1, "[v]"),
        (f'{{"identifier":{{"propertyID":"{DOI}","value":"v"}}}}', 2, "[v]"),
        ('{"identifier":{"value":null}}', 2, "[<nil>]"),
        ('{"identifier":[{"value":"x"}]}', 3, "[[map[value:x]]]"),
        ('{"@id":"i","url":"u"}', 4, "[i]"),
        ('{"url":"u"}', 5, "[u]"),
    ],
)
def test_the_default_paths_are_tried_in_order(text: str, path: int, written: str) -> None:
    order = [
        "$['@graph'][?(@['@type']=='schema:Dataset')]['@id']",
        f"$.identifier[?(@.propertyID=='{DOI}')].value",
        "$.identifier.value",
        "$.identifier",
        "$['@id']",
        "$.url",
    ]
    assert matched(text) == (order[path], written)


def test_a_sources_own_paths_come_before_the_default_ones() -> None:
    text = '{"identifier":"i","url":"u","name":"n"}'
    assert matched(text, "$.nothing", "$.name", "$.url") == ("$.name", "[n]")
    assert matched(text, "$.nothing") == ("$.identifier", "[i]")


@pytest.mark.parametrize(
    ("path", "written"),
    [
        ("$['@graph'][*]['@id']", "[g h]"),
        ("$['@graph'][?(@['@type'] == 'schema:Thing' || @['@type']=='T')]['@id']", "[g]"),
        ("$..['@id']", "[g h root]"),
        ("$.@id", "[root]"),
        ("@id", "[root]"),
        ('$["@id"]', "[root]"),
        ("['@id']", "[root]"),
        ("$.schema:identifier", "[s]"),
        ("$.a-b", "[dash]"),
        ("a.b", "[deep]"),
        ("$['url','a-b']", "[dash u]"),
        ("$.list[-1]", "[2]"),
        ("$.@graph[?(@.@type=='T')].@id", "[g]"),
    ],
)
def test_paths_are_read_as_operators_write_them(path: str, written: str) -> None:
    text = (
        '{"@id":"root","url":"u","schema:identifier":"s","a-b":"dash","a":{"b":"deep"},"list":[1,2],'
        '"@graph":[{"@id":"h"},{"@type":"T","@id":"g"}]}'
    )
    assert matched(text, path) == (path, written)


def test_a_path_that_cannot_be_read_says_what_to_write() -> None:
    with pytest.raises(BadInput, match=r"identifierpath: '\$\[' is not a JSONPath"):
        finder("$[")
    source = Source(name="a", url="https://example.org/sitemap.xml", identifierpath="$.url, $[")
    with pytest.raises(BadInput, match="is not a JSONPath"):
        DocumentRules.for_source(source, ProjectConfig(sources=(source,)))


def test_the_last_path_of_a_source_is_tried_first() -> None:
    source = Source(name="a", url="https://example.org/sitemap.xml", identifierpath="$.url, $.name")
    rules = DocumentRules.for_source(source, ProjectConfig(sources=(source,)))
    (found,) = read_page(b'{"url":"u","name":"n"}', "application/json", "https://example.org/", rules)
    assert isinstance(found, Document)
    assert (found.matched_path, found.matched_string) == ("$.name", "[n]")


def test_the_id_is_the_digest_of_the_text_with_its_brackets() -> None:
    value = {"@id": "https://x.org/1"}
    found = identify("", value, "identifiersha", with_json_sha=False)
    assert found.id == hashlib.sha1(b"[https://x.org/1]").hexdigest()
    assert (found.type, found.matched_path, found.json_sha) == ("identifiersha", "$['@id']", "")


@pytest.mark.parametrize("kind", ["filesha", "jsonsha", "", "something"])
def test_unknown_types_are_the_digest_of_the_stored_text(kind: str) -> None:
    found = identify('{"@id":"x"} ', {"@id": "x"}, kind)
    assert (found.id, found.type) == (sha1('{"@id":"x"} '), "filesha")


@pytest.mark.parametrize("text", ['{"a":"b"}', '{"@type":[]}', '{"@context":["https://x.org/remote"],"a":"b"}'])
@pytest.mark.parametrize("kind", ["normalizedjsonsha", "identifiersha"])
def test_what_has_no_canonical_form_falls_back_to_the_digest_of_the_text(text: str, kind: str) -> None:
    value: dict[str, Any] = orjson.loads(text)
    found = identify(text, value, kind)
    assert (found.id, found.type) == (sha1(text), "filesha")


def test_equal_graphs_in_other_words_have_one_normalized_id() -> None:
    one = '{"@context":{"@vocab":"https://schema.org/"},"@type":"Dataset","name":"n"}'
    two = '{"@context":{"s":"https://schema.org/"},\n"s:name":"n","@type":"s:Dataset","@id":"_:x"}'
    assert identify(one, orjson.loads(one), "normalizedjsonsha") == identify(
        two, orjson.loads(two), "normalizedjsonsha"
    )


def test_a_clash_takes_the_digest_of_the_text_and_the_url() -> None:
    assert clash_id("[doi:null]", "https://x/2") == hashlib.sha1(b"[doi:null]\nhttps://x/2").hexdigest()
