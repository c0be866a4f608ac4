"""The flat view: the right title, place, date and publisher, from the document's own triples."""

from __future__ import annotations

import json
from typing import Any

import pyoxigraph as ox
import pytest

from sheaf.release.conversion import convert_document
from sheaf.release.places import Box, around, box_of, outline_of, point
from sheaf.release.turtle import summary_turtle

GRAPH = "urn:gleaner.io:sheaf:demo:data:0001"
SCHEMA = "https://schema.org/"


def row(value: Any, vocab: str = SCHEMA) -> dict[str, list[str]] | None:
    """The row of a document as short predicate -> texts, read again by a parser."""
    text = json.dumps({"@context": {"@vocab": vocab}, **value})
    found = convert_document(text, GRAPH).row
    if found is None:
        return None
    lines = "".join(f"<{GRAPH}> {predicate} {term} .\n" for predicate, term in found.pairs)
    read: dict[str, list[str]] = {}
    for quad in ox.parse(lines, format=ox.RdfFormat.N_TRIPLES):
        name = quad.predicate.value.removeprefix(SCHEMA).rpartition("#")[2]
        read.setdefault(name, []).append(quad.object.value)
    return read


def dataset(**values: Any) -> dict[str, list[str]]:
    found = row({"@type": "Dataset", "@id": "https://e.org/d", "name": "Title", **values})
    assert found is not None
    return found


def test_a_full_dataset_has_every_predicate() -> None:
    found = dataset(
        description="About",
        keywords=["b", "a"],
        publisher={"@type": "Organization", "name": "Pub"},
        datePublished="2020-01-02",
        spatialCoverage={
            "@type": "Place", "name": "Bay", "geo": {"@type": "GeoShape", "box": "10 20 30 40"},
        },
        distribution={"@type": "DataDownload", "contentUrl": "https://e.org/f.csv", "encodingFormat": "text/csv"},
        variableMeasured=[{"@type": "PropertyValue", "name": "depth", "minValue": 0, "maxValue": 5500.5}],
    )  # fmt: skip
    assert found == {
        "type": [SCHEMA + "Dataset"],
        "name": ["Title"],
        "description": ["About"],
        "keywords": ["a, b"],
        "publisher": ["Pub"],
        "place": ["Bay"],
        "date": ["2020-01-02"],
        "subjectOf": ["https://e.org/d"],
        "distribution": ["https://e.org/f.csv"],
        "encodingFormat": ["text/csv"],
        "latitude": ["20"],
        "longitude": ["30"],
        "minLatitude": ["10"],
        "minLongitude": ["20"],
        "maxLatitude": ["30"],
        "maxLongitude": ["40"],
        "minDepth": ["0"],
        "maxDepth": ["5500.5"],
    }


def test_the_title_is_never_a_variables_name_or_a_publishers() -> None:
    found = dataset(
        name="Zebra mussels",
        variableMeasured=[{"@type": "PropertyValue", "name": "Abundance", "description": "count"}],
        publisher={"@type": "Organization", "name": "Aardvark Institute", "description": "publishes"},
        isPartOf={"@type": "Dataset", "@id": "https://e.org/0", "name": "A larger one", "description": "x"},
    )
    assert found["name"] == ["Zebra mussels"]


def test_a_document_about_an_organization_alone_has_no_row() -> None:
    assert row({"@type": "Organization", "name": "Aardvark", "description": "publishes"}) is None


def test_a_dataset_that_an_article_cites_gives_the_article_no_row() -> None:
    article = {"@type": "ScholarlyArticle", "@id": "https://e.org/a", "name": "Article"}
    assert row({**article, "isBasedOn": {"@type": "Dataset", "@id": "https://e.org/d", "name": "Cited"}}) is None


@pytest.mark.parametrize("carrier", ["mainEntity", "about", "dataset"])
def test_a_page_or_catalogue_may_hold_the_dataset_that_the_document_is_about(carrier: str) -> None:
    found = row({"@type": "WebPage", "name": "Page", carrier: {"@type": "Dataset", "name": "Inside"}})
    assert found is not None
    assert found["name"] == ["Inside"]


def test_the_whole_wins_over_its_part_when_each_names_the_other() -> None:
    found = row(
        {
            "@graph": [
                {"@type": "Dataset", "@id": "https://e.org/a", "name": "Part", "isPartOf": {"@id": "https://e.org/b"}},
                {"@type": "Dataset", "@id": "https://e.org/b", "name": "Whole", "hasPart": {"@id": "https://e.org/a"}},
            ]
        }
    )
    assert found is not None
    assert found["name"] == ["Whole"]


def test_a_dataset_in_a_catalogue_that_lists_it_and_others_stays_itself() -> None:
    found = row(
        {
            "@type": "Dataset",
            "@id": "https://e.org/me",
            "name": "Me",
            "includedInDataCatalog": {
                "@type": "DataCatalog",
                "@id": "https://e.org/catalogue",
                "dataset": [
                    {"@id": "https://e.org/me"},
                    {"@type": "Dataset", "@id": "https://e.org/another", "name": "Another"},
                ],
            },
        }
    )
    assert found is not None
    assert found["name"] == ["Me"]


def test_http_and_https_schema_org_give_the_same_row() -> None:
    value = {"@type": "Dataset", "@id": "https://e.org/d", "name": "T", "publisher": {"name": "P"}}
    assert row(value, "http://schema.org/") == row(value, "https://schema.org/")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (["Dataset", "Thing"], "Dataset"),
        ("DataFeed", "DataFeed"),
        ("SoftwareApplication", "SoftwareApplication"),
        ("SoftwareSourceCode", "SoftwareSourceCode"),
    ],
)
def test_subtypes_and_tools_have_a_row_of_their_type(kind: Any, expected: str) -> None:
    found = row({"@type": kind, "name": "T"})
    assert found is not None
    assert found["type"] == [SCHEMA + expected]


