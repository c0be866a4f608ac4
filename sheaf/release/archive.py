"""The releases of a source in the archive: read, list, compare."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

from sheaf.errors import BadInput, NotFound
from sheaf.release.index import compare, documents
from sheaf.release.record import INDEX, LISTED, RECORD, Changes, Pointer, ReleaseRecord
from sheaf.store import ObjectStore, layout


def published(store: ObjectStore, source: str) -> Pointer | None:
    """The published release of a source; None when nothing is published yet."""
    try:
        return Pointer.model_validate_json(store.get(layout.latest_pointer(source)))
    except NotFound:
        return None


def read_release(store: ObjectStore, source: str, release_id: str) -> ReleaseRecord:
    """The record of one release; ``NotFound`` names near ids."""
    try:
        return ReleaseRecord.model_validate_json(store.get(layout.release_file(source, release_id, RECORD)))
    except NotFound:
        known = sorted(store.folders(layout.archive_prefix(source)), reverse=True)
        near = get_close_matches(release_id, known, n=3, cutoff=0.5) or known[:3]
        hint = f"Releases near it: {', '.join(near)}" if near else f"{source} has no releases"
        raise NotFound(f"there is no release {release_id} of {source}. {hint}") from None


def releases(store: ObjectStore, source: str) -> list[ReleaseRecord]:
    """All releases of a source, the newest first; a folder without its record is one that was never finished."""
    found = []
    for release_id in sorted(store.folders(layout.archive_prefix(source)), reverse=True):
        try:
            text = store.get(layout.release_file(source, release_id, RECORD))
        except NotFound:
            continue
        found.append(ReleaseRecord.model_validate_json(text))
    return found


def find_release(store: ObjectStore, source: str, wanted: str) -> ReleaseRecord:
    """A release by its id, by the beginning of it when only one has it, or ``latest``, or ``published``.

    Raises ``NotFound``, and ``BadInput`` when several begin so.
    """
    if wanted == "published":
        pointer = published(store, source)
        if pointer is None:
            raise NotFound(f"nothing of {source} is published yet: sheaf release publish {source} latest")
        return pointer
    ids = sorted(store.folders(layout.archive_prefix(source)), reverse=True)
    if wanted == "latest":
        newest = releases(store, source)
        if not newest:
            raise NotFound(f"{source} has no releases yet: sheaf job release --source {source}")
        return newest[0]
    matching = [release_id for release_id in ids if release_id.startswith(wanted)]
    if len(matching) > 1 and wanted not in matching:
        raise BadInput(f"{len(matching)} releases of {source} begin with {wanted}: {', '.join(matching[:5])}")
    return read_release(store, source, wanted if wanted in matching or not matching else matching[0])


def diff(store: ObjectStore, source: str, old: str, new: str, listed: int = LISTED) -> Changes:
    """What release ``new`` has against release ``old``, by the digests in their indexes."""
    with local_index(store, source, old) as before, local_index(store, source, new) as after:
        return compare(documents(before), documents(after), listed)


@contextmanager
def local_index(store: ObjectStore, source: str, release_id: str) -> Iterator[Path]:
    """``index.parquet`` of a release as a file on this machine for a while."""
    with tempfile.TemporaryDirectory(prefix="sheaf-index-") as folder:
        path = Path(folder) / INDEX
        store.download(layout.release_file(source, release_id, INDEX), path)
        yield path
