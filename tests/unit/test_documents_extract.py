"""What is found on a page: the field notes' extraction cases, one test each."""

from __future__ import annotations

import time

import pytest

from sheaf.harvest.documents import MAX_DEPTH, Document, DocumentRules, Trouble, read_page
from sheaf.harvest.extract import MAX_SCRIPTS, extract

RULES = DocumentRules()
URL = "https://example.org/page/1"
GOOD = '{"@context":{"@vocab":"https://schema.org/"},"@type":"Dataset","name":"n","@id":"https://example.org/1"}'


def html(*scripts: str, kind: str = "application/ld+json") -> bytes:
    inner = "".join(f'<script type="{kind}">{script}</script>' for script in scripts)
    return f"<!DOCTYPE html><html><head><title>t</title>{inner}</head><body><p>x</p></body></html>".encode()


def read(body: bytes | str, content_type: str = "text/html", rules: DocumentRules = RULES) -> list[Document | Trouble]:
    return read_page(body.encode() if isinstance(body, str) else body, content_type, URL, rules)


def texts(body: bytes | str, content_type: str = "text/html") -> list[str]:
    return [one.text for one in read(body, content_type) if isinstance(one, Document)]


def reasons(body: bytes | str, content_type: str = "text/html", rules: DocumentRules = RULES) -> list[str]:
    return [one.reason for one in read(body, content_type, rules) if isinstance(one, Trouble)]


def numbered(number: int) -> str:
    return GOOD.replace("/1", f"/{number}")


def test_two_scripts_give_two_documents_in_page_order() -> None:
    assert texts(html(numbered(2), numbered(1))) == [numbered(2), numbered(1)]


def test_a_bad_script_behind_a_good_one_leaves_the_good_one() -> None:
    found = read(html(GOOD, '{"a" "b" nonsense'))
    assert isinstance(found[0], Document)
    assert found[0].text == GOOD
    assert isinstance(found[1], Trouble)
    assert found[1].reason == "not_json"
    assert found[1].detail.startswith("script 2:")


def test_a_page_without_a_script_gives_nothing() -> None:
    assert read("<html><body>application/ld+json is nice</body></html>") == []
    assert read("") == []


def test_an_array_is_one_document_an_element_with_the_elements_own_text() -> None:
    second = '{ "@type": "Dataset",\n "name": "b [ ] , \\" {" }'
    assert texts(html(f"[ {GOOD} ,\n{second} ]")) == [GOOD, second]


def test_arrays_inside_arrays_are_opened() -> None:
    assert texts(html(f"[[{numbered(1)}],[[{numbered(2)}], {numbered(3)}]]")) == [numbered(n) for n in (1, 2, 3)]


def test_an_element_without_a_context_gets_none_from_its_neighbour() -> None:
    assert texts(html(f'[{GOOD},{{"@type":"Person"}}]'))[1] == '{"@type":"Person"}'


def test_elements_that_are_no_objects_are_troubles_of_their_own() -> None:
    assert reasons(html(f'[{GOOD}, 5, "x", null, {{}}, []]')) == ["not_an_object"] * 3 + ["empty_object"] * 2
    assert texts(html(f"[{GOOD}, 5]")) == [GOOD]


def test_a_graph_stays_one_document() -> None:
    graph = '{"@context":{"@vocab":"https://schema.org/"},"@graph":[{"@id":"http://x/1"},{"@id":"http://x/2"}]}'
    assert texts(html(graph)) == [graph]


