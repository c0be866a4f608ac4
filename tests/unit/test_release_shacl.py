"""Shapes: SHACL Core as far as it is understood, and a report that blocks nothing unless the source says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import sheaf.cli.release as cli
from sheaf.config import accept_sources
from sheaf.errors import BadInput, CheckFailed
from sheaf.release import publish_release
from sheaf.release.conversion import convert_document
from sheaf.release.datasets import graphs_of
from sheaf.release.shacl import OWN_SHAPES, read_shapes, validate
from sheaf.release.validation import shape_texts, validate_release, write_report
from sheaf.settings import Settings
from sheaf.store import MemoryStore, layout
from tests.unit.release_harvests import FIRST, release, source, text

HEAD = """
@prefix sh: <http://www.w3.org/ns/shacl#> . @prefix schema: <https://schema.org/> . @prefix x: <urn:x:> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
x:S a sh:NodeShape ; sh:targetClass schema:Dataset ; sh:property """
LONG = "A description that is long enough to say what the dataset is about."


def found(constraints: str, vocab: str = "https://schema.org/", **values: Any) -> list[tuple[str, str]]:
    """Constraint and value of each finding, of a property shape at a dataset."""
    document = {"@context": {"@vocab": vocab}, "@type": "Dataset", "@id": "https://e.org/d", **values}
    lines = convert_document(json.dumps(document), "urn:g").nquads.decode().splitlines()
    (_, triples), = graphs_of(lines)  # fmt: skip
    return [(f.constraint, f.value) for f in validate(triples, read_shapes(f"{HEAD} {constraints} .", "s.ttl"))]


@pytest.mark.parametrize(
    ("constraints", "good", "bad", "constraint"),
    [
        ("[ sh:path schema:name ; sh:minCount 1 ]", {"name": "x"}, {}, "minCount"),
        ("[ sh:path schema:name ; sh:maxCount 1 ]", {"name": "x"}, {"name": ["x", "y"]}, "maxCount"),
        ("[ sh:path schema:name ; sh:minLength 2 ]", {"name": "éé"}, {"name": "é"}, "minLength"),
        ("[ sh:path schema:name ; sh:maxLength 3 ]", {"name": 'a"\n'}, {"name": "abcd"}, "maxLength"),
        ('[ sh:path schema:url ; sh:pattern "^https" ]', {"url": "https://e"}, {"url": "ftp://e"}, "pattern"),
        ('[ sh:path schema:url ; sh:pattern "^H" ; sh:flags "i" ]', {"url": "h"}, {"url": "g"}, "pattern"),
        ("[ sh:path schema:name ; sh:nodeKind sh:Literal ]", {"name": "x"}, {"name": {"@id": "urn:x"}}, "nodeKind"),
        ("[ sh:path schema:size ; sh:datatype xsd:integer ]", {"size": 1}, {"size": "1"}, "datatype"),
        ("[ sh:path schema:size ; sh:datatype xsd:string ]", {"size": "1"}, {"size": 1}, "datatype"),
        (
            "[ sh:path schema:creator ; sh:class schema:Person ]",
            {"creator": {"@type": "Person", "name": "P"}}, {"creator": {"name": "P"}}, "class",
        ),
        ('[ sh:path schema:name ; sh:in ( "a" "b" ) ]', {"name": "b"}, {"name": "c"}, "in"),
        ('[ sh:path schema:name ; sh:hasValue "a" ]', {"name": ["a", "b"]}, {"name": "b"}, "hasValue"),
        (
            "[ sh:path schema:distribution ; sh:node [ sh:property [ sh:path schema:contentUrl ; sh:minCount 1 ] ] ]",
            {"distribution": {"contentUrl": "u"}}, {"distribution": {"name": "n"}}, "node",
        ),
        (
            "[ sh:path schema:license ; sh:or ( [ sh:nodeKind sh:IRI ] [ sh:minLength 5 ] ) ]",
            {"license": ["longer", {"@id": "urn:l"}]}, {"license": "CC"}, "or",
        ),
        (
            "[ sh:path [ sh:alternativePath ( schema:creator schema:author ) ] ; sh:minCount 1 ]",
            {"author": "A"}, {"editor": "E"}, "minCount",
        ),
    ],
)  # fmt: skip
def test_each_constraint_passes_what_it_should_and_finds_the_rest(
    constraints: str, good: dict[str, Any], bad: dict[str, Any], constraint: str
) -> None:
    assert found(constraints, **good) == []
    assert [name for name, _ in found(constraints, **{"version": 1, **bad})] == [constraint]


def test_properties_of_properties_are_looked_at() -> None:
    nested = "[ sh:path schema:publisher ; sh:property [ sh:path schema:name ; sh:minCount 1 ] ]"
    assert found(nested, publisher={"url": "https://e.org"}) == [("minCount", "")]
    assert found(nested, publisher={"name": "P"}) == []


def test_http_schema_org_is_meant_too() -> None:
    assert found("[ sh:path schema:name ; sh:minCount 1 ]", vocab="http://schema.org/", name="x") == []
    assert found("[ sh:path schema:name ; sh:minCount 1 ]", vocab="http://schema.org/", url="x") == [("minCount", "")]


def test_a_shape_that_is_switched_off_finds_nothing() -> None:
    assert found("[ sh:path schema:name ; sh:minCount 1 ; sh:deactivated true ]", url="x") == []


@pytest.mark.parametrize(
    ("turtle", "told"),
    [
        ("x:S a", "is no Turtle"),
        ("@prefix x: <urn:x:> . x:S a x:T .", "no shape with a sh:targetClass"),
        (f"{HEAD} [ sh:path schema:name ; sh:lessThan schema:url ] .", "sh:lessThan, which is not understood"),
        (f"{HEAD} [ sh:path [ sh:inversePath schema:name ] ] .", "neither a property nor sh:alternativePath"),
        (f'{HEAD} [ sh:path schema:name ; sh:pattern "(" ] .', "no regular expression"),
        (f'{HEAD} [ sh:path schema:name ; sh:minCount "many" ] .', "has to be a number"),
        (f"{HEAD} x:P . x:P sh:path schema:hasPart ; sh:node x:S .", "leads back to itself"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(turtle: str, told: str) -> None:
    with pytest.raises(BadInput, match=r"my\.ttl") as raised:
        read_shapes(turtle, "my.ttl")
    assert told in str(raised.value)


def test_our_own_shapes_are_understood() -> None:
    for path in sorted(OWN_SHAPES.glob("*.ttl")):
        assert read_shapes(path.read_text(), path.name)


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    release(store, FIRST, [text(1, description=LONG), text(2, description=LONG), text(3)])
    return store


def test_the_report_counts_documents_and_gives_examples(store: MemoryStore) -> None:
    record = cli.find_release(store, "demo", "latest")
    report = validate_release(store, record, shape_texts(store), workers=1)
    assert (report.documents, report.conforming, report.violations) == (3, 2, 1)
    first = report.broken[0]
    assert (first.shape, first.constraint, first.documents) == ("urn:sheaf:shapes:description", "minCount", 1)
    assert first.examples[0].url == "https://e.org/p/2"
    assert [one.severity for one in report.broken] == sorted(
        (one.severity for one in report.broken), key=["Violation", "Warning", "Info"].index
    )
    keys = write_report(store, report, "20260101")
    assert keys == (layout.report("demo", "shacl.json", "20260101"), layout.report("demo", "shacl.json"))


def test_several_processes_and_chunks_give_the_same_report(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    record = release(store, FIRST, [text(n) for n in range(30)])
    one = validate_release(store, record, shape_texts(store), workers=1)
    monkeypatch.setattr("sheaf.release.validation._DOCUMENTS_AT_ONCE", 7)
    assert validate_release(store, record, shape_texts(store), workers=2) == one


def test_an_operators_shapes_are_checked_beside_ours(store: MemoryStore) -> None:
    key = f"{layout.shapes_prefix()}mine.ttl"
    store.put(key, f'{HEAD} [ sh:path schema:funder ; sh:minCount 1 ; sh:message "Say who paid" ] .'.encode())
    record = cli.find_release(store, "demo", "latest")
    report = validate_release(store, record, shape_texts(store), workers=1)
    assert next(one for one in report.broken if one.message == "Say who paid").documents == 3


def test_violations_block_only_where_the_source_says_so() -> None:
    store = MemoryStore()
    lenient = release(store, FIRST, [text(1)])
    assert "shacl" not in {check.name for check in lenient.checks}
    strict = source(thresholds={"shacl_blocks": True})
    blocked = release(MemoryStore(), FIRST, [text(1)], config=strict)
    assert [check.name for check in blocked.blocked_by] == ["shacl"]
    store = MemoryStore()
    blocked = release(store, FIRST, [text(1)], config=strict)
    with pytest.raises(CheckFailed, match="shacl: 0 of 1 documents"):
        publish_release(store, strict, blocked.release_id)
    assert publish_release(store, source(), blocked.release_id).moved


def test_a_person_sees_what_to_mend(store: MemoryStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    accept_sources(store, b"sources:\n- {name: demo, url: 'https://e.org/sitemap.xml'}\n", Settings())
    monkeypatch.setattr(cli, "open_store", lambda _: store)

    def told(*args: str) -> str:
        return CliRunner().invoke(cli.release, ["validate", "demo", "latest", *args], catch_exceptions=False).output

    assert "1 documents  A dataset has a description" in told("--write")
    assert store.stat(layout.report("demo", "shacl.json")) is not None
    mine = tmp_path / "mine.ttl"
    mine.write_text(f"{HEAD} [ sh:path schema:name ; sh:minCount 1 ] .")
    assert json.loads(told("--shapes", str(mine), "--json"))["conforming"] == 3
