"""Publishing moves ``graphs/latest`` to a release; the pointer is written last, so a reader never sees half of one."""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pyoxigraph as ox

from sheaf.config import Source
from sheaf.errors import BadInput, CheckFailed, NotFound, SheafError
from sheaf.release.archive import published, read_release
from sheaf.release.assembly import chunks, file_facts
from sheaf.release.blank_nodes import skolem_iris, split_lines
from sheaf.release.checks import run_checks
from sheaf.release.graph_names import organization_graph
from sheaf.release.record import PROV, RELEASE, SUMMARY, FileFacts, Pointer, Published, ReleaseRecord
from sheaf.release.triples import ntriples
from sheaf.release.turtle import summary_turtle
from sheaf.store import ObjectStore, layout

_NQUADS = "application/n-quads"


def publish_release(
    store: ObjectStore, source: Source, release_id: str, *, force_by: str = "", reason: str = ""
) -> Published:
    """Publish a release of the archive; one that is published already moves nothing and writes nothing.

    Raises ``CheckFailed`` when a blocking check fails against what is published now, unless ``force_by`` names who
    takes it on and ``reason`` why; both are kept in the pointer. Raises ``BadInput`` for a partial harvest's release,
    ``SheafError`` when a file of the archive is not what its record says: neither can be forced.
    """
    if force_by and not reason.strip():
        raise BadInput("publishing over a failed check needs a reason: --reason 'why this is right'")
    before = published(store, source.name)
    if before is not None and before.release_id == release_id:
        return Published(source=source.name, release_id=release_id, moved=False, previous=before.earlier)
    record = read_release(store, source.name, release_id)
    if record.partial:
        raise BadInput(
            f"release {release_id} comes from the partial harvest {record.harvest_id} (--limit or --only), "
            f"which is never published: sheaf job summon --source {source.name}"
        )
    record = record.model_copy(update={"checks": run_checks(record, source.thresholds, before)})
    failed = record.blocked_by
    if failed and not force_by:
        raise CheckFailed(
            f"release {release_id} of {source.name} is not published, "
            + "; ".join(f"{check.name}: {check.message}" for check in failed)
            + f" Whoever knows better: sheaf release publish {source.name} {release_id} --force --reason '...'"
        )
    pointer = Pointer(
        **record.model_dump(),
        replaces=before.release_id if before else "",
        forced_by=force_by if failed else "",
        forced_reason=reason if failed else "",
    )
    return _move(store, source, pointer, before)


def rollback(store: ObjectStore, source: Source, release_id: str = "previous") -> Published:
    """Publish an earlier release again, the one before by default; its checks were answered when it was published.

    Raises ``NotFound`` when there is none.
    """
    before = published(store, source.name)
    if before is None:
        raise NotFound(f"nothing of {source.name} is published, so there is nothing to roll back")
    if release_id == "previous":
        if not before.earlier:
            raise NotFound(f"{before.release_id} is the first published release of {source.name}: nothing is before it")
        release_id = before.earlier
    if release_id == before.release_id:
        return Published(source=source.name, release_id=release_id, moved=False, previous=before.earlier)
    record = read_release(store, source.name, release_id)
    if record.partial:
        raise BadInput(f"release {release_id} comes from a partial harvest and was never published")
    return _move(store, source, Pointer(**record.model_dump(), rolled_back_from=before.release_id), before)


