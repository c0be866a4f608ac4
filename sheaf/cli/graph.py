"""``sheaf graph``: what a tenant's namespaces hold, and the embedded graph server."""

from __future__ import annotations

import csv
import gzip
import json
import secrets
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from sheaf.config import Tenant, near, sources_in_force, tenants_in_force
from sheaf.errors import BadInput
from sheaf.graph import GraphStore, NamespaceResult, open_graph_store, reconcile_tenant
from sheaf.graph.drivers import SheafStore
from sheaf.graph.markers import communities, read_states
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

    @property
    def namespaces(self) -> tuple[str, str]:
        return self.tenant.graph.main_namespace, self.tenant.graph.summary_namespace

    def own_server(self) -> SheafStore:
        """The driver, when the store is our own graph server."""
        if not isinstance(self.graphs, SheafStore):
            raise BadInput(f"a {self.settings.graph_type} store has a backup of its own: use that")
        return self.graphs

    def reconciler(self, kind: Kind) -> Reconciler:
        return Reconciler(self.store, self.graphs, self.tenant, self.sources, self.settings.org, kind)


def _tenant(command: Callable[..., None]) -> Callable[..., None]:
    return click.argument("tenant", metavar="TENANT")(command)


@graph.command()
@_tenant
@click.option("--json", "as_json", is_flag=True, help="as JSON")
def status(tenant: str, as_json: bool) -> None:
    """Which release of each source is loaded, and which is published."""
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
    names = project.namespaces
    if not yes:
        typed = click.prompt(f"This drops {' and '.join(names)}. Type the tenant's name to go on", default="")
        if typed != tenant:
            raise BadInput("that is not the tenant's name; nothing was dropped")
    for name in names:
        click.echo(f"{name}: {'dropped' if project.graphs.drop(name) else 'was not there'}")


@graph.command()
@click.option("--drop", "dropping", is_flag=True, help="drop them, after their names were typed")
@click.option("--yes", is_flag=True, help="do not ask")
def leftovers(dropping: bool, yes: bool) -> None:
    """List namespaces that we loaded for a tenant that is in the config no more, or that uses others now."""
    settings = Settings.load()
    store, graphs = open_store(settings), open_graph_store(settings)
    tenants, _ = tenants_in_force(store, settings)
    used = {name for each in tenants.tenant for name in (each.graph.main_namespace, each.graph.summary_namespace)}
    left = [
        (name, owners)
        for name in graphs.namespaces()
        if name not in used and (owners := communities(graphs, name, settings.org))
    ]
    for name, owners in left:
        click.echo(f"{name}: {graphs.count(name):,} triples of {', '.join(owners)}")
        if dropping:
            typed = name if yes else click.prompt("Type the namespace's name to drop it", default="")
            click.echo("dropped" if typed == name and graphs.drop(name) else "kept")
    if not left:
        click.echo("every namespace that we loaded belongs to a tenant")


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
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def backup(tenant: str, folder: Path) -> None:
    """Write both namespaces of a tenant as gzipped N-Quads into FOLDER, each as it was at one moment."""
    project = Project(tenant)
    store = project.own_server()
    folder.mkdir(parents=True, exist_ok=True)
    for name in project.namespaces:
        path, unfinished = folder / f"{name}.nq.gz", folder / f"{name}.nq.gz.new"
        with gzip.open(unfinished, "wb", compresslevel=4) as file:
            for block in store.dump(name):
                file.write(block)
        unfinished.replace(path)
        click.echo(f"{path}: {path.stat().st_size:,} bytes")


@graph.command()
@_tenant
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def restore(tenant: str, folder: Path) -> None:
    """Load what backup wrote into FOLDER; a namespace that holds anything is refused."""
    project = Project(tenant)
    for name in project.namespaces:
        path = folder / f"{name}.nq.gz"
        if not path.exists():
            raise BadInput(f"{path} is missing: give the folder that sheaf graph backup wrote")
        project.graphs.ensure(name)
        if project.graphs.count(name):
            raise BadInput(f"the namespace {name} is not empty: sheaf graph drop {tenant} first")
        project.graphs.load(name, lambda path=path: _lines(path))  # type: ignore[misc]
        click.echo(f"{name}: {project.graphs.count(name):,} triples")


def _lines(path: Path) -> Iterator[bytes]:
    rest = b""
    with gzip.open(path) as file:
        while block := file.read(1 << 20):
            cut = block.rfind(b"\n") + 1
            yield rest + block[:cut]
            rest = block[cut:]
    yield rest


@graph.command()
@_tenant
def token(tenant: str) -> None:
    """Make a new read token for a private tenant and print it, this once; the one before is good no more."""
    project = Project(tenant)
    if project.tenant.visibility != "private":
        raise BadInput(f"{tenant} is public, everybody may read it: set visibility: private in tenant.yaml first")
    read_token = secrets.token_urlsafe(24)
    if not all(project.graphs.protect(name, "private", read_token) for name in project.namespaces):
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
