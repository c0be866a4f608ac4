"""The harvest job: one source, from the accepted config to a manifest, with a result object and an exit code."""

from __future__ import annotations

import logging
import sys
import time
import traceback
from collections.abc import Sequence

from sheaf.config import source_in_force
from sheaf.errors import BadInput, NotFound, SheafError, TemporaryFault
from sheaf.harvest.breaker import SourceDown
from sheaf.harvest.engine import run_harvest
from sheaf.harvest.progress import Progress
from sheaf.harvest.provenance import org_quads
from sheaf.harvest.schema import HarvestSummary
from sheaf.jobs.reporting import ProgressReport
from sheaf.jobs.results import BAD_INPUT, DONE, DONE_WITH_LOSSES, FAILED, TRY_AGAIN, JobResult, write_result
from sheaf.settings import Settings
from sheaf.store import ObjectStore, layout, open_store

log = logging.getLogger(__name__)


def summon_job(
    settings: Settings,
    source_name: str,
    config_sha: str | None,
    job_id: str,
    mode: str | None = None,
    limit: int | None = None,
    only: Sequence[str] = (),
    *,
    agree_to_shrink: bool = False,
    store: ObjectStore | None = None,
) -> int:
    """Harvest a source and write the job's result; returns the exit code (``jobs.results``). Raises nothing."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    begun = time.monotonic()
    progress = Progress()
    try:
        store = store or open_store(settings)
        project, source, sha = source_in_force(store, settings, source_name, config_sha)
        quads = "".join(org_quads(settings.org, source)).encode()
        store.put(layout.org(source.name), quads, "application/n-quads")
        with ProgressReport(progress):
            summary = run_harvest(
                store, project, source, sha, settings=settings, mode=mode, limit=limit, only=tuple(only),
                job_id=job_id, agree_to_shrink=agree_to_shrink, progress=progress,
            )  # fmt: skip
        result = _done(summary, job_id)
    except Exception as error:
        result = _failed(error, source_name, job_id)
    numbers = {**result.numbers, "job_seconds": round(time.monotonic() - begun, 3)}
    return _leave(store, result.model_copy(update={"numbers": numbers}))


def harvest_numbers(summary: HarvestSummary) -> dict[str, int | float]:
    """The summary's numbers under their stable names; states and reasons as ``state_<name>``, ``reason_<name>``."""
    names = ("urls", "documents", "bytes", "new", "changed", "unchanged", "gone", "clashes", "shrink", "requests",
             "parts", "seconds")  # fmt: skip
    numbers: dict[str, int | float] = {name: getattr(summary, name) for name in names}
    numbers |= {f"state_{state}": count for state, count in summary.counts.items()}
    numbers |= {f"reason_{reason}": count for reason, count in summary.reasons.items()}
    return {**numbers, "complete": int(summary.complete), "partial": int(summary.partial)}


def _done(summary: HarvestSummary, job_id: str) -> JobResult:
    states = ", ".join(f"{count} {state}" for state, count in summary.counts.items())
    told = [f"{summary.documents} documents from {summary.urls} pages ({states}) in {summary.seconds:.1f} s"]
    if not summary.complete and not summary.partial:
        told.append("the discovery was not complete, so no page was declared gone")
    if summary.shrink:
        told.append(
            f"{summary.shrink} pages left the list at once, more than shrink_limit allows: they are kept until "
            f"'sheaf job summon --source {summary.source} --agree-to-shrink' is run, or shrink_limit is raised"
        )
    return JobResult(
        job="summon",
        job_id=job_id,
        source=summary.source,
        exit_code=DONE_WITH_LOSSES if summary.lossy else DONE,
        message="; ".join(told),
        reason="losses" if summary.lossy else "",
        harvest_id=summary.harvest_id,
        numbers=harvest_numbers(summary),
    )


def _failed(error: Exception, source: str, job_id: str) -> JobResult:
    code, reason = FAILED, "internal_error"
    if isinstance(error, SourceDown):
        code, reason = (TRY_AGAIN if error.passing else FAILED), error.reason
    elif isinstance(error, TemporaryFault):
        code, reason = TRY_AGAIN, "temporary"
    elif isinstance(error, (BadInput, NotFound)):
        code, reason = BAD_INPUT, "bad_input"
    elif isinstance(error, SheafError):
        reason = "failed"
    else:
        traceback.print_exception(error)
    return JobResult(job="summon", job_id=job_id, source=source, exit_code=code, message=str(error), reason=reason)


def _leave(store: ObjectStore | None, result: JobResult) -> int:
    (log.error if result.exit_code not in (DONE, DONE_WITH_LOSSES) else log.info)("%s", result.message)
    if store is None:
        return result.exit_code
    try:
        write_result(store, result)
    except SheafError as error:
        log.warning("the result could not be written: %s", error)
        return TRY_AGAIN if result.exit_code in (DONE, DONE_WITH_LOSSES) else result.exit_code
    return result.exit_code
