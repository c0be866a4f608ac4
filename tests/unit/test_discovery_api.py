"""Paged APIs: where the pages end, and when an end is none."""

from __future__ import annotations

import json

import pytest

from sheaf.errors import BadInput
from sheaf.harvest.discovery import DiscoveryReport, FetchFault, Found
from sheaf.harvest.discovery.api import holds_documents, page_url
from tests.unit.discovery_site import HOME, Answer, Site, run, source

TEMPLATE = f"{HOME}api?page=%d"


def page(n: int) -> bytes:
    return json.dumps([{"@context": "https://schema.org/", "@type": "Dataset", "@id": f"{HOME}{n}"}]).encode()


def api(*answers: Answer | FetchFault | bytes, limit: int = 0) -> tuple[list[Found], DiscoveryReport, list[str]]:
    """Discovery of an API whose pages, from 0, are these; after them come 404s."""
    where = Site(
        {TEMPLATE.replace("%d", str(n)): Answer(a) if isinstance(a, bytes) else a for n, a in enumerate(answers)}
    )
    found, report = run(where, source(TEMPLATE, sourcetype="api", apipagelimit=limit))
    return found, report, where.asked


def reasons(report: DiscoveryReport) -> list[str]:
    return [reason for _, reason, _ in report.errors]


def test_pages_count_from_zero_and_each_body_is_a_page_to_extract_from() -> None:
    found, report, asked = api(page(1), page(2))
    assert [(item.url, item.item) for item in found] == [
        (f"{HOME}api?page=0", page(1)),
        (f"{HOME}api?page=1", page(2)),
    ]
    assert len(asked) == 3
    assert report.complete
    assert report.errors == []


def test_the_page_limit_ends_the_paging() -> None:
    found, report, asked = api(*(page(n) for n in range(5)), limit=2)
    assert (len(found), len(asked)) == (2, 2)
    assert report.complete


@pytest.mark.parametrize(
    "empty", [b"", b"[]", b"{}", b" \n", b'{"@graph": []}', b'{"items": [], "next": null}', b"<html>"]
)
def test_an_empty_page_ends_the_paging(empty: bytes) -> None:
    found, report, _ = api(page(1), empty, page(3))
    assert len(found) == 1
    assert report.complete


def test_api_paging_that_never_ends_is_cut_at_the_first_page_that_came_before() -> None:
    found, report, _ = api(page(1), page(2), page(2), page(2))
    assert len(found) == 2
    assert reasons(report) == ["api_repeated_page"]
    assert report.complete


def test_paging_that_goes_round_in_a_circle_ends() -> None:
    found, report, _ = api(page(1), page(2), page(3), page(1), page(2))
    assert len(found) == 3
    assert report.complete


def test_an_api_that_always_says_something_new_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sheaf.harvest.discovery.api.MAX_API_PAGES", 10)
    found, report, _ = api(*(page(n) for n in range(50)))
    assert len(found) == 10
    assert reasons(report) == ["too_many_urls"]
    assert not report.complete


@pytest.mark.parametrize("status", [204, 400, 404, 410])
def test_a_status_that_says_there_is_no_such_page_is_the_end(status: int) -> None:
    found, report, _ = api(page(1), Answer(b"", status), page(3))
    assert len(found) == 1
    assert report.complete


@pytest.mark.parametrize("status", [500, 503, 429, 403])
def test_a_server_error_in_the_middle_is_no_end_but_makes_the_discovery_incomplete(status: int) -> None:
    found, report, _ = api(page(1), Answer(b"", status), page(3))
    assert len(found) == 1
    assert len(report.errors) == 1
    assert not report.complete


def test_a_connection_that_breaks_makes_the_discovery_incomplete() -> None:
    found, report, _ = api(page(1), FetchFault("timeout_read", "60 s"))
    assert len(found) == 1
    assert reasons(report) == ["timeout_read"]
    assert not report.complete


@pytest.mark.parametrize(
    ("first", "reason"), [(Answer(b"", 404), "http_404_not_found"), (Answer(b"<html>no</html>"), "api_unreadable")]
)
def test_a_first_page_that_is_not_there_is_an_error(first: Answer, reason: str) -> None:
    found, report, _ = api(first, page(1))
    assert found == []
    assert reasons(report) == [reason]
    assert not report.complete


def test_a_page_of_html_with_a_script_is_a_page() -> None:
    html = b'<html><script TYPE="application/ld+json">\n{"@id": "x"}</script></html>'
    found, _, _ = api(Answer(html, content_type="text/html; charset=utf-8"))
    assert [(item.item, item.content_type) for item in found] == [(html, "text/html; charset=utf-8")]


def test_broken_json_counts_as_a_document_so_that_its_trouble_is_told() -> None:
    assert holds_documents(b'{"@id": "x",}')
    assert holds_documents(b'{"a":' * 5000)
    assert holds_documents(b"[" * 500 + b"]" * 500)


def test_the_place_of_the_number_is_found_among_escaped_characters() -> None:
    assert page_url("https://h/a?p=%d", 7) == "https://h/a?p=7"
    assert page_url("https://h/%dc%bc?p=%d&x=%20", 7) == "https://h/%dc%bc?p=7&x=%20"
    for bad in ("https://h/a", "https://h/%d/%d"):
        with pytest.raises(BadInput, match="exactly one %d"):
            page_url(bad, 0)
