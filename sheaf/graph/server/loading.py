"""Bulk loads: RDF in a body of any length, parsed while it arrives, there at the end as a whole or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import IO, cast

from pyoxigraph import RdfFormat
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sheaf.graph.server.bodies import ArrivingFile
from sheaf.graph.server.formats import rdf_format
from sheaf.graph.server.limits import Refused
from sheaf.graph.server.namespaces import Namespace
from sheaf.graph.server.work import Work

# Below this, a transaction is cheaper than the files that Oxigraph's bulk loader makes.
SMALL_BODY = 1 << 20


async def load_quads(request: Request, work: Work, namespace: Namespace, content_type: str) -> Response:
    """Insert the body into the namespace. One atomic change: Oxigraph's bulk loader moves its finished files in at
    the end, so a malformed line, a lost client or a killed server leaves the namespace as it was."""
    found = rdf_format(content_type)
    if found is None:
        raise Refused(415, f"{content_type or 'an untyped body'} cannot be loaded: send application/n-quads")
    begun = time.perf_counter()
    arriving = ArrivingFile()
    length = request.headers.get("content-length", "")
    small = length.isdigit() and int(length) <= SMALL_BODY and "content-encoding" not in request.headers

    def change() -> None:
        try:
            _insert(namespace, arriving, found, small)
        finally:
            arriving.abandon()

    filling = asyncio.create_task(arriving.fill(request))
    work.bulk_loads += 1
    try:
        await work.write(namespace, change)
        await filling
    except SyntaxError as error:
        raise Refused(400, f"not {found.name}: {error}") from None
    except OSError as error:
        await filling  # a body that could not be decoded says so itself
        raise Refused(400, str(error)) from None
    finally:
        work.bulk_loads -= 1
        arriving.abandon()
        with contextlib.suppress(Refused):
            await filling
    milliseconds = round((time.perf_counter() - begun) * 1000)
    return JSONResponse({"bytes": arriving.size, "milliseconds": milliseconds})


def _insert(namespace: Namespace, arriving: ArrivingFile, found: RdfFormat, small: bool) -> None:
    file = cast(IO[bytes], arriving)  # Oxigraph calls read(n), and nothing else
    if small:
        namespace.store.load(file, format=found)
    else:
        namespace.store.bulk_load(file, format=found)
