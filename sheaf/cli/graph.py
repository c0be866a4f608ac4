"""``sheaf graph``: what a tenant's namespaces hold, and the embedded graph server."""

from __future__ import annotations

import csv
import json
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from sheaf.config import Tenant, near, sources_in_force, tenants_in_force
from sheaf.errors import BadInput
from sheaf.graph import GraphStore, NamespaceResult, open_graph_store, reconcile_tenant
from sheaf.graph.reconcile import Reconciler
from sheaf.graph.results import Kind
from sheaf.settings import Settings
from sheaf.store import ObjectStore, open_store

KINDS: tuple[Kind, ...] = ("main", "summary")
SHOWN = 20


@click.group()
def graph() -> None:
    """Tenants' graphs: what is loaded, is it right, bring it up to date; and the embedded graph server."""


class Project:
    """What each command needs: the stores, the tenant, the sources in force."""

    def __init__(self, community: str) -> None:
        self.settings = Settings.load()
        self.store: ObjectStore = open_store(self.settings)
        self.graphs: GraphStore = open_graph_store(self.settings)
        tenants, _ = tenants_in_force(self.store, self.settings)
        project, _ = sources_in_force(self.store, self.settings)
        self.sources = [source.name for source in project.sources]
        found = tenants.get(community)
        if found is None:
            known = [tenant.community for tenant in tenants.tenant]
            raise BadInput(f"there is no tenant {community!r}. {near(community, known)}")
        self.tenant: Tenant = found

    def reconciler(self, kind: Kind) -> Reconciler:
        return Reconciler(self.store, self.graphs, self.tenant, self.sources, self.settings.org, kind)


def _tenant(command: Callable[..., None]) -> Callable[..., None]:
    return click.argument("tenant", metavar="TENANT")(command)


@graph.command()
@_tenant
@click.option("--json", "as_json", is_flag=True, help="as JSON")
def status(tenant: str, as_json: bool) -> None:
    """Which release of each source is loaded, and which is published."""
    from sheaf.graph.markers import read_states

    project = Project(tenant)
    rows: list[dict[str, Any]] = []
    for kind in KINDS:
        reconciler = project.reconciler(kind)
        there = project.graphs.exists(reconciler.namespace)
        states = read_states(project.graphs, reconciler.namespace, reconciler.markers) if there else {}
        wanted, waiting = reconciler.wanted()
        published = {each.source: each.release for each in wanted}
        for source in sorted({*states, *published, *waiting}):
            state = states.get(source)
            loaded = "" if state is None else state.release or "(interrupted)"
            rows.append(
                {
                    "namespace": reconciler.namespace,
                    "source": source,
                    "loaded": loaded,
                    "published": published.get(source, ""),
                    "graphs": state.graphs if state else 0,
                    "triples": state.quads if state else 0,
                    "state": _state(loaded, published.get(source, ""), source in reconciler.members),
                }
            )
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    _table(rows)


def _state(loaded: str, published: str, member: bool) -> str:
    if not member:
        return "left the tenant"
    if not published:
        return "waiting for a release"
    return "current" if loaded == published else "behind"


@graph.command()
@_tenant
def verify(tenant: str) -> None:
    """Compare the namespaces with the releases, document by document; exit code 1 when anything differs."""
    from sheaf.graph.verify import differences

    project = Project(tenant)
    total = 0
    for kind in KINDS:
        reconciler = project.reconciler(kind)
        count = 0
        for difference in differences(reconciler):
            count += 1
            if count <= SHOWN:
                where = " ".join(part for part in (difference.source, difference.graph) if part)
                click.echo(f"{reconciler.namespace}: {where or '-'}: {difference.what}")
        if count > SHOWN:
            click.echo(f"{reconciler.namespace}: and {count - SHOWN} more")
        click.echo(f"{reconciler.namespace}: {count} differences")
        total += count
    if total:
        sys.exit(1)


@graph.command()
@_tenant
@click.option("--json", "as_json", is_flag=True, help="as JSON")
def reconcile(tenant: str, as_json: bool) -> None:
    """Bring the tenant's namespaces to what its sources publish; exit code 1 when counts are wrong afterwards."""
    project = Project(tenant)
    result = reconcile_tenant(project.store, project.graphs, project.tenant, project.sources, project.settings.org)
    if as_json:
        click.echo(result.model_dump_json(indent=1))
    else:
        _say(result.main)
        _say(result.summary)
    if result.problems:
        sys.exit(1)


