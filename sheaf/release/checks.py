"""The checks that decide whether a release may be published; thresholds are the source's (issue 5, point 3)."""

from __future__ import annotations

from sheaf.config.sources import Thresholds
from sheaf.release.record import INDEX, PROV, RELEASE, SUMMARY, Check, ReleaseRecord

SHACL = "shacl"  # made by validation.py, from the documents; the others follow from the record
FILES = (RELEASE, SUMMARY, PROV, INDEX, "release.nq")


def run_checks(record: ReleaseRecord, thresholds: Thresholds, published: ReleaseRecord | None) -> tuple[Check, ...]:
    """All checks of a release, from its record alone; ``published`` is the release that it would replace."""
    return (
        _not_empty(record),
        _files_whole(record),
        _documents_lost(record, thresholds),
        _no_drop(record, thresholds, published),
        _nquads_parse(record),
        _summary_complete(record),
        _harvest_whole(record),
        *(
            check.model_copy(update={"blocking": thresholds.shacl_blocks})
            for check in record.checks
            if check.name == SHACL
        ),
    )


def _not_empty(record: ReleaseRecord) -> Check:
    passed = record.documents > 0
    fix = "" if passed else (
        f" Look at 'sheaf harvest show {record.source}': a harvest without documents never replaces a release."
    )  # fmt: skip
    return Check(
        name="not_empty",
        passed=passed,
        message=f"{record.documents} documents, {record.quads} quads.{fix}",
        numbers={"documents": record.documents, "quads": record.quads},
    )


def _files_whole(record: ReleaseRecord) -> Check:
    missing = [name for name in FILES if name not in record.files]
    lines = record.files["release.nq"].lines if not missing else 0
    expected = record.quads + record.catalogue_quads
    passed = not missing and lines == expected and record.files["release.nq"].bytes == record.bytes
    message = f"release.nq has {lines} lines, its graphs {expected}"
    if missing:
        message += f"; missing: {', '.join(missing)}"
    if not passed:
        message += f". Make the release again: sheaf job release --source {record.source}"
    return Check(
        name="files_whole", passed=passed, message=message + ".", numbers={"lines": lines, "expected_lines": expected}
    )


def _documents_lost(record: ReleaseRecord, thresholds: Thresholds) -> Check:
    lost = record.left_out / record.harvested if record.harvested else 0.0
    passed = lost <= thresholds.max_lost
    reasons = ", ".join(f"{count} {reason}" for reason, count in record.left_out_reasons.items())
    message = f"{record.left_out} of {record.harvested} documents were left out ({lost:.1%})"
    if reasons:
        message += f": {reasons}"
    if not passed:
        message += (
            f"; at most {thresholds.max_lost:.1%} may be. See 'sheaf release show {record.source} {record.release_id}' "
            "for which, or raise thresholds.max_lost of the source"
        )
    numbers: dict[str, int | float] = {
        "left_out": record.left_out,
        "harvested": record.harvested,
        "share": round(lost, 6),
        "max_lost": thresholds.max_lost,
    }
    return Check(name="documents_lost", passed=passed, message=message + ".", numbers=numbers)


def _no_drop(record: ReleaseRecord, thresholds: Thresholds, published: ReleaseRecord | None) -> Check:
    if published is None:
        return Check(name="no_drop", passed=True, message="nothing was published before.", numbers={"share": 0.0})
    drop = max(0.0, 1 - record.documents / published.documents) if published.documents else 0.0
    passed = drop <= thresholds.max_drop
    message = f"{record.documents} documents, {published.documents} in {published.release_id} (a drop of {drop:.1%})"
    if not passed:
        message += (
            f"; at most {thresholds.max_drop:.1%} is let through. If the source really shrank, publish it with "
            f"'sheaf release publish {record.source} {record.release_id} --force', or raise thresholds.max_drop"
        )
    numbers: dict[str, int | float] = {
        "documents": record.documents,
        "previous_documents": published.documents,
        "share": round(drop, 6),
        "max_drop": thresholds.max_drop,
    }
    return Check(name="no_drop", passed=passed, message=message + ".", numbers=numbers)


def _nquads_parse(record: ReleaseRecord) -> Check:
    expected = record.quads + record.catalogue_quads
    passed = record.parsed_quads == expected
    if record.parsed_quads < 0:
        message = "release.nq is no valid N-Quads: this is a fault of Sheaf; please report the source and the release"
    else:
        message = f"a parser finds {record.parsed_quads} quads where {expected} were written"
    return Check(
        name="nquads_parse",
        passed=passed,
        message=message + ".",
        numbers={"parsed_quads": record.parsed_quads, "expected_quads": expected},
    )


def _summary_complete(record: ReleaseRecord) -> Check:
    lines = record.files[SUMMARY].lines if SUMMARY in record.files else 0
    # A row has at least a type, the dataset, a publisher and a place.
    passed = record.datasets <= record.documents and lines == record.summary_quads >= 4 * record.datasets
    message = f"{record.datasets} of {record.documents} documents are about a dataset or tool, with {lines} lines"
    if not passed:
        message += f" where {record.summary_quads} were written: make the release again"
    return Check(
        name="summary_complete",
        passed=passed,
        message=message + ".",
        numbers={"datasets": record.datasets, "documents": record.documents, "lines": lines},
    )


def _harvest_whole(record: ReleaseRecord) -> Check:
    message = (
        f"harvest {record.harvest_id} was made with --limit or --only and cannot be published: harvest the whole source"
        if record.partial
        else f"harvest {record.harvest_id} covers the whole source"
    )
    return Check(name="harvest_whole", passed=not record.partial, message=message + ".")
