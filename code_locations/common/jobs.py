"""Runs a job through the launcher and turns its end into a result, or a failure that explains itself."""

from __future__ import annotations

import random

import dagster as dg

from code_locations.common.launchers import JobEnd, JobLog, JobSpec, level_of
from code_locations.common.platform import Platform
from sheaf.errors import SheafError, TemporaryFault
from sheaf.jobs.results import DONE, DONE_WITH_LOSSES, TRY_AGAIN, JobResult, read_result
from sheaf.store import layout

# No RetryPolicy on the assets: it would also run a job again whose result a blocking check refused.
MAX_RETRIES = 2
RETRY_SECONDS = 20.0
# Killed from outside (128 + SIGKILL, SIGTERM): it goes on where it stopped, and nothing has to recover first.
KILLED = frozenset({137, 143})
KILLED_SECONDS = 2.0


def run_job(context: dg.AssetExecutionContext, platform: Platform, job: str, *arguments: str) -> JobResult:
    """Run one job for this run's source; ``dg.Failure`` with reason, exit code and the log's end unless it is done."""
    settings = platform.settings
    spec = JobSpec(
        job, context.partition_key, context.run_id, context.retry_number, arguments, settings.job_timeout_seconds
    )
    log = JobLog(lambda line: _show(context, line))
    key = layout.job_log(spec.source, job, log.started, settings.log_prefix)
    try:
        end = platform.launcher.run(spec, log)
    except TemporaryFault as error:
        raise _again(context, dg.Failure(str(error), metadata={"sheaf/reason": "launcher"})) from error
    except SheafError as error:
        raise dg.Failure(str(error), metadata={"sheaf/reason": "launcher"}, allow_retries=False) from error
    finally:
        log.close()
        platform.store.put_file(key, log.path, "text/plain; charset=utf-8")
        log.discard()
    result = read_result(platform.store, spec.job_id)
    if end.end == "exited" and end.exit_code in (DONE, DONE_WITH_LOSSES) and result is not None:
        return result
    failure = _failure(spec, end, result, log, key)
    if end.end == "exited" and end.exit_code in KILLED | {TRY_AGAIN}:
        raise _again(context, failure, KILLED_SECONDS if end.exit_code in KILLED else RETRY_SECONDS)
    raise failure


def _failure(spec: JobSpec, end: JobEnd, result: JobResult | None, log: JobLog, key: str) -> dg.Failure:
    fixes = {
        "deadline": "Raise GLEANERIO_JOB_TIMEOUT, or run it again: it goes on where it stopped.",
        "out_of_memory": "Raise GLEANERIO_JOB_MEMORY_MB.",
        "cancelled": "Run it again: it goes on where it stopped.",
    }
    if result is not None and result.message:
        text = result.message
    elif end.end != "exited":
        text = f"{end.detail}. {fixes.get(end.end, '')}".strip()
    else:
        text = f"the {spec.job} job of {spec.source} ended with exit code {end.exit_code}; its last lines are below"
    metadata: dict[str, dg.MetadataValue] = {
        "sheaf/reason": dg.MetadataValue.text(result.reason if result and result.reason else end.end),
        "sheaf/exit_code": dg.MetadataValue.int(-1 if end.exit_code is None else end.exit_code),
        "sheaf/log": dg.MetadataValue.path(key),
        "sheaf/log_tail": dg.MetadataValue.md(f"```\n{log.tail}\n```"),
    }
    return dg.Failure(text, metadata=metadata, allow_retries=False)


def _again(context: dg.AssetExecutionContext, failure: dg.Failure, seconds: float = RETRY_SECONDS) -> Exception:
    """Another attempt after a pause that doubles, with some jitter; the failure itself when there were enough."""
    if context.retry_number >= MAX_RETRIES:
        return failure
    context.log.warning(f"Trying again: {failure.description}")
    pause = seconds * 2**context.retry_number * random.uniform(0.8, 1.2)  # noqa: S311
    return dg.RetryRequested(max_retries=MAX_RETRIES, seconds_to_wait=pause)


def _show(context: dg.AssetExecutionContext, line: str) -> None:
    level = level_of(line)
    if level == "ERROR":
        context.log.error(line)
    elif level == "WARNING":
        context.log.warning(line)
    elif level == "INFO":
        context.log.info(line)
