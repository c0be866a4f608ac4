"""The ASGI application: which URL is what."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from sheaf.graph.server import admin, graph_store, page, sparql
from sheaf.graph.server.limits import Limits, Refused
from sheaf.graph.server.namespaces import Namespaces
from sheaf.graph.server.work import Work

log = logging.getLogger("sheaf.graph.server")
ONE = "/blazegraph/namespace/{namespace}"
# Small steps of compression: the event loop does it, and an answer of some MB must not hold up the others.
GZIP_LEVEL = 1


def create_app(location: Path, token: str, limits: Limits | None = None) -> Starlette:
    """The server over the folder ``location``; without a ``token`` it takes no writes.

    Raises ``SheafError`` when another server uses the folder.
    """
    namespaces = Namespaces(location)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.work = Work(namespaces, limits or Limits(), token)
        try:
            yield
        finally:
            app.state.work.close()

    return Starlette(
        routes=[
            Route("/", page.home),
            Route("/status", page.status),
            Route("/blazegraph/status", page.status),
            Route("/blazegraph/namespace", admin.collection, methods=["GET", "POST"]),
            Route(ONE, admin.single, methods=["GET", "DELETE"]),
            Route(f"{ONE}/access", admin.access, methods=["PUT"]),
            Route(f"{ONE}/sparql", sparql.endpoint, methods=["GET", "POST"]),
            Route(f"{ONE}/store", graph_store.endpoint, methods=["GET", "PUT", "POST", "DELETE"]),
        ],
        middleware=[
            # Search pages in browsers ask from other origins; writes need the token whatever the origin.
            Middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["GET", "POST"], allow_headers=["*"]),
            Middleware(GZipMiddleware, minimum_size=1400, compresslevel=GZIP_LEVEL),
        ],
        exception_handlers={Refused: _refused, OSError: _storage_failed, Exception: _broken},
        lifespan=lifespan,
    )


async def _refused(_request: Request, error: Exception) -> Response:
    if not isinstance(error, Refused):
        raise error
    return PlainTextResponse(f"{error.message}\n", error.status, error.headers)


async def _storage_failed(request: Request, error: Exception) -> Response:
    log.error("%s %s failed: %s", request.method, request.url.path, error)
    return PlainTextResponse(f"the store failed: {error}\n", 500)


async def _broken(_request: Request, error: Exception) -> Response:
    return PlainTextResponse(f"the server failed on this request ({type(error).__name__}); its log says more\n", 500)
