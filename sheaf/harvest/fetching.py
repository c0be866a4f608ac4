"""One page from the web: redirects by hand, every hop's address looked at, size and time capped, faults named.

Nothing here raises for what a server does: an ``Answer`` says what came, or the reason code why nothing did.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import PyreqwestError
from pyreqwest.http import Url

from sheaf.config import Source
from sheaf.harvest.addresses import Addresses
from sheaf.harvest.discovery.types import Fetched, FetchFault, status_reason
from sheaf.harvest.faults import AGAIN, fault_of
from sheaf.harvest.politeness import MAX_WAIT_SECONDS, Politeness, backoff, retry_after

MAX_REDIRECTS = 10
MAX_CLIENTS = 64
CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
REDIRECTS = frozenset({301, 302, 303, 307, 308})
BUSY = frozenset({429, 503})
SMALL_BODY = 64 * 1024
CLOSING_SECONDS = 0.05

Allowed = Callable[[str], Awaitable[str]]


@dataclass(slots=True)
class Answer:
    """What asking for one URL came to. ``reason`` is empty exactly for 200 to 203 and 304.

    ``url`` is where it ended, ``ms`` the milliseconds of the last attempt, ``body`` has Content-Encoding undone.
    """

    url: str
    status: int = 0
    content_type: str = ""
    body: bytes = b""
    etag: str = ""
    last_modified: str = ""
    reason: str = ""
    detail: str = ""
    ms: int = 0
    attempts: int = 1
    wait: float | None = None


@dataclass(slots=True)
class _Pinned:
    client: Client
    busy: int = 0
    used: float = 0.0


@dataclass(slots=True)
class Fetcher:
    """Asks for the pages of one source. Close it (``async with``) when the harvest is over.

    ``allowed(url)`` gives the reason why a URL must not be asked for (robots), "" when it may.
    """

    source: Source
    user_agent: str
    addresses: Addresses
    politeness: Politeness
    allowed: Allowed | None = None
    requests: int = 0
    _clients: dict[tuple[str, str], _Pinned] = field(default_factory=dict)
    _turns: dict[str, int] = field(default_factory=dict)
    _open: dict[int, Any] = field(default_factory=dict)

    async def __aenter__(self) -> Fetcher:
        return self

    async def __aexit__(self, *_: object) -> None:
        for stream in list(self._open.values()):
            await stream.__aexit__(None, None, None)
        self._open.clear()
        for pinned in self._clients.values():
            await pinned.client.close()
        if self._clients:
            # The client's own thread lets go of its last answers a moment later; a process that ends before aborts.
            await asyncio.sleep(CLOSING_SECONDS)
        self._clients.clear()

    # ------------------------------------------------------------ pages

    async def page(self, url: str, headers: Mapping[str, str]) -> Answer:
        """Ask for one page, again where that may help. ``headers`` are those of the first hop (conditions too)."""
        attempt = 0
        while True:
            attempt += 1
            answer = await self._attempt(url, headers, self.source.max_page_bytes)
            answer.attempts = attempt
            pause = self._again(answer, attempt)
            if pause is None:
                return answer
            await asyncio.sleep(pause)

    def _again(self, answer: Answer, attempt: int) -> float | None:
        """Seconds until the next attempt, None when there is none."""
        if answer.status in BUSY and answer.wait is not None and answer.wait <= MAX_WAIT_SECONDS:
            self.politeness.hold(authority(answer.url), answer.wait)
            return 0.0 if attempt <= self.source.retries else None
        if attempt > self.source.retries or answer.reason not in AGAIN or answer.wait is not None:
            return None
        return backoff(attempt)

    async def _attempt(self, url: str, headers: Mapping[str, str], cap: int) -> Answer:
        begun = time.monotonic()
        answer = Answer(url)
        try:
            waited = await self._follow(answer, headers, cap, begun + self.source.page_timeout)
        except FetchFault as fault:
            answer.reason, answer.detail = fault.reason, fault.detail
            waited = 0.0
        answer.ms = int((time.monotonic() - begun - waited) * 1000)
        return answer

    async def _follow(self, answer: Answer, headers: Mapping[str, str], cap: int, deadline: float) -> float:
        """Hop by hop to the end; returns the seconds that politeness took, which no deadline counts."""
        seen = {answer.url}
        waited = 0.0
        while True:
            parsed = _parsed(answer.url)
            before = time.monotonic()
            await self.politeness.turn(_authority_of(parsed))
            waited += time.monotonic() - before
            location = await self._hop(answer, parsed, headers, cap, deadline + waited)
            if location is None:
                return waited
            target = _joined(parsed, location, answer.url)
            if target in seen:
                raise FetchFault("redirect_loop", f"{answer.url} leads back to {target}")
            if len(seen) > MAX_REDIRECTS:
                raise FetchFault("too_many_redirects", f"more than {MAX_REDIRECTS}, the last to {target}")
            seen.add(target)
            answer.url = target
            if self.allowed is not None and (reason := await self.allowed(target)):
                raise FetchFault(reason, f"redirected to {target}, which robots.txt closes")
            # What made the first hop conditional belongs to that URL, not to the page behind it.
            headers = {name: value for name, value in headers.items() if not name.startswith("If-")}

    async def _hop(
        self, answer: Answer, parsed: Url, headers: Mapping[str, str], cap: int, deadline: float
    ) -> str | None:
        """One request; fills the answer in. Returns where a redirect leads to, None when this was the last hop."""
        pinned = await self._client(parsed)
        pinned.busy += 1
        self.requests += 1
        left = max(0.05, deadline - time.monotonic())
        try:
            request = pinned.client.get(parsed).headers(dict(headers)).timeout(timedelta(seconds=left))
            async with request.build_streamed() as response:
                status = response.status
                answer.status = status
                answer.content_type = response.get_header("content-type") or ""
                if status in REDIRECTS and (location := response.get_header("location")):
                    return location
                answer.etag = response.get_header("etag") or ""
                answer.last_modified = response.get_header("last-modified") or ""
                if status == 304:
                    return None
                if not 200 <= status <= 203:
                    answer.reason = status_reason(status)
                    answer.detail = f"HTTP status {status}"
                    if status in BUSY:
                        answer.wait = retry_after(response.get_header("retry-after") or "")
                    return None
                length = response.get_header("content-length") or ""
                if length.isdigit() and int(length) > cap:
                    raise FetchFault("too_large", f"{length} bytes announced, {cap} allowed (max_page_bytes)")
                answer.body = await _read(response.body_reader, cap)
        except PyreqwestError as error:
            raise self._fault(error, parsed, deadline) from error
        finally:
            pinned.busy -= 1
        if not answer.body:
            answer.reason, answer.detail = "empty_body", f"HTTP status {answer.status} with nothing in it"
        return None

    def _fault(self, error: PyreqwestError, parsed: Url, deadline: float) -> FetchFault:
        fault = fault_of(error, time.monotonic() >= deadline - 0.02, self.source.page_timeout)
        if fault.reason in ("connection_refused", "timeout_connect"):
            host = parsed.host_str or ""
            self._turns[host] = self._turns.get(host, 0) + 1
        return fault

    async def _client(self, parsed: Url) -> _Pinned:
        """The client that is pinned to the host's address; another of its addresses after a failed connection."""
        host = parsed.host_str or ""
        found = await self.addresses.of(host, parsed.port_or_known_default or 0)
        address = found[self._turns.get(host, 0) % len(found)]
        pinned = self._clients.get((host, address))
        if pinned is None:
            await self._make_room()
            pinned = _Pinned(self._build(host, address))
            self._clients[host, address] = pinned
        pinned.used = time.monotonic()
        return pinned

    def _build(self, host: str, address: str) -> Client:
        builder = (
            ClientBuilder()
            .no_proxy()
            .user_agent(self.user_agent)
            .follow_redirects(False)
            .referer(False)
            .http2(True)
            .connect_timeout(timedelta(seconds=min(CONNECT_SECONDS, self.source.page_timeout)))
            .read_timeout(timedelta(seconds=min(READ_SECONDS, self.source.page_timeout)))
            .danger_accept_invalid_certs(not self.source.verify_tls)
        )
        if host.strip("[]") != address:
            builder = builder.resolve(host, address, 0)
        return builder.build()

    async def _make_room(self) -> None:
        if len(self._clients) < MAX_CLIENTS:
            return
        idle = sorted((p.used, key) for key, p in self._clients.items() if not p.busy)
        for _, key in idle[: max(1, len(idle) // 2)]:
            await self._clients.pop(key).client.close()

    # ------------------------------------------------------------ discovery

    async def listing(self, url: str, accept: str) -> Fetched:
        """``discovery.Fetch``: the answer with its body as a stream; raises ``FetchFault`` when there is none."""
        attempt = 0
        while True:
            attempt += 1
            try:
                fetched, wait = await self._open_listing(url, accept)
            except FetchFault as fault:
                if fault.reason not in AGAIN or attempt > self.source.retries:
                    raise
                await asyncio.sleep(backoff(attempt))
                continue
            if fetched.status not in BUSY and fetched.status < 500:
                return fetched
            if attempt > self.source.retries or (wait or 0) > MAX_WAIT_SECONDS:
                return fetched
            await asyncio.sleep(backoff(attempt) if wait is None else wait)

    async def _open_listing(self, url: str, accept: str) -> tuple[Fetched, float | None]:
        seen = {url}
        while True:
            parsed = _parsed(url)
            await self.politeness.turn(_authority_of(parsed))
            pinned = await self._client(parsed)
            self.requests += 1
            stream = pinned.client.get(parsed).header("Accept", accept).build_streamed()
            try:
                async with asyncio.timeout(self.source.page_timeout):
                    response = await stream.__aenter__()
            except TimeoutError:
                raise FetchFault("timeout_total", f"no answer within {self.source.page_timeout:g} s") from None
            except PyreqwestError as error:
                raise self._fault(error, parsed, float("inf")) from error
            self._open[id(stream)] = stream
            location = response.get_header("location") if response.status in REDIRECTS else None
            if location is None:
                break
            await self._shut(stream)
            url = _joined(parsed, location, url)
            if url in seen or len(seen) > MAX_REDIRECTS:
                raise FetchFault("redirect_loop" if url in seen else "too_many_redirects", f"redirected to {url}")
            seen.add(url)
        headers = {name.lower(): value for name, value in response.headers.items()}
        wait = retry_after(headers.get("retry-after", ""))
        if 200 <= response.status < 300:
            chunks = self._stream(stream, response.body_reader)
        else:
            # An error page is small talk: read a little of it and let the connection go.
            chunks = _only(await self._small(stream, response.body_reader))
        return Fetched(response.status, url, headers.get("content-type", ""), headers, chunks), wait

    async def _stream(self, stream: Any, reader: Any) -> AsyncIterator[bytes]:
        try:
            while (chunk := await reader.read_chunk()) is not None:
                yield chunk.to_bytes()
        except PyreqwestError as error:
            raise fault_of(error, False, self.source.page_timeout) from error
        finally:
            await self._shut(stream)

    async def _small(self, stream: Any, reader: Any) -> bytes:
        try:
            async with asyncio.timeout(READ_SECONDS):
                chunk = await reader.read(SMALL_BODY)
            return chunk.to_bytes() if chunk is not None else b""
        except (PyreqwestError, TimeoutError):
            return b""
        finally:
            await self._shut(stream)

    async def _shut(self, stream: Any) -> None:
        if self._open.pop(id(stream), None) is not None:
            await stream.__aexit__(None, None, None)


async def _only(body: bytes) -> AsyncIterator[bytes]:
    if body:
        yield body


async def _read(reader: Any, cap: int) -> bytes:
    first = await reader.read_chunk()
    if first is None:
        return b""
    body = first.to_bytes()
    second = await reader.read_chunk()
    if second is None and len(body) <= cap:
        return bytes(body)
    pieces, size = [body], len(body)
    while second is not None:
        piece = second.to_bytes()
        pieces.append(piece)
        size += len(piece)
        if size > cap:
            break
        second = await reader.read_chunk()
    if size > cap:
        raise FetchFault("too_large", f"more than {cap} bytes, which is all that max_page_bytes allows")
    return b"".join(pieces)


def _parsed(url: str) -> Url:
    try:
        parsed = Url(url)
    except ValueError as error:
        raise FetchFault("bad_url", f"{url[:200]!r}: {error}") from error
    if parsed.scheme not in ("http", "https"):
        raise FetchFault("bad_scheme", f"{parsed.scheme} in {url[:200]!r}")
    if not parsed.host_str:
        raise FetchFault("bad_url", f"no host in {url[:200]!r}")
    return parsed


def _joined(parsed: Url, location: str, url: str) -> str:
    try:
        target = parsed.join(location)
    except ValueError as error:
        raise FetchFault("bad_redirect", f"{url} redirects to {location[:200]!r}: {error}") from error
    if target.scheme not in ("http", "https") or not target.host_str:
        raise FetchFault("bad_redirect", f"{url} redirects to {location[:200]!r}, which is no http or https URL")
    return str(target)


def _authority_of(parsed: Url) -> str:
    return f"{parsed.host_str}:{parsed.port_or_known_default}"


def authority(url: str) -> str:
    """Host (as it goes over the wire) and port of a URL: what politeness is counted by. Raises ``FetchFault``."""
    return _authority_of(_parsed(url))
