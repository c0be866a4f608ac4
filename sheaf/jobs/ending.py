"""How every job ends: with an exit code, a result object in the store, and its seconds and memory in it."""

from __future__ import annotations

import logging
import resource
import sys
import time
import traceback
from collections.abc import Callable

from sheaf.errors import BadInput, NotFound, SheafError, TemporaryFault
from sheaf.harvest.breaker import SourceDown
from sheaf.jobs.results import BAD_INPUT, DONE, DONE_WITH_LOSSES, FAILED, TRY_AGAIN, JobResult, write_result
from sheaf.settings import Settings
from sheaf.store import ObjectStore, open_store

log = logging.getLogger(__name__)
KILOBYTES_A_MEGABYTE = 1_000  # Linux gives ru_maxrss in kilobytes


def run_to_its_end(
    job: str,
    source: str,
    job_id: str,
    settings: Settings,
    work: Callable[[ObjectStore], JobResult],
    store: ObjectStore | None = None,
) -> int:
    """Do the work, write the result, and return the exit code (``jobs.results``). Raises nothing."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    begun = time.monotonic()
    try:
        store = store or open_store(settings)
        result = work(store)
    except Exception as error:
        result = _failed(error, job, source, job_id)
    numbers = {
        **result.numbers,
        "job_seconds": round(time.monotonic() - begun, 3),
        "peak_memory_mb": peak_memory_mb(),
    }
    return _leave(store, result.model_copy(update={"numbers": numbers}))


def peak_memory_mb() -> float:
    """The most memory that this process held, or one of its children that ended if that was more; megabytes."""
    most = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return round(most / KILOBYTES_A_MEGABYTE, 1)


def _failed(error: Exception, job: str, source: str, job_id: str) -> JobResult:
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
    return JobResult(job=job, job_id=job_id, source=source, exit_code=code, message=str(error), reason=reason)


def _leave(store: ObjectStore | None, result: JobResult) -> int:
    done = result.exit_code in (DONE, DONE_WITH_LOSSES)
    (log.info if done else log.error)("%s", result.message)
    if store is None:
        return result.exit_code
    try:
        write_result(store, result)
    except SheafError as error:
        log.warning("the result could not be written: %s", error)
        return TRY_AGAIN if done else result.exit_code
    return result.exit_code
