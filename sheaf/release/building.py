"""A release out of a harvest: a function of its documents, the source's config and the tool (architecture.md, 4)."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from sheaf.config import Source
from sheaf.errors import BadInput, NotFound
from sheaf.harvest.manifest import iter_texts, read_summary
from sheaf.harvest.schema import HarvestSummary
from sheaf.release.archive import local_index, published
from sheaf.release.assembly import Assembler, Assembly
from sheaf.release.buckets import SPILL_COLUMNS, Spill, Task, bucket_digits, converters
from sheaf.release.checks import run_checks
from sheaf.release.index import compare, documents
from sheaf.release.publishing import unpack
from sheaf.release.record import INDEX, PROV, RECORD, RELEASE, SUMMARY, Changes, Check, ReleaseRecord
from sheaf.release.validation import shacl_check, shape_texts, validate_files, write_report
from sheaf.store import ObjectStore, layout

_TYPES = {
    RELEASE: "application/gzip",
    PROV: "application/gzip",
    SUMMARY: "application/n-quads",
    INDEX: "application/vnd.apache.parquet",
}
_SMALL = 8 << 20  # bytes of text that are converted before a second process would have started


def build_release(
    store: ObjectStore,
    source: Source,
    harvest_id: str,
    *,
    org: str,
    tool_version: str = "",
    config_sha: str = "",
    image_digest: str = "",
    contexts: Mapping[str, str] | None = None,
    workers: int = 2,
    work_dir: Path | None = None,
) -> ReleaseRecord:
    """Make a release of a finished harvest in the archive, run its checks, and give its record; publishes nothing.

    When the published release has the same content, that one is given back and nothing is written. ``work_dir`` needs
    room for about four times the documents' text. Raises ``NotFound`` for a harvest that does not exist or is not over,
    ``TemporaryFault`` when the store fails or a process is killed.
    """
    harvest = _harvest(store, source.name, harvest_id)
    with tempfile.TemporaryDirectory(prefix="sheaf-release-", dir=work_dir) as name:
        folder = Path(name)
        made = _convert(store, source, harvest, org, workers, folder)
        before = published(store, source.name)
        if before is not None and before.content_sha256 == made.content_sha256 and before.org == org:
            return ReleaseRecord.model_validate(before.model_dump())
        record = _record(source, harvest, org, made).model_copy(
            update={
                "tool_version": tool_version,
                "config_sha": config_sha,
                "image_digest": image_digest,
                "contexts": dict(sorted((contexts or {}).items())),
                "previous": before.release_id if before else "",
                "changes": _changes(store, before, folder / INDEX),
            }
        )
        if source.thresholds.shacl_blocks:
            record = record.model_copy(update={"checks": (_shapes_kept(store, record, folder, workers),)})
        record = record.model_copy(update={"checks": run_checks(record, source.thresholds, before)})
        _upload(store, record, folder)
        return record


def _harvest(store: ObjectStore, source: str, harvest_id: str) -> HarvestSummary:
    try:
        harvest = read_summary(store, source, harvest_id)
    except NotFound:
        raise NotFound(
            f"there is no finished harvest {harvest_id} of {source}: sheaf job summon --source {source}"
        ) from None
    if harvest.stopped:
        raise BadInput(
            f"harvest {harvest_id} of {source} was stopped ({harvest.stopped}), so nothing can be released from it"
        )
    return harvest


def _convert(
    store: ObjectStore, source: Source, harvest: HarvestSummary, org: str, workers: int, folder: Path
) -> Assembly:
    with converters(workers if harvest.bytes > _SMALL else 1) as convert:
        spill = Spill(folder, bucket_digits(harvest.bytes))
        for batch in iter_texts(store, source.name, harvest.harvest_id, columns=SPILL_COLUMNS):
            spill.add(batch)
        tasks = [Task(path, org, source) for path in spill.finish()]
        return Assembler(folder, org, source).assemble(convert.run(tasks))


def _record(source: Source, harvest: HarvestSummary, org: str, made: Assembly) -> ReleaseRecord:
    return ReleaseRecord(
        release_id=f"{harvest.started_at:%Y%m%dT%H%M%SZ}-{made.content_sha256[:12]}",
        source=source.name,
        org=org,
        harvest_id=harvest.harvest_id,
        created=harvest.ended_at,
        partial=harvest.partial,
        harvested=made.documents + made.left_out,
        documents=made.documents,
        datasets=made.datasets,
        quads=made.quads,
        catalogue_quads=made.catalogue_quads,
        prov_quads=made.prov_quads,
        summary_quads=made.summary_quads,
        bytes=made.bytes,
        catalogue_date=made.catalogue_date,
        repaired_iris=made.repaired,
        dropped=made.dropped,
        content_sha256=made.content_sha256,
        parsed_quads=made.parsed_quads,
        files=dict(sorted(made.files.items())),
        left_out=made.left_out,
        left_out_reasons=made.left_out_reasons,
        left_out_documents=made.left_out_documents,
    )


def _changes(store: ObjectStore, before: ReleaseRecord | None, index: Path) -> Changes:
    if before is None:
        return compare((), documents(index))
    with local_index(store, before.source, before.release_id) as old:
        return compare(documents(old), documents(index))


def _shapes_kept(store: ObjectStore, record: ReleaseRecord, folder: Path, workers: int) -> Check:
    release_nq = unpack(folder / RELEASE, folder / "release.nq")
    report = validate_files(release_nq, folder / INDEX, record, shape_texts(store), workers)
    write_report(store, report, f"{record.created:%Y%m%d}")
    return shacl_check(report, blocking=True)


def _upload(store: ObjectStore, record: ReleaseRecord, folder: Path) -> None:
    """``release.json`` goes last: a folder without it is no release. An equal release is not written again."""
    text = record.model_dump_json(indent=1).encode()
    key = layout.release_file(record.source, record.release_id, RECORD)
    try:
        if store.get(key) == text:
            return
    except NotFound:
        pass
    for name, content_type in _TYPES.items():
        store.put_file(layout.release_file(record.source, record.release_id, name), folder / name, content_type)
    store.put(key, text, "application/json")
