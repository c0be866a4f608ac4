"""Files for analysts: datasets.parquet, release.nq.gz, a VoID and DCAT description, checksums (issue 5, point 9).

Under the release's day and under ``latest``; SHA256SUMS goes last of each. What lies there already is not made again,
so an export that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow.parquet as pq

from sheaf.config import Source, Tenant
from sheaf.errors import NotFound
from sheaf.release.archive import local_index, published
from sheaf.release.assembly import chunks, file_facts
from sheaf.release.datasets import DATASETS_SCHEMA, write_datasets
from sheaf.release.publishing import unpacked
from sheaf.release.record import RELEASE, FileFacts, ReleaseRecord
from sheaf.release.terms import escape
from sheaf.store import ObjectStore, layout

DATASETS, DESCRIPTION, SUMS = "datasets.parquet", "void.ttl", "SHA256SUMS"
_TYPES = {
    DATASETS: "application/vnd.apache.parquet",
    RELEASE: "application/gzip",
    DESCRIPTION: "text/turtle",
    SUMS: "text/plain",
}
_PREFIXES = """@prefix dcat: <http://www.w3.org/ns/dcat#> .
@prefix dct: <http://purl.org/dc/terms/> .
@prefix spdx: <http://spdx.org/rdf/terms#> .
@prefix void: <http://rdfs.org/ns/void#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
"""

KeyOf = Callable[[str, str], str]  # name of a file, "latest" or a day -> key


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export did: its folder's day, its rows, and the objects that had to be written."""

    day: str
    datasets: int
    written: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Described:
    """What the description says of an export."""

    iri: str
    title: str
    homepage: str
    created: datetime
    quads: int
    documents: int


def export_source(store: ObjectStore, source: Source, work_dir: Path | None = None) -> Exported:
    """Export the published release of a source. Raises ``NotFound`` when nothing is published."""
    record = published(store, source.name)
    if record is None:
        raise NotFound(f"nothing of {source.name} is published yet: sheaf release publish {source.name}")

    def key(name: str, when: str) -> str:
        return layout.export_file(source.name, name, when)

    about = _Described(
        iri=f"urn:gleaner.io:{record.org}:{source.name}:export:{record.release_id}",
        title=f"Datasets of {source.propername or source.name}",
        homepage=source.domain or source.robots_base,
        created=record.created,
        quads=record.quads + record.catalogue_quads,
        documents=record.documents,
    )
    return _export(store, [record], about, key, work_dir)


def export_tenant(
    store: ObjectStore, tenant: Tenant, org: str, known: Sequence[str], work_dir: Path | None = None
) -> Exported:
    """Export the published releases of a tenant's sources as one. Raises ``NotFound`` when none is published."""
    found = [published(store, name) for name in tenant.members(known)]
    records = [record for record in found if record is not None]
    if not records:
        raise NotFound(f"no source of the tenant {tenant.community} has a published release yet")

    def key(name: str, when: str) -> str:
        return layout.export_tenant(tenant.community, name, when)

    about = _Described(
        iri=f"urn:gleaner.io:{org}:export:{tenant.community}",
        title=f"Datasets of {tenant.name or tenant.community}",
        homepage=tenant.url,
        created=max(record.created for record in records),
        quads=sum(record.quads + record.catalogue_quads for record in records),
        documents=sum(record.documents for record in records),
    )
    return _export(store, records, about, key, work_dir)


