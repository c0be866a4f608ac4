"""How the end of a job becomes a result, another attempt, or a failure that explains itself."""

from __future__ import annotations

from collections.abc import Callable

import dagster as dg
import pytest

from code_locations.common.jobs import MAX_RETRIES, run_job
from code_locations.common.launchers import JobEnd, JobLog, JobSpec
from code_locations.common.platform import Platform
from sheaf.errors import BadInput
from sheaf.jobs.results import JobResult, write_result
from sheaf.settings import Settings
from sheaf.store import MemoryStore


class Scripted:
    """A launcher whose job says a line, leaves a result or none, and ends as told."""

    def __init__(self, store: MemoryStore, end: JobEnd, result: JobResult | None = None) -> None:
        self._store, self._end, self._result = store, end, result

    def run(self, spec: JobSpec, log: JobLog) -> JobEnd:
        log.feed(b"2026-11-21 10:00:00 INFO 12 of 40 pages\n")
        if self._result is not None:
            write_result(self._store, self._result.model_copy(update={"job_id": spec.job_id}))
        return self._end

    def reap(self, is_over: Callable[[str], bool]) -> list[str]:
        return []


def result(code: int, message: str = "", reason: str = "") -> JobResult:
    return JobResult(job="summon", job_id="", source="iris", exit_code=code, message=message, reason=reason)


def context(retry: int = 0) -> dg.AssetExecutionContext:
    class Context:
        partition_key, run_id, retry_number = "iris", "0123456789abcdef", retry
        log = dg.get_dagster_logger()

    return Context()  # type: ignore[return-value]


def run(end: JobEnd, left: JobResult | None, retry: int = 0) -> tuple[JobResult, MemoryStore]:
    store = MemoryStore()
    platform = Platform(settings=Settings(), store=store, launcher=Scripted(store, end, left))
    return run_job(context(retry), platform, "summon"), store


@pytest.mark.parametrize("code", [0, 3])
def test_a_job_that_is_done_gives_its_result_and_keeps_its_log(code: int) -> None:
    found, store = run(JobEnd(code), result(code))
    assert found.exit_code == code
    (log,) = store.list("scheduler/logs/")
    assert log.key.startswith("scheduler/logs/sch_iris_summon_")
    assert store.get(log.key) == b"2026-11-21 10:00:00 INFO 12 of 40 pages\n"


def test_a_permanent_failure_says_reason_code_log_and_its_last_lines() -> None:
    with pytest.raises(dg.Failure) as caught:
        run(JobEnd(1), result(1, "no_documents: 40 pages hold no JSON-LD", "no_documents"))
    failure = caught.value
    assert failure.description == "no_documents: 40 pages hold no JSON-LD"
    assert failure.allow_retries is False
    assert failure.metadata["sheaf/reason"].value == "no_documents"
    assert "12 of 40 pages" in str(failure.metadata["sheaf/log_tail"].value)


@pytest.mark.parametrize("code", [75, 137, 143])
def test_a_temporary_or_killed_job_is_tried_again_but_not_for_ever(code: int) -> None:
    with pytest.raises(dg.RetryRequested):
        run(JobEnd(code), None)
    with pytest.raises(dg.Failure):
        run(JobEnd(code), None, retry=MAX_RETRIES)


def test_a_job_that_ends_with_nothing_to_show_is_a_failure() -> None:
    with pytest.raises(dg.Failure, match="exit code 0"):
        run(JobEnd(0), None)


def test_a_deadline_and_a_lack_of_memory_name_their_setting() -> None:
    with pytest.raises(dg.Failure, match="GLEANERIO_JOB_TIMEOUT"):
        run(JobEnd(None, "deadline", "the job ran for 60 s"), None)
    with pytest.raises(dg.Failure, match="GLEANERIO_JOB_MEMORY_MB"):
        run(JobEnd(137, "out_of_memory", "the job needed more than 512 MB"), None)


def test_a_launcher_that_refuses_is_a_permanent_failure_and_the_log_is_kept_all_the_same() -> None:
    class Refusing(Scripted):
        def run(self, spec: JobSpec, log: JobLog) -> JobEnd:
            raise BadInput("the engine has no image sheaf-job. Build it with 'make image'.")

    store = MemoryStore()
    platform = Platform(settings=Settings(), store=store, launcher=Refusing(store, JobEnd(0)))
    with pytest.raises(dg.Failure, match="make image") as caught:
        run_job(context(), platform, "summon")
    assert caught.value.allow_retries is False
    assert len(list(store.list("scheduler/logs/"))) == 1
