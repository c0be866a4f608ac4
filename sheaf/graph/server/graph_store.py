"""SPARQL 1.1 Graph Store HTTP Protocol at ``/blazegraph/namespace/NS/store`` (W3C, section 5).

``?graph=<iri>`` or ``?default`` names the graph. Without either, GET gives the whole namespace as quads, POST of
quads loads them in bulk, and POST of triples makes a new graph.
"""

from __future__ import annotations

import uuid
from urllib.parse import quote

from pyoxigraph import DefaultGraph, NamedNode, RdfFormat, Store, parse, serialize
from starlette.requests import Request
from starlette.responses import Response

from sheaf.graph.server import bodies
from sheaf.graph.server.access import check_read, check_write, may_write
from sheaf.graph.server.answers import Answer
from sheaf.graph.server.formats import QUADS, TRIPLES, media_type, negotiate, rdf_format
from sheaf.graph.server.limits import Limits, Refused
from sheaf.graph.server.loading import load_quads
from sheaf.graph.server.namespaces import Namespace
from sheaf.graph.server.sending import send
from sheaf.graph.server.work import Work

Graph = NamedNode | DefaultGraph


async def endpoint(request: Request) -> Response:
    """The five methods of the protocol."""
    work: Work = request.app.state.work
    namespace = await work.aside(lambda: work.namespaces.get(request.path_params["namespace"]))
    graph = _graph(request)
    if request.method in {"GET", "HEAD"}:
        check_read(request, namespace)
        return await _get(request, work, namespace, graph)
    check_write(request)
    if request.method == "DELETE":
        return await _delete(work, namespace, graph)
    content_type = media_type(request.headers.get("content-type", ""))
    found = rdf_format(content_type)
    if found is None:
        raise Refused(415, f"{content_type or 'an untyped body'} is no RDF that this server reads: send text/turtle")
    if graph is None and request.method == "POST" and found.supports_datasets:
        return await load_quads(request, work, namespace, content_type)
    return await _insert(request, work, namespace, graph, found)


def _graph(request: Request) -> Graph | None:
    named = request.query_params.getlist("graph")
    if "default" in request.query_params:
        if named:
            raise Refused(400, "give graph=<iri> or default, not both")
        return DefaultGraph()
    if len(named) > 1:
        raise Refused(400, "one request is about one graph, but graph= is there twice")
    if not named:
        return None
    try:
        return NamedNode(named[0])
    except ValueError:
        raise Refused(400, f"graph={named[0]} is no absolute IRI") from None


def _exists(store: Store, graph: Graph) -> bool:
    return isinstance(graph, DefaultGraph) or store.contains_named_graph(graph)


def _missing(graph: Graph) -> Refused:
    return Refused(404, f"there is no graph {graph}")


async def _get(request: Request, work: Work, namespace: Namespace, graph: Graph | None) -> Response:
    accept = request.headers.get("accept", "")
    store = namespace.store
    # A backup of everything is as long as it is; who holds the write token may have it.
    limits = Limits(query_seconds=86_400, answer_bytes=1 << 50) if graph is None and may_write(request) else None

    def compute(answer: Answer) -> str:
        if graph is None:
            name, chosen = negotiate(accept, QUADS)
            store.dump(answer.output, chosen)
            return name
        if not _exists(store, graph):
            raise _missing(graph)
        name, chosen = negotiate(accept, TRIPLES)
        store.dump(answer.output, chosen, from_graph=graph)
        return name

    answer, media = await work.answer(compute, limits)
    return send(answer, media, head=request.method == "HEAD")


async def _delete(work: Work, namespace: Namespace, graph: Graph | None) -> Response:
    if graph is None:
        raise Refused(400, "say which graph: graph=<iri> or default; DELETE the namespace itself to drop them all")

    def change() -> None:
        if not _exists(namespace.store, graph):
            raise _missing(graph)
        namespace.store.remove_graph(graph)

    await work.write(namespace, change)
    return Response(status_code=204)


async def _insert(
    request: Request, work: Work, namespace: Namespace, graph: Graph | None, found: RdfFormat
) -> Response:
    """PUT replaces the graph, POST adds to it; 201 when it was not there, and then where it is."""
    replace = request.method == "PUT"
    if graph is None and replace:
        raise Refused(400, "PUT replaces one graph: say which by graph=<iri> or default")
    target = graph if graph is not None else NamedNode(f"urn:uuid:{uuid.uuid4()}")
    base = target.value if isinstance(target, NamedNode) else str(request.url)
    body = await bodies.whole(request, work.limits.body_bytes)

    def change() -> bool:
        existed = _exists(namespace.store, target)
        triples = serialize((quad.triple for quad in parse(body, found, base_iri=base)), format=RdfFormat.N_TRIPLES)
        # one update is one transaction: a reader sees the old graph or the new one
        namespace.store.update(_replacement(target, (triples or b"").decode(), replace))
        return existed

    try:
        existed = await work.write(namespace, change)
    except SyntaxError as error:
        raise Refused(400, f"not {found.name}: {error}") from None
    if existed:
        return Response(status_code=204)
    location = f"{request.url.replace(query='')}?graph={quote(base, safe='')}"
    return Response(status_code=201, headers={"Location": location})


def _replacement(graph: Graph, triples: str, replace: bool) -> str:
    if isinstance(graph, DefaultGraph):
        return ("CLEAR SILENT DEFAULT;" if replace else "") + f"INSERT DATA {{ {triples} }}"
    drop = f"DROP SILENT GRAPH {graph};" if replace else ""
    return f"{drop} CREATE SILENT GRAPH {graph}; INSERT DATA {{ GRAPH {graph} {{ {triples} }} }}"
