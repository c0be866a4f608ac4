"""``sheaf tools``: one document on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sheaf.cli import cli
from sheaf.errors import BadInput, SheafError
from sheaf.harvest.identifiers import sha1

DOCUMENT = '{"@context":"http://schema.org","@type":"Dataset","@id":"http://x/1","name":"n"}\n'
FIXED = DOCUMENT.replace('"http://schema.org"', '{"@vocab":"https://schema.org/"}')


def run(*words: str, text: str | bytes = DOCUMENT) -> Result:
    return CliRunner().invoke(cli, ["tools", *words], input=text)


def test_the_id_is_printed_alone() -> None:
    assert run("id", "-").output == sha1("[http://x/1]") + "\n"
    assert run("id", "--type", "filesha", "-").output == sha1(FIXED) + "\n"
    assert run("id", "--path", "$.url, $.name", "-").output == sha1("[n]") + "\n"


def test_a_file_is_read_as_standard_input_is(tmp_path: Path) -> None:
    file = tmp_path / "document.jsonld"
    file.write_text(DOCUMENT)
    for command in (["id", "--json"], ["jsonld", "--json"], ["jsonld"], ["rdf"], ["rdf", "--json"]):
        assert run(*command, str(file)).output == run(*command, "-").output


def test_the_fixed_up_text_is_printed_to_the_byte() -> None:
    assert run("jsonld", "-").output == FIXED
    mended = json.loads(run("jsonld", "--json", "-", text='{"name": ,}').output)
    assert mended == {"text": '{"name": null}', "repaired": ["missing_value", "trailing_comma"]}


def test_the_nquads_are_canonical_and_count_what_was_mended() -> None:
    text = '{"@context":"http://schema.org","@id":"http://x/a b","name":{"@value":"n","@language":"en_US"}}'
    assert run("rdf", "-", text=text).output == '<http://x/a%20b> <https://schema.org/name> "n"@en-us .\n'
    found = json.loads(run("rdf", "--json", "-", text=text).output)
    assert found["quads"] == 1
    assert found["mended"] == {"iris": 1, "languages": 1, "left_out": 0, "values": 0}


def test_a_base_resolves_relative_iris() -> None:
    text = '{"@context":"http://schema.org","@id":"a","name":"n"}'
    assert run("rdf", "--base", "https://b.org/x/", "-", text=text).output.startswith("<https://b.org/x/a> ")


def test_without_fix_ups_a_remote_context_is_an_error() -> None:
    result = run("rdf", "--no-fixups", "-")
    assert isinstance(result.exception, SheafError)
    assert "fix-ups" in str(result.exception)
    local = '{"@context":{"@vocab":"http://schema.org/"},"@id":"http://x/1","name":"n"}'
    assert run("rdf", "--no-fixups", "-", text=local).output == '<http://x/1> <http://schema.org/name> "n" .\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[1", "could not be mended"),
        ("[{}]", "not an array"),
        ('{"a":' * 500 + "1" + "}" * 500, "nested deeper"),
        (b"\xff\xfe{\x00\x00\xd8", "save it as UTF-8"),
    ],
)
def test_bad_input_says_what_to_do(text: str | bytes, says: str) -> None:
    result = run("id", "-", text=text)
    assert isinstance(result.exception, BadInput)
    assert says in str(result.exception)


def test_a_bad_path_is_named() -> None:
    result = run("id", "--path", "$[", "-")
    assert isinstance(result.exception, BadInput)
    assert "'$['" in str(result.exception)
