"""The demo site does what its scripts say: answers, breaks, visits, days, and JSON-LD in every spelling."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx
import pytest

from sheaf.demo import RunningSite, expected, load_site, serve
from sheaf.errors import BadInput

SCRIPTS = re.compile(r'<script type="([^"]*)">(.*?)</script>', re.DOTALL)


@pytest.fixture
def demo() -> Iterator[RunningSite]:
    with serve(load_site("demo")) as running:
        yield running


@pytest.fixture
def notes() -> Iterator[RunningSite]:
    with serve(load_site("fieldnotes")) as running:
        yield running


def get(running: RunningSite, path: str, **headers: str) -> httpx.Response:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.get(running.url + path, headers=given, timeout=10)


def raw_request(running: RunningSite, path: str) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", running.port), timeout=5)
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: site\r\n\r\n".encode())
    return client


# --- what the server does -----------------------------------------------------------------------------------------


def test_a_reset_cuts_the_body_after_the_bytes_that_the_script_says(notes: RunningSite) -> None:
    received = b""

    def read_to_the_end(client: socket.socket) -> None:
        nonlocal received
        while chunk := client.recv(65536):
            received += chunk

    with raw_request(notes, "/fetching/reset-in-the-body") as client, pytest.raises(ConnectionResetError):
        read_to_the_end(client)
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"200 OK" in head
    assert len(body) == 150
    length = re.search(rb"Content-Length: (\d+)", head)
    assert length is not None
    assert int(length[1]) > 150


def test_a_reset_at_the_first_visit_is_followed_by_a_whole_answer(notes: RunningSite) -> None:
    with pytest.raises(httpx.TransportError):
        get(notes, "/fetching/reset-once")
    assert "Field note 22" in get(notes, "/fetching/reset-once").text


def test_a_delayed_answer_takes_its_time_and_delays_no_other(demo: RunningSite) -> None:
    begin = time.monotonic()
    slow = raw_request(demo, "/brackish/deployment/033")
    assert get(demo, "/brackish/deployment/001").status_code == 200
    assert time.monotonic() - begin < 0.6
    assert slow.recv(20).startswith(b"HTTP/1.1 200")
    assert time.monotonic() - begin >= 0.7
    slow.close()


def test_an_endless_page_goes_on_until_the_client_leaves(notes: RunningSite) -> None:
    received = 0
    with httpx.stream("GET", notes.url + "/fetching/endless", timeout=5) as answer:
        assert "content-length" not in answer.headers
        for chunk in answer.iter_bytes():
            received += len(chunk)
            if received > 1_000_000:
                break
    assert received > 1_000_000
    assert get(notes, "/fetching/fine/001").status_code == 200


def test_an_etag_that_is_sent_back_gets_304_until_the_page_changes(demo: RunningSite) -> None:
    path = "/nitrogen/dataset/039"
    tag = get(demo, path).headers["etag"]
    again = get(demo, path, if_none_match=f'"other", W/{tag}')
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    demo.set_day(1)
    changed = get(demo, path, if_none_match=tag)
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


def test_a_date_that_is_sent_back_gets_304_and_an_older_one_the_page(notes: RunningSite) -> None:
    path = "/fetching/last-modified"
    date = get(notes, path).headers["last-modified"]
    assert get(notes, path, if_modified_since=date).status_code == 304
    assert get(notes, path, if_modified_since="Sun, 04 May 2025 05:05:05 GMT").status_code == 200


def test_an_etag_scripted_as_changing_is_new_each_time_over_the_same_body(notes: RunningSite) -> None:
    first = get(notes, "/fetching/changing-etag")
    second = get(notes, "/fetching/changing-etag", if_none_match=first.headers["etag"])
    assert second.status_code == 200
    assert second.headers["etag"] != first.headers["etag"]
    assert second.content == first.content


def test_visits_are_answered_in_turn_and_counted_anew_each_day(demo: RunningSite) -> None:
    path = "/brackish/deployment/029"
    assert [get(demo, path).status_code for _ in range(3)] == [503, 200, 200]
    demo.set_day(1)
    assert [get(demo, path).status_code for _ in range(2)] == [503, 200]
    assert demo.hits(path) == 5


def test_retry_after_comes_in_seconds_and_as_a_date(notes: RunningSite) -> None:
    seconds = get(notes, "/politeness/retry-after-seconds")
    date = get(notes, "/politeness/retry-after-date")
    assert (seconds.status_code, seconds.headers["retry-after"], date.status_code) == (429, "1", 429)
    ahead = (parsedate_to_datetime(date.headers["retry-after"]) - datetime.now(UTC)).total_seconds()
    assert 0 <= ahead <= 2
    assert get(notes, "/politeness/retry-after-date").status_code == 200


@pytest.mark.parametrize("name", ["gzip", "deflate", "brotli", "zstd"])
def test_a_content_encoding_is_used_only_when_it_is_accepted(notes: RunningSite, name: str) -> None:
    token = {"brotli": "br"}.get(name, name)
    packed = get(notes, f"/fetching/{name}", accept_encoding=token)
    plain = get(notes, f"/fetching/{name}", accept_encoding="identity")
    assert packed.headers["content-encoding"] == token
    assert "content-encoding" not in plain.headers
    assert packed.text == plain.text
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"])


def test_redirects_lead_to_their_page_and_loops_lead_back(notes: RunningSite) -> None:
    moved = httpx.get(notes.url + "/fetching/redirect", follow_redirects=True, timeout=5)
    assert str(moved.url) == notes.url + "/fetching/redirected"
    assert "Field note 24" in moved.text
    with pytest.raises(httpx.TooManyRedirects):
        httpx.get(notes.url + "/fetching/redirect-loop", follow_redirects=True, timeout=5)


def test_unknown_paths_other_methods_and_nonsense_are_refused(demo: RunningSite) -> None:
    assert get(demo, "/nothing/here").status_code == 404
    assert httpx.post(demo.url + "/nitrogen/sitemap.xml", timeout=5).status_code == 405
    head = httpx.head(demo.url + "/nitrogen/sitemap.xml", timeout=5)
    assert (head.status_code, head.content) == (200, b"")
    with socket.create_connection(("127.0.0.1", demo.port), timeout=5) as client:
        client.sendall(b"nonsense\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 400")


def test_requests_sent_at_once_on_one_connection_are_answered_in_order(demo: RunningSite) -> None:
    paths = [f"/nitrogen/dataset/{n:03d}" for n in range(1, 31)]
    with socket.create_connection(("127.0.0.1", demo.port), timeout=5) as client:
        client.sendall("".join(f"GET {path} HTTP/1.1\r\nHost: site\r\n\r\n" for path in paths[:-1]).encode())
        client.sendall(f"GET {paths[-1]} HTTP/1.1\r\nConnection: close\r\n\r\n".encode())
        received = b""
        while chunk := client.recv(65536):
            received += chunk
    assert re.findall(rb"<title>Nitrate isotope profile (\d+),", received) == [b"%d" % n for n in range(1, 31)]


def test_the_log_keeps_each_request_with_its_headers(demo: RunningSite) -> None:
    get(demo, "/nitrogen/dataset/001", user_agent="a test")
    get(demo, "/brackish/deployment/026")
    assert [(hit.path, hit.status) for hit in demo.log] == [
        ("/nitrogen/dataset/001", 200),
        ("/brackish/deployment/026", 404),
    ]
    assert demo.log[0].headers["user-agent"] == "a test"
    demo.forget()
    assert (demo.log, demo.hits("/nitrogen/dataset/001")) == ([], 0)


def test_another_process_can_read_and_set_the_day(demo: RunningSite) -> None:
    assert get(demo, "/_site").json() == {"site": "demo", "day": 0, "days": 2}
    assert httpx.post(demo.url + "/_site/day/1", timeout=5).json()["day"] == 1
    assert demo.day == 1
    counts = get(demo, "/_site/expected.json").json()["sources"]["brackish"]["1"]
    assert counts["documents"] == expected(demo.site, "brackish", 1).documents


def test_a_stopped_site_frees_its_port_and_drops_its_connections() -> None:
    with serve(load_site("demo")) as running:
        waiting = raw_request(running, "/brackish/deployment/032")
        port = running.port
    # Closed, or reset when the server had not taken it up yet: but never left waiting.
    with suppress(ConnectionResetError):
        assert waiting.recv(10) == b""
    waiting.close()
    with serve(load_site("demo"), port=port) as running:
        assert get(running, "/robots.txt").status_code == 200


def test_a_site_can_be_started_from_within_an_event_loop() -> None:
    async def ask() -> int:
        with serve(load_site("demo")) as running:
            async with httpx.AsyncClient() as client:
                return (await client.get(running.url + "/robots.txt")).status_code

    assert asyncio.run(ask()) == 200


def test_a_port_that_is_taken_is_named(demo: RunningSite) -> None:
    with pytest.raises(BadInput, match=f"127.0.0.1:{demo.port}"), serve(load_site("demo"), port=demo.port):
        raise AssertionError("two sites on one port")


def test_the_program_serves_until_it_is_told_to_stop() -> None:
    command = [sys.executable, "-m", "sheaf.demo.site", "--port", "0", "--day", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[0]
        day = httpx.get(url + "/_site", timeout=5).json()["day"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
    assert day == 1


# --- what the sites hold ------------------------------------------------------------------------------------------


def test_the_demo_has_six_sources_of_some_twenty_to_sixty_pages_each() -> None:
    sizes = {source.name: len(source.pages) for source in load_site("demo").sources}
    assert set(sizes) == {"nitrogen", "nitrogen2", "seamount", "brackish", "driftcore", "tidewatch"}
    assert all(15 <= size <= 62 for size in sizes.values())
    assert 200 <= sum(sizes.values()) <= 250


def test_every_dataset_of_the_demo_says_what_a_portal_shows(demo: RunningSite) -> None:
    wanted = {"name", "description", "keywords", "publisher", "license", "spatialCoverage", "temporalCoverage"}
    wanted |= {"variableMeasured", "distribution", "dateModified", "url"}
    seen = 0
    for source in demo.site.sources:
        for page in source.pages:
            for script in page.on(0).answers[-1].scripts:
                for document in script.documents:
                    assert wanted <= set(document), page.path
                    assert "${" not in json.dumps(document).replace("${base}", "")
                    seen += 1
    assert seen > 200


def test_a_page_serves_the_json_of_its_script_at_the_sites_own_address(demo: RunningSite) -> None:
    ((kind, text),) = SCRIPTS.findall(get(demo, "/nitrogen/dataset/007").text)
    document = json.loads(text)
    assert kind == "application/ld+json"
    assert document["url"] == demo.url + "/nitrogen/dataset/007"
    assert document["identifier"]["value"] == "doi:10.5072/nia.007"
    assert isinstance(document["spatialCoverage"]["geo"]["latitude"], float)


@pytest.mark.parametrize(
    ("page", "sign"),
    [
        ("two-scripts", '"name": "The second script"'),
        ("array-root", '<script type="application/ld+json">[\n'),
        ("nested-array", '<script type="application/ld+json">[\n  [\n'),
        ("graph", '"@graph": ['),
        ("in-the-body", '</p>\n<script type="application/ld+json">'),
        ("after-html", '</html>\n<script type="application/ld+json">'),
        ("type-in-capitals", '<script type="APPLICATION/LD+JSON">{'),
        ("type-with-charset", '<script type="application/ld+json; charset=utf-8">{'),
        ("type-with-blank", '<script type=" application/ld+json">{'),
        ("html-comment", '<script type="application/ld+json"><!--\n{'),
        ("cdata", '<script type="application/ld+json">//<![CDATA[\n{'),
        ("bom", '<script type="application/ld+json">\ufeff{'),
        ("entities", "&quot;@context&quot;: &quot;https://schema.org/&quot;"),
        ("trailing-comma", ",\n}</script>"),
        ("missing-value", '"alternateName": ,'),
        ("raw-newline", '"description": "First line\nsecond line'),
        ("empty-script", '<script type="application/ld+json"></script>'),
        ("empty-object", '<script type="application/ld+json">{}</script>'),
        ("javascript", "document.head.appendChild(made)"),
    ],
)
def test_json_ld_is_written_into_the_page_as_the_script_says(notes: RunningSite, page: str, sign: str) -> None:
    assert sign in get(notes, f"/extraction/{page}").text


def test_json_bodies_and_charsets_are_served_as_scripted(notes: RunningSite) -> None:
    raw, text = get(notes, "/extraction/json-body"), get(notes, "/extraction/json-as-text")
    assert raw.headers["content-type"] == "application/ld+json; charset=utf-8"
    assert text.headers["content-type"] == "text/plain; charset=utf-8"
    assert raw.json()["name"] == "Field note 19 of extraction"
    called_latin, called_utf8 = get(notes, "/extraction/wrong-charset"), get(notes, "/extraction/latin1")
    assert "iso-8859-1" in called_latin.headers["content-type"]
    assert "Überfahrt nach Ærø" in called_latin.content.decode("utf-8")
    assert "utf-8" in called_utf8.headers["content-type"]
    assert "Überfahrt nach Ærø" in called_utf8.content.decode("latin-1")


def test_the_compressed_child_of_the_index_is_gzip_in_the_https_namespace(demo: RunningSite) -> None:
    packed = get(demo, "/seamount/sitemap-atlantic.xml.gz")
    assert "content-encoding" not in packed.headers
    text = gzip.decompress(packed.content).decode()
    assert '<urlset xmlns="https://www.sitemaps.org/schemas/sitemap/0.9">' in text
    assert text.count("<loc>") == 20


def test_sitemaps_are_as_untidy_as_scripted(notes: RunningSite) -> None:
    assert "show?id=1&lang=en</loc>" in get(notes, "/bare-ampersand/sitemap.xml").text
    assert get(notes, "/duplicates/sitemap.xml").text.count("<loc>") == 12
    assert "\n" not in get(notes, "/untidy-xml/c.xml").text
    assert "geändert".encode("latin-1") in get(notes, "/untidy-xml/b.xml").content
    assert get(notes, "/untidy-xml/a.xml").content.startswith("\ufeff<?xml".encode())
    assert 'xmlns="https://www.sitemaps.org/schemas/sitemap/0.9/"' in get(notes, "/sitemap-index/plain.xml").text
    notes.set_day(1)
    down = get(notes, "/html-for-sitemap/sitemap.xml")
    assert (down.status_code, down.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert get(notes, "/broken-children/b.xml").status_code == 404
    assert get(notes, "/broken-children/c.xml").status_code == 500


def test_the_sitegraph_is_one_document_with_all_items_of_the_day(demo: RunningSite) -> None:
    names = []
    for day in (0, 1):
        demo.set_day(day)
        graph = get(demo, "/driftcore/sitegraph.jsonld").json()["@graph"]
        assert {item["@type"] for item in graph} == {"Dataset"}
        names.append({item["@id"].rpartition("/")[2] for item in graph})
    assert len(names[0]) == len(names[1]) == 24
    assert (names[0] - names[1], names[1] - names[0]) == ({"024"}, {"025"})


def test_robots_txt_names_the_sitemap_and_closes_the_drafts_of_one_source_only(demo: RunningSite) -> None:
    lines = get(demo, "/robots.txt").text.splitlines()
    assert f"Sitemap: {demo.url}/tidewatch/sitemap.xml" in lines
    assert [line for line in lines if line.startswith("Disallow")] == ["Disallow: /tidewatch/draft/"]
