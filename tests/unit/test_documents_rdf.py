"""Conversion to RDF: the field notes' cases, one bad term at a time."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from sheaf.release.rdf import ConversionError, canonical_nquads, convert, document_quads, legal_iri, to_quads

SCHEMA = "https://schema.org/"


def nquads(document: dict[str, Any] | str, base: str = "", *, context: Any = None) -> list[str]:
    text = document if isinstance(document, str) else with_vocabulary(document)
    return canonical_nquads(text, base).decode().splitlines()


def with_vocabulary(document: dict[str, Any]) -> str:
    return json.dumps({"@context": {"@vocab": SCHEMA}, **document})


@pytest.mark.parametrize(
    ("iri", "encoded"),
    [
        ("https://x.org/a b", "https://x.org/a%20b"),
        ("https://x.org/{a}", "https://x.org/%7Ba%7D"),
        ("https://x.org/a|b^c`d", "https://x.org/a%7Cb%5Ec%60d"),
        ('https://x.org/<a>"', "https://x.org/%3Ca%3E%22"),
        ("https://x.org/a\u00a0b", "https://x.org/a%C2%A0b"),
        ("https://x.org/a\u202fb", "https://x.org/a%E2%80%AFb"),
        ("https://x.org/a\\b\nc", "https://x.org/a%5Cb%0Ac"),
        ("https://x.org/100%", "https://x.org/100%25"),
        ("https://x.org/%zz%20", "https://x.org/%25zz%20"),
        ("https://x.org/a[1]?b[2]", "https://x.org/a%5B1%5D?b%5B2%5D"),
        ("https://x.org/#a#b", "https://x.org/#a%23b"),
        (" https://x.org/a ", "https://x.org/a"),
        ("https://x.org/é", "https://x.org/é"),
        ("https://[2001:db8::1]/a", "https://[2001:db8::1]/a"),
        ("doi:10.1/<x>", "doi:10.1/%3Cx%3E"),
        ("relative", None),
        ("http://[bad", None),
    ],
)
def test_illegal_characters_of_an_iri_are_percent_encoded(iri: str, encoded: str | None) -> None:
    assert legal_iri(iri) == encoded
    found = convert(with_vocabulary({"@id": iri, "name": "n"}))
    if encoded is None:
        assert (found.quads, found.left_out) == ([], 1)
    else:
        assert [str(quad.subject) for quad in found.quads] == [f"<{encoded}>"]
        assert found.iris == (encoded != iri)


def test_an_illegal_iri_is_counted_once_and_costs_nothing_else() -> None:
    document = {"@id": "http://x/a b", "@type": ["Dataset", "my type"], "name": "n", "a b": {"@id": "http://x/a b"}}
    found = convert(with_vocabulary(document))
    assert (len(found.quads), found.iris, found.left_out) == (4, 3, 0)
    assert f"<http://x/a%20b> <{SCHEMA}a%20b> <http://x/a%20b> ." in nquads(document)


@pytest.mark.parametrize(
    ("language", "written"),
    [("en_US", "@en-us"), ("en-GB", "@en-gb"), ("", ""), ("English (US)", ""), ("eng lish", ""), ("de", "@de")],
)
def test_a_bad_language_tag_is_corrected_or_dropped_and_the_text_stays(language: str, written: str) -> None:
    expected = f'_:c14n0 <{SCHEMA}name> "n"{written} .'
    assert nquads({"name": {"@value": "n", "@language": language}}) == [expected]
    assert nquads(json.dumps({"@context": {"@vocab": SCHEMA, "@language": language}, "name": "n"})) == [expected]
    wrong = language not in ("de", "en-GB")
    assert convert(with_vocabulary({"name": {"@value": "n", "@language": language}})).languages == wrong


@pytest.mark.parametrize(
    ("number", "written"),
    [
        ("0.1", '"1.0E-1"^^<http://www.w3.org/2001/XMLSchema#double>'),
        ("1.5", '"1.5E0"^^<http://www.w3.org/2001/XMLSchema#double>'),
        ("5.0", '"5"^^<http://www.w3.org/2001/XMLSchema#integer>'),
        ("1e21", '"1.0E21"^^<http://www.w3.org/2001/XMLSchema#double>'),
        ("1e400", '"1.0E400"^^<http://www.w3.org/2001/XMLSchema#double>'),
        ("9007199254740993", '"9007199254740993"^^<http://www.w3.org/2001/XMLSchema#integer>'),
        ("-0.0", '"0"^^<http://www.w3.org/2001/XMLSchema#integer>'),
        ("true", '"true"^^<http://www.w3.org/2001/XMLSchema#boolean>'),
    ],
)
def test_numbers_keep_their_value(number: str, written: str) -> None:
    text = f'{{"@context":{{"@vocab":"{SCHEMA}"}},"size":{number}}}'
    assert nquads(text) == [f"_:c14n0 <{SCHEMA}size> {written} ."]


def test_a_document_without_a_context_says_its_types_alone() -> None:
    text = '{"@type":"Dataset","name":"n","http://x/p":"v"}'
    assert nquads(text) == [
        "_:c14n0 <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <Dataset> .",
        '_:c14n0 <http://x/p> "v" .',
    ]
    # A release holds no relative IRI at all.
    assert [str(quad.predicate) for quad in document_quads(text)] == ["<http://x/p>"]


def test_relative_iris_are_resolved_against_a_base_or_left_out_and_counted() -> None:
    document = {"@id": "#d", "name": "n", "distribution": {"@id": "file.csv", "name": "f"}}
    assert nquads(document, "https://x.org/page/") == [
        f"<https://x.org/page/#d> <{SCHEMA}distribution> <https://x.org/page/file.csv> .",
        f'<https://x.org/page/#d> <{SCHEMA}name> "n" .',
        f'<https://x.org/page/file.csv> <{SCHEMA}name> "f" .',
    ]
    assert convert(with_vocabulary(document)).left_out == 3


def test_a_named_graph_at_the_root_is_folded_into_the_documents_own() -> None:
    document = {"@id": "http://g/1", "name": "outer", "@graph": [{"@id": "http://x/1", "name": "inner"}]}
    assert nquads(document) == [f'<http://g/1> <{SCHEMA}name> "outer" .', f'<http://x/1> <{SCHEMA}name> "inner" .']
    assert {str(quad.graph_name) for quad in document_quads(with_vocabulary(document))} == {"DEFAULT"}
    bad = {**document, "@graph": [{"@id": "http://x/a b", "name": "inner"}]}
    assert {str(quad.graph_name) for quad in document_quads(with_vocabulary(bad))} == {"DEFAULT"}


@pytest.mark.parametrize(
    "bad",
    [
        {"@type": None},
        {"@type": 5},
        {"@type": ["Dataset", None, {"a": 1}]},
        {"@id": None},
        {"@id": 7},
        {"@index": 5},
        {"@reverse": "x"},
        {"x": {"@value": {"a": 1}}},
        {"x": {"@value": "v", "extra": 1}},
        {"x": {"@value": 5, "@language": "en"}},
        {"x": {"@value": "v", "@language": None}},
    ],
)
def test_one_value_that_json_ld_does_not_allow_costs_itself_alone(bad: dict[str, Any]) -> None:
    found = convert(with_vocabulary({"name": "n", **bad}))
    assert f'<{SCHEMA}name> "n"' in " ".join(map(str, found.quads))
    assert found.values == 1


def test_a_term_definition_of_the_wrong_kind_costs_itself_alone() -> None:
    text = json.dumps({"@context": {"@vocab": SCHEMA, "x": 5}, "name": "n"})
    assert nquads(text) == [f'_:c14n0 <{SCHEMA}name> "n" .']


def test_a_text_stored_without_fix_ups_is_converted_with_them() -> None:
    text = '{"@context":"http://schema.org","@id":"http://x/1","name":"n"}'
    assert nquads(text) == [f'<http://x/1> <{SCHEMA}name> "n" .']
    with pytest.raises(ConversionError) as caught:
        canonical_nquads(text, fixups=False)
    assert caught.value.reason == "unreachable_context"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not_json"),
        ("", "not_json"),
        ('{"@context":["https://remote.example.org/x"],"a":"b"}', "unreachable_context"),
        ('{"a":' * 10_000 + "1" + "}" * 10_000, "nested_too_deep"),
        ('{"@context":{"@vocab":"https://schema.org/"},"@included":[5]}', "conversion_failed"),
    ],
)
def test_what_cannot_be_converted_says_why(text: str, reason: str) -> None:
    with pytest.raises(ConversionError) as caught:
        convert(text)
    assert caught.value.reason == reason


def test_a_duplicate_context_is_no_reason_to_lose_the_document() -> None:
    text = '{"@context":{"@vocab":"http://a/"},"@context":{"@vocab":"http://b/"},"name":"n"}'
    assert nquads(text) == ['_:c14n0 <http://b/name> "n" .']


def test_canonical_labels_do_not_depend_on_the_publishers() -> None:
    one = nquads({"@id": "_:x", "name": "n", "author": {"@id": "_:y", "name": "m"}})
    two = nquads({"@id": "_:y", "name": "n", "author": {"@id": "_:b1", "name": "m"}})
    assert one == two
    assert len(one) == 3


def test_a_document_built_to_make_the_labelling_explode_is_refused_in_time() -> None:
    nodes = [{"@id": f"_:b{i}", "http://x/k": [{"@id": f"_:b{j}"} for j in range(12) if j != i]} for i in range(12)]
    began = time.process_time()
    with pytest.raises(ConversionError) as caught:
        to_quads(json.dumps({"@graph": nodes}))
    assert caught.value.reason == "too_complex"
    assert time.process_time() - began < 20


def test_lists_of_equal_items_are_cheap() -> None:
    people = [{"@type": "Person", "affiliation": [{"@type": "Organization"}] * 8}] * 3
    assert len(nquads({"creator": people})) == 3 + 3 + 24 + 24


def test_equal_blank_nodes_stay_two_nodes() -> None:
    assert len(nquads({"@id": "http://x/1", "part": [{"name": "a"}, {"name": "a"}]})) == 4


def test_duplicate_triples_are_one() -> None:
    assert len(document_quads(with_vocabulary({"@id": "http://x/1", "name": ["a", "a", "b"]}))) == 2


def test_line_breaks_and_odd_characters_stay_inside_their_literal() -> None:
    text = with_vocabulary({"name": 'a\nb\r"c\\ \u2028 \u0001 \U0001f600'})
    written = canonical_nquads(text)
    assert written.count(b"\n") == 1
    (quad,) = to_quads(text)
    assert quad.object.value == 'a\nb\r"c\\ \u2028 \u0001 \U0001f600'


def test_golden_canonical_forms_survive_a_second_pass() -> None:
    golden = Path(__file__).parent.parent / "golden" / "identifiers.jsonl"
    for line in golden.read_text("utf-8").splitlines():
        row = json.loads(line)
        if "relative" in row["name"] or row["name"] == "ctx-none":
            continue
        assert len(to_quads(row["fixed"])) == row.get("urdna2015", "").count("\n")
