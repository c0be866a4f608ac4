"""``sheaf export``: files for analysts out of what is published."""

from __future__ import annotations

import click

from sheaf.config import near, source_in_force, sources_in_force, tenants_in_force
from sheaf.errors import BadInput
from sheaf.release.exports import Exported, export_source, export_tenant
from sheaf.settings import Settings
from sheaf.store import open_store


@click.command()
@click.argument("names", nargs=-1, required=True)
@click.option("--tenant", "tenants", is_flag=True, help="NAMES are tenants; their sources are exported as one.")
def export(names: tuple[str, ...], tenants: bool) -> None:
    """Write datasets.parquet, release.nq.gz, void.ttl and SHA256SUMS of what is published of each of NAMES.

    They lie under exports/NAME/latest/ and exports/NAME/<day of the release>/. An export that was interrupted goes on.
    """
    settings = Settings.load()
    store = open_store(settings)
    for name in names:
        if tenants:
            config, _ = tenants_in_force(store, settings)
            tenant = config.get(name)
            if tenant is None:
                raise BadInput(f"there is no tenant {name!r}. {near(name, [one.community for one in config.tenant])}")
            known = [source.name for source in sources_in_force(store, settings)[0].sources]
            _say(name, export_tenant(store, tenant, settings.org, known))
        else:
            _say(name, export_source(store, source_in_force(store, settings, name)[1]))


def _say(name: str, done: Exported) -> None:
    if done.written:
        click.echo(
            f"{name}: {done.datasets:,} datasets, {len(done.written)} objects written, under {done.day} and latest"
        )
    else:
        click.echo(f"{name}: {done.datasets:,} datasets are exported already, under {done.day} and latest")
