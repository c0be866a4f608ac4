"""``sheaf harvest`` and ``sheaf inspect``: what a harvest found, what changed, and one page step by step."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any

import click
import orjson

from sheaf.config import ProjectConfig, Source, source_in_force
from sheaf.config.sources import IDENTIFIER_TYPES
from sheaf.harvest.difference import Difference, Finding, difference, findings, which_harvest
from sheaf.harvest.documents import Document
from sheaf.harvest.inspection import Inspection, inspect_page
from sheaf.harvest.objects import ObjectsResult, reconcile_objects, verify_objects
from sheaf.harvest.schema import HarvestSummary
from sheaf.harvest.states import REASONS, STATES
from sheaf.release.conversion import NotConverted, convert_document
from sheaf.release.graph_names import data_graph
from sheaf.settings import Settings
from sheaf.store import open_store

AS_JSON = click.option("--json", "as_json", is_flag=True, help="print JSON, for scripts")
SHOWN_URLS = 10


@click.group()
def harvest() -> None:
    """What a source's harvests found and how they differ."""


@harvest.command()
@click.argument("source")
@click.option("--harvest-id", help="which one; default: the newest whole one")
@click.option("--state", "states", multiple=True, type=click.Choice(STATES), help="only rows of this state")
@click.option("--examples", default=3, show_default=True, type=click.IntRange(min=0), help="pages shown a reason")
@AS_JSON
def show(source: str, harvest_id: str | None, states: tuple[str, ...], examples: int, as_json: bool) -> None:
    """Counts, and each state and reason with example pages."""
    store = open_store(Settings.load())
    summary = which_harvest(store, source, harvest_id)
    found = findings(store, summary, examples=examples, states=states)
    if as_json:
        _print_json({"summary": summary.model_dump(mode="json"), "findings": [asdict(one) for one in found]})
    else:
        click.echo("\n".join(_shown(summary, found)))


@harvest.command()
@click.argument("source")
@click.option("--harvest-id", help="the later one; default: the newest whole one")
@click.option("--since", help="the earlier one; default: the one that it carries on from")
@AS_JSON
def diff(source: str, harvest_id: str | None, since: str | None, as_json: bool) -> None:
    """Which pages are new, changed, gone, failing or well again since the harvest before."""
    found = difference(open_store(Settings.load()), source, harvest_id, since)
    if as_json:
        _print_json(found.as_json())
    else:
        click.echo("\n".join(_differing(found)))


@harvest.command()
@click.argument("source")
@click.option("--verify", is_flag=True, help="list the objects, compare each with the manifest, repair what differs")
@AS_JSON
def objects(source: str, verify: bool, as_json: bool) -> None:
    """Bring summoned/SOURCE/ to what the newest harvest says."""
    settings = Settings.load()
    store = open_store(settings)
    project, found, _ = source_in_force(store, settings, source)
    prov = (settings.org, found) if project.summoner.provobjects else None
    done = verify_objects(store, source, prov=prov) if verify else reconcile_objects(store, source, prov=prov)
    if as_json:
        _print_json(asdict(done))
    else:
        click.echo(_done(done, verify))


@click.command()
@click.argument("url")
@click.option("--source", "source_name", help="by the rules of this source; default: a source without settings")
@click.option("--type", "kind", type=click.Choice(IDENTIFIER_TYPES), default="identifiersha", show_default=True)
@click.option("--path", default="", help="identifierpath, as in the config")
@click.option("--rude", is_flag=True, help="do not ask robots.txt")
@click.option("--text", "show_text", is_flag=True, help="print the documents' texts too")
@AS_JSON
def inspect(
    url: str, source_name: str | None, kind: str, path: str, rude: bool, show_text: bool, as_json: bool
) -> None:
    """Do for one page exactly what a harvest does, and show each step, its verdict and the N-Quads."""
    settings = Settings.load()
    if source_name:
        project, source, _ = source_in_force(open_store(settings), settings, source_name)
    else:
        source = Source(name="inspect", url=url, identifiertype=kind, identifierpath=path)
        project = ProjectConfig(sources=(source,))
    seen = asyncio.run(inspect_page(url, project, source, settings, obey_robots=not (rude or source.rude)))
    if as_json:
        _print_json(_as_json(seen, source, settings))
    else:
        click.echo("\n".join(_steps(seen, source, settings, show_text)))


