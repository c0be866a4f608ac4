"""What the demo shows at its end: per source pages, documents and losses, per tenant graphs and triples."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from SPARQLWrapper import JSON, SPARQLWrapper

from sheaf.demo.expected import expected
from sheaf.demo.script import Site
from sheaf.demo.way import Goal, Stack
from sheaf.harvest.manifest import latest_harvest
from sheaf.release import published

LOSSES = ("failed", "invalid_jsonld", "no_jsonld")
QUERY = """PREFIX schema: <https://schema.org/>
SELECT ?publisher (COUNT(DISTINCT ?graph) AS ?datasets)
WHERE { GRAPH ?graph { ?graph a schema:Dataset ; schema:publisher ?publisher } }
GROUP BY ?publisher ORDER BY DESC(?datasets) ?publisher LIMIT 8"""
TIMEOUT_SECONDS = 30


def sources_table(stack: Stack, site: Site, goal: Goal, day: int) -> tuple[Table, list[str]]:
    """A row a source, and where the counts are not those that the site's script promises."""
    table = Table("source", "kind", "pages", "documents", "quads", "losses, with reasons", title="Sources")
    wrong = []
    for source in goal.project.sources:
        harvest, release = latest_harvest(stack.store, source.name), published(stack.store, source.name)
        if harvest is None or release is None:
            wrong.append(f"{source.name} has no published release")
            continue
        promised = expected(site, source.name, day)
        lost = {state: harvest.counts.get(state, 0) for state in LOSSES}
        promised_lost = {state: promised.states.get(state, 0) for state in LOSSES}
        found = (harvest.urls, harvest.documents, release.documents, lost)
        if found != (promised.urls, promised.documents, promised.documents, promised_lost):
            wrong.append(f"{source.name}: {found} is not what the site's script promises: {promised_lost}")
        reasons = ", ".join(f"{count} {reason}" for reason, count in promised.losses.items()) or "none"
        told = ", ".join(f"{harvest.reasons.get(reason, 0)} {reason}" for reason in promised.losses) or "none"
        if told != reasons:
            wrong.append(f"{source.name}: losses are {told} where the script says {reasons}")
        table.add_row(source.name, source.sourcetype, *map(str, (harvest.urls, harvest.documents, release.quads)), told)
    return table, wrong


def tenants_table(stack: Stack, goal: Goal) -> tuple[Table, list[str]]:
    """A row a tenant: what its namespaces really hold."""
    table = Table("tenant", "sources", "graphs", "triples", "summary triples", title="Tenants")
    wrong = []
    for tenant in goal.tenants.tenant:
        names = tenant.members(source.name for source in goal.project.sources)
        main, summary = tenant.graph.main_namespace, tenant.graph.summary_namespace
        documents = 0
        for name in names:
            release = published(stack.store, name)
            documents += release.documents if release else 0
        graphs = {graph for graph in stack.graphs.graphs(main) if ":data:" in graph}
        if len(graphs) != documents:
            wrong.append(f"{tenant.community} has {len(graphs)} document graphs, its sources {documents} documents")
        counts = (len(graphs), stack.graphs.count(main), stack.graphs.count(summary))
        table.add_row(tenant.community, ", ".join(names), *map(str, counts))
    return table, wrong


def answer_table(stack: Stack, namespace: str) -> Table:
    """One query's answer over plain SPARQL, as a portal would ask it."""
    client = SPARQLWrapper(stack.graphs.endpoint(namespace))
    client.setTimeout(TIMEOUT_SECONDS)
    client.setReturnFormat(JSON)
    client.setQuery(QUERY)
    table = Table("publisher", "datasets", title=f"SPARQL on {namespace}")
    answer: Any = client.query().convert()
    for row in answer["results"]["bindings"]:
        table.add_row(row["publisher"]["value"], row["datasets"]["value"])
    return table


def show(stack: Stack, site: Site, goal: Goal, day: int) -> list[str]:
    """Print the tables; the differences to what the script promises, empty when there are none."""
    console = Console()
    sources, wrong = sources_table(stack, site, goal, day)
    tenants, also_wrong = tenants_table(stack, goal)
    for table in (sources, tenants, answer_table(stack, goal.tenants.tenant[0].graph.summary_namespace)):
        console.print(table)
    return wrong + also_wrong
