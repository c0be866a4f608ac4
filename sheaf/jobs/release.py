"""The release job: a harvest into a checked release in the archive, with a result object and an exit code."""

from __future__ import annotations

import os

from sheaf import __version__
from sheaf.config import Source, source_in_force
from sheaf.errors import NotFound
from sheaf.harvest.manifest import latest_harvest
from sheaf.jobs.ending import run_to_its_end
from sheaf.jobs.results import DONE, DONE_WITH_LOSSES, JobResult
from sheaf.release import ReleaseRecord, build_release
from sheaf.settings import Settings
from sheaf.store import ObjectStore


def release_job(
    settings: Settings,
    source_name: str,
    harvest_id: str | None,
    config_sha: str | None,
    job_id: str,
    *,
    store: ObjectStore | None = None,
    workers: int | None = None,
) -> int:
    """Make a release of a harvest (the newest complete one by default) and write the job's result.

    Returns the exit code (``jobs.results``); a release that its checks keep from being published is made all the same,
    and exits with 0 or 3. Raises nothing.
    """

    def work(store: ObjectStore) -> JobResult:
        _, source, sha = source_in_force(store, settings, source_name, config_sha)
        harvest = harvest_id or _newest(store, source)
        record = build_release(
            store,
            source,
            harvest,
            org=settings.org,
            tool_version=__version__,
            config_sha=sha,
            workers=workers if workers is not None else _workers(settings),
        )
        return _done(record, harvest, job_id)

    return run_to_its_end("release", source_name, job_id, settings, work, store)


def release_numbers(record: ReleaseRecord) -> dict[str, int | float]:
    """The record's numbers under their stable names; reasons as ``left_out_<reason>``."""
    names = ("documents", "datasets", "quads", "catalogue_quads", "prov_quads", "summary_quads", "bytes", "left_out",
             "repaired_iris", "dropped", "harvested")  # fmt: skip
    numbers: dict[str, int | float] = {name: getattr(record, name) for name in names}
    numbers |= {name: getattr(record.changes, name) for name in ("added", "changed", "removed")}
    numbers |= {f"left_out_{reason}": count for reason, count in record.left_out_reasons.items()}
    return {**numbers, "checks_failed": sum(not check.passed for check in record.checks)}


def _workers(settings: Settings) -> int:
    return max(1, min(int(settings.job_cpus), os.cpu_count() or 1))


def _newest(store: ObjectStore, source: Source) -> str:
    harvest = latest_harvest(store, source.name)
    if harvest is None:
        raise NotFound(f"{source.name} has no finished harvest yet: sheaf job summon --source {source.name}")
    return harvest.harvest_id


def _done(record: ReleaseRecord, harvest_id: str, job_id: str) -> JobResult:
    told = [f"release {record.release_id}: {record.documents} documents, {record.quads} quads"]
    if record.harvest_id != harvest_id:
        told.append(f"nothing changed since harvest {record.harvest_id}, whose release it is")
    else:
        changes = record.changes
        told.append(f"{changes.added} added, {changes.changed} changed, {changes.removed} removed")
    if record.left_out:
        reasons = ", ".join(f"{count} {reason}" for reason, count in record.left_out_reasons.items())
        told.append(f"{record.left_out} documents left out ({reasons})")
    told += [f"check {check.name} failed: {check.message}" for check in record.checks if not check.passed]
    return JobResult(
        job="release",
        job_id=job_id,
        source=record.source,
        exit_code=DONE_WITH_LOSSES if record.left_out else DONE,
        message="; ".join(told),
        reason="losses" if record.left_out else "",
        harvest_id=harvest_id,
        release_id=record.release_id,
        numbers=release_numbers(record),
    )
