"""The web server of a scripted site: plain HTTP/1.1 on asyncio, because a script also says where an answer breaks off.

Besides the site's own paths: ``GET /`` lists the sources, ``GET /_site`` says the day and ``POST /_site/day/N`` sets
it, ``GET /_site/expected.json`` holds the counts to reach.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus

from sheaf.demo.answers import Replies, Reply, not_modified
from sheaf.demo.expected import expected
from sheaf.demo.script import Site
from sheaf.errors import BadInput

LOG_LIMIT = 200_000
MOST_HEADER_BYTES = 65_536
ENDLESS_CHUNK = b"<p>" + b"and so it goes on " * 900 + b"</p>\n"
ENDLESS_PAUSE = 0.005


@dataclass(frozen=True, slots=True)
class Hit:
    """One request as the server saw it; ``status`` is 0 for an answer that broke off. ``when`` is a monotonic time."""

    method: str
    path: str
    status: int
    day: int
    when: float
    headers: dict[str, str]


@dataclass(slots=True)
class State:
    """What changes while a site runs: the day, the visits within it, and the log."""

    replies: Replies
    day: int = 0
    visits: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    log: list[Hit] = field(default_factory=list)
    hits: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)
    connections: set[asyncio.Transport] = field(default_factory=set)

    def set_day(self, day: int) -> None:
        """Move the site to that day; visits are counted anew."""
        with self.lock:
            self.day = day
            self.visits.clear()

    def record(self, hit: Hit) -> None:
        """Count a request and, up to ``LOG_LIMIT``, keep it."""
        with self.lock:
            self.hits[hit.path] += 1
            if len(self.log) < LOG_LIMIT:
                self.log.append(hit)

    def visit(self, path: str) -> int:
        """The number of this visit of the path today, from 0."""
        with self.lock:
            number = self.visits[path]
            self.visits[path] = number + 1
            return number


class Connection(asyncio.Protocol):
    """One client's connection: requests are answered in turn, each as its script says."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.buffer = b""
        self.busy = False
        self.closing = False
        self.timer: asyncio.TimerHandle | None = None
        self.writable = True
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  what asyncio hands to a stream protocol
        self.transport = transport
        self.state.connections.add(transport)

    def connection_lost(self, _exc: Exception | None) -> None:
        self.closing = True
        self.state.connections.discard(self.transport)
        if self.timer:
            self.timer.cancel()

    def pause_writing(self) -> None:
        self.writable = False

    def resume_writing(self) -> None:
        self.writable = True

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if len(self.buffer) > MOST_HEADER_BYTES:
            self.transport.abort()
        elif not self.busy:
            self.next_request()

    def next_request(self) -> None:
        """Answer the next whole request in the buffer, if there is one."""
        head, end, rest = self.buffer.partition(b"\r\n\r\n")
        if not end or self.closing or self.busy:
            return
        lines = head.decode("latin-1").split("\r\n")
        words = lines[0].split(" ")
        pairs = (line.split(":", 1) for line in lines[1:] if ":" in line)
        headers = {name.strip().lower(): value.strip() for name, value in pairs}
        length = headers.get("content-length", "0")
        if len(words) != 3 or not length.isdigit():
            self.transport.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            self.transport.close()
            return
        if len(rest) < int(length):
            return
        self.buffer = rest[int(length) :]
        self.busy = True
        self.answer(words[0], words[1], words[2], headers)

    def answer(self, method: str, path: str, version: str, headers: dict[str, str]) -> None:
        """Find the reply of a request and send it after its delay."""
        state = self.state
        if path.startswith("/_site"):
            reply = control(state, method, path)
        elif method not in ("GET", "HEAD"):
            reply = Reply(405, (("Allow", "GET, HEAD"),), b"")
        else:
            reply = state.replies.reply(path, state.day, state.visit(path), headers.get("accept-encoding", ""))
            if reply.status == 200 and not_modified(reply, headers):
                kept = tuple((name, value) for name, value in reply.headers if name in ("ETag", "Last-Modified"))
                reply = Reply(304, kept, b"", delay=reply.delay)
        status = 0 if reply.reset_after is not None else reply.status
        state.record(Hit(method, path, status, state.day, time.monotonic(), headers))
        last = headers.get("connection", "").lower() == "close" or version == "HTTP/1.0"
        if reply.delay > 0:
            loop = asyncio.get_running_loop()
            self.timer = loop.call_later(reply.delay, partial(self.send, reply, method, last))
        else:
            self.send(reply, method, last)

    def send(self, reply: Reply, method: str, last: bool) -> None:
        """Write the reply: whole, broken off, or without end."""
        if self.closing:
            return
        head = reply.head(last)
        if reply.endless and method != "HEAD":
            self.transport.write(head)
            self.endless(reply.body)
            return
        body = b"" if method == "HEAD" or reply.status == 304 else reply.body
        if reply.reset_after is not None:
            self.transport.write(head + body[: reply.reset_after])
            # What was sent should arrive first: a reset also throws away what the client has not read yet.
            self.timer = asyncio.get_running_loop().call_later(0.05, self.reset)
            return
        self.transport.write(head + body)
        self.busy = False
        if last:
            self.closing = True
            self.transport.close()
        elif self.buffer:
            asyncio.get_running_loop().call_soon(self.next_request)

    def reset(self) -> None:
        """Break the connection with a TCP reset (linger 0), as a crashed server or a middlebox does."""
        raw = self.transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def endless(self, body: bytes) -> None:
        """Send chunk after chunk, as fast as the client takes them, until it leaves."""
        if self.closing:
            return
        if self.writable:
            self.transport.write(b"%x\r\n%s\r\n" % (len(body), body))
        again = partial(self.endless, ENDLESS_CHUNK)
        self.timer = asyncio.get_running_loop().call_later(ENDLESS_PAUSE, again)