def _say(result: NamespaceResult) -> None:
    click.echo(
        f"{result.namespace}: {result.graphs_total:,} graphs, {result.triples:,} triples "
        f"of {len(result.sources)} sources; {result.graphs_added:,} added, {result.graphs_changed:,} changed, "
        f"{result.graphs_removed:,} removed in {result.batches} batches, {result.seconds:g} s"
    )
    if result.waiting:
        click.echo(f"  waiting for their first release: {', '.join(result.waiting)}")
    for problem in result.problems:
        click.echo(f"  PROBLEM: {problem}")


@graph.command()
@_tenant
@click.option("--yes", is_flag=True, help="do not ask")
def drop(tenant: str, yes: bool) -> None:
    """Drop both namespaces of a tenant, with all their data; the next reconcile makes them anew."""
    project = Project(tenant)
    names = [project.tenant.graph.main_namespace, project.tenant.graph.summary_namespace]
    if not yes:
        typed = click.prompt(f"This drops {' and '.join(names)}. Type the tenant's name to go on", default="")
        if typed != tenant:
            raise BadInput("that is not the tenant's name; nothing was dropped")
    for name in names:
        click.echo(f"{name}: {'dropped' if project.graphs.drop(name) else 'was not there'}")


@graph.command()
@_tenant
@click.argument("sparql", metavar="QUERY|-")
@click.option("--summary", is_flag=True, help="ask the summary namespace")
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True)
def query(tenant: str, sparql: str, summary: bool, form: str) -> None:
    """Ask a tenant's namespace a SELECT or ASK; "-" reads the query from standard input."""
    project = Project(tenant)
    names = project.tenant.graph
    namespace = names.summary_namespace if summary else names.main_namespace
    answer = project.graphs.query(namespace, sys.stdin.read() if sparql == "-" else sparql)
    if form == "json":
        click.echo(json.dumps(answer, ensure_ascii=False, indent=1))
        return
    if "boolean" in answer:
        click.echo("yes" if answer["boolean"] else "no")
        return
    columns = answer["head"]["vars"]
    rows = [{name: row.get(name, {}).get("value", "") for name in columns} for row in answer["results"]["bindings"]]
    if form == "csv":
        writer = csv.DictWriter(sys.stdout, columns)
        writer.writeheader()
        writer.writerows(rows)
    else:
        _table(rows)


@graph.command()
@_tenant
def token(tenant: str) -> None:
    """Make a new read token for a private tenant and print it, this once; the one before is good no more."""
    project = Project(tenant)
    if project.tenant.visibility != "private":
        raise BadInput(f"{tenant} is public, everybody may read it: set visibility: private in tenant.yaml first")
    read_token = secrets.token_urlsafe(24)
    names = (project.tenant.graph.main_namespace, project.tenant.graph.summary_namespace)
    if not all(project.graphs.protect(name, "private", read_token) for name in names):
        raise BadInput(f"a {project.settings.graph_type} store has no read tokens: protect it by its own means")
    click.echo(read_token)


def _table(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    for name in rows[0] if rows else ():
        table.add_column(name, justify="right" if isinstance(rows[0][name], int) else "left", overflow="fold")
    for row in rows:
        table.add_row(*(f"{value:,}" if isinstance(value, int) else str(value) for value in row.values()))
    Console(soft_wrap=not sys.stdout.isatty()).print(table)
    click.echo(f"{len(rows)} rows")


@graph.command()
@click.option(
    "--location", type=click.Path(file_okay=False, path_type=Path), required=True, help="folder of the stores"
)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=int, default=9999, show_default=True)
@click.option("--query-seconds", type=float, default=60.0, show_default=True, help="a query's time")
@click.option("--answer-mb", type=int, default=512, show_default=True, help="an answer's size")
def serve(location: Path, host: str, port: int, query_seconds: float, answer_mb: int) -> None:
    """Run the graph server: SPARQL and Graph Store Protocol, one store a namespace, Blazegraph's URLs.

    Writes need the token that GLEANERIO_GRAPH_TOKEN holds; without one the server takes none.
    """
    from sheaf.graph.server import Limits
    from sheaf.graph.server import serve as run

    token = Settings.load().graph_token.get_secret_value()
    run(location, host, port, token, Limits(query_seconds=query_seconds, answer_bytes=answer_mb * 1024 * 1024))