def test_a_creative_work_counts_when_it_says_that_it_is_a_tool() -> None:
    assert row({"@type": "CreativeWork", "name": "T"}) is None
    assert row({"@type": "CreativeWork", "name": "T", "additionalType": "Tool"}) is not None


def test_no_publisher_is_said_only_of_a_document_that_has_none() -> None:
    assert dataset()["publisher"] == ["No Publisher"]
    assert dataset(publisher="Plain text")["publisher"] == ["Plain text"]
    assert dataset(provider=[{"legalName": "B"}, {"name": "A"}])["publisher"] == ["A, B"]
    assert dataset(publisher={"@id": "https://e.org/p"}, provider={"name": "P"})["publisher"] == ["P"]


def test_places_are_not_lost() -> None:
    assert dataset()["place"] == ["No spatialCoverage"]
    assert dataset(spatialCoverage="Baltic Sea")["place"] == ["Baltic Sea"]
    assert dataset(spatialCoverage=[{"@type": "Place", "name": "B"}, "A"])["place"] == ["A, B"]
    address = {"@type": "PostalAddress", "addressLocality": "Kiel", "addressCountry": "DE"}
    assert dataset(spatialCoverage={"@type": "Place", "address": address})["place"] == ["Kiel, DE"]


def test_dates_are_not_lost_and_not_invented() -> None:
    assert "date" not in dataset()
    assert dataset(dateModified="2021-05-05")["date"] == ["2021-05-05"]
    assert dataset(dateModified="2021-05-05", datePublished="2020-01-01")["date"] == ["2020-01-01"]
    typed = {"@value": "2019-01-01", "@type": "http://www.w3.org/2001/XMLSchema#date"}
    assert dataset(datePublished=typed)["date"] == ["2019-01-01"]


def test_texts_with_quotes_line_breaks_and_backslashes_survive() -> None:
    text = 'a "quoted" \\ text\nwith\ttabs C:\\new\\'
    assert dataset(description=f"  {text}\n")["description"] == [text]


def test_a_title_in_several_languages_is_one_title() -> None:
    names = [{"@value": "Meer", "@language": "de"}, {"@value": "Sea", "@language": "en"}]
    assert dataset(name=names)["name"] == ["Sea"]


def test_keywords_may_be_defined_terms() -> None:
    assert dataset(keywords=["z", {"@type": "DefinedTerm", "name": "a"}])["keywords"] == ["a, z"]


def test_a_dataset_without_an_iri_is_named_by_its_skolem_iri() -> None:
    found = row({"@type": "Dataset", "name": "T"})
    assert found is not None
    assert found["subjectOf"][0].startswith("https://gleaner.io/xid/genid/")


def test_a_point_has_no_corners() -> None:
    found = dataset(spatialCoverage={"geo": {"@type": "GeoCoordinates", "latitude": "-54.5", "longitude": 7}})
    assert (found["latitude"], found["longitude"]) == (["-54.5"], ["7"])
    assert "minLatitude" not in found


def test_depths_that_are_no_numbers_are_left_out() -> None:
    found = dataset(variableMeasured={"name": "Depth", "minValue": "shallow", "maxValue": "10"})
    assert "minDepth" not in found
    assert found["maxDepth"] == ["10"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10 20 30 40", Box(10, 20, 30, 40)),
        ("10,20 30,40", Box(10, 20, 30, 40)),
        ("-170 -10 170 20", Box(-10, -170, 20, 170)),
        ("10 20 30", None),
        ("none", None),
        ("0 0 0 1e999", None),
    ],
)
def test_a_box_is_south_west_north_east_unless_that_cannot_be(text: str, expected: Box | None) -> None:
    assert box_of(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("32 -80 36 -80 36 -74 32 -80", Box(32, -80, 36, -74)),
        ("-80.8 32.0,-80.8 36.3,-74.8 36.3,-80.8 32.0", Box(32.0, -80.8, 36.3, -74.8)),
        ("POLYGON ((-170 10, 170 10, 170 20, -170 10))", Box(10, -170, 20, 170)),
        ("12.5 13.5 100", Box(12.5, 13.5, 12.5, 13.5)),
        ("", None),
    ],
)
def test_polygons_are_latitude_first_and_wkt_longitude_first(text: str, expected: Box | None) -> None:
    assert outline_of(text) == expected


def test_the_middle_of_a_box_over_the_antimeridian_lies_on_it() -> None:
    assert Box(-10, 170, 10, -170).centre == (0, 180)
    assert around([]) is None
    assert point("north", "1") is None


def test_the_turtle_says_what_the_n_quads_say() -> None:
    lines = []
    for number in range(3):
        graph = f"urn:g:{number}"
        value = {"@context": {"@vocab": SCHEMA}, "@type": "Dataset", "@id": f"https://schema.org/{number}",
                 "name": f'T "{number}" <{number}> .', "description": "a <b> ; c"}  # fmt: skip
        found = convert_document(json.dumps(value), graph).row
        assert found is not None
        lines += [f"<{graph}> {predicate} {term} <{graph}> .\n" for predicate, term in found.pairs]
    turtle = "".join(summary_turtle(lines))
    from_turtle = {(q.subject, q.predicate, q.object) for q in ox.parse(turtle, format=ox.RdfFormat.TURTLE)}
    from_nquads = {(q.subject, q.predicate, q.object) for q in ox.parse("".join(lines), format=ox.RdfFormat.N_QUADS)}
    assert from_turtle == from_nquads
    assert len(from_turtle) == 3 * 6
