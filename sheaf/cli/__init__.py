"""The command line: ``sheaf <group> <command>``; each group is imported only when it is asked for."""

from __future__ import annotations

import importlib
import sys

import click

from sheaf import __version__
from sheaf.errors import BadInput, NotFound, SheafError, TemporaryFault
from sheaf.jobs.results import BAD_INPUT, FAILED, TRY_AGAIN

COMMANDS = {
    "config": ("sheaf.cli.config", "config", "check and upload gleanerconfig.yaml and tenant.yaml"),
    "demo": ("sheaf.cli.demo", "demo", "the whole way on this machine, on a site of our own"),
    "demo-site": ("sheaf.demo.site", "main", "serve the scripted demo site"),
    "down": ("sheaf.cli.stack", "down", "stop the embedded stack"),
    "export": ("sheaf.cli.export", "export", "files for analysts: datasets.parquet, N-Quads, VoID"),
    "graph": ("sheaf.cli.graph", "graph", "tenants' graphs: status, verify, reconcile, drop, query, serve"),
    "harvest": ("sheaf.cli.harvest", "harvest", "harvests: show, diff, objects"),
    "inspect": ("sheaf.cli.harvest", "inspect", "do for one page what a harvest does, and show each step"),
    "job": ("sheaf.cli.job", "job", "run a job without Dagster: summon, release"),
    "release": ("sheaf.cli.release", "release", "releases: list, show, diff, publish, rollback"),
    "report": ("sheaf.cli.report", "report", "reports of a source, of all, of a tenant"),
    "status": ("sheaf.cli.stack", "status", "what of the embedded stack is running"),
    "tools": ("sheaf.cli.tools", "tools", "one document: its id, its fixed-up text, its N-Quads"),
    "up": ("sheaf.cli.stack", "up", "start the embedded stack: S3, graph server, Dagster"),
}


class LazyGroup(click.Group):
    """Loads a command's module when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, name, _ = COMMANDS[cmd_name]
        command = getattr(importlib.import_module(module), name)
        return command if isinstance(command, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        from sheaf.config.marks import near

        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise click.UsageError(f"there is no command {args[0]!r}. {near(args[0], list(COMMANDS))}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, _, about) in sorted(COMMANDS.items())])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sheaf")
def cli() -> None:
    """Harvest schema.org JSON-LD, bind it into versioned releases, load tenants' triplestores."""


def main() -> None:
    """Entry point; exit codes: 0 done, 2 bad input, 75 try again, 1 anything else."""
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(BAD_INPUT)
    except SheafError as error:
        click.echo(f"sheaf: {error}", err=True)
        if isinstance(error, (BadInput, NotFound)):
            sys.exit(BAD_INPUT)
        sys.exit(TRY_AGAIN if isinstance(error, TemporaryFault) else FAILED)
