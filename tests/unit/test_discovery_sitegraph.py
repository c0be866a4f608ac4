"""Sitegraphs: one JSON-LD document, many items, each a document of its own."""

from __future__ import annotations

import asyncio
import hashlib
import json
import tracemalloc
from typing import Any

import pytest

from sheaf.harvest.discovery import DiscoveryReport, FetchFault, Found, discover
from tests.unit.discovery_site import HOME, Answer, Site, run, source

GRAPH = f"{HOME}graph.json"
SCHEMA = "https://schema.org/"


def items(document: Any, *, raw: bytes | None = None, chunk: int = 65536) -> tuple[list[Found], DiscoveryReport]:
    """What discovery makes of a sitegraph."""
    body = raw if raw is not None else json.dumps(document).encode()
    where = Site({GRAPH: Answer(body, content_type="application/ld+json", chunk=chunk)})
    return run(where, source(GRAPH, sourcetype="sitegraph"))


def parsed(found: list[Found]) -> list[Any]:
    return [json.loads(page.item or b"null") for page in found]


def dataset(n: int | str) -> dict[str, str]:
    return {"@type": "Dataset", "@id": f"{HOME}{n}", "name": f"n {n}"}


def reasons(report: DiscoveryReport) -> list[str]:
    return [reason for _, reason, _ in report.errors]


@pytest.mark.parametrize(
    "document",
    [
        {"@context": SCHEMA, "@graph": [dataset(1), dataset(2)]},
        {"@graph": [dataset(1), dataset(2)], "@context": SCHEMA},
        {"@context": SCHEMA, "@type": "DataCatalog", "name": "c", "dataset": [dataset(1), dataset(2)]},
        {
            "@context": SCHEMA,
            "@type": "ItemList",
            "itemListElement": [
                {"@type": "ListItem", "position": 1, "item": dataset(1)},
                {"@type": "ListItem", "position": 2, "item": dataset(2)},
            ],
        },
        {"@context": SCHEMA, "@type": "ItemList", "itemListElement": [dataset(1), dataset(2)]},
        {
            "@context": SCHEMA,
            "@type": "DataFeed",
            "dataFeedElement": [{"@type": "DataFeedItem", "item": dataset(1)}, dataset(2)],
        },
        {"@context": SCHEMA, "@graph": [{"@type": "DataCatalog", "dataset": [dataset(1)]}, dataset(2)]},
        [{"@context": SCHEMA, **dataset(1)}, {"@context": SCHEMA, **dataset(2)}],
        [{"@context": SCHEMA, "@graph": [dataset(1)]}, [{"@context": SCHEMA, **dataset(2)}]],
    ],
)
@pytest.mark.parametrize("chunk", [3, 65536])
def test_items_of_every_kind_of_list_become_documents_with_the_context_around_them(document: Any, chunk: int) -> None:
    found, report = items(document, chunk=chunk)
    assert [page.url for page in found] == [f"{HOME}1", f"{HOME}2"]
    assert parsed(found) == [{"@context": SCHEMA, **dataset(1)}, {"@context": SCHEMA, **dataset(2)}]
    assert {page.content_type for page in found} == {"application/ld+json"}
    assert report.complete
    assert (report.urls, report.errors) == (2, [])


def test_a_thousand_items_keep_the_publisher_s_formatting() -> None:
    entry = '{\n  "@type": "Dataset",\n  "@id": "%s%d", "size": 1.50e0,  "note": "a\\u00e9 \\"[{" }'
    entries = ",\n".join(entry % (HOME, n) for n in range(1000))
    body = f'{{"@context": {{"@vocab": "https://schema.org/"}},\n "@graph": [\n{entries}\n]}}'
    found, report = items(None, raw=body.encode())
    assert len(found) == 1000
    assert found[7].url == f"{HOME}7"
    assert found[7].item == (
        b'{"@context": {"@vocab": "https://schema.org/"}, "@type": "Dataset",\n  "@id": "https://data.example.org/7", '
        b'"size": 1.50e0,  "note": "a\\u00e9 \\"[{" }'
    )
    assert report.complete


