"""Any bytes at all: the readers of discovery neither crash nor hang, and what is whole is found however it is cut."""

from __future__ import annotations

import json
import time
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sheaf.harvest.discovery.urls import Refused, SeenUrls, read_address
from tests.unit.discovery_site import HOME, SITEMAP, Answer, Site, run, source

PIECES = [
    "<urlset>", "</urlset>", "<sitemapindex>", "<url>", "</url>", "<loc>", "</loc>", "<lastmod>", "</lastmod>",
    "<sitemap>", "</sitemap>", "<rss>", "<item>", "<link>", "</link>", "</item>", "<feed>", "<entry>",
    "<link href='x'/>",
    "<image:loc>", "</image:loc>", "<!--", "-->", "<![CDATA[", "]]>", "<?xml version='1.0'?>", "<!DOCTYPE x [", "]>",
    "&", "&amp;", "&#65;", "&lt", "<", ">", "\"", "'", " ", "\n", "\x00", "\ufeff", "é", "a", "/",
    "https://h.example/a",
]  # fmt: skip
BOUNDED = settings(max_examples=150, deadline=None)


def _sitemap(body: bytes, chunk: int) -> tuple[list[str], bool, list[str]]:
    found, report = run(Site({SITEMAP: Answer(body, chunk=chunk)}))
    return [page.url for page in found], report.complete, [reason for _, reason, _ in report.errors]


@BOUNDED
@given(st.binary(max_size=300))
def test_any_bytes_as_a_sitemap_end_in_pages_or_a_reason(body: bytes) -> None:
    urls, complete, reasons = _sitemap(body, 64)
    assert urls or reasons
    assert all(url.startswith(("http://", "https://")) for url in urls)
    assert complete or reasons


@BOUNDED
@given(st.lists(st.sampled_from(PIECES), max_size=40), st.integers(1, 50))
def test_broken_markup_is_read_the_same_however_it_is_cut(pieces: list[str], chunk: int) -> None:
    body = "".join(["<urlset><url>", *pieces]).encode()
    whole = _sitemap(body, 1 << 20)
    assert _sitemap(body, chunk)[0] == whole[0]


_url = st.text(
    alphabet=st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp", "Cf")), max_size=30
)


@BOUNDED
@given(st.lists(_url, max_size=20, unique=True), st.integers(1, 99), st.sampled_from(["utf-8", "utf-16", "utf-8-sig"]))
def test_every_escaped_loc_is_found_in_any_charset_however_it_is_cut(
    tails: list[str], chunk: int, charset: str
) -> None:
    entries = "".join(f"<url><loc>{escape(HOME + 'x' + tail)}</loc><priority>1</priority></url>" for tail in tails)
    expected = list(dict.fromkeys(read_address(f"{HOME}x{tail}", SITEMAP)[0] for tail in tails))
    urls, complete, _ = _sitemap(f"<urlset>{entries}</urlset>".encode(charset), chunk)
    assert urls == expected
    assert complete


@BOUNDED
@given(st.text(max_size=60))
def test_any_address_is_an_http_url_or_refused_with_a_reason(address: str) -> None:
    reason, url = "", ""
    try:
        url, _ = read_address(address, SITEMAP)
    except Refused as refused:
        reason = refused.reason
    if url:
        assert url.startswith(("http://", "https://"))
        assert read_address(url, SITEMAP)[0] == url
    else:
        assert reason in ("bad_url", "bad_scheme", "url_too_long")


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["@id", "@type", "@graph", "@context", "item", "url", "dataset", "x"]), inner)
    ),
    max_leaves=20,
)


@BOUNDED
@given(_json, st.integers(0, 200), st.integers(1, 64))
def test_any_json_cut_anywhere_as_a_sitegraph_ends_in_items_or_a_reason(value: object, cut: int, chunk: int) -> None:
    url = f"{HOME}graph.json"
    body = json.dumps(value).encode()
    for text in (body, body[:cut]):
        found, report = run(Site({url: Answer(text, chunk=chunk)}), source(url, sourcetype="sitegraph"))
        assert found or report.errors
        assert len({page.url for page in found}) == len(found)


@BOUNDED
@given(st.binary(max_size=100))
def test_any_bytes_as_a_sitegraph_or_api_page_end_in_items_or_a_reason(body: bytes) -> None:
    for kind, url in (("sitegraph", f"{HOME}g"), ("api", f"{HOME}%d")):
        where = Site({url.replace("%d", "0"): Answer(body)})
        found, report = run(where, source(url, sourcetype=kind))
        assert found or report.errors


@BOUNDED
@given(st.lists(st.text(min_size=1, max_size=4), max_size=300))
def test_the_packed_table_remembers_exactly_what_a_set_does(urls: list[str]) -> None:
    seen, plain = SeenUrls(slots=8), set[str]()
    for url in urls:
        assert seen.add(url) is (url not in plain)
        plain.add(url)
    assert len(seen) == len(plain)


@pytest.mark.parametrize(
    "body",
    [
        b"<urlset>" + b"<url><loc>" * 100_000,
        b"<urlset>" + b"<" * 500_000,
        b"<urlset>" + b"&" * 500_000 + b"</urlset>",
        b"<urlset><url>" + b"<loc a " * 100_000 + b">",
        b"<feed><entry><link " + b"a " * 400_000 + b"/></entry></feed>",
        b"<feed><entry>" + b"<link href=" * 50_000 + b"></feed>",
        b"<urlset>" + b"<!--" * 200_000 + b"></urlset>",
        b"<!DOCTYPE x [" + b"]>" * 200_000 + b"<urlset/>",
        b"<!DOCTYPE x " + b"[] " * 200_000 + b"<urlset/>",
        b"<urlset>" + b"</x>" * 200_000 + b"</urlset>",
        b"<a>" * 200_000,
        b"<urlset>" + b"<url>  <loc>" * 100_000 + b"</urlset>",
        b"<urlset><url><loc>" + b"&amp;" * 200_000 + b"</loc></url></urlset>",
        b"<urlset>" + b"<url><lastmod>1</lastmod>" * 50_000 + b"</url></urlset>",
        b"https://h/" * 100_000,
        b" " * 1_000_000 + b"<urlset/>",
    ],
    ids=range(16),
)
def test_hostile_markup_costs_time_in_proportion_to_its_size(body: bytes) -> None:
    started = time.perf_counter()
    _sitemap(body, 16_384)
    assert time.perf_counter() - started < 10
