"""Who may write, and who may read a private namespace: bearer tokens (RFC 6750, section 2.1), nothing else."""

from __future__ import annotations

import hmac

from starlette.requests import Request

from sheaf.graph.server.limits import Refused
from sheaf.graph.server.namespaces import Namespace

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="sheaf graph server"'}


def _token(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def may_write(request: Request) -> bool:
    """True when the request carries the write token; never when the server has none."""
    wanted: str = request.app.state.work.token
    return bool(wanted) and hmac.compare_digest(_token(request).encode(), wanted.encode())


def check_write(request: Request) -> None:
    """401 unless the request carries the write token."""
    if may_write(request):
        return
    if not request.app.state.work.token:
        raise Refused(401, "this server takes no writes: it was started without GLEANERIO_GRAPH_TOKEN", CHALLENGE)
    raise Refused(401, "a write needs the header Authorization: Bearer <GLEANERIO_GRAPH_TOKEN>", CHALLENGE)


def check_read(request: Request, namespace: Namespace) -> None:
    """401 when the namespace is private and the request carries neither its read token nor the write token."""
    if not namespace.may_read(_token(request)) and not may_write(request):
        raise Refused(401, f"the namespace {namespace.name} is private: send its read token as a bearer", CHALLENGE)
