"""``sheaf job``: the jobs as a launcher starts them, and as a person may, without Dagster."""

from __future__ import annotations

import logging
import os
import sys
import uuid

import click

from sheaf.settings import Settings


def _job_id(job: str, source: str, given: str | None) -> str:
    return given or f"{job}-{source}-{uuid.uuid4().hex[:8]}-0"


def _end(code: int) -> None:
    """Leave without the interpreter's own end, in which the HTTP client's threads can abort a job that is done."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


@click.group()
def job() -> None:
    """Run a job without Dagster.

    Exit codes: 0 done, 3 done with losses, 75 try again later, anything else needs a person.
    """


@job.command()
@click.option("--source", required=True, help="name of the source")
@click.option("--config-sha", help="accepted version of the sources to use; default: the one in force")
@click.option("--job-id", help="under which the result is stored; default: made up")
@click.option("--mode", type=click.Choice(["full", "diff"]), help="full asks for every page; default: the config's")
@click.option("--limit", type=click.IntRange(min=1), help="at most this many pages; such a harvest is never published")
@click.option("--only", multiple=True, metavar="URL", help="only this page; such a harvest is never published")
@click.option("--agree-to-shrink", is_flag=True, help="let go of pages that left the list, however many they are")
def summon(
    source: str,
    config_sha: str | None,
    job_id: str | None,
    mode: str | None,
    limit: int | None,
    only: tuple[str, ...],
    agree_to_shrink: bool,
) -> None:
    """Harvest one source into parts and a manifest."""
    from sheaf.jobs.summon import summon_job

    name = _job_id("summon", source, job_id)
    code = summon_job(Settings.load(), source, config_sha, name, mode, limit, only, agree_to_shrink=agree_to_shrink)
    _end(code)


@job.command()
@click.option("--source", required=True, help="name of the source")
@click.option("--harvest-id", help="which harvest; default: the newest complete one")
@click.option("--config-sha", help="accepted version of the sources to use; default: the one in force")
@click.option("--job-id", help="under which the result is stored; default: made up")
def release(source: str, harvest_id: str | None, config_sha: str | None, job_id: str | None) -> None:
    """Make a release of one source's harvest, and check it; publishing is another step."""
    from sheaf.jobs.release import release_job

    sys.exit(release_job(Settings.load(), source, harvest_id, config_sha, _job_id("release", source, job_id)))