def test_an_item_s_own_context_comes_after_the_one_around_it() -> None:
    own = {"x": "https://x.example/"}
    around = [SCHEMA, {"y": "https://y.example/"}]
    found, _ = items(
        {"@context": around, "@graph": [{**dataset(1), "@context": own}, {"@context": SCHEMA, **dataset(2)}]}
    )
    assert parsed(found)[0]["@context"] == [*around, own]
    assert parsed(found)[1]["@context"] == [*around, SCHEMA]


def test_an_item_is_named_by_its_id_else_its_url_else_the_sitegraph_and_a_key() -> None:
    nameless = {"@type": "Dataset", "name": "nobody"}
    found, _ = items(
        {
            "@context": SCHEMA,
            "@graph": [
                {"@type": "Dataset", "url": f"{HOME}by-url", "@id": "doi:10.1/x y"},
                {"@type": "Dataset", "@id": "doi:10.1/x y"},
                {"@type": "Dataset", "@id": "#local"},
                {"@type": "Dataset", "identifier": {"@type": "PropertyValue", "value": "abc"}},
                {"@type": "Dataset", "url": [{"@id": f"{HOME}listed"}]},
                nameless,
            ],
        }
    )
    digest = hashlib.sha1(found[5].item or b"").hexdigest()[:16]
    assert [page.url for page in found] == [
        f"{HOME}by-url",
        f"{GRAPH}#doi:10.1/x%20y",
        f"{GRAPH}#local",
        f"{GRAPH}#abc",
        f"{HOME}listed",
        f"{GRAPH}#sha1-{digest}",
    ]


def test_an_item_put_in_front_of_the_others_changes_only_itself() -> None:
    nameless = [{"@type": "Dataset", "name": f"item {n}"} for n in range(5)]
    before, _ = items({"@context": SCHEMA, "@graph": nameless})
    after, _ = items({"@context": SCHEMA, "@graph": [{"@type": "Dataset", "name": "new"}, *nameless]})
    assert [(page.url, page.item) for page in after[1:]] == [(page.url, page.item) for page in before]


def test_two_items_with_one_id_are_both_kept_and_an_item_that_comes_twice_is_one() -> None:
    first, second = {**dataset(1), "name": "a"}, {**dataset(1), "name": "b"}
    found, report = items({"@context": SCHEMA, "@graph": [first, second, first]})
    assert [document["name"] for document in parsed(found)] == ["a", "b"]
    assert found[0].url == f"{HOME}1"
    assert found[1].url.startswith(f"{HOME}1#sha1-")
    assert report.duplicates == 1


def test_a_list_entry_that_is_only_a_link_becomes_a_page_to_fetch() -> None:
    found, report = items(
        {
            "@context": SCHEMA,
            "@type": "ItemList",
            "itemListElement": [
                {"@type": "ListItem", "position": 1, "url": f"{HOME}1"},
                {"@type": "ListItem", "position": 2, "item": f"{HOME}2"},
                {"@id": f"{HOME}3", "@type": "Dataset"},
                {"@type": "ListItem", "position": 4, "url": "ftp://data.example.org/4"},
                {"@type": "ListItem", "position": 5, "url": f"{HOME}1"},
            ],
        }
    )
    assert [(page.url, page.item) for page in found] == [(f"{HOME}{n}", None) for n in (1, 2, 3)]
    assert report.counts["bad_scheme"] == 1
    assert report.duplicates == 1


def test_blank_nodes_of_a_graph_go_into_the_items_that_refer_to_them() -> None:
    found, _ = items(
        {
            "@context": SCHEMA,
            "@graph": [
                {**dataset(1), "distribution": {"@id": "_:d"}},
                {**dataset(2), "distribution": [{"@id": "_:d"}]},
                {"@id": "_:d", "@type": "DataDownload", "contentUrl": "https://x/", "publisher": {"@id": "_:p"}},
                {"@id": "_:p", "name": "P", "owns": {"@id": "_:d"}},
                {"@id": "_:alone", "@type": "Dataset", "name": "blank, but a dataset"},
            ],
        }
    )
    publisher = {"@id": "_:p", "name": "P", "owns": {"@id": "_:d"}}
    download = {"@id": "_:d", "@type": "DataDownload", "contentUrl": "https://x/", "publisher": publisher}
    assert [page.url for page in found] == [f"{HOME}1", f"{HOME}2", f"{GRAPH}#_:alone"]
    assert parsed(found)[0]["distribution"] == download
    assert parsed(found)[1]["distribution"] == [download]


