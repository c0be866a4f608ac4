"""One document to N-Quads: nothing merged, nothing lost without a count, the same bytes each time."""

from __future__ import annotations

import json
from typing import Any

import pyoxigraph as ox
import pytest

from sheaf.release.conversion import NotConverted, convert_document
from sheaf.release.rdf import convert
from sheaf.release.triples import document_triples, ntriples

GRAPH = "urn:gleaner.io:sheaf:demo:data:0001"
VOCAB = {"@vocab": "https://schema.org/"}


def document(**values: Any) -> str:
    return json.dumps({"@context": VOCAB, "@type": "Dataset", "@id": "https://e.org/d", "name": "D", **values})


def lines(text: str) -> list[str]:
    return convert_document(text, GRAPH).nquads.decode().splitlines()


def test_lines_are_sorted_distinct_and_in_the_document_graph() -> None:
    found = lines(document(keywords=["b", "a", "b"]))
    assert found == sorted(set(found))
    assert all(line.endswith(f" <{GRAPH}> .") for line in found)
    assert sum("keywords" in line for line in found) == 2


def test_the_order_of_keys_changes_no_byte() -> None:
    place = {"@type": "Place", "name": "Here", "geo": {"@type": "GeoCoordinates", "latitude": 1, "longitude": 2}}
    one = document(spatialCoverage=place, creator={"name": "A"})
    two = document(creator={"name": "A"}, spatialCoverage=dict(reversed(place.items())))
    assert convert_document(one, GRAPH).nquads == convert_document(two, GRAPH).nquads


def test_what_is_written_parses_and_holds_no_blank_node() -> None:
    data = convert_document(document(creator=[{"name": "A\nB"}, {"name": 'C "D" \\ \t'}]), GRAPH).nquads
    quads = list(ox.parse(data, format=ox.RdfFormat.N_QUADS))
    assert len(quads) == data.count(b"\n")
    assert not [q for q in quads if isinstance(q.subject, ox.BlankNode) or isinstance(q.object, ox.BlankNode)]


def test_text_that_looks_like_a_blank_node_stays_text() -> None:
    found = lines(document(description="see _:b0 and _:c14n0 .", creator={"name": "_:x"}))
    assert any('"see _:b0 and _:c14n0 ."' in line for line in found)
    assert any('"_:x"' in line for line in found)


def test_an_illegal_character_inside_an_iri_is_encoded_and_counted() -> None:
    converted = convert_document(document(sameAs={"@id": "https://e.org/a b{c}"}), GRAPH)
    assert b"<https://e.org/a%20b%7Bc%7D>" in converted.nquads
    assert converted.repaired == 1


def test_a_no_break_space_inside_an_iri_is_encoded() -> None:
    converted = convert_document(document(sameAs={"@id": "https://e.org/a\u00a0b\u202fc"}), GRAPH)
    assert b"<https://e.org/a%C2%A0b%E2%80%AFc>" in converted.nquads


def test_an_iri_with_white_space_around_it_is_no_iri_and_its_triples_are_counted() -> None:
    converted = convert_document(document(citation={"@id": " https://e.org/c", "name": "C"}), GRAPH)
    assert b"e.org/c" not in converted.nquads
    assert converted.dropped == 2
    assert converted.quads == 2


def test_relative_iris_are_left_out_as_json_ld_says() -> None:
    converted = convert_document(document(isPartOf={"@id": "other", "name": "O"}), GRAPH)
    assert converted.dropped == 2


def test_a_graph_inside_the_document_becomes_part_of_its_own() -> None:
    text = json.dumps(
        {"@context": VOCAB, "@id": "https://e.org/g", "@graph": [{"@id": "https://e.org/d", "name": "D"}]}
    )
    assert lines(text) == [f'<https://e.org/d> <https://schema.org/name> "D" <{GRAPH}> .']


def test_numbers_and_typed_values_keep_their_datatypes() -> None:
    found = "\n".join(
        lines(document(version=9007199254740993, size=0.1, when={"@value": "2020", "@type": "xsd:gYear"}))
    )
    assert '"9007199254740993"^^<http://www.w3.org/2001/XMLSchema#integer>' in found
    assert '"0.1"^^<http://www.w3.org/2001/XMLSchema#double>' in found or '"1.0E-1"^^' in found
    assert '"2020"^^<xsd:gYear>' in found


@pytest.mark.parametrize(
    "iri", ["https://e.org/a\n<b> <c> .", "https://e.org/>", "_:x y", "_:x\n", 'https://e.org/a" .', "_:", "a b"]
)
def test_whatever_stands_for_an_iri_what_is_written_parses(iri: str) -> None:
    text = document(sameAs=[{"@id": iri, "name": "x"}], **{iri: "value"}, author={"@type": iri, "name": "y"})
    data = convert_document(text, GRAPH).nquads
    quads = list(ox.parse(data, format=ox.RdfFormat.N_QUADS))
    assert len(quads) == data.count(b"\n")
    assert b'"y"' in data
    assert {quad.graph_name.value for quad in quads} == {GRAPH}


@pytest.mark.parametrize("language", ["en_US", "en", "de-DE"])
def test_a_language_tag_is_kept_or_mended(language: str) -> None:
    found = "\n".join(lines(document(alternateName={"@value": "x", "@language": language})))
    assert f'"x"@{language.replace("_", "-")}'.lower() in found.lower()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not_json"),
        ('{"name": "no context"}', "no_triples"),
        ("{}", "no_triples"),
        ('{"@context": {"@vocab": "https://schema.org/"}, "name": ' + "[" * 300 + "]" * 300 + "}", "nested_too_deep"),
    ],
)
def test_what_cannot_be_converted_says_why(text: str, reason: str) -> None:
    with pytest.raises(NotConverted) as raised:
        convert_document(text, GRAPH)
    assert raised.value.reason == reason


def test_a_document_that_would_explode_is_left_out_as_too_complex() -> None:
    ids = [f"_:n{number}" for number in range(12)]
    graph = [{"@id": a, "relatedTo": [{"@id": b} for b in ids if b != a]} for a in ids]
    with pytest.raises(NotConverted) as raised:
        convert_document(json.dumps({"@context": VOCAB, "@graph": graph}), GRAPH)
    assert raised.value.reason == "too_complex"


@pytest.mark.parametrize(
    "values",
    [
        {"creator": {"@list": [{"name": "A"}, {"name": "B"}]}},
        {"description": 'quote " backslash \\ newline \n tab \t'},
        {"@reverse": {"hasPart": {"@id": "https://e.org/whole"}}},
        {"sameAs": {"@id": "https://e.org/ünïcode/路"}},
        {"description": "ends with a backslash \\", "url": "https://e.org/x y"},
        {"@type": ["Dataset", "https://e.org/T"], "identifier": [1, 1.5, True, None]},
    ],
)
def test_the_fast_way_says_the_same_as_the_thorough_one(values: dict[str, Any]) -> None:
    text = document(**values)
    fast = document_triples(text).triples
    thorough = convert(text).quads
    assert len(fast) == len(thorough)
    plain = sorted(" ".join(triple) for triple in fast if "_:" not in "".join(triple))
    expected = [line[:-2] for line in ntriples(thorough).split("\n") if line and "_:" not in line]
    assert plain == sorted(expected)