def _move(store: ObjectStore, source: Source, pointer: Pointer, before: Pointer | None) -> Published:
    name, release_id = source.name, pointer.release_id
    with tempfile.TemporaryDirectory(prefix="sheaf-publish-") as temporary:
        folder = Path(temporary)
        files = {
            layout.latest_release(name): unpacked(store, pointer, RELEASE, "release.nq", folder),
            layout.latest_prov(name): unpacked(store, pointer, PROV, "prov.nq", folder),
        }
        summary = folder / SUMMARY
        store.download(layout.release_file(name, release_id, SUMMARY), summary)
        _same(file_facts(summary), pointer.files[SUMMARY], pointer, SUMMARY)
        turtle = folder / "summary.ttl"
        with summary.open(encoding="utf-8", newline="\n") as rows, turtle.open("w", encoding="utf-8") as out:
            out.writelines(summary_turtle(rows))
        # Everything has been read and found whole: only now is the first object written.
        for key, path in files.items():
            store.put_file(key, path, _NQUADS)
        store.put_file(layout.published_summary(name), turtle, "text/turtle")
        warnings = publish_organizations(store, pointer.org)
    store.put(layout.latest_pointer(name), pointer.model_dump_json(indent=1).encode(), "application/json")
    return Published(
        source=name,
        release_id=release_id,
        moved=True,
        previous=before.release_id if before else "",
        failed_checks=tuple(check.name for check in pointer.blocked_by),
        forced_by=pointer.forced_by,
        warnings=warnings,
    )


def publish_organizations(store: ObjectStore, org: str) -> tuple[str, ...]:
    """Put the organizations of all sources (``orgs/``) into one file, unless it holds them already.

    Gives a warning for each file of ``orgs/`` that is no N-Quads; it is left out.
    """
    lines: set[str] = set()
    warnings = []
    for info in store.list(layout.orgs_prefix()):
        if not info.key.endswith(".nq"):
            continue
        name = info.key.removeprefix(layout.orgs_prefix()).removesuffix(".nq")
        try:
            lines.update(_organization_lines(store.get(info.key), organization_graph(org, name)))
        except (SyntaxError, ValueError) as error:
            warnings.append(f"{info.key} is left out of {layout.organizations()}, it is no N-Quads: {error}")
    data = "".join(sorted(lines)).encode()
    key = layout.organizations()
    before = store.stat(key)
    if before is None or before.size != len(data) or store.get(key) != data:
        store.put(key, data, _NQUADS)
    return tuple(warnings)


def _organization_lines(nquads: bytes, graph: str) -> Iterator[str]:
    quads = [ox.Quad(q.subject, q.predicate, q.object) for q in ox.parse(nquads, format=ox.RdfFormat.N_QUADS)]
    triples = split_lines(ntriples(quads))
    names = skolem_iris(graph, triples)
    for subject, predicate, value in triples:
        yield f"{names.get(subject, subject)} {predicate} {names.get(value, value)} <{graph}> .\n"


def unpacked(
    store: ObjectStore, record: ReleaseRecord, packed: str, name: str, folder: Path, *, keep: bool = False
) -> Path:
    """Download and unpack one file of the archive into ``folder``; ``keep`` leaves the packed one beside it.

    Raises ``SheafError`` when it is not, byte for byte, what was made.
    """
    source = folder / packed
    store.download(layout.release_file(record.source, record.release_id, packed), source)
    _same(file_facts(source), record.files[packed], record, packed)
    target = unpack(source, folder / name)
    if not keep:
        source.unlink()
    if name in record.files:
        _same(file_facts(target), record.files[name], record, name)
    return target


def unpack(packed: Path, target: Path) -> Path:
    """Unpack a local .gz file of one or more members; gives ``target``."""
    with target.open("wb") as out:
        out.writelines(_gunzip(packed))
    return target


def _gunzip(path: Path) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(wbits=31)
    for chunk in chunks(path):
        data = chunk
        while data:
            yield unpacker.decompress(data)
            data = unpacker.unused_data
            if unpacker.eof:
                unpacker = zlib.decompressobj(wbits=31)


def _same(found: FileFacts, promised: FileFacts, record: ReleaseRecord, name: str) -> None:
    if (found.bytes, found.sha256) != (promised.bytes, promised.sha256):
        raise SheafError(
            f"{layout.release_file(record.source, record.release_id, name)} is damaged: {found.bytes} bytes with "
            f"sha256 {found.sha256[:12]}, {promised.bytes} with {promised.sha256[:12]} were made. Make it again: "
            f"sheaf job release --source {record.source} --harvest-id {record.harvest_id}"
        )
