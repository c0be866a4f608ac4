"""A release against shapes, in a process pool: counts and examples per shape (issue 5, point 4).

A report and no more: only with ``thresholds.shacl_blocks`` do violations keep a release from being published.
"""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow.parquet as pq
from pydantic import Field

from sheaf.errors import TemporaryFault
from sheaf.release.archive import local_index
from sheaf.release.checks import SHACL
from sheaf.release.datasets import graphs_of
from sheaf.release.publishing import unpacked
from sheaf.release.record import RELEASE, Check, Frozen, ReleaseRecord
from sheaf.release.shacl import OWN_SHAPES, SEVERITIES, Shape, read_shapes, validate
from sheaf.store import ObjectStore, layout

REPORT = "shacl.json"
EXAMPLES = 5
_DOCUMENTS_AT_ONCE = 500


class Example(Frozen):
    """A document that breaks a constraint: where it is, and the value if it is about one."""

    id: str
    url: str
    focus: str
    value: str = ""


class Broken(Frozen):
    """One constraint of one shape, and how often it is broken."""

    shape: str
    constraint: str
    severity: str
    message: str
    findings: int
    documents: int
    examples: tuple[Example, ...]


class ShaclReport(Frozen):
    """The report of one release; ``broken`` has the most severe and most frequent first."""

    version: int = 1
    source: str
    release_id: str
    documents: int
    conforming: int = Field(description="documents without a violation")
    violations: int
    warnings: int
    infos: int
    broken: tuple[Broken, ...]


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Neighbouring documents: where their lines lie in release.nq, and which they are."""

    path: Path
    offset: int
    size: int
    documents: tuple[tuple[str, str], ...]
    shapes: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _Counted:
    """What was found of one constraint so far."""

    severity: str
    message: str
    findings: int
    documents: int
    examples: list[Example]


_Counts = dict[tuple[str, str], _Counted]


def shape_texts(store: ObjectStore, config_path: str = "") -> tuple[tuple[str, str], ...]:
    """Our own shapes and the operator's (``shapes/*.ttl`` beside the configs): file name and Turtle."""
    prefix = layout.shapes_prefix(config_path) if config_path else layout.shapes_prefix()
    own = [(path.name, path.read_text(encoding="utf-8")) for path in sorted(OWN_SHAPES.glob("*.ttl"))]
    theirs = [
        (info.key, store.get(info.key).decode("utf-8", "replace"))
        for info in store.list(prefix)
        if info.key.endswith(".ttl")
    ]
    return (*own, *theirs)


def validate_release(
    store: ObjectStore, record: ReleaseRecord, shapes: Sequence[tuple[str, str]], workers: int = 2
) -> ShaclReport:
    """Check every document of a release of the archive.

    ``shapes`` are pairs of file name and Turtle. Raises ``BadInput`` for shapes that are not understood, ``SheafError``
    for a damaged archive, ``TemporaryFault`` when a process is killed.
    """
    with (
        tempfile.TemporaryDirectory(prefix="sheaf-shacl-") as folder,
        local_index(store, record.source, record.release_id) as index,
    ):
        release_nq = unpacked(store, record, RELEASE, "release.nq", Path(folder))
        return validate_files(release_nq, index, record, shapes, workers)


def validate_files(
    release_nq: Path, index: Path, record: ReleaseRecord, shapes: Sequence[tuple[str, str]], workers: int = 2
) -> ShaclReport:
    """The same, of a release that lies in files on this machine."""
    for file, text in shapes:
        read_shapes(text, file)
    total: _Counts = {}
    conforming = 0
    chunks = _chunks(release_nq, index, tuple(shapes))
    for fine, counts in _run(chunks, workers if record.documents > 2 * _DOCUMENTS_AT_ONCE else 1):
        conforming += fine
        _merge(total, counts)
    return _report(record, conforming, total)


def write_report(store: ObjectStore, report: ShaclReport, day: str) -> tuple[str, ...]:
    """Put the report under ``latest`` and under the day (YYYYMMDD); gives the keys."""
    data = report.model_dump_json(indent=1).encode()
    keys = tuple(layout.report(report.source, REPORT, when) for when in (day, "latest"))
    for key in keys:
        store.put(key, data, "application/json")
    return keys