@pytest.mark.parametrize(
    "page",
    [
        f"<html></html><script type='application/ld+json'>{GOOD}</script>",
        f"<body><SCRIPT TYPE=Application/LD+JSON>{GOOD}</SCRIPT></body>",
        f'<script type="application/ld+json; charset=utf-8">{GOOD}</script>',
        f'<script type=" application/ld+json">{GOOD}</script>',
        f'<script type="application/ld&#x2B;json">{GOOD}</script>',
        f'<script\n  id=x async\n  type = "application/ld+json"\n>{GOOD}</script\n>',
        f'<noscript><script type="application/ld+json">{GOOD}</script></noscript>',
        f'<script type="application/ld+json" data-x="a>b">{GOOD}</script>',
        f"<p title=don't><script type=application/ld+json>{GOOD}</script>",
        f'<script>if (a < b) {{ "<!-- <script>" }}</script><script type="application/ld+json">{GOOD}</script>',
        f'<style>a > b {{}}</style><title><!--</title><script type="application/ld+json">{GOOD}</script>',
        f'<!-- x --><!--><!-----><script type="application/ld+json">{GOOD}</script>',
        f'<script type="application/ld+json">{GOOD}',
    ],
)
def test_a_script_is_found_wherever_and_however_it_is_written(page: str) -> None:
    if "<!-- <script>" in page:
        # A browser keeps reading to the second end tag there, and so do we: one script, no JSON-LD.
        assert texts(page) == []
    else:
        assert texts(page) == [GOOD]


@pytest.mark.parametrize(
    "page",
    [
        f'<!-- <script type="application/ld+json">{GOOD}</script> -->',
        f'<textarea><script type="application/ld+json">{GOOD}</script></textarea>',
        f"<script>document.write('<script type=\"application/ld+json\">{GOOD}<\\/script>')</script>",
        f"<div data-code='<script type=\"application/ld+json\">{GOOD}</script>'></div>",
        f'<script type="text/javascript" data-type="application/ld+json">{GOOD}</script>',
        f'<script type="application/json">{GOOD}</script> ld+json',
    ],
)
def test_what_a_browser_does_not_take_for_a_script_is_none(page: str) -> None:
    assert read(page) == []


@pytest.mark.parametrize(
    ("content_type", "url"),
    [
        ("application/ld+json", URL),
        ("application/json; charset=utf-8", URL),
        ("application/vnd.api+json", URL),
        ("text/html", "https://example.org/1.jsonld"),
        ("binary/octet-stream", "https://example.org/1.json?x=y"),
        ("text/plain", URL),
        ("", URL),
        ("text/html", URL),
    ],
)
def test_a_json_body_is_taken_raw_and_never_parsed_as_html(content_type: str, url: str) -> None:
    body = '\n {"name":"<p>a &amp; b</p> a<b and c>d &quot;", "@type":"Dataset"}\n'
    (found,) = read_page(body.encode(), content_type, url, RULES)
    assert isinstance(found, Document)
    assert found.text == body


def test_an_html_page_under_a_json_address_is_read_as_html() -> None:
    (found,) = read_page(html(GOOD), "text/html", "https://example.org/1.json", RULES)
    assert isinstance(found, Document)


def test_plain_text_that_is_no_json_gives_nothing() -> None:
    assert read("hello {", "text/plain") == []


def test_scripts_with_nothing_in_them_are_troubles_and_never_documents() -> None:
    assert reasons(html("", "  \n", "{}", "[]", " { } ")) == ["empty_script"] * 2 + ["empty_object"] * 3
    assert reasons("", "application/ld+json") == ["empty_body"]


def test_json_that_is_no_object_is_named_as_such() -> None:
    assert reasons(html('"x"', "5", "null", "true")) == ["not_an_object"] * 4


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ('{"name":"é"}'.encode("latin-1"), "application/json; charset=iso-8859-1"),
        ('{"name":"é"}'.encode("latin-1"), "application/json"),
        ('{"name":"é"}'.encode(), "application/json; charset=iso-8859-1"),
        ('{"name":"é"}'.encode("utf-8-sig"), "application/json; charset=latin-1"),
        ('{"name":"é"}'.encode("utf-16"), "application/json"),
        ('{"name":"é"}'.encode("utf-16-le"), "application/json; charset=utf-16le"),
        ('{"name":"é"}'.encode("utf-32"), "application/json"),
        ('{"name":"é"}'.encode(), "application/json; charset=nonsense"),
        ('{"name":"é"}'.encode(), "application/json; charset=hex"),
        ('{"name":"é"}'.encode(), "application/json; charset=utf-16"),
    ],
)
def test_the_text_is_right_in_every_encoding_stated_wrongly_or_not(body: bytes, content_type: str) -> None:
    assert texts(body, content_type) == ['{"name":"é"}']