def control(state: State, method: str, path: str) -> Reply:
    """The paths by which another process reads and sets the day."""
    parts = path.strip("/").split("/")
    if method == "POST" and len(parts) == 3 and parts[1] == "day" and parts[2].isdigit():
        state.set_day(int(parts[2]))
    elif method != "GET" or parts not in (["_site"], ["_site", "expected.json"]):
        return Reply(404, (("Content-Type", "text/plain"),), b"GET /_site, /_site/expected.json, POST /_site/day/N\n")
    site = state.replies.site
    value: dict[str, object] = {"site": site.name, "day": state.day, "days": site.day_count}
    if parts[-1] == "expected.json":
        value["sources"] = {
            source.name: {
                str(day): {
                    "urls": counts.urls,
                    "documents": counts.documents,
                    "states": counts.states,
                    "reasons": counts.reasons,
                }
                for day in range(site.day_count)
                for counts in [expected(site, source.name, day)]
            }
            for source in site.sources
        }
    return Reply(HTTPStatus.OK, (("Content-Type", "application/json"),), json.dumps(value, indent=1).encode() + b"\n")


class RunningSite:
    """A site that is being served by a thread of this process."""

    def __init__(self, url: str, port: int, state: State, stop: Callable[[], None]) -> None:
        self.url = url
        self.port = port
        self._state = state
        self._stop = stop

    @property
    def site(self) -> Site:
        """The script that is served."""
        return self._state.replies.site

    @property
    def day(self) -> int:
        """The day that the site shows."""
        return self._state.day

    @property
    def log(self) -> list[Hit]:
        """The requests so far, oldest first, up to 200,000 of them."""
        with self._state.lock:
            return list(self._state.log)

    def set_day(self, day: int) -> None:
        """Move the site to that day; visits are counted anew, the log is not."""
        self._state.set_day(day)

    def hits(self, path: str) -> int:
        """How often that path (with its query) was asked for since the start or ``forget``."""
        with self._state.lock:
            return self._state.hits[path]

    def forget(self) -> None:
        """Empty the log, the hits and the visits."""
        with self._state.lock:
            self._state.log.clear()
            self._state.hits.clear()
            self._state.visits.clear()

    def stop(self) -> None:
        """Close the port and every connection."""
        self._stop()


ACCEPT_SECONDS = 1.0


@contextmanager
def serve(site: Site, port: int = 0, host: str = "127.0.0.1", day: int = 0) -> Iterator[RunningSite]:
    """Serve the site from a thread while the block runs; port 0 takes a free one.

    ``BadInput`` when the port is taken.
    """
    running = start(site, port, host, day)
    try:
        yield running
    finally:
        running.stop()


def start(site: Site, port: int = 0, host: str = "127.0.0.1", day: int = 0) -> RunningSite:
    """As ``serve``, for callers that stop it themselves."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise BadInput(
            f"the demo site cannot listen on {host}:{port}: {error.strerror}; choose another port"
        ) from error
    bound = int(listener.getsockname()[1])
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104  compared, not bound
    url = f"http://[{shown}]:{bound}" if ":" in shown else f"http://{shown}:{bound}"
    state = State(Replies(site, url), day)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name=f"demo-site-{bound}", daemon=True)
    thread.start()
    # Everything happens in the thread's loop: the caller may be running a loop of its own.
    listening = loop.create_server(lambda: Connection(state), sock=listener, backlog=512)
    server = asyncio.run_coroutine_threadsafe(listening, loop).result(timeout=10)

    async def close() -> None:
        # A client that is just being accepted becomes a connection first: a closed server would forget its socket.
        loop.remove_reader(listener.fileno())
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=ACCEPT_SECONDS)
        server.close()
        for transport in list(state.connections):
            transport.abort()
        # Once more round the loop: an aborted transport closes its socket in a call of its own.
        loop.call_later(0.05, loop.stop)

    def stop() -> None:
        if thread.is_alive():
            asyncio.run_coroutine_threadsafe(close(), loop)
            thread.join(timeout=5)
            loop.close()

    return RunningSite(url, bound, state, stop)
