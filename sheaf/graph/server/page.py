"""The pages a person sees: which namespaces there are, and a form to ask one."""

from __future__ import annotations

from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from sheaf.graph.server.access import may_write
from sheaf.graph.server.namespaces import Namespace
from sheaf.graph.server.work import Work

STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse}td,th{padding:.3rem 1rem .3rem 0;text-align:left;border-bottom:1px solid #ddd}
td.n{text-align:right;font-variant-numeric:tabular-nums}textarea{width:100%;height:12rem;font:14px monospace}
button{font:inherit;padding:.3rem 1rem}code{background:#f3f3f3;padding:.1rem .3rem}"""
EXAMPLE = """PREFIX schema: <https://schema.org/>
SELECT ?name (COUNT(?g) AS ?graphs)
WHERE { GRAPH ?g { ?dataset a schema:Dataset ; schema:name ?name } }
GROUP BY ?name ORDER BY DESC(?graphs) LIMIT 20"""


def _page(title: str, body: str) -> HTMLResponse:
    head = f"<meta charset=utf-8><title>{escape(title)}</title><style>{STYLE}</style>"
    return HTMLResponse(f"<!doctype html><html lang=en>{head}<h1>{escape(title)}</h1>{body}</html>")


def _counts(work: Work, everything: bool) -> list[tuple[str, int, int]]:
    """Namespace, graphs and quads of each namespace that the asker may see."""
    counts = []
    for name in work.namespaces.names():
        namespace = work.namespaces.get(name)
        if everything or not namespace.private:
            graphs = sum(1 for _ in namespace.store.named_graphs())
            counts.append((name, graphs, len(namespace.store)))
    return counts


async def home(request: Request) -> Response:
    """``/``: the namespaces with their counts; as JSON for who asks for JSON."""
    work: Work = request.app.state.work
    everything = may_write(request)
    counts = await work.aside(lambda: _counts(work, everything))
    if "application/json" in request.headers.get("accept", ""):
        return JSONResponse({"namespaces": [{"namespace": n, "graphs": g, "quads": q} for n, g, q in counts]})
    root = str(request.base_url).rstrip("/")
    rows = "".join(
        f'<tr><td><a href="{root}/blazegraph/namespace/{n}/sparql">{n}</a>'
        f"<td class=n>{g:,}<td class=n>{q:,}<td><code>{root}/blazegraph/namespace/{n}/sparql</code>"
        for n, g, q in counts
    )
    table = f"<table><tr><th>namespace<th>graphs<th>quads<th>SPARQL endpoint{rows}</table>"
    return _page("Sheaf graph server", table if counts else "<p>There are no namespaces yet.</p>")


def query_form(request: Request, namespace: Namespace) -> Response:
    """What the SPARQL endpoint answers when it is asked nothing."""
    action = escape(str(request.url.replace(query="")))
    form = (
        f'<p><a href="/">all namespaces</a></p><form method=post action="{action}">'
        f"<textarea name=query spellcheck=false>{escape(EXAMPLE)}</textarea>"
        "<p><button name=format value=csv>as CSV</button> <button name=format value=json>as JSON</button></p></form>"
    )
    return _page(namespace.name, form)


async def status(request: Request) -> Response:
    """``/status``: 200 as long as the server takes requests."""
    work: Work = request.app.state.work
    names = await work.aside(work.namespaces.names)
    return JSONResponse(
        {
            "status": "ok",
            "namespaces": len(names),
            "queries": work.queries,
            "runaway_queries": work.runaways,
            "bulk_loads_running": work.bulk_loads,
        }
    )