def test_a_page_in_the_encoding_of_its_meta_element_is_read_in_it() -> None:
    page = '<meta charset="windows-1251"><script type="application/ld+json">{"name":"Ж"}</script>'
    assert texts(page.encode("cp1251")) == ['{"name":"Ж"}']
    assert texts(page.replace("windows-1251", "shift_jis").replace("Ж", "海").encode("cp932")) == ['{"name":"海"}']


def test_a_utf16_page_is_read() -> None:
    assert texts(html('{"name":"é"}').decode().encode("utf-16")) == ['{"name":"é"}']


def test_a_wrong_encoding_is_recorded_with_the_document() -> None:
    (found,) = read(html('{"name":"é"}').decode().encode("cp1252"))
    assert isinstance(found, Document)
    assert found.repaired == ("charset",)
    (cut,) = read('{"name":"éééé'.encode() + b'\xe2"}', "application/json; charset=utf-8")
    assert isinstance(cut, Document)
    assert (cut.text, cut.repaired) == ('{"name":"éééé\ufffd"}', ("replaced_characters",))


def test_bytes_that_are_not_in_their_only_possible_encoding_are_a_trouble() -> None:
    assert reasons(b"\xff\xfe{\x00\x00\xd8", "application/json") == ["bad_encoding"]


def test_line_separators_of_unicode_stay_what_they_are() -> None:
    text = '{"name":"a\u2028b\u2029c\x85d"}'
    assert texts(html(text)) == [text]


def test_line_ends_in_html_are_normalised_as_the_html_standard_says() -> None:
    assert texts(html('{\r\n"name":\r"n"\r\n}')) == ['{\n"name":\n"n"\n}']


def test_more_scripts_than_allowed_are_counted_and_left_out() -> None:
    found = read(html(*[numbered(n) for n in range(MAX_SCRIPTS + 3)]))
    assert len(found) == MAX_SCRIPTS + 1
    assert found[-1] == Trouble("too_many_scripts", "3 scripts were left out")


def test_json_nested_too_deep_is_refused_without_being_followed() -> None:
    allowed = '{"a":' * (MAX_DEPTH - 1) + "{}" + "}" * (MAX_DEPTH - 1)
    assert texts(html(allowed)) == [allowed]
    for levels in (MAX_DEPTH, 2_000, 200_000):
        assert reasons(html('{"a":' * levels + "{}" + "}" * levels)) == ["nested_too_deep"]
        assert reasons("[" * levels + "]" * levels, "application/json") in (["nested_too_deep"], ["empty_object"])


@pytest.mark.parametrize(
    "page",
    [
        "<div>" * 200_000,
        "<a " + " ".join(f"a{n}" for n in range(100_000)),
        "<script " * 100_000,
        "<!--" * 200_000,
        "<title>" * 100_000,
        "<script>" + "<!--<script>" * 100_000,
        '<a x="' * 100_000,
        "</script" * 100_000,
        "<" * 500_000,
    ],
)
def test_a_page_made_to_hold_the_parser_is_read_in_linear_time(page: str) -> None:
    body = (f'<script type="application/ld+json">{GOOD}</script>{page}<p ld+json').encode()
    began = time.process_time()
    assert texts(body)[0] == GOOD
    assert time.process_time() - began < 2.0


def test_extraction_says_what_it_read() -> None:
    assert extract(GOOD.encode(), "application/json", URL).is_body
    assert not extract(html(GOOD), "text/html", URL).is_body


def test_reasons_outside_the_closed_list_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="closed list"):
        Trouble("made_up")
