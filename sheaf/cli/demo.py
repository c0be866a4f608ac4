"""``sheaf demo``: the whole way on this machine."""

from __future__ import annotations

import signal
import sys
import time

import click

from sheaf.settings import Settings

SITE_PORT = 8780
FOLLOW_SECONDS = 280.0


@click.command()
@click.option("--exit", "leave", is_flag=True, help="Stop at the end instead of waiting for Ctrl-C.")
@click.option("--port-offset", type=int, default=0, help="Added to every port, to run beside another stack.")
def demo(leave: bool, port_offset: int) -> None:
    """Start the demo site and the embedded stack, upload configs, and show what came of it."""
    from sheaf.demo import demo_configs, load_site, serve
    from sheaf.demo.report import show
    from sheaf.demo.way import data_dir_of, embedded_stack, upload, wait_until_followed

    begun = time.monotonic()
    settings = Settings()
    settings = settings.model_copy(
        update={
            "port_offset": port_offset,
            "data_dir": data_dir_of(settings, "demo"),
        }
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    site = load_site("demo")
    with serve(site, port=SITE_PORT + port_offset) as running:
        click.echo(f"Demo site                {running.url}")
        with embedded_stack(settings) as stack:
            click.echo("Uploading gleanerconfig.yaml and tenant.yaml; Dagster does the rest:")
            goal = upload(stack, *demo_configs(running.url))
            wait_until_followed(stack, goal, FOLLOW_SECONDS, click.echo)
            wrong = show(stack, site, goal, running.day)
            click.echo(f"\nDone after {time.monotonic() - begun:.0f} s.")
            where = stack.settings
            click.echo(f"Dagster     {where.dagster_url}  (asset graph: {where.dagster_url}/asset-groups)")
            click.echo(f"SPARQL      {stack.graphs.endpoint(goal.tenants.tenant[0].graph.main_namespace)}")
            click.echo(
                f"Bucket      {where.minio_endpoint}/{where.minio_bucket}, keys in {settings.data_dir}/secrets.env"
            )
            for line in wrong:
                click.echo(f"wrong: {line}", err=True)
            if wrong:
                sys.exit(1)
            if not leave:
                click.echo("Ctrl-C stops everything.")
                signal.pause()