def _export(
    store: ObjectStore, records: Sequence[ReleaseRecord], about: _Described, key: KeyOf, work_dir: Path | None
) -> Exported:
    day = f"{about.created:%Y%m%d}"
    marker = "".join(f"# {record.release_id} of {record.source}\n" for record in records)
    done = _sums(store, key(SUMS, "latest"))
    if done.startswith(marker) and _sums(store, key(SUMS, day)) == done:
        return Exported(day, _rows(done), ())
    with tempfile.TemporaryDirectory(prefix="sheaf-export-", dir=work_dir) as name:
        folder = Path(name)
        rows = _make(store, records, folder)
        facts = {name: file_facts(folder / name) for name in (DATASETS, RELEASE)}
        (folder / DESCRIPTION).write_text(_description(about, facts, rows), encoding="utf-8")
        facts[DESCRIPTION] = file_facts(folder / DESCRIPTION)
        sums = "".join(f"{facts[name].sha256}  {name}\n" for name in sorted(facts))
        (folder / SUMS).write_text(f"{marker}# {rows} datasets\n{sums}", encoding="utf-8")
        written = []
        for when in (day, "latest"):
            for file_name, content_type in _TYPES.items():
                target = key(file_name, when)
                if not _is_there(store, target, folder / file_name):
                    store.put_file(target, folder / file_name, content_type)
                    written.append(target)
    return Exported(day, rows, tuple(written))


def _make(store: ObjectStore, records: Sequence[ReleaseRecord], folder: Path) -> int:
    """``datasets.parquet`` and ``release.nq.gz`` of one release, or of several behind each other."""
    rows = 0
    with (folder / RELEASE).open("wb") as together, pq.ParquetWriter(folder / DATASETS, DATASETS_SCHEMA) as table:
        for record in records:
            part = folder / record.source
            part.mkdir()
            release_nq = unpacked(store, record, RELEASE, "release.nq", part, keep=True)
            # Members of gzip behind each other are gzip: nothing is compressed anew.
            for chunk in chunks(part / RELEASE):
                together.write(chunk)
            with local_index(store, record.source, record.release_id) as index:
                rows += write_datasets(release_nq, index, record.source, part / DATASETS)
            with pq.ParquetFile(part / DATASETS) as file:
                for group in range(file.num_row_groups):
                    table.write_table(file.read_row_group(group))
            shutil.rmtree(part)
    return rows


def _description(about: _Described, facts: dict[str, FileFacts], rows: int) -> str:
    homepage = (
        f"    dcat:landingPage <{about.homepage}> ;\n" if about.homepage.startswith(("http://", "https://")) else ""
    )
    files = " ,\n        ".join(_distribution(name, facts[name]) for name in sorted(facts))
    return (
        f"{_PREFIXES}\n<{about.iri}> a void:Dataset, dcat:Dataset ;\n"
        f'    dct:title "{escape(about.title)}" ;\n'
        f'    dct:modified "{about.created:%Y-%m-%dT%H:%M:%SZ}"^^xsd:dateTime ;\n'
        f"{homepage}    void:vocabulary <https://schema.org/> ;\n"
        f"    void:triples {about.quads} ;\n    void:documents {about.documents} ;\n    void:entities {rows} ;\n"
        f"    dcat:distribution {files} .\n"
    )


def _distribution(name: str, facts: FileFacts) -> str:
    return (
        f'[ a dcat:Distribution ; dct:title "{name}" ; dcat:downloadURL <{name}> ; dcat:mediaType "{_TYPES[name]}" ;\n'
        f"          dcat:byteSize {facts.bytes} ; spdx:checksum [ spdx:algorithm spdx:checksumAlgorithm_sha256 ;"
        f' spdx:checksumValue "{facts.sha256}" ] ]'
    )


def _sums(store: ObjectStore, key: str) -> str:
    try:
        return store.get(key).decode()
    except NotFound:
        return ""


def _is_there(store: ObjectStore, key: str, path: Path) -> bool:
    """Whether the object is this file already; an ETag that is no MD5 says no."""
    found = store.stat(key)
    if found is None or found.size != path.stat().st_size:
        return False
    digest = hashlib.md5(usedforsecurity=False)
    for chunk in chunks(path):
        digest.update(chunk)
    return found.etag == digest.hexdigest()


def _rows(sums: str) -> int:
    line = next(line for line in sums.splitlines() if line.endswith(" datasets"))
    return int(line.split()[1])
