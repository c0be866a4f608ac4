"""The reports of one source, out of its newest harvest and its published release."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from sheaf.config import ProjectConfig, Source
from sheaf.errors import NotFound
from sheaf.harvest.manifest import latest_harvest, read_summary
from sheaf.harvest.schema import HarvestSummary
from sheaf.release import Pointer, published, read_release
from sheaf.reports.graph_stats import GraphStats, Tally, count_source, source_stats
from sheaf.reports.graphs import read_graphs, release_lines
from sheaf.reports.history import StatsRow, growth, source_history, with_today
from sheaf.reports.load import graph_ids, harvest_rows, identifier_rows, load_report, troubles, urls_csv
from sheaf.reports.source_model import (
    Attempt,
    LastHarvest,
    LostDocument,
    PublishedRelease,
    SourceReports,
    WaitingRelease,
)
from sheaf.reports.subjects import subject_counts
from sheaf.reports.writing import day_of, write_reports
from sheaf.store import ObjectStore, layout

_DAYS = 26  # dated reports that the growth of one source is shown over
_ATTEMPTS = 10


def source_reports(
    store: ObjectStore,
    project: ProjectConfig,
    source: Source,
    *,
    org: str,
    today: date,
    bucket: str = "",
    s3store: str = "",
) -> SourceReports:
    """All reports of a source on a day; a source that was never harvested or published has zeros and empty lists.

    ``org`` is the organisation in the graphs' names; ``bucket`` and ``s3store`` (``host:port``) are only written down.
    """
    harvest, pointer = latest_harvest(store, source.name), published(store, source.name)
    rows = harvest_rows(store, source.name, harvest)
    load = load_report(source, rows, graph_ids(store, pointer), pointer, today, bucket=bucket, s3store=s3store)
    history = source_history(store, source.name, _DAYS)
    return SourceReports(
        source=source.name,
        title=source.propername or source.name,
        active=source.active,
        date=today.isoformat(),
        harvest=_harvest(harvest, rows),
        attempts=_attempts(store, source.name, harvest),
        release=_release(pointer),
        waiting=_waiting(store, source.name, pointer),
        notes=_notes(project, source, harvest, pointer, org),
        troubles=troubles(rows),
        load=load,
        identifiers=identifier_rows(source.name, rows),
        graph_stats=_graph_stats(store, source.name, pointer, today),
        growth=growth(with_today(history, StatsRow.of(load))),
        urls=urls_csv(rows),
    )


def write_source_reports(store: ObjectStore, reports: SourceReports) -> list[str]:
    """Write the files under ``latest`` and the day; gives the keys that changed."""
    return write_reports(
        store, lambda name, when: layout.report(reports.source, name, when), day_of(reports.date), reports.files()
    )


def _graph_stats(store: ObjectStore, source: str, pointer: Pointer | None, today: date) -> GraphStats:
    with subject_counts() as subjects:
        if pointer is None:
            return source_stats(source, Tally(), subjects, today)
        with release_lines(store, source, pointer.release_id) as lines:
            tally = count_source(source, read_graphs(lines, pointer.org, source), subjects)
        return source_stats(source, tally, subjects, today)


def _harvest(harvest: HarvestSummary | None, rows: pa.Table) -> LastHarvest | None:
    if harvest is None:
        return None
    known = harvest.model_dump(include=set(LastHarvest.model_fields))
    repaired = pc.sum(pc.and_(pc.not_equal(rows["repaired"], ""), pc.not_equal(rows["sha256"], ""))).as_py() or 0
    return LastHarvest.model_validate({**known, "pages": harvest.urls, "repaired": repaired})


def _attempts(store: ObjectStore, source: str, harvest: HarvestSummary | None) -> tuple[Attempt, ...]:
    """The harvests after the last good one that were stopped, the newest first."""
    found: list[Attempt] = []
    for harvest_id in sorted(store.folders(layout.harvests_prefix(source)), reverse=True):
        if harvest is not None and harvest_id <= harvest.harvest_id:
            break
        try:
            summary = read_summary(store, source, harvest_id)
        except NotFound:
            continue
        if summary.stopped and not summary.partial:
            found.append(Attempt(harvest_id=harvest_id, started_at=summary.started_at, why=summary.stopped))
    # The oldest one says since when the source is down.
    return tuple(found if len(found) <= _ATTEMPTS else [*found[: _ATTEMPTS - 1], found[-1]])


def _release(pointer: Pointer | None) -> PublishedRelease | None:
    if pointer is None:
        return None
    known = pointer.model_dump(include=set(PublishedRelease.model_fields) - {"left_out_documents"})
    lost = [LostDocument.model_validate(each.model_dump()) for each in pointer.left_out_documents]
    return PublishedRelease.model_validate({**known, "left_out_documents": lost})


def _waiting(store: ObjectStore, source: str, pointer: Pointer | None) -> WaitingRelease | None:
    """The newest finished release, when it is newer than the published one."""
    current = pointer.release_id if pointer else ""
    for release_id in sorted(store.folders(layout.archive_prefix(source)), reverse=True):
        if release_id <= current:
            return None
        try:
            record = read_release(store, source, release_id)
        except NotFound:
            continue
        if not record.partial:
            return WaitingRelease(release_id=release_id, failed_checks=tuple(each.name for each in record.blocked_by))
    return None


def _notes(
    project: ProjectConfig, source: Source, harvest: HarvestSummary | None, pointer: Pointer | None, org: str
) -> tuple[str, ...]:
    notes = []
    if not source.active:
        notes.append("The source is switched off in the config (active: false).")
    if harvest is not None and harvest.fingerprint not in ("", source.fingerprint(project)):
        notes.append("Its settings changed since: the next harvest is the first to go by the new ones.")
    if pointer is not None and pointer.org != org:
        notes.append(
            f"The published release names its graphs after the organisation {pointer.org}, the settings say {org}: "
            f"make a new release (sheaf job release --source {source.name})."
        )
    if pointer is not None and pointer.rolled_back_from:
        notes.append(f"A person went back from release {pointer.rolled_back_from} to the published one.")
    return tuple(notes)