def _shown(summary: HarvestSummary, found: list[Finding]) -> list[str]:
    kind = " (partial)" if summary.partial else ""
    made = f"{summary.seconds:,.1f} s, {summary.requests:,} requests"
    has = f"{summary.urls:,} pages listed, {summary.documents:,} documents, {summary.bytes:,} bytes"
    moved = f"{summary.new:,} new, {summary.changed:,} changed, {summary.unchanged:,} unchanged, {summary.gone:,} gone"
    lines = [f"{summary.source}, harvest {summary.harvest_id}{kind}, {made}", f"{has}; {moved}"]
    if not summary.complete and not summary.partial:
        lines.append("the discovery was not complete, so no page was declared gone:")
        lines += [f"    {reason} at {url}: {detail}" for url, reason, detail in summary.discovery_errors]
    if summary.shrink:
        lines.append(f"{summary.shrink:,} pages left the list at once, more than shrink_limit allows; they are kept")
    if summary.clashes:
        lines.append(f"{summary.clashes:,} identifiers are stated by several different texts; all of them are kept")
    for one in found:
        why = f", {one.reason}: {REASONS.get(one.reason, '')}" if one.reason else ""
        lines += ["", f"{one.rows:>9,}  {one.state}{why}"]
        lines += [f"           {url}{f'  ({detail})' if detail else ''}" for url, detail in one.examples]
    return lines


def _differing(found: Difference) -> list[str]:
    lines = [f"{found.source}: from {found.before} to {found.after}, {found.unchanged:,} documents unchanged"]
    for name in ("new", "changed", "gone", "failing", "recovered", "renamed"):
        urls: list[str] = getattr(found, name)
        lines.append(f"{len(urls):>9,}  {name}")
        lines += [f"           {url}" for url in urls[:SHOWN_URLS]]
        if len(urls) > SHOWN_URLS:
            lines.append(f"           and {len(urls) - SHOWN_URLS:,} more (--json lists all)")
    return lines


def _done(done: ObjectsResult, verified: bool) -> str:
    found = f"; found {done.missing} missing, {done.different} different, {done.extra} extra" if verified else ""
    wrote = f"{done.written:,} objects written, {done.deleted:,} deleted, {done.unchanged:,} left as they are"
    return f"{done.source}: {wrote}, in {done.seconds:.1f} s{found}"


def _steps(seen: Inspection, source: Source, settings: Settings, show_text: bool) -> list[str]:
    lines = [f"url         {seen.url}", f"user agent  {seen.user_agent}"]
    lines.append(f"robots.txt  {seen.refusal + ': ' + REASONS[seen.refusal] if seen.refusal else 'allowed'}")
    answer = seen.answer
    if answer is not None:
        lines.append(f"answer      {answer.status or 'none'} {answer.content_type}, {len(answer.body):,} bytes, "
                     f"{answer.ms} ms, {answer.attempts} request{'s' * (answer.attempts != 1)}")  # fmt: skip
        if answer.url != seen.url:
            lines.append(f"redirected  {answer.url}")
        lines += [
            f"{name:<12}{value}" for name, value in (("etag", answer.etag), ("modified", answer.last_modified)) if value
        ]
        if answer.reason:
            lines.append(f"fault       {answer.reason}: {answer.detail}")
    for number, item in enumerate(seen.items):
        if isinstance(item, Document):
            lines += _document_lines(number, item, source, settings, show_text)
        else:
            lines.append(f"trouble {number}   {item.reason}: {item.detail or REASONS[item.reason]}")
    return [*lines, f"verdict     {seen.verdict}"]


def _document_lines(number: int, item: Document, source: Source, settings: Settings, show_text: bool) -> list[str]:
    lines = [f"document {number}  id {item.id} ({item.identifier_type})"]
    if item.matched_path:
        lines.append(f"            {item.matched_path} gives {item.matched_string}")
    if item.repaired:
        lines.append(f"            repaired: {', '.join(item.repaired)}")
    lines += [item.text] if show_text else []
    try:
        converted = convert_document(item.text, data_graph(settings.org, source.name, item.id))
    except NotConverted as error:
        return [*lines, f"            a release leaves it out: {error}"]
    return [*lines, f"            {converted.quads} quads:", converted.nquads.decode().rstrip()]


def _as_json(seen: Inspection, source: Source, settings: Settings) -> dict[str, Any]:
    answer = seen.answer
    shown: dict[str, Any] = {"url": seen.url, "user_agent": seen.user_agent, "robots": seen.refusal or "allowed"}
    shown["answer"] = None if answer is None else {
        "url": answer.url, "status": answer.status, "content_type": answer.content_type, "bytes": len(answer.body),
        "etag": answer.etag, "last_modified": answer.last_modified, "ms": answer.ms, "attempts": answer.attempts,
        "reason": answer.reason, "detail": answer.detail,
    }  # fmt: skip
    items = []
    for item in seen.items:
        one = asdict(item)
        if isinstance(item, Document):
            try:
                converted = convert_document(item.text, data_graph(settings.org, source.name, item.id))
                one |= {"quads": converted.quads, "nquads": converted.nquads.decode()}
            except NotConverted as error:
                one |= {"quads": 0, "nquads": "", "left_out": str(error)}
        items.append(one)
    return {**shown, "items": items, "verdict": seen.verdict}


def _print_json(value: Any) -> None:
    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())
