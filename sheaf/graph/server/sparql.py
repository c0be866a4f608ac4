"""SPARQL 1.1 Protocol: query by GET, by form and directly; update by form and directly (W3C, sections 2.1 and 2.2)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl

from pyoxigraph import NamedNode, QueryBoolean, QuerySolutions, QueryTriples, Store
from starlette.requests import Request
from starlette.responses import Response

from sheaf.graph.server import bodies, page, text_search, words
from sheaf.graph.server.access import check_read, check_write
from sheaf.graph.server.answers import Answer
from sheaf.graph.server.formats import SHORT, SOLUTIONS, TRIPLES, media_type, negotiate, rdf_format
from sheaf.graph.server.limits import Refused
from sheaf.graph.server.loading import load_quads
from sheaf.graph.server.namespaces import Namespace
from sheaf.graph.server.sending import send
from sheaf.graph.server.work import Work

FORM = "application/x-www-form-urlencoded"
QUERY = "application/sparql-query"
UPDATE = "application/sparql-update"
# Blazegraph knows these without a declaration, and queries written for it leave them out.
PREFIXES = {
    "bd": "http://www.bigdata.com/rdf#",
    "bds": text_search.NAMESPACE,
    "dc": "http://purl.org/dc/elements/1.1/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "hint": "http://www.bigdata.com/queryHints#",
    "owl": "http://www.w3.org/2002/07/owl#",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One request's parameters, wherever they stood."""

    query: list[str]
    update: list[str]
    default: list[str]
    named: list[str]
    using: list[str]
    using_named: list[str]
    format: str


async def endpoint(request: Request) -> Response:
    """``/blazegraph/namespace/NS/sparql``: a query, an update, or (as Blazegraph has it) a body of RDF to insert."""
    work: Work = request.app.state.work
    namespace = await work.aside(lambda: work.namespaces.get(request.path_params["namespace"]))
    content_type = media_type(request.headers.get("content-type", ""))
    body = ""
    if request.method == "POST":
        if content_type not in {FORM, QUERY, UPDATE}:
            if rdf_format(content_type) is None:
                raise Refused(
                    415, f"a POST is {FORM}, {QUERY}, {UPDATE} or RDF to insert, not {content_type or 'untyped'}"
                )
            check_write(request)
            return await load_quads(request, work, namespace, content_type)
        body = await bodies.text(request, work.limits.body_bytes)
    asked = _asked(request, content_type, body)
    if asked.query and asked.update:
        raise Refused(400, "give a query or an update, not both")
    if asked.update:
        check_write(request)
        if request.method != "POST":
            raise Refused(400, "an update has to be a POST")
        return await _update(work, namespace, asked)
    check_read(request, namespace)
    if not asked.query:
        return page.query_form(request, namespace)
    return await _query(request, work, namespace, asked)


def _asked(request: Request, content_type: str, body: str) -> Asked:
    pairs = request.query_params.multi_items()
    if content_type == FORM and request.method == "POST":
        pairs += parse_qsl(body, keep_blank_values=True)
    elif request.method == "POST":
        pairs = [*pairs, ("query" if content_type == QUERY else "update", body)]

    def values(name: str) -> list[str]:
        return [value for key, value in pairs if key == name]

    asked = Asked(
        values("query"),
        values("update"),
        values("default-graph-uri"),
        values("named-graph-uri"),
        values("using-graph-uri"),
        values("using-named-graph-uri"),
        next(iter(values("format")), ""),
    )
    if len(asked.query) > 1 or len(asked.update) > 1:
        raise Refused(400, "one request is one query or one update, but the parameter is there twice")
    return asked


def _refuse_network(sparql: str) -> None:
    if word := words.reaches_out(sparql):
        raise Refused(400, f"{word} is switched off: this server asks no other host")


def _iris(values: list[str]) -> list[NamedNode]:
    try:
        return [NamedNode(value) for value in values]
    except ValueError as error:
        raise Refused(400, f"not an absolute IRI: {error}") from None


async def _query(request: Request, work: Work, namespace: Namespace, asked: Asked) -> Response:
    sparql = text_search.rewritten(asked.query[0])
    _refuse_network(sparql)
    default, named = _iris(asked.default), _iris(asked.named)
    accept = request.headers.get("accept", "")
    solutions, triples = SHORT.get(asked.format.lower(), ("", ""))
    store = namespace.store

    def compute(answer: Answer) -> str:
        result = _evaluate(store, sparql, default, named)
        try:
            if isinstance(result, QuerySolutions | QueryBoolean):
                name, chosen = negotiate(solutions or accept, SOLUTIONS)
                result.serialize(answer.output, format=chosen)
            else:
                name, rdf = negotiate(triples or accept, TRIPLES)
                result.serialize(answer.output, format=rdf)
            return name
        finally:
            # Its thread has to let it go: an error's traceback would carry it to another, where it is never freed.
            del result

    try:
        answer, media = await work.answer(compute)
    except SyntaxError as error:
        raise Refused(400, f"not SPARQL: {error}") from None
    except (ValueError, RuntimeError) as error:
        raise Refused(400, f"this query cannot be answered: {error}") from None
    return send(answer, media)


def _evaluate(
    store: Store, sparql: str, default: list[NamedNode], named: list[NamedNode]
) -> QuerySolutions | QueryBoolean | QueryTriples:
    """The dataset of the protocol wins over FROM (section 2.1.4); without either, all graphs are the default graph."""
    if default or named:
        return store.query(sparql, prefixes=PREFIXES, default_graph=list(default), named_graphs=list(named))
    return store.query(sparql, prefixes=PREFIXES, use_default_graph_as_union=not words.names_dataset(sparql))


async def _update(work: Work, namespace: Namespace, asked: Asked) -> Response:
    sparql = asked.update[0]
    _refuse_network(sparql)
    _iris(asked.using + asked.using_named)
    try:
        if asked.using or asked.using_named:
            sparql = words.with_using(sparql, asked.using, asked.using_named)
        await work.write(namespace, lambda: namespace.store.update(sparql))
    except SyntaxError as error:
        raise Refused(400, f"not a SPARQL update: {error}") from None
    except (ValueError, RuntimeError) as error:
        raise Refused(400, f"this update cannot be carried out: {error}") from None
    return Response(status_code=204)
