"""The demo site as a program: ``python -m sheaf.demo.site --port 8780 --site demo``."""

from __future__ import annotations

import signal
import threading

import click

from sheaf.demo.load import load_site, site_names
from sheaf.demo.server import serve
from sheaf.errors import BadInput


@click.command("demo-site")
@click.option("--port", default=8780, show_default=True, help="0 takes a free one.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--site", "name", default="demo", show_default=True, help=f"{', '.join(site_names())}, or a folder.")
@click.option("--day", default=0, show_default=True, help="The state of the site to begin with.")
def main(port: int, host: str, name: str, day: int) -> None:
    """Serve a scripted site until Ctrl-C or SIGTERM; POST /_site/day/N moves it to another day."""
    ended = threading.Event()
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, lambda *_: ended.set())
    try:
        with serve(load_site(name), port, host, day) as running:
            pages = sum(len(source.pages) for source in running.site.sources)
            click.echo(f"{running.url}  site {name}, day {day}: {len(running.site.sources)} sources, {pages} pages")
            ended.wait()
    except BadInput as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