def shacl_check(report: ShaclReport, *, blocking: bool) -> Check:
    """The report as a check of a release; it blocks only when the source says so."""
    worst = next(iter(report.broken), None)
    message = (
        f"{report.conforming} of {report.documents} documents keep to the shapes; {report.violations} violations, "
        f"{report.warnings} warnings, {report.infos} infos"
    )
    if worst is not None:
        message += f"; first: {worst.message} ({worst.documents} documents, such as {worst.examples[0].url})"
    numbers: dict[str, int | float] = {
        name: getattr(report, name) for name in ("documents", "conforming", "violations", "warnings", "infos")
    }
    return Check(name=SHACL, passed=report.violations == 0, blocking=blocking, message=message + ".", numbers=numbers)


def _chunks(release_nq: Path, index: Path, shapes: tuple[tuple[str, str], ...]) -> Iterator[_Chunk]:
    with pq.ParquetFile(index) as file:
        for batch in file.iter_batches(_DOCUMENTS_AT_ONCE, columns=["offset", "bytes", "id", "url"]):
            rows = [row for row in batch.to_pylist() if row["id"]]
            if rows:
                first, last = rows[0], rows[-1]
                size = last["offset"] + last["bytes"] - first["offset"]
                documents = tuple((row["id"], row["url"]) for row in rows)
                yield _Chunk(release_nq, first["offset"], size, documents, shapes)


def _run(chunks: Iterable[_Chunk], workers: int) -> Iterator[tuple[int, _Counts]]:
    if workers < 2:
        yield from map(_validate_chunk, chunks)
        return
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["sheaf.release.validation"])
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        try:
            # A few chunks at a time, so that a long index is never held whole.
            waiting = iter(chunks)
            while few := list(islice(waiting, 8 * workers)):
                yield from pool.map(_validate_chunk, few)
        except BrokenProcessPool as error:
            raise TemporaryFault("a process that checked documents was killed: give it more memory") from error


def _validate_chunk(chunk: _Chunk) -> tuple[int, _Counts]:
    shapes: list[Shape] = [shape for file, text in chunk.shapes for shape in read_shapes(text, file)]
    with chunk.path.open("rb") as file:
        file.seek(chunk.offset)
        lines = file.read(chunk.size).decode().split("\n")[:-1]
    counts: _Counts = {}
    conforming = 0
    for (document, url), (_, triples) in zip(chunk.documents, graphs_of(lines), strict=True):
        seen: set[tuple[str, str]] = set()
        for finding in validate(triples, shapes):
            key = finding.shape, finding.constraint
            counted = counts.setdefault(key, _Counted(finding.severity, finding.message, 0, 0, []))
            counted.findings += 1
            if key not in seen and len(counted.examples) < EXAMPLES:
                counted.examples.append(Example(id=document, url=url, focus=finding.focus, value=finding.value))
            counted.documents += key not in seen
            seen.add(key)
        conforming += all(counts[key].severity != "Violation" for key in seen)
    return conforming, counts


def _merge(total: _Counts, more: _Counts) -> None:
    for key, counted in more.items():
        known = total.setdefault(key, _Counted(counted.severity, counted.message, 0, 0, []))
        known.findings += counted.findings
        known.documents += counted.documents
        known.examples += counted.examples[: EXAMPLES - len(known.examples)]


def _report(record: ReleaseRecord, conforming: int, counts: _Counts) -> ShaclReport:
    broken = [
        Broken(
            shape=shape,
            constraint=constraint,
            severity=counted.severity,
            message=counted.message,
            findings=counted.findings,
            documents=counted.documents,
            examples=tuple(counted.examples),
        )
        for (shape, constraint), counted in counts.items()
    ]
    broken.sort(key=lambda one: (SEVERITIES.index(one.severity), -one.documents, one.shape, one.constraint))
    sums = {severity: sum(one.findings for one in broken if one.severity == severity) for severity in SEVERITIES}
    return ShaclReport(
        source=record.source,
        release_id=record.release_id,
        documents=record.documents,
        conforming=conforming,
        violations=sums["Violation"],
        warnings=sums["Warning"],
        infos=sums["Info"],
        broken=tuple(broken),
    )
