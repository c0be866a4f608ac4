"""The golden rows: what the original programs printed, to the byte (contracts.md, sections 4 and 5)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from sheaf.cli.tools import tools
from sheaf.harvest.documents import Document, DocumentRules, read_page
from sheaf.harvest.fixups import fix
from sheaf.harvest.identifiers import identify, sha1
from sheaf.release.rdf import canonical_nquads

GOLDEN = Path(__file__).parent.parent / "golden" / "identifiers.jsonl"
ROWS: list[dict[str, Any]] = [json.loads(line) for line in GOLDEN.read_text("utf-8").splitlines()]
IDS = [row["name"] for row in ROWS]
TYPES = ("filesha", "identifiersha", "normalizedjsonsha")


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_the_fixed_up_text_is_the_golden_one(row: dict[str, Any]) -> None:
    text, value = fix(row["input"], orjson.loads(row["input"]))
    assert text == row["fixed"]
    assert value == orjson.loads(row["fixed"])
    assert sha1(text) == row["fixed_sha1"]


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_the_identifier_is_the_golden_one(row: dict[str, Any], kind: str) -> None:
    found = identify(row["fixed"], orjson.loads(row["fixed"]), kind)
    assert {
        "identifiertype": found.type,
        "jsonsha": found.json_sha,
        "matchedpath": found.matched_path,
        "matchedstring": found.matched_string,
        "uniqueid": found.id,
    } == row["ids"][kind]


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_the_canonical_nquads_are_the_golden_ones(row: dict[str, Any]) -> None:
    assert canonical_nquads(row["fixed"]).decode() == row.get("urdna2015", "")


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("row", [row for row in ROWS if row["input"] != "{}"], ids=lambda row: row["name"])
def test_a_page_gives_the_golden_document(row: dict[str, Any], kind: str) -> None:
    rules = DocumentRules(identifier_type=kind, json_sha=True)
    page = f'<html><script type="application/ld+json">{row["input"]}</script></html>'.encode()
    for body, content_type in ((page, "text/html"), (row["input"].encode(), "application/ld+json")):
        (found,) = read_page(body, content_type, "https://example.org/1", rules)
        assert isinstance(found, Document)
        golden = row["ids"][kind]
        assert (found.text, found.id, found.identifier_type) == (
            row["fixed"],
            golden["uniqueid"],
            golden["identifiertype"],
        )
        assert (found.matched_path, found.matched_string, found.json_sha) == (
            golden["matchedpath"],
            golden["matchedstring"],
            golden["jsonsha"],
        )


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_the_command_line_prints_the_golden_values(row: dict[str, Any]) -> None:
    run = CliRunner()
    for kind in TYPES:
        printed = run.invoke(tools, ["id", "--type", kind, "--json", "-"], input=row["input"])
        assert json.loads(printed.output) == row["ids"][kind]
    assert run.invoke(tools, ["jsonld", "-"], input=row["input"]).output == row["fixed"]
    assert run.invoke(tools, ["rdf", "-"], input=row["input"]).output == row.get("urdna2015", "")


def test_the_contracts_own_example_has_its_digest() -> None:
    document = {"@id": "https://ds.iris.edu/ds/products/syngine/"}
    assert identify("", document, "identifiersha", with_json_sha=False).id == "61af1c32ec3cef177fe6169132c3c9c4de62f284"