def test_one_item_with_broken_json_costs_no_other() -> None:
    body = b'{"@context": "x:", "@graph": [{"@id": "%s1"}, {"@id": "%s2", "x": 1,}, {"@id": "%s3", "n": 3}]}'
    found, report = items(None, raw=body.replace(b"%s", HOME.encode()))
    assert len(found) == 3
    assert found[2].url == f"{HOME}3"
    assert b'"x": 1,}' in (found[1].item or b"")
    assert report.complete


def test_a_truncated_sitegraph_gives_its_whole_items_and_is_incomplete() -> None:
    body = json.dumps({"@context": SCHEMA, "@graph": [dataset(n) for n in range(100)]}).encode()
    found, report = items(None, raw=body[: body.index(b'"n 50"')])
    assert [page.url for page in found] == [f"{HOME}{n}" for n in range(50)]
    assert reasons(report) == ["sitegraph_unreadable"]
    assert not report.complete


def test_a_connection_that_breaks_gives_the_items_before_and_its_own_reason() -> None:
    body = json.dumps({"@context": SCHEMA, "@graph": [dataset(n) for n in range(100)]}).encode()
    answer = Answer(body[: len(body) // 2], fault=FetchFault("connection_reset", "reset"))
    found, report = run(Site({GRAPH: answer}), source(GRAPH, sourcetype="sitegraph"))
    assert len(found) > 30
    assert "sitegraph_unreadable" in reasons(report) or "connection_reset" in reasons(report)
    assert not report.complete


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be"])
def test_byte_order_marks_and_utf_16_are_read_and_reported(encoding: str) -> None:
    text = json.dumps({"@context": SCHEMA, "@graph": [{**dataset(1), "name": "é"}]}, ensure_ascii=False)
    found, report = items(None, raw=text.encode(encoding), chunk=5)
    assert parsed(found)[0]["name"] == "é"
    assert len(report.repaired) == 1


def test_a_single_document_is_its_own_only_item() -> None:
    found, report = items({"@context": SCHEMA, **dataset(1)})
    assert [page.url for page in found] == [f"{HOME}1"]
    assert report.complete


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty_body"),
        (b"<html><body>Sorry</body></html>", "sitegraph_unreadable"),
        (b'{"error": "quota"}', "sitegraph_unreadable"),
        (b"[]", "sitegraph_unreadable"),
        (b'{"@graph": []}', "sitegraph_unreadable"),
        (b'"a string"', "sitegraph_unreadable"),
        (b"[" * 100_000, "sitegraph_unreadable"),
        (b'{"@graph":' * 10_000, "sitegraph_unreadable"),
        (b'{"a" 1}', "sitegraph_unreadable"),
    ],
)
def test_what_is_no_sitegraph_is_an_error_and_incomplete(body: bytes, reason: str) -> None:
    found, report = items(None, raw=body)
    assert found == []
    assert reasons(report) == [reason]
    assert not report.complete


@pytest.mark.parametrize("status", [404, 500, 204])
def test_a_status_other_than_200_is_an_error(status: int) -> None:
    found, report = run(Site({GRAPH: Answer(b'{"@graph": []}', status)}), source(GRAPH, sourcetype="sitegraph"))
    assert found == []
    assert reasons(report)[0].startswith("http_")
    assert not report.complete


def test_a_large_sitegraph_is_never_in_memory_as_a_whole() -> None:
    filler = "x" * 4000
    body = json.dumps({"@context": SCHEMA, "@graph": [{**dataset(n), "d": filler} for n in range(3_000)]}).encode()
    where = Site({GRAPH: Answer(body)})
    report = DiscoveryReport()

    async def count() -> int:
        seen = 0
        async for _ in discover(source(GRAPH, sourcetype="sitegraph"), where.fetch, report):
            seen += 1
        return seen

    tracemalloc.start()
    assert asyncio.run(count()) == 3_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(body) > 12_000_000
    assert peak < 4_000_000
