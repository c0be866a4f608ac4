"""The harvest job: one source, from the accepted config to a manifest, with a result object and an exit code."""

from __future__ import annotations

from collections.abc import Sequence

from sheaf.config import source_in_force
from sheaf.harvest.engine import run_harvest
from sheaf.harvest.progress import Progress
from sheaf.harvest.provenance import org_quads
from sheaf.harvest.schema import HarvestSummary
from sheaf.jobs.ending import run_to_its_end
from sheaf.jobs.reporting import ProgressReport
from sheaf.jobs.results import DONE, DONE_WITH_LOSSES, JobResult
from sheaf.settings import Settings
from sheaf.store import ObjectStore, layout


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

    def work(store: ObjectStore) -> JobResult:
        project, source, sha = source_in_force(store, settings, source_name, config_sha)
        quads = "".join(org_quads(settings.org, source)).encode()
        store.put(layout.org(source.name), quads, "application/n-quads")
        progress = Progress()
        with ProgressReport(progress):
            summary = run_harvest(
                store, project, source, sha, settings=settings, mode=mode, limit=limit, only=tuple(only),
                job_id=job_id, agree_to_shrink=agree_to_shrink, progress=progress,
            )  # fmt: skip
        return _done(summary, job_id)

    return run_to_its_end("summon", source_name, job_id, settings, work, store)


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
