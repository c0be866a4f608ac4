"""The converted buckets, one behind the other, are the files of a release; digests are taken on the way."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from sheaf.config import Source
from sheaf.release.buckets import Bucket, gzipped, parsed_quads
from sheaf.release.catalogue import catalogue_lines
from sheaf.release.graph_names import catalogue_graph
from sheaf.release.index import IndexWriter
from sheaf.release.record import INDEX, LISTED_LOSSES, PROV, RELEASE, SUMMARY, FileFacts, LeftOut

_COPY_BYTES = 1 << 20
_LINES_AT_ONCE = 20_000


@dataclass(slots=True)
class Growing:
    """A file that is only ever appended to, with the digest of what is in it; without a path only the digest."""

    path: Path | None
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    size: int = 0
    lines: int = 0
    text: bool = True

    def append(self, data: bytes) -> None:
        """Append bytes."""
        self.digest.update(data)
        self.size += len(data)
        self.lines += data.count(b"\n") if self.text else 0
        if self.path is not None:
            with self.path.open("ab") as file:
                file.write(data)

    def take(self, part: Path) -> None:
        """Append a file's content and delete the file; one that does not exist is empty."""
        if not part.exists():
            return
        with part.open("rb") as source:
            while chunk := source.read(_COPY_BYTES):
                self.append(chunk)
        part.unlink()

    @property
    def facts(self) -> FileFacts:
        return FileFacts(bytes=self.size, sha256=self.digest.hexdigest(), lines=self.lines)


@dataclass(frozen=True, slots=True)
class Assembly:
    """A release's files in a local folder, and what was counted while they were made."""

    folder: Path
    files: dict[str, FileFacts]
    content_sha256: str
    bytes: int
    documents: int
    datasets: int
    quads: int
    catalogue_quads: int
    prov_quads: int
    summary_quads: int
    parsed_quads: int
    repaired: int
    dropped: int
    catalogue_date: str
    left_out: int
    left_out_reasons: dict[str, int]
    left_out_documents: tuple[LeftOut, ...]


class Assembler:
    """Takes buckets in the order of the ids."""

    def __init__(self, folder: Path, org: str, source: Source) -> None:
        self._folder, self._org, self._source = folder, org, source
        self._files = {
            "release.nq": Growing(None),
            RELEASE: Growing(folder / RELEASE, text=False),
            PROV: Growing(folder / PROV, text=False),
            SUMMARY: Growing(folder / SUMMARY),
        }
        for name in (RELEASE, PROV, SUMMARY):
            (folder / name).write_bytes(b"")
        self._graphs = folder / "graphs.txt"
        self._total = Bucket(folder)
        self._documents = 0
        self._left_out = 0
        self._reasons: Counter[str] = Counter()

    def assemble(self, buckets: Iterable[Bucket]) -> Assembly:
        """Put the files together; the buckets' own are gone afterwards."""
        total = self._total
        with IndexWriter(self._folder / INDEX) as index:
            with self._graphs.open("w", encoding="utf-8") as graphs:
                for bucket in buckets:
                    self._take(bucket, index)
                    graphs.writelines(f"{row[0]}\n" for row in bucket.rows)
            catalogue_quads = self._catalogue(index) if self._documents else 0
        content = self._files["release.nq"].digest.copy()
        for chunk in chunks(self._folder / SUMMARY):
            content.update(chunk)
        facts = {name: file.facts for name, file in self._files.items()}
        return Assembly(
            folder=self._folder,
            files={**facts, INDEX: file_facts(self._folder / INDEX)},
            content_sha256=content.hexdigest(),
            bytes=index.offset,
            documents=self._documents,
            datasets=total.datasets,
            quads=total.quads,
            catalogue_quads=catalogue_quads,
            prov_quads=total.prov_quads,
            summary_quads=total.summary_quads,
            parsed_quads=total.parsed_quads,
            repaired=total.repaired,
            dropped=total.dropped,
            catalogue_date=total.newest_date,
            left_out=self._left_out,
            left_out_reasons=dict(sorted(self._reasons.items())),
            left_out_documents=tuple(total.left_out),
        )

    def _take(self, bucket: Bucket, index: IndexWriter) -> None:
        for name, suffix in (
            ("release.nq", ".nq"), (RELEASE, ".nq.gz"), (PROV, ".prov.nq.gz"),
            (SUMMARY, ".summary.nq"),
        ):  # fmt: skip
            self._files[name].take(bucket.file(suffix))
        index.add(bucket.rows)
        total = self._total
        self._documents += len(bucket.rows)
        self._left_out += len(bucket.left_out)
        self._reasons.update(lost.reason for lost in bucket.left_out)
        total.left_out += bucket.left_out[: LISTED_LOSSES - len(total.left_out)]
        total.quads += bucket.quads
        total.datasets += bucket.datasets
        total.prov_quads += bucket.prov_quads
        total.summary_quads += bucket.summary_quads
        total.repaired += bucket.repaired
        total.dropped += bucket.dropped
        total.newest_date = max(total.newest_date, bucket.newest_date)
        total.parsed_quads = _sum_parsed(total.parsed_quads, bucket.parsed_quads)

    def _catalogue(self, index: IndexWriter) -> int:
        """Append the catalogue graph; it sorts behind every document's."""
        digest, size, quads = hashlib.sha256(), 0, 0
        with self._graphs.open(encoding="utf-8") as graphs:
            names = (line.rstrip("\n") for line in graphs)
            lines = catalogue_lines(self._org, self._source, self._total.newest_date, names)
            while chunk := list(islice(lines, _LINES_AT_ONCE)):
                data = "".join(chunk).encode()
                digest.update(data)
                size += len(data)
                quads += len(chunk)
                self._total.parsed_quads = _sum_parsed(self._total.parsed_quads, parsed_quads(data))
                self._files["release.nq"].append(data)
                self._files[RELEASE].append(gzipped(data))
        index.add([(catalogue_graph(self._org, self._source.name), digest.hexdigest(), size, quads, "", "")])
        return quads


def _sum_parsed(total: int, more: int) -> int:
    return -1 if total < 0 or more < 0 else total + more


def file_facts(path: Path) -> FileFacts:
    """Length and sha256 of a local file."""
    digest = hashlib.sha256()
    for chunk in chunks(path):
        digest.update(chunk)
    return FileFacts(bytes=path.stat().st_size, sha256=digest.hexdigest())


def chunks(path: Path) -> Iterator[bytes]:
    """A file's content, a megabyte at a time."""
    with path.open("rb") as file:
        while chunk := file.read(_COPY_BYTES):
            yield chunk
