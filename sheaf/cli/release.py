"""``sheaf release``: what is in the archive, what changed, what is published, and moving that by hand."""

from __future__ import annotations

import getpass
from pathlib import Path

import click

from sheaf.config import Source, source_in_force
from sheaf.release import (
    Published,
    ReleaseRecord,
    diff,
    find_release,
    publish_release,
    published,
    releases,
    rollback,
)
from sheaf.release.validation import shacl_check, shape_texts, validate_release, write_report
from sheaf.settings import Settings
from sheaf.store import ObjectStore, open_store

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="JSON, for scripts.")


@click.group()
def release() -> None:
    """Releases of a source: list, show, diff, validate, publish, rollback.

    RELEASE is a release id, the beginning of one, 'latest' (the newest made) or 'published'.
    """


@release.command("list")
@click.argument("source")
@AS_JSON
def list_(source: str, as_json: bool) -> None:
    """All releases of a source, the newest first."""
    store, _ = _opened(source)
    pointer = published(store, source)
    current = pointer.release_id if pointer else ""
    for record in releases(store, source):
        if as_json:
            click.echo(record.model_dump_json(exclude={"left_out_documents", "changes"}))
            continue
        changes = record.changes
        click.echo(
            f"{'*' if record.release_id == current else ' '} {record.release_id}  {record.created:%Y-%m-%d %H:%M}  "
            f"{record.documents:>8,} documents  {record.quads:>10,} quads  "
            f"+{changes.added} ~{changes.changed} -{changes.removed}"
            + (f"  {record.left_out} left out" if record.left_out else "")
            + (f"  blocked by {', '.join(check.name for check in record.blocked_by)}" if record.blocked_by else "")
        )


@release.command()
@click.argument("source")
@click.argument("release_id", metavar="RELEASE", default="published")
@AS_JSON
def show(source: str, release_id: str, as_json: bool) -> None:
    """One release: where it comes from, what is in it, what was left out and why, its checks."""
    store, _ = _opened(source)
    record = find_release(store, source, release_id)
    if as_json:
        click.echo(record.model_dump_json(indent=1))
        return
    for line in _described(record):
        click.echo(line)


@release.command("diff")
@click.argument("source")
@click.argument("old", default="published")
@click.argument("new", default="latest")
@AS_JSON
def diff_(source: str, old: str, new: str, as_json: bool) -> None:
    """What release NEW has against release OLD, document by document."""
    store, _ = _opened(source)
    before, after = find_release(store, source, old), find_release(store, source, new)
    changes = diff(store, source, before.release_id, after.release_id)
    if as_json:
        click.echo(changes.model_dump_json(indent=1))
        return
    click.echo(
        f"{before.release_id} -> {after.release_id}: {changes.added} added, {changes.changed} changed, "
        f"{changes.removed} removed"
    )
    for sign, ids, count in (
        ("+", changes.added_ids, changes.added),
        ("~", changes.changed_ids, changes.changed),
        ("-", changes.removed_ids, changes.removed),
    ):
        for document in ids:
            click.echo(f"{sign} {document}")
        if count > len(ids):
            click.echo(f"{sign} ... and {count - len(ids)} more")


@release.command()
@click.argument("source")
@click.argument("release_id", metavar="RELEASE", default="latest")
@click.option("--force", is_flag=True, help="publish over a failed check; needs --reason")
@click.option("--reason", default="", help="why that is right; kept with your name in the pointer")
@click.option("--by", default="", help="who takes it on; default: the user of this shell")
def publish(source: str, release_id: str, force: bool, reason: str, by: str) -> None:
    """Publish a release: tenants load it, people download it."""
    store, config = _opened(source)
    record = find_release(store, source, release_id)
    done = publish_release(
        store, config, record.release_id, force_by=(by or getpass.getuser()) if force else "", reason=reason
    )
    _say_published(done)


@release.command()
@click.argument("source")
@click.argument("release_id", metavar="RELEASE", default="published")
@click.option(
    "--shapes", "files", multiple=True, type=FILE, help="a Turtle file of SHACL shapes; default: the project's"
)
@click.option("--write", is_flag=True, help="store the report under reports/SOURCE too")
@AS_JSON
def validate(source: str, release_id: str, files: tuple[Path, ...], write: bool, as_json: bool) -> None:
    """Check every document of a release against SHACL shapes: counts and examples per shape."""
    settings = Settings.load()
    store, _ = _opened(source)
    record = find_release(store, source, release_id)
    shapes = [(path.name, path.read_text(encoding="utf-8")) for path in files]
    report = validate_release(store, record, shapes or shape_texts(store, settings.config_path))
    if write:
        write_report(store, report, f"{record.created:%Y%m%d}")
    if as_json:
        click.echo(report.model_dump_json(indent=1))
        return
    click.echo(shacl_check(report, blocking=False).message)
    for broken in report.broken:
        click.echo(f"{broken.severity:<9} {broken.documents:>8,} documents  {broken.message} ({broken.constraint})")
        click.echo(f"{'':<28}such as {broken.examples[0].url}")


@release.command("rollback")
@click.argument("source")
@click.argument("release_id", metavar="RELEASE", default="previous")
def rollback_(source: str, release_id: str) -> None:
    """Publish an earlier release again; by default the one that was published before."""
    store, config = _opened(source)
    if release_id != "previous":
        release_id = find_release(store, source, release_id).release_id
    _say_published(rollback(store, config, release_id))


def _opened(source: str) -> tuple[ObjectStore, Source]:
    settings = Settings.load()
    store = open_store(settings)
    return store, source_in_force(store, settings, source)[1]


def _say_published(done: Published) -> None:
    for warning in done.warnings:
        click.echo(f"warning: {warning}", err=True)
    if not done.moved:
        click.echo(f"{done.release_id} of {done.source} is published already; nothing was written")
        return
    click.echo(
        f"published {done.release_id} of {done.source}" + (f", before: {done.previous}" if done.previous else "")
    )
    if done.failed_checks and done.forced_by:
        click.echo(f"over the failed checks {', '.join(done.failed_checks)}, by {done.forced_by}")


def _described(record: ReleaseRecord) -> list[str]:
    changes = record.changes
    lines = [
        f"release     {record.release_id} of {record.source}",
        f"harvest     {record.harvest_id}, ended {record.created:%Y-%m-%d %H:%M:%S} UTC",
        f"made by     sheaf {record.tool_version or '?'} with config {record.config_sha[:12] or '?'}",
        (
            f"content     {record.documents:,} documents, {record.datasets:,} of them datasets or tools; "
            f"{record.quads:,} quads, {record.bytes:,} bytes"
        ),
        (
            f"previous    {record.previous or 'none'}: {changes.added} added, {changes.changed} changed, "
            f"{changes.removed} removed"
        ),
        f"mended      {record.repaired_iris} IRIs and language tags; {record.dropped} triples without a usable IRI",
    ]
    forced = getattr(record, "forced_by", "")
    if forced:
        lines.append(f"forced by   {forced}: {getattr(record, 'forced_reason', '')}")
    lines.append("checks")
    lines += [f"  {'ok    ' if check.passed else 'FAILED'} {check.name}: {check.message}" for check in record.checks]
    lines.append("files")
    lines += [f"  {facts.sha256[:16]}  {facts.bytes:>14,}  {name}" for name, facts in sorted(record.files.items())]
    if record.left_out:
        lines.append(f"left out    {record.left_out}")
        lines += [f"  {lost.reason}  {lost.url}  {lost.detail}" for lost in record.left_out_documents[:50]]
    return lines
