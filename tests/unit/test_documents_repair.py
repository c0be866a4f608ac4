"""Broken JSON that is mended, what the report says then, and what stays broken."""

from __future__ import annotations

import orjson
import pytest

from sheaf.harvest.documents import Document, DocumentRules, Trouble, read_page
from sheaf.harvest.repair import REPAIRS, NotJson, repair


@pytest.mark.parametrize(
    ("broken", "mended", "codes"),
    [
        ('{"a": 1,}', '{"a": 1}', ("trailing_comma",)),
        ('{"a": [1, 2, ],\n}', '{"a": [1, 2 ]\n}', ("trailing_comma",)),
        ('{"a": 1,, "b": 2}', '{"a": 1, "b": 2}', ("trailing_comma",)),
        ('{"name": , "b": 2}', '{"name": null, "b": 2}', ("missing_value",)),
        ('{"name": }', '{"name": null}', ("missing_value",)),
        ("<!-- {} -->", "{}", ("html_comment",)),
        ("<!--\n{}\n//-->", "{}", ("html_comment",)),
        ("<![CDATA[{}]]>", "{}", ("cdata",)),
        ("//<![CDATA[\n{}\n//]]>", "{}", ("cdata",)),
        ("/* <![CDATA[ */ {} /* ]]> */", "{}", ("cdata",)),
        ("\ufeff{}", "{}", ("bom",)),
        ("{}\n\ufeff", "{}", ("bom",)),
        ("{};", "{}", ("semicolon",)),
        ("{&quot;a&quot;: &quot;b &amp; c&quot;}", '{"a": "b & c"}', ("entities",)),
        ("[{&#34;a&#34;: 1}]", '[{"a": 1}]', ("entities",)),
        ("{&amp;quot;a&amp;quot;: 1}", '{"a": 1}', ("entities",)),
        ('{"a": "x\ny\tz"}', '{"a": "x\\ny\\tz"}', ("control_character",)),
        ('{"a": "x\\\'y \\d"}', '{"a": "x\'y \\\\d"}', ("bad_escape",)),
        ('{"a": "\\ud800 \\ud83d\\ude00"}', '{"a": "\\ufffd \\ud83d\\ude00"}', ("lone_surrogate",)),
        ('{"a": NaN, "b": -Infinity}', '{"a": null, "b": null}', ("not_a_number",)),
        ('{"a": 1 /* x */, // y\n"b": 2}', '{"a": 1 , \n"b": 2}', ("comment",)),
        ('{"a": "say "hi" now"}', '{"a": "say \\"hi\\" now"}', ("inner_quote",)),
        ('{"a": "x"\n"b": 2}', '{"a": "x",\n"b": 2}', ("missing_comma",)),
        ('{"a": 1}\n{"b": 2}', '[{"a": 1}\n,{"b": 2}]', ("several_values",)),
        ('{"a":\u00a01}', '{"a": 1}', ()),
    ],
)
def test_what_publishers_break_is_mended_and_named(broken: str, mended: str, codes: tuple[str, ...]) -> None:
    assert repair(broken) == (mended, codes)
    orjson.loads(mended)


@pytest.mark.parametrize(
    "broken",
    ["", "{", '{"a": "b', '{"a": 1}}', "}", "<html>", "{'a': 1}", "{a: 1}", '{"a" "b"}', "[1, 2", "\x00", '{"a": tru}'],
)
def test_what_would_have_to_be_guessed_stays_broken(broken: str) -> None:
    with pytest.raises(NotJson):
        repair(broken)


def test_every_code_has_a_meaning() -> None:
    made = repair('\ufeff<!-- {"a": "b\n", "c": ,} -->;')[1]
    assert set(made) == {"bom", "html_comment", "control_character", "missing_value", "trailing_comma", "semicolon"}
    assert set(made) <= set(REPAIRS)


def test_a_repair_is_recorded_with_the_document_and_the_mended_text_is_stored() -> None:
    page = b'<script type="application/ld+json">{"@type": "Dataset", "name": ,}</script>'
    (found,) = read_page(page, "text/html", "https://example.org/", DocumentRules())
    assert isinstance(found, Document)
    assert found.repaired == ("missing_value", "trailing_comma")
    assert found.text == '{"@type": "Dataset", "name": null}'


def test_entities_inside_valid_json_are_left_alone() -> None:
    body = b'{"name": "a &quot; b &amp; c"}'
    (found,) = read_page(body, "application/json", "https://example.org/", DocumentRules())
    assert isinstance(found, Document)
    assert (found.text, found.repaired) == (body.decode(), ())


def test_repair_is_an_option_of_the_source() -> None:
    (found,) = read_page(b'{"a": 1,}', "application/json", "https://example.org/", DocumentRules(repair=False))
    assert isinstance(found, Trouble)
    assert found.reason == "not_json"


def test_a_duplicate_key_is_stored_as_it_is_and_its_last_value_counts() -> None:
    body = b'{"@type":"Dataset","url":"http://x/1","url":"http://x/2"}'
    (found,) = read_page(body, "application/json", "https://example.org/", DocumentRules())
    assert isinstance(found, Document)
    assert (found.text, found.matched_string) == (body.decode(), "[http://x/2]")


@pytest.mark.parametrize("number", ["1" * 6000, "-" + "9" * 400, "1e400", "0." + "1" * 3000])
def test_numbers_beyond_all_types_harm_nothing(number: str) -> None:
    body = f'{{"@type":"Dataset","@id":"http://x/1","size":{number}}}'.encode()
    (found,) = read_page(body, "application/json", "https://example.org/", DocumentRules())
    assert isinstance(found, Document)
    assert found.text == body.decode()
