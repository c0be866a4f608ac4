"""Blazegraph's namespace API: list, create, drop; and, ours, who may read."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from html import escape

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from sheaf.graph.server import bodies
from sheaf.graph.server.access import check_write
from sheaf.graph.server.formats import Offers, media_type, negotiate
from sheaf.graph.server.limits import Refused
from sheaf.graph.server.work import Work

NAMESPACE_PROPERTY = "com.bigdata.rdf.sail.namespace"
VISIBILITY_PROPERTY = "sheaf.visibility"
READ_TOKEN_PROPERTY = "sheaf.readToken"  # noqa: S105  the name of a property
LISTINGS: Offers[str] = (
    ("application/rdf+xml", "xml"),
    ("application/n-triples", "nt"),
    ("text/plain", "nt"),
    ("text/turtle", "nt"),
    ("application/json", "json"),
    ("application/xml", "xml"),
)
FEATURE = "http://www.bigdata.com/rdf#/features/KB/Namespace"


async def collection(request: Request) -> Response:
    """``/blazegraph/namespace``: GET lists, POST creates (201; 409 when there is one of that name)."""
    work: Work = request.app.state.work
    if request.method != "POST":
        return _listing(request, await work.aside(work.namespaces.names))
    check_write(request)
    body = await bodies.text(request, 1 << 20)
    properties = read_properties(body, media_type(request.headers.get("content-type", "")))
    name = properties.get(NAMESPACE_PROPERTY, "")
    if not name:
        raise Refused(400, f"the properties name no namespace: {NAMESPACE_PROPERTY} is missing")
    visibility = properties.get(VISIBILITY_PROPERTY, "public")
    read_token = properties.get(READ_TOKEN_PROPERTY, "")
    if not await work.aside(lambda: work.namespaces.create(name, visibility, read_token)):
        return PlainTextResponse(f"EXISTS: {name}", 409)
    location = f"{request.url.replace(query='')}/{name}/sparql"
    return PlainTextResponse(f"CREATED: {name}", 201, {"Location": location})


async def single(request: Request) -> Response:
    """``/blazegraph/namespace/NS``: GET says what it is, DELETE drops it with its data."""
    work: Work = request.app.state.work
    name = request.path_params["namespace"]
    if request.method == "DELETE":
        check_write(request)
        await work.aside(lambda: work.namespaces.drop(name))
        return PlainTextResponse(f"DELETED: {name}")
    namespace = await work.aside(lambda: work.namespaces.get(name))
    return JSONResponse({"namespace": name, "visibility": "private" if namespace.private else "public"})


async def access(request: Request) -> Response:
    """``/blazegraph/namespace/NS/access`` (ours): PUT ``{"visibility": "private", "read_token": "..."}``."""
    work: Work = request.app.state.work
    check_write(request)
    try:
        wanted = json.loads(await bodies.text(request, 1 << 16))
        visibility, token = str(wanted["visibility"]), str(wanted.get("read_token", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Refused(400, 'send JSON: {"visibility": "public" or "private", "read_token": "..."}') from None
    await work.aside(lambda: work.namespaces.restrict(request.path_params["namespace"], visibility, token))
    return Response(status_code=204)


def read_properties(body: str, content_type: str) -> dict[str, str]:
    """Java properties as text or XML, the two forms that Blazegraph takes; others of its settings mean nothing here."""
    if content_type in {"application/xml", "text/xml"} or body.lstrip().startswith("<"):
        if re.search(r"<!ENTITY", body, re.IGNORECASE):
            raise Refused(400, "the properties may not define entities")
        try:
            # Entities are the one danger of this parser, and they were refused above.
            entries = ET.fromstring(body).iter("entry")  # noqa: S314
        except ET.ParseError as error:
            raise Refused(400, f"the properties are no XML: {error}") from None
        return {entry.get("key", "").strip(): (entry.text or "").strip() for entry in entries}
    properties = {}
    for line in body.splitlines():
        if match := re.match(r"\s*([^#!=:\s][^=:\s]*)\s*[=:\s]\s*(.*?)\s*$", line):
            properties[match.group(1)] = match.group(2)
    return properties


def _listing(request: Request, names: list[str]) -> Response:
    base = str(request.url.replace(query=""))
    name, form = negotiate(request.headers.get("accept", ""), LISTINGS)
    if form == "json":
        return JSONResponse({"namespaces": names})
    if form == "nt":
        lines = (f'<{base}/{each}> <{FEATURE}> "{each}" .\n' for each in names)
        return Response("".join(lines), media_type=name)
    items = "".join(
        f'<rdf:Description rdf:about="{escape(base)}/{each}"><kb:Namespace>{each}</kb:Namespace></rdf:Description>'
        for each in names
    )
    kb = FEATURE.removesuffix("Namespace")
    rdf = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
    xml = f'<?xml version="1.0" encoding="UTF-8"?><rdf:RDF xmlns:rdf="{rdf}" xmlns:kb="{kb}">{items}</rdf:RDF>'
    return Response(xml, media_type=name)
