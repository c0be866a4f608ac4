"""``sheaf report``: the reports of a source, of all sources and of a tenant, for people and for scripts."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from sheaf.config import near, source_in_force, sources_in_force, tenants_in_force
from sheaf.errors import BadInput
from sheaf.reports import (
    AllReports,
    SourceReports,
    TenantReports,
    all_reports,
    source_reports,
    tenant_reports,
    write_all_reports,
    write_source_reports,
    write_tenant_reports,
)
from sheaf.settings import Settings
from sheaf.store import open_store

AS_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object, for scripts.")
WRITE = click.option("--write", is_flag=True, help="Store the files too, under latest/ and today's date.")


@click.group()
def report() -> None:
    """Is it harvested, when did it last work, which pages fail and why; computed anew from manifest and release."""


@report.command()
@click.argument("name")
@AS_JSON
@WRITE
def source(name: str, as_json: bool, write: bool) -> None:
    """The reports of one source."""
    settings = Settings.load()
    store = open_store(settings)
    project, found, _ = source_in_force(store, settings, name)
    reports = source_reports(
        store,
        project,
        found,
        org=settings.org,
        today=datetime.now(UTC).date(),
        bucket=settings.minio_bucket,
        s3store=settings.minio_endpoint,
    )
    _show(reports, as_json, write_source_reports(store, reports) if write else [])


@report.command(name="all")
@AS_JSON
@WRITE
def all_(as_json: bool, write: bool) -> None:
    """The reports over all sources."""
    settings = Settings.load()
    store = open_store(settings)
    project, _ = sources_in_force(store, settings)
    reports = all_reports(store, project, today=datetime.now(UTC).date())
    _show(reports, as_json, write_all_reports(store, reports) if write else [])


@report.command()
@click.argument("name")
@AS_JSON
@WRITE
def tenant(name: str, as_json: bool, write: bool) -> None:
    """The reports of one tenant, named by its community."""
    settings = Settings.load()
    store = open_store(settings)
    project, _ = sources_in_force(store, settings)
    tenants, sha = tenants_in_force(store, settings)
    found = tenants.get(name)
    if found is None:
        known = [each.community for each in tenants.tenant]
        raise BadInput(f"there is no tenant {name!r} in the accepted config {sha[:12]}. {near(name, known)}")
    reports = tenant_reports(store, project, found, today=datetime.now(UTC).date())
    _show(reports, as_json, write_tenant_reports(store, reports) if write else [])


def _show(reports: SourceReports | AllReports | TenantReports, as_json: bool, written: list[str]) -> None:
    click.echo(reports.model_dump_json(indent=1) if as_json else reports.markdown())
    for key in written:
        # Not on standard output, which a script reads as JSON.
        click.echo(f"wrote {key}", err=True)
