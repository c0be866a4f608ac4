"""``sheaf config``: check config files as the sensors do, and upload them."""

from __future__ import annotations

from pathlib import Path

import click

from sheaf.config import load_sources, load_tenants
from sheaf.settings import Settings
from sheaf.store import layout, open_store

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def config() -> None:
    """Check and upload gleanerconfig.yaml and tenant.yaml."""


@config.command()
@click.argument("sources", type=FILE)
@click.argument("tenants", type=FILE, required=False)
def check(sources: Path, tenants: Path | None) -> None:
    """Validate a gleanerconfig.yaml, and a tenant.yaml against it; exit code 2 and every error when refused."""
    loaded = load_sources(sources.read_bytes(), sources.name)
    warnings = list(loaded.warnings)
    active = len(loaded.config.active_names())
    click.echo(f"{sources.name}: {len(loaded.config.sources)} sources, {active} active, sha256 {loaded.sha256}")
    if tenants is not None:
        names = [source.name for source in loaded.config.sources]
        checked = load_tenants(tenants.read_bytes(), names, tenants.name)
        warnings += checked.warnings
        click.echo(f"{tenants.name}: {len(checked.config.tenant)} tenants, sha256 {checked.sha256}")
    for warning in warnings:
        click.echo(f"warning: {warning}")


@config.command()
@click.argument("sources", type=FILE, required=False)
@click.option("--tenants", type=FILE, help="a tenant.yaml to upload too")
def push(sources: Path | None, tenants: Path | None) -> None:
    """Upload configs to where the sensors watch, after checking them."""
    settings = Settings.load()
    store = open_store(settings)
    uploads: list[tuple[Path, str]] = []
    if sources is not None:
        load_sources(sources.read_bytes(), sources.name)
        uploads.append((sources, layout.sources_config(settings.config_path, settings.sources_filename)))
    if tenants is not None:
        load_tenants(tenants.read_bytes(), None, tenants.name)
        uploads.append((tenants, layout.tenants_config(settings.config_path, settings.tenant_filename)))
    if not uploads:
        raise click.UsageError("name a gleanerconfig.yaml, or --tenants with a tenant.yaml")
    for path, key in uploads:
        store.put(key, path.read_bytes(), "application/yaml")
        click.echo(f"uploaded {path} to s3://{settings.minio_bucket}/{key}")
