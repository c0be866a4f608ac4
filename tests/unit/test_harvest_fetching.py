"""What the web does to a single request, each under its reason; politeness; addresses that are refused."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from sheaf.config import Source
from sheaf.config.sources import Breaker
from sheaf.harvest.addresses import Addresses, forbidden
from sheaf.harvest.breaker import CircuitBreaker
from sheaf.harvest.discovery import FetchFault
from sheaf.harvest.fetching import Answer, Fetcher
from sheaf.harvest.politeness import Politeness, backoff, retry_after

Handler = Callable[[str, dict[str, str]], bytes]


def answer(status: str = "200 OK", body: bytes = b"fine", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def fetched(
    handler: Handler, *paths: str, headers: dict[str, str] | None = None, **settings: Any
) -> tuple[list[Answer], list[str]]:
    """The answers to requests for ``paths`` of a server that writes what ``handler`` returns, and the paths it saw."""
    seen: list[str] = []

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        path = head[0].split(" ")[1]
        seen.append(path)
        given = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        writer.write(handler(path, given))
        await writer.drain()
        writer.close()

    async def whole() -> list[Answer]:
        server = await asyncio.start_server(client, "127.0.0.1", 0)
        base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        source = Source(name="s", url=f"{base}/sitemap.xml", **{"retries": 0, "page_timeout": 5, **settings})
        async with server, Fetcher(source, "test", Addresses("127.0.0.1"), Politeness()) as fetcher:
            return [await fetcher.page(base + path, headers or {}) for path in paths]

    return asyncio.run(whole()), seen


def reason_of(raw: bytes, **settings: Any) -> str:
    return fetched(lambda path, headers: raw, "/page", **settings)[0][0].reason


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "connection_reset"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", "connection_reset"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", "connection_reset"),
        (b"this is no HTTP\r\n\r\n", "protocol_error"),
        (answer(body=b"not gzip", Content_Encoding="gzip"), "bad_content_encoding"),
        (answer(body=b"not zstd", Content_Encoding="zstd"), "bad_content_encoding"),
        (answer(body=b""), "empty_body"),
        (answer("204 No Content", b""), "http_unexpected"),
        (answer("206 Partial Content"), "http_unexpected"),
        (answer("403 Forbidden"), "http_403_forbidden"),
        (answer("418 I'm a teapot"), "http_4xx"),
        (answer("507 Insufficient Storage"), "http_5xx"),
        (answer("302 Found", Location="file:///etc/passwd"), "bad_redirect"),
        (answer("302 Found", Location="http://[broken/"), "bad_redirect"),
        (answer("302 Found", Location="/page"), "redirect_loop"),
        (answer("302 Found", Location="http://169.254.169.254/latest/"), "blocked_address"),
        (answer("302 Found", Location="http://10.0.0.7/"), "blocked_address"),
        (answer("302 Found", Location="http://2852039166/"), "blocked_address"),
        (answer("302 Found", Location="http://[::ffff:10.0.0.7]/"), "blocked_address"),
        (answer("302 Found"), "http_unexpected"),
    ],
)
def test_each_fault_has_its_own_reason(raw: bytes, reason: str) -> None:
    assert reason_of(raw) == reason


def test_nothing_listens() -> None:
    async def whole() -> Answer:
        source = Source(name="s", url="http://127.0.0.1:1/", retries=0)
        async with Fetcher(source, "test", Addresses("127.0.0.1"), Politeness()) as fetcher:
            return await fetcher.page("http://127.0.0.1:1/", {})

    assert asyncio.run(whole()).reason == "connection_refused"


def test_more_redirects_than_allowed_are_given_up() -> None:
    answers, seen = fetched(lambda path, _: answer("302 Found", Location=f"{path}x"), "/")
    assert answers[0].reason == "too_many_redirects"
    assert len(seen) == 11


def test_a_redirect_keeps_the_final_url_and_drops_the_conditions() -> None:
    conditions: list[str] = []

    def serve(path: str, headers: dict[str, str]) -> bytes:
        conditions.append(headers.get("if-none-match", ""))
        return answer("301 Moved Permanently", Location="/there") if path == "/here" else answer()

    answers, _ = fetched(serve, "/here", headers={"If-None-Match": '"x"'})
    assert answers[0].url.endswith("/there")
    assert conditions == ['"x"', ""]


def test_the_size_cap_holds_for_announced_for_chunked_and_for_compressed_bodies() -> None:
    assert reason_of(answer(body=b"x" * 3000), max_page_bytes=2000) == "too_large"
    chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + 2 * (b"400\r\n" + b"x" * 1024 + b"\r\n")
    assert reason_of(chunks + b"0\r\n\r\n", max_page_bytes=2000) == "too_large"
    bomb = gzip.compress(b"\0" * 5_000_000)
    assert len(bomb) < 10_000
    assert reason_of(answer(body=bomb, Content_Encoding="gzip"), max_page_bytes=1_000_000) == "too_large"
    assert reason_of(answer(body=bomb, Content_Encoding="gzip"), max_page_bytes=5_000_000) == ""


def test_a_temporary_fault_is_tried_again_and_a_lasting_one_is_not() -> None:
    turns = iter([answer("500 Internal Server Error"), b"", answer(body=b"at last")])
    answers, seen = fetched(lambda path, _: next(turns), "/page", retries=2)
    assert (answers[0].body, answers[0].attempts, len(seen)) == (b"at last", 3, 3)
    _, seen = fetched(lambda path, _: answer("404 Not Found"), "/page", retries=2)
    assert len(seen) == 1


def test_a_server_that_asks_for_a_second_gets_it_and_then_answers() -> None:
    turns = iter([answer("429 Too Many Requests", Retry_After="1"), answer()])
    begun = time.monotonic()
    answers, _ = fetched(lambda path, _: next(turns), "/page", retries=1)
    assert answers[0].status == 200
    assert time.monotonic() - begun >= 1.0


def test_a_server_that_asks_for_an_hour_fails_the_page_at_once() -> None:
    begun = time.monotonic()
    answers, seen = fetched(lambda path, _: answer("503 Busy", Retry_After="3600"), "/page", retries=2)
    assert (answers[0].reason, len(seen)) == ("http_503_unavailable", 1)
    assert time.monotonic() - begun < 2


def test_a_page_that_never_ends_its_answer_is_given_up_after_the_page_timeout() -> None:
    slow = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"

    async def whole() -> Answer:
        async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(slow)
            await reader.read()
            writer.close()

        server = await asyncio.start_server(client, "127.0.0.1", 0)
        base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        source = Source(name="s", url=base, retries=2, page_timeout=1.5)
        async with Fetcher(source, "test", Addresses("127.0.0.1"), Politeness()) as fetcher:
            found = await fetcher.page(base, {})
        server.close()
        return found

    found = asyncio.run(whole())
    assert (found.reason, found.attempts) == ("timeout_total", 1)


# --- addresses ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("127.0.0.1", "loopback"), ("::1", "loopback"), ("10.1.2.3", "private"), ("192.168.0.1", "private"),
        ("169.254.169.254", "link-local"), ("fe80::1%eth0", "link-local"), ("fd00::1", "private"),
        ("100.64.0.1", "shared (RFC 6598)"), ("0.0.0.0", "unspecified"), ("224.0.0.1", "multicast"),
        ("::ffff:127.0.0.1", "loopback"), ("2002:7f00:1::", "loopback"),
        ("93.184.215.14", ""), ("2606:2800:220:1:248:1893:25c8:1946", ""),
    ],
)  # fmt: skip
def test_addresses_that_are_not_of_the_public_internet_are_known(address: str, why: str) -> None:
    assert forbidden(address) == why


def resolver(**hosts: list[str]) -> Callable[[str, int], Awaitable[list[str]]]:
    async def lookup(host: str, port: int) -> list[str]:
        return hosts[host.replace(".", "_")]

    return lookup


def test_a_name_that_resolves_to_a_private_address_is_refused_unless_the_source_allows_it() -> None:
    lookup = resolver(inside_org=["10.0.0.1"], outside_org=["93.184.215.14"])
    with pytest.raises(FetchFault, match=r"blocked_address: inside\.org is 10\.0\.0\.1, a private address"):
        asyncio.run(Addresses("outside.org", lookup=lookup).of("inside.org", 80))
    allowed = Addresses("outside.org", allow_private=True, lookup=lookup)
    assert asyncio.run(allowed.of("inside.org", 80)) == ["10.0.0.1"]


def test_a_source_inside_a_network_reaches_its_neighbours_but_not_this_machine() -> None:
    lookup = resolver(one_lan=["10.0.0.1"], two_lan=["10.0.0.2"], here_lan=["127.0.0.1"])
    addresses = Addresses("one.lan", lookup=lookup)
    assert asyncio.run(addresses.of("two.lan", 80)) == ["10.0.0.2"]
    with pytest.raises(FetchFault, match="loopback"):
        asyncio.run(addresses.of("here.lan", 80))


def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    lookup = resolver(mixed_org=["93.184.215.14", "127.0.0.1"], e_org=["93.184.215.14"])
    with pytest.raises(FetchFault, match="blocked_address"):
        asyncio.run(Addresses("e.org", lookup=lookup).of("mixed.org", 80))


# --- politeness ---------------------------------------------------------------------------------------------------


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_requests_to_one_host_keep_their_distance_and_other_hosts_do_not_wait() -> None:
    async def whole() -> list[float]:
        clock = Clock()
        polite = Politeness(clock, clock.sleep)
        polite.pause("a:80", 2.0)
        polite.pause("a:80", 1.0)
        starts = []
        for host in ("a:80", "a:80", "b:80", "a:80"):
            await polite.turn(host)
            starts.append(clock.now)
        return starts

    assert asyncio.run(whole()) == [100.0, 102.0, 102.0, 104.0]


def test_retry_after_holds_everybody_who_talks_to_the_host() -> None:
    async def whole() -> float:
        clock = Clock()
        polite = Politeness(clock, clock.sleep)
        polite.hold("a:80", 5)
        await polite.turn("a:80")
        return clock.now

    assert 105.0 <= asyncio.run(whole()) <= 106.0


def test_retry_after_is_read_in_seconds_and_as_a_date() -> None:
    now = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
    assert retry_after("120") == 120.0
    assert retry_after("Thu, 01 Jan 2026 12:00:30 GMT", now) == 30.0
    assert retry_after("Thu, 01 Jan 2026 11:00:00 GMT", now) == 0.0
    assert retry_after("soon") is None
    assert retry_after("") is None


def test_backoff_doubles_with_jitter_and_ends() -> None:
    for attempt, whole in ((1, 0.5), (2, 1.0), (3, 2.0), (20, 30.0)):
        assert all(whole / 2 <= backoff(attempt) <= whole for _ in range(50))


# --- the breaker --------------------------------------------------------------------------------------------------


def test_the_breaker_stays_closed_for_our_own_refusals_and_for_failures_spread_thin() -> None:
    breaker = CircuitBreaker(Breaker(first=5, share=0.25, after=20))
    for _ in range(50):
        breaker.count(True, "robots_disallowed")
    assert breaker.verdict() == ""
    for number in range(200):
        breaker.count(number % 5 == 1, "http_500_server_error")
        assert breaker.verdict() == ""


def test_the_breaker_opens_when_a_source_goes_down_late() -> None:
    breaker = CircuitBreaker(Breaker(first=5, share=0.25, after=20))
    for _ in range(10_000):
        breaker.count(False)
    for _ in range(19):
        breaker.count(True, "connection_refused")
    assert breaker.verdict() == ""
    breaker.count(True, "connection_refused")
    assert "the last 20 pages all failed" in breaker.verdict()
