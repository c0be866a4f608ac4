"""Request bodies: small ones whole and bounded, big ones as a file that Oxigraph reads while they arrive."""

from __future__ import annotations

import asyncio
import queue
import zlib
from collections.abc import AsyncIterator

from starlette.requests import ClientDisconnect, Request

from sheaf.graph.server.limits import Refused

QUEUED = 32  # chunks (of about 64 KiB) that may wait for the parser: what a slow load holds in memory
_END = b""


class Inflater:
    """Undoes ``Content-Encoding: gzip`` chunk by chunk, several members in a row included (RFC 1952, section 2.2)."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(31)

    def feed(self, data: bytes) -> bytes:
        """The plain bytes of one more chunk; 400 when it is no gzip."""
        out = []
        try:
            while data:
                out.append(self._inflate.decompress(data))
                data = self._inflate.unused_data
                if self._inflate.eof:
                    self._inflate = zlib.decompressobj(31)
        except zlib.error as error:
            raise Refused(400, f"the body is not the gzip it claims to be: {error}") from None
        return b"".join(out)


async def chunks(request: Request) -> AsyncIterator[bytes]:
    """The body without its content encoding; 415 for an encoding that we do not know."""
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"identity", "", "gzip", "x-gzip"}:
        raise Refused(
            415, f"Content-Encoding {encoding} is not understood: use gzip or none", {"Accept-Encoding": "gzip"}
        )
    inflater = Inflater() if "gzip" in encoding else None
    async for chunk in request.stream():
        plain = inflater.feed(chunk) if inflater else chunk
        if plain:
            yield plain


async def whole(request: Request, limit: int) -> bytes:
    """The body at once; 413 when it is longer than ``limit`` bytes."""
    parts, size = [], 0
    async for chunk in chunks(request):
        size += len(chunk)
        if size > limit:
            raise Refused(413, f"the body is over {limit:,} bytes: POST it as N-Quads to /store, which has no limit")
        parts.append(chunk)
    return b"".join(parts)


async def text(request: Request, limit: int) -> str:
    """The body as UTF-8 text; 400 when it is not."""
    try:
        return (await whole(request, limit)).decode()
    except UnicodeDecodeError as error:
        raise Refused(400, f"the body is not UTF-8: {error}") from None


class ArrivingFile:
    """A binary file over a body that is still arriving: ``read`` in a thread, ``fill`` on the event loop."""

    def __init__(self) -> None:
        self._chunks: queue.Queue[bytes | None] = queue.Queue(maxsize=QUEUED)
        self._rest = memoryview(b"")
        self._over = False
        self._abandoned = False
        self.size = 0

    def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes, empty at the end; OSError when the client went away in the middle."""
        while not self._rest and not self._over:
            chunk = self._chunks.get()
            if chunk is None:
                raise OSError("the client went away in the middle of the body: nothing was written")
            self._over = chunk == _END
            self._rest = memoryview(chunk)
        taken = self._rest if size < 0 else self._rest[:size]
        self._rest = self._rest[len(taken) :]
        return bytes(taken)

    def abandon(self) -> None:
        """Nobody reads any more: whatever still arrives is dropped."""
        self._abandoned = True

    async def fill(self, request: Request) -> None:
        """Pass the body on chunk by chunk, waiting while the reader is behind."""
        try:
            async for chunk in chunks(request):
                self.size += len(chunk)
                await self._put(chunk)
        except BaseException as error:
            await self._put(None)
            if isinstance(error, ClientDisconnect):
                return
            raise
        await self._put(_END)

    async def _put(self, chunk: bytes | None) -> None:
        while not self._abandoned:
            try:
                self._chunks.put_nowait(chunk)
            except queue.Full:
                await asyncio.sleep(0.002)
            else:
                return
