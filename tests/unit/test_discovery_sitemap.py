"""Sitemaps as they are out there: one test for each line of the field notes, and the ones that follow from them."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
from collections import Counter
from contextlib import aclosing
from itertools import pairwise

import pytest

from sheaf.harvest.discovery import DiscoveryReport, FetchFault, discover
from sheaf.harvest.discovery.bodies import read_text
from tests.unit.discovery_site import HOME, SITEMAP, Answer, Site, index, run, site, source, urls, urlset


def reasons(report: DiscoveryReport) -> list[str]:
    return [reason for _, reason, _ in report.errors]


# kinds of files


def test_a_urlset_gives_its_pages_in_order_with_their_lastmod() -> None:
    body = (
        b'<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
        b"<url><loc>https://data.example.org/b</loc><lastmod>2024-01-02</lastmod><priority>0.5</priority></url>"
        b"<url><lastmod> 2024-01-03 </lastmod><loc>https://data.example.org/a</loc></url></urlset>"
    )
    found, report = run(site(sitemap=body))
    assert [(page.url, page.lastmod, page.item) for page in found] == [
        ("https://data.example.org/b", "2024-01-02", None),
        ("https://data.example.org/a", "2024-01-03", None),
    ]
    assert report.complete
    assert (report.urls, report.sitemaps, report.errors, report.repaired) == (2, 1, [], [])


def test_a_sitemap_index_gives_the_pages_of_all_its_children() -> None:
    where = site(
        sitemap=index(f"{HOME}one.xml", f"{HOME}two.xml"), one=urlset(f"{HOME}1"), two=urlset(f"{HOME}2", f"{HOME}3")
    )
    found, report = run(where)
    assert urls(found) == ["1", "2", "3"]
    assert report.sitemaps == 3
    assert report.complete


def test_an_index_of_an_index_is_followed() -> None:
    where = site(sitemap=index(f"{HOME}inner.xml"), inner=index(f"{HOME}leaf.xml"), leaf=urlset(f"{HOME}1"))
    assert urls(run(where)[0]) == ["1"]


def test_an_index_that_names_itself_is_read_once() -> None:
    where = site(sitemap=index(SITEMAP, f"{HOME}leaf.xml"), leaf=index(SITEMAP) + b"")
    where.answers[f"{HOME}leaf.xml"] = Answer(urlset(f"{HOME}1"))
    found, report = run(where)
    assert urls(found) == ["1"]
    assert where.asked.count(SITEMAP) == 1
    assert reasons(report) == ["sitemap_cycle"]
    assert report.complete


def test_two_indexes_that_name_each_other_end() -> None:
    where = site(sitemap=index(f"{HOME}other.xml"), other=index(SITEMAP, f"{HOME}leaf.xml"), leaf=urlset(f"{HOME}1"))
    found, _ = run(where)
    assert urls(found) == ["1"]
    assert where.asked == [SITEMAP, f"{HOME}other.xml", f"{HOME}leaf.xml"]


def test_a_redirect_to_a_sitemap_that_was_read_is_not_read_again() -> None:
    where = site(sitemap=index(f"{HOME}a.xml", f"{HOME}b.xml"), a=urlset(f"{HOME}1"))
    where.answers[f"{HOME}b.xml"] = Answer(urlset(f"{HOME}1"), final_url=f"{HOME}a.xml")
    found, report = run(where)
    assert urls(found) == ["1"]
    assert report.duplicates == 0
    assert reasons(report) == ["sitemap_cycle"]


def test_indexes_nested_too_deep_are_cut_and_make_the_discovery_incomplete() -> None:
    names = ["sitemap", *(f"level{n}" for n in range(9))]
    where = site(**{name: index(f"{HOME}{below}.xml") for name, below in pairwise(names)})
    found, report = run(where)
    assert found == []
    assert reasons(report) == ["too_many_sitemaps"]
    assert not report.complete


@pytest.mark.parametrize("layers", [1, 2])
def test_a_gzipped_sitemap_is_known_by_its_magic_bytes_whatever_its_name_and_headers(layers: int) -> None:
    body = urlset(f"{HOME}1", f"{HOME}2")
    for _ in range(layers):
        body = gzip.compress(body)
    found, report = run(Site({SITEMAP: Answer(body, content_type="text/xml", chunk=7)}))
    assert urls(found) == ["1", "2"]
    assert report.complete


def test_an_xml_gz_that_the_http_client_has_unpacked_already_is_read_as_xml() -> None:
    url = f"{HOME}sitemap.xml.gz"
    where = Site({url: Answer(urlset(f"{HOME}1"), content_type="application/gzip")})
    assert urls(run(where, source(url))[0]) == ["1"]


def test_a_gzip_of_several_members_is_read_to_its_end() -> None:
    body = urlset(f"{HOME}1", f"{HOME}2")
    where = site(sitemap=gzip.compress(body[:150]) + gzip.compress(body[150:]) + b"\0\0")
    assert urls(run(where)[0]) == ["1", "2"]


def test_a_gzip_that_ends_in_the_middle_gives_what_was_there_and_is_incomplete() -> None:
    body = gzip.compress(urlset(*(f"{HOME}{n * 7919}" for n in range(5000))))
    found, report = run(site(sitemap=body[: len(body) // 2]))
    assert 1000 < len(found) < 5000
    assert reasons(report) == ["sitemap_truncated"]
    assert not report.complete


def test_a_gzip_bomb_is_unpacked_no_further_than_the_size_cap() -> None:
    bomb = gzip.compress(b"<urlset>" + b"<url></url>" * 20_000_000, 1)

    async def unpack() -> int:
        fetched = await site(sitemap=bomb).fetch(SITEMAP, "")
        size = 0
        try:
            async for text in read_text(fetched, Counter(), cap=30_000_000):
                size += len(text)
        except FetchFault as fault:
            return size if fault.reason == "too_large" else -1
        return -1

    tracemalloc.start()
    size = asyncio.run(unpack())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 29_000_000 < size <= 30_000_000
    assert peak < 10_000_000


def test_packed_white_space_without_end_is_given_up() -> None:
    found, report = run(site(sitemap=gzip.compress(urlset(f"{HOME}1") + b" " * 50_000_000, 1)))
    assert urls(found) == ["1"]
    assert reasons(report) == ["sitemap_unreadable"]


def test_three_layers_of_gzip_are_refused() -> None:
    found, report = run(site(sitemap=gzip.compress(gzip.compress(gzip.compress(urlset(f"{HOME}1"))))))
    assert found == []
    assert reasons(report) == ["bad_content_encoding"]


def test_a_plain_text_sitemap_gives_one_page_a_line() -> None:
    body = f"\ufeff{HOME}1\r\n  {HOME}2  \r\n\r\n# a comment\r\n{HOME}3".encode()
    found, report = run(Site({SITEMAP: Answer(body, content_type="text/plain", chunk=9)}))
    assert urls(found) == ["1", "2", "3"]
    assert report.complete


def test_an_rss_feed_gives_the_links_of_its_items_and_not_of_its_channel_or_image() -> None:
    body = (
        b'<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        b'<channel><link>https://data.example.org/</link><atom:link href="https://data.example.org/feed" rel="self"/>'
        b"<image><url>https://data.example.org/logo.png</url><link>https://data.example.org/</link></image>"
        b"<item><title>a &amp; b</title><link>https://data.example.org/1</link>"
        b"<pubDate>Mon, 01 Jan 2024 00:00:00 GMT</pubDate></item>"
        b"<item><guid>https://data.example.org/2</guid><dc:date>2024-02-02</dc:date></item>"
        b'<item><guid isPermaLink="false">https://data.example.org/no</guid></item></channel></rss>'
    )
    found, _ = run(site(sitemap=body))
    assert [(page.url, page.lastmod) for page in found] == [
        (f"{HOME}1", "Mon, 01 Jan 2024 00:00:00 GMT"),
        (f"{HOME}2", "2024-02-02"),
    ]


def test_an_atom_feed_gives_the_alternate_links_of_its_entries() -> None:
    body = (
        b'<feed xmlns="http://www.w3.org/2005/Atom"><link href="https://data.example.org/"/><id>urn:x</id>'
        b'<entry><link rel="self" href="https://data.example.org/self"/>'
        b'<link rel="alternate" type="text/html" href="https://data.example.org/1?a=1&amp;b=2"/>'
        b"<updated>2024-01-01T00:00:00Z</updated></entry>"
        b"<entry><id>https://data.example.org/2</id></entry></feed>"
    )
    found, _ = run(site(sitemap=body))
    assert [(page.url, page.lastmod) for page in found] == [
        (f"{HOME}1?a=1&b=2", "2024-01-01T00:00:00Z"),
        (f"{HOME}2", ""),
    ]


@pytest.mark.parametrize(
    "space",
    [
        "http://www.sitemaps.org/schemas/sitemap/0.9",
        "https://www.sitemaps.org/schemas/sitemap/0.9",
        "http://www.sitemaps.org/schemas/sitemap/0.9/",
        "http://www.google.com/schemas/sitemap/0.84",
        "",
    ],
)
def test_any_spelling_of_the_namespace_is_read(space: str) -> None:
    assert urls(run(site(sitemap=urlset(f"{HOME}1", space=space)))[0]) == ["1"]


def test_a_prefixed_namespace_is_read() -> None:
    body = (
        b'<sm:urlset xmlns:sm="http://www.sitemaps.org/schemas/sitemap/0.9">'
        b"<sm:url><sm:loc>https://data.example.org/1</sm:loc></sm:url></sm:urlset>"
    )
    assert urls(run(site(sitemap=body))[0]) == ["1"]


@pytest.mark.parametrize("chunk", [11, 65536])
def test_image_and_video_addresses_are_never_taken_for_pages(chunk: int) -> None:
    entry = (
        "<url><loc>https://data.example.org/%d</loc>"
        "<image:image><image:loc>https://data.example.org/no.png</image:loc></image:image>"
        "<image:loc>https://data.example.org/no-wrapper.png</image:loc>"
        "<video:video><video:player_loc>https://data.example.org/no</video:player_loc></video:video>"
        '<xhtml:link rel="alternate" hreflang="de" href="https://data.example.org/de"/>'
        "<lastmod>2024-01-01</lastmod></url>\n"
    )
    body = ("<urlset>\n" + "".join(entry % n for n in range(50)) + "</urlset>").encode()
    found, report = run(Site({SITEMAP: Answer(body, chunk=chunk)}))
    assert urls(found) == [str(n) for n in range(50)]
    assert {page.lastmod for page in found} == {"2024-01-01"}
    assert report.complete


# broken files


def test_a_bare_ampersand_is_read_as_what_it_is_and_reported_as_repaired() -> None:
    body = urlset(f"{HOME}?a=1&b=2", f"{HOME}?a=1&amp;b=2&copy=3", f"{HOME}?q=&lt;&#65;&#x42;&amp;lt;")
    found, report = run(site(sitemap=body))
    assert urls(found) == ["?a=1&b=2", "?a=1&b=2&copy=3", "?q=<AB&lt;"]
    assert report.repaired == [(SITEMAP, "bare & in text (2 times)")]
    assert report.complete


def test_a_truncated_file_gives_the_pages_before_the_cut_and_is_incomplete() -> None:
    whole = urlset(*(f"{HOME}{n}" for n in range(1000)))
    cut = whole.index(b"/500<") + 2  # in the middle of a loc: ".../50" would be a wrong page
    found, report = run(site(sitemap=whole[:cut]))
    assert urls(found) == [str(n) for n in range(500)]
    assert reasons(report) == ["sitemap_truncated"]
    assert not report.complete


def test_a_connection_reset_in_the_middle_keeps_the_pages_before_it() -> None:
    body = urlset(*(f"{HOME}{n}" for n in range(100)))[:3000]
    fault = FetchFault("connection_reset", "reset by peer")
    found, report = run(Site({SITEMAP: Answer(body, chunk=500, fault=fault)}))
    assert len(found) > 40
    assert reasons(report) == ["connection_reset"]
    assert not report.complete


@pytest.mark.parametrize("chunk", [1, 5, 65536])
def test_latin_1_and_byte_order_marks_are_read(chunk: int) -> None:
    text = f"<urlset><url><loc>{HOME}caf\u00e9</loc></url></urlset>"
    bodies = [
        f'<?xml version="1.0" encoding="ISO-8859-1"?>{text}'.encode("latin-1"),
        b"\xef\xbb\xbf" + f'<?xml version="1.0" encoding="UTF-8"?>{text}'.encode(),
        f'<?xml version="1.0" encoding="UTF-16"?>{text}'.encode("utf-16"),
        text.encode("utf-16-be"),
        f'<?xml version="1.0" encoding="windows-1252"?>{text}'.encode("cp1252"),
    ]
    for body in bodies:
        found, report = run(Site({SITEMAP: Answer(body, chunk=chunk)}))
        assert urls(found) == ["caf%C3%A9"], body[:40]
        assert report.repaired == []


def test_the_charset_of_the_content_type_counts_when_the_file_names_none() -> None:
    body = f"<urlset><url><loc>{HOME}caf\u00e9</loc></url></urlset>".encode("latin-1")
    answer = Answer(body, content_type="text/xml; charset=ISO-8859-1")
    assert urls(run(Site({SITEMAP: answer}))[0]) == ["caf%C3%A9"]


def test_bytes_that_are_not_utf8_in_a_utf8_file_are_read_as_windows_1252_and_reported() -> None:
    body = urlset(f"{HOME}1", f"{HOME}caf").replace(b"caf<", b"caf\xe9<")
    found, report = run(site(sitemap=body))
    assert urls(found) == ["1", "caf%C3%A9"]
    assert [what for _, what in report.repaired] == ["bytes that are not utf-8, read as Windows-1252"]
    assert report.complete


@pytest.mark.parametrize("charset", ["zlib", "rot13", "unicode_escape", "UTF-16", "no-such-thing"])
def test_a_declared_charset_that_is_wrong_or_no_charset_is_reported_and_read_as_utf8(charset: str) -> None:
    body = urlset(f"{HOME}1").replace(b"UTF-8", charset.encode())
    found, report = run(site(sitemap=body))
    assert urls(found) == ["1"]
    assert len(report.repaired) == 1
    assert charset in report.repaired[0][1]


def test_control_characters_and_nul_are_left_out_and_reported() -> None:
    found, report = run(site(sitemap=urlset(f"{HOME}a\x0bb", f"{HOME}c\x00d", f"{HOME}e&#0;f&#xD800;g&#99999999;")))
    assert urls(found) == ["ab", "cd", "efg&#99999999;"]
    assert len(report.repaired) == 3


def test_spaces_around_a_loc_are_stripped_and_inside_it_become_percent_20() -> None:
    found, report = run(
        site(sitemap=urlset(f"\n   {HOME}1\t ", f"{HOME}a b", f"{HOME}c\n      d", f"\u00a0{HOME}2\u200b"))
    )
    assert urls(found) == ["1", "a%20b", "cd", "2"]
    assert [what.partition(":")[0] for _, what in report.repaired] == [
        "space inside a URL",
        "line break inside a URL",
    ]


def test_cdata_and_comments_are_read_as_xml_means_them() -> None:
    body = (
        b"<urlset><!-- <url><loc>https://data.example.org/no</loc></url> -->"
        b"<url><loc><![CDATA[https://data.example.org/1?a=1&b=2]]></loc></url>"
        b"<url><loc>https://data.example.org/<!-- no -->2</loc></url>"
        b"<url><!-- > --><loc>https://data.example.org/3</loc></url></urlset>"
    )
    for chunk in (1, 13, 65536):
        found, report = run(Site({SITEMAP: Answer(body, chunk=chunk)}))
        assert urls(found) == ["1?a=1&b=2", "2", "3"]
        assert report.repaired == []
        assert report.complete


def test_a_comment_around_entries_is_skipped_in_the_middle_of_a_plain_file() -> None:
    plain = [f"<url><loc>{HOME}{n}</loc></url>" for n in range(3000)]
    plain[1000] = f"<!-- {plain[1000]} -->"
    body = f"<urlset>{''.join(plain)}</urlset>".encode()
    found, _ = run(Site({SITEMAP: Answer(body, chunk=1000)}))
    assert urls(found) == [str(n) for n in range(3000) if n != 1000]


def test_an_entity_bomb_expands_to_nothing_and_is_reported() -> None:
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    body = (
        f'<?xml version="1.0"?><!DOCTYPE urlset [<!ENTITY l0 "lol">{levels}'
        f'<!ENTITY x SYSTEM "file:///etc/passwd">]><urlset><url><loc>{HOME}1</loc></url>'
        f"<url><loc>{HOME}&l9;</loc></url><url><loc>{HOME}&x;</loc></url></urlset>"
    ).encode()
    found, report = run(site(sitemap=body))
    assert urls(found) == ["1", "&l9;", "&x;"]
    assert (SITEMAP, "entity declarations, not expanded") in report.repaired


def test_a_five_megabyte_single_line_is_read() -> None:
    count = 60_000
    body = (
        b"<urlset>"
        + b"".join(b"<url><loc>%s%080d</loc></url>" % (HOME.encode(), n) for n in range(count))
        + b"</urlset>"
    )
    assert len(body) > 5_000_000
    assert b"\n" not in body
    found, report = run(site(sitemap=body))
    assert len(found) == count
    assert report.complete


def test_tags_that_are_not_closed_cost_no_page() -> None:
    body = (
        f"<urlset><url><loc>{HOME}1</loc><url><loc>{HOME}2<lastmod>2024-01-01</lastmod></url>"
        f"<url><loc>{HOME}3</loc></priority></url></urlset>"
    ).encode()
    found, report = run(site(sitemap=body))
    assert urls(found) == ["1", "2", "3"]
    assert found[1].lastmod == "2024-01-01"
    assert len(report.repaired) >= 2


def test_warnings_that_a_script_printed_above_the_sitemap_are_skipped() -> None:
    body = b"Notice: Undefined index in /var/www/x.php on line 3\n\n" + urlset(f"{HOME}1")
    found, report = run(site(sitemap=body))
    assert urls(found) == ["1"]
    assert report.repaired == [(SITEMAP, "text before the first element")]


def test_an_html_page_with_status_200_is_told_from_a_sitemap() -> None:
    for body in (b"<!DOCTYPE html><html><body>Sorry</body></html>", b"\n<!-- x --><HTML><head>", b"<html xmlns='x'/>"):
        found, report = run(Site({SITEMAP: Answer(body, content_type="text/html")}))
        assert found == []
        assert reasons(report) == ["sitemap_is_html"]
        assert not report.complete


@pytest.mark.parametrize(
    "body", [b"<Error><Code>AccessDenied</Code></Error>", b'{"error": "no"}', b"PK\x03\x04\x14\x00", b"Sorry.\n" * 500]
)
def test_what_is_neither_xml_nor_text_of_urls_is_unreadable(body: bytes) -> None:
    found, report = run(site(sitemap=body))
    assert found == []
    assert reasons(report) == ["sitemap_unreadable"]
    assert not report.complete


@pytest.mark.parametrize(
    ("status", "reason"), [(404, "sitemap_not_found"), (500, "http_500_server_error"), (403, "http_403_forbidden")]
)
def test_a_child_of_an_index_that_fails_is_recorded_and_the_others_still_come(status: int, reason: str) -> None:
    where = site(sitemap=index(*(f"{HOME}{n}.xml" for n in (1, 2, 3))))
    where.answers[f"{HOME}1.xml"] = Answer(urlset(f"{HOME}a"))
    where.answers[f"{HOME}2.xml"] = Answer(b"", status)
    where.answers[f"{HOME}3.xml"] = Answer(urlset(f"{HOME}c"))
    found, report = run(where)
    assert urls(found) == ["a", "c"]
    assert [(url, code) for url, code, _ in report.errors] == [(f"{HOME}2.xml", reason)]
    assert not report.complete


def test_a_child_that_does_not_answer_is_recorded_and_the_others_still_come() -> None:
    where = site(sitemap=index(f"{HOME}1.xml", f"{HOME}2.xml"))
    where.answers[f"{HOME}1.xml"] = FetchFault("timeout_connect", "no connection in 15 s")
    where.answers[f"{HOME}2.xml"] = Answer(urlset(f"{HOME}c"))
    found, report = run(where)
    assert urls(found) == ["c"]
    assert report.errors == [(f"{HOME}1.xml", "timeout_connect", "no connection in 15 s")]


def test_an_empty_sitemap_is_complete_and_an_empty_file_is_not() -> None:
    found, report = run(site(sitemap=urlset()))
    assert (found, reasons(report), report.complete) == ([], ["sitemap_empty"], True)
    found, report = run(site(sitemap=b""))
    assert (found, reasons(report), report.complete) == ([], ["empty_body"], False)
    found, report = run(site(sitemap=b'<?xml version="1.0"?>'))
    assert (found, reasons(report), report.complete) == ([], ["sitemap_truncated"], False)


def test_a_tag_without_an_end_is_given_up_in_bounded_memory() -> None:
    body = b"<urlset><url><loc>x</loc></url><!-- " + b"never closed > " * 400_000
    found, report = run(Site({SITEMAP: Answer(body, chunk=4096)}))
    assert urls(found) == ["x"]
    assert reasons(report) == ["sitemap_unreadable"]


# addresses


def test_duplicate_locs_are_counted_and_given_once() -> None:
    where = site(sitemap=index(f"{HOME}1.xml", f"{HOME}2.xml"))
    where.answers[f"{HOME}1.xml"] = Answer(urlset(f"{HOME}b", f"{HOME}a", f"{HOME}b"))
    where.answers[f"{HOME}2.xml"] = Answer(urlset(f"{HOME}a", f"{HOME}c"))
    found, report = run(where)
    assert urls(found) == ["b", "a", "c"]
    assert (report.urls, report.duplicates) == (3, 2)


def test_other_hosts_are_harvested_and_counted_by_name() -> None:
    body = urlset(f"{HOME}1", "https://other.example.net/1", "http://other.example.net/2", "http://data.example.org/3")
    found, report = run(site(sitemap=body))
    assert len(found) == 4
    assert report.other_hosts == 2
    assert report.hosts == {"other.example.net": 2}


def test_the_source_s_domain_is_no_other_host() -> None:
    _, report = run(site(sitemap=urlset("https://www.example.org/1")), source(domain="https://www.example.org"))
    assert report.other_hosts == 0


def test_other_schemes_are_refused_with_their_reason() -> None:
    body = urlset(
        "ftp://data.example.org/1", "file:///etc/passwd", "javascript:alert(1)", "data:text/html,x", f"{HOME}1"
    )
    found, report = run(site(sitemap=body))
    assert urls(found) == ["1"]
    assert {reason for _, reason, _ in report.refused} == {"bad_scheme"}
    assert report.counts["bad_scheme"] == 4
    assert report.complete


def test_a_url_of_more_than_1024_bytes_is_harvested_and_one_of_more_than_2048_refused() -> None:
    long, too_long, escaped = f"{HOME}{'x' * 1500}", f"{HOME}{'y' * 2100}", HOME + "\u00e9" * 400
    found, report = run(site(sitemap=urlset(long, too_long, escaped)))
    assert [page.url for page in found] == [long]
    assert [(reason, url[:30]) for url, reason, _ in report.refused] == [
        ("url_too_long", too_long[:30]),
        ("url_too_long", escaped[:30]),
    ]


def test_relative_locs_are_resolved_against_where_the_sitemap_really_lies() -> None:
    where = Site({SITEMAP: Answer(urlset("page/1", "/top", "//other.example.net/x", "?q=1"))})
    where.answers[SITEMAP].final_url = f"{HOME}moved/sitemap.xml"  # type: ignore[union-attr]
    found, report = run(where)
    assert [page.url for page in found] == [
        f"{HOME}moved/page/1",
        f"{HOME}top",
        "https://other.example.net/x",
        f"{HOME}moved/sitemap.xml?q=1",
    ]
    assert len(report.repaired) == 4


@pytest.mark.parametrize("loc", ["", "https://", "https:///x", "http://[::1/x", "https://h:99999999/x", "http:/x"])
def test_an_address_that_is_no_url_is_refused_alone(loc: str) -> None:
    found, report = run(site(sitemap=urlset(loc, f"{HOME}1")))
    assert urls(found) == ["1"]
    assert [reason for _, reason, _ in report.refused] == ["bad_url"]


def test_a_million_bad_lines_keep_only_examples() -> None:
    _, report = run(site(sitemap=urlset(*(f"ftp://h/{n}" for n in range(5000)), f"{HOME}1")))
    assert report.counts["bad_scheme"] == 5000
    assert len(report.refused) == 200


def test_max_urls_ends_the_stream_and_makes_it_incomplete() -> None:
    found, report = run(site(sitemap=urlset(*(f"{HOME}{n}" for n in range(100)))), source(max_urls=30))
    assert len(found) == report.urls == 30
    assert reasons(report) == ["too_many_urls"]
    assert not report.complete


# streaming


def test_the_first_page_comes_before_the_file_is_read() -> None:
    body = urlset(*(f"{HOME}{n}" for n in range(50_000)))
    where = Site({SITEMAP: Answer(body, chunk=4096)})
    found, _ = run(where, at_most=1)
    assert len(found) == 1
    assert where.sent[SITEMAP] <= 8192


def test_a_consumer_that_stops_early_gives_the_connection_back() -> None:
    where = Site({SITEMAP: Answer(urlset(*(f"{HOME}{n}" for n in range(50_000))), chunk=4096)})

    async def first() -> None:
        async with aclosing(discover(source(), where.fetch, DiscoveryReport())) as stream:
            async for _ in stream:
                break

    asyncio.run(first())
    assert where.closed == 1


def test_two_hundred_thousand_urls_take_little_memory() -> None:
    files = 4
    where = site(sitemap=index(*(f"{HOME}{n}.xml" for n in range(files))))
    for n in range(files):
        where.answers[f"{HOME}{n}.xml"] = Answer(urlset(*(f"{HOME}{n}/{m:060d}" for m in range(50_000))))
    report = DiscoveryReport()

    async def total() -> int:
        seen = 0
        async for _ in discover(source(), where.fetch, report):
            seen += 1
        return seen

    tracemalloc.start()
    seen = asyncio.run(total())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seen == 200_000
    assert peak < 20_000_000  # 200,000 such strings alone take 25 MB


# source type robots


def test_a_robots_source_reads_every_sitemap_line() -> None:
    robots = (
        f"User-agent: *\nDisallow: /\nSitemap: {HOME}a.xml\nsitemap:{HOME}b.xml # two\n"
        f"Sitemap: /c.xml\nSitemap: {HOME}a.xml\n"
    )
    where = site(a=urlset(f"{HOME}1"), b=urlset(f"{HOME}2", f"{HOME}1"), c=urlset(f"{HOME}3"))
    where.answers[f"{HOME}robots.txt"] = Answer(robots.encode(), content_type="text/plain")
    for url in (f"{HOME}robots.txt", HOME, HOME.rstrip("/")):
        found, report = run(where, source(url, sourcetype="robots"))
        assert urls(found) == ["1", "2", "3"]
        assert report.duplicates == 1
        assert report.complete


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(b"User-agent: *\n"), "sitemap_not_found"),
        (Answer(b"<html>no</html>"), "sitemap_not_found"),
        (Answer(b"", 503), "http_503_unavailable"),
        (FetchFault("dns_error", "no such host"), "dns_error"),
    ],
)
def test_a_robots_source_without_sitemaps_is_an_error_and_incomplete(answer: Answer | FetchFault, reason: str) -> None:
    found, report = run(Site({f"{HOME}robots.txt": answer}), source(f"{HOME}robots.txt", sourcetype="robots"))
    assert found == []
    assert reasons(report) == [reason]
    assert not report.complete
