"""The object view ``summoned/<source>/<id>.jsonld``: brought to what a manifest says, by differences, without listing.

``harvests/<source>/view.json`` says which harvest the objects correspond to. While they change it names the ones
they are brought to as well, so that whatever crashes left is put right by the next run.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from sheaf.config import Source
from sheaf.errors import BadInput, NotFound
from sheaf.harvest.manifest import current_documents, iter_texts, latest_harvest, read_manifest, read_summary
from sheaf.harvest.provenance import prov_jsonld
from sheaf.store import ObjectStore, layout
from sheaf.store.objects import ObjectInfo

JSON_LD = "application/ld+json"
_ABOUT = ("sha256", "url", "identifier_type", "matched_path", "matched_string")
_TOLD = (*_ABOUT, "json_sha", "stored_at")
_WAITING_PUTS = 64


@dataclass(frozen=True, slots=True)
class ObjectsResult:
    """What was done to the view. ``missing``, ``different`` and ``extra`` are what ``verify`` found, else 0."""

    source: str
    harvest_id: str
    written: int = 0
    deleted: int = 0
    unchanged: int = 0
    bytes: int = 0
    missing: int = 0
    different: int = 0
    extra: int = 0
    seconds: float = 0.0


def reconcile_objects(
    store: ObjectStore,
    source: str,
    harvest_id: str | None = None,
    *,
    threads: int = 16,
    prov: tuple[str, Source] | None = None,
) -> ObjectsResult:
    """Write new and changed objects of a harvest (default: the newest whole one), delete gone ones, touch no other.

    ``prov`` (organisation, source) keeps ``prov/<source>/<id>.jsonld`` beside them (``summoner.provobjects``). Raises
    ``NotFound`` without a harvest, ``BadInput`` for a partial one.
    """
    begun = time.monotonic()
    target = _target(store, source, harvest_id)
    view = _read_view(store, source)
    if view == (target, ()):
        count = read_summary(store, source, target).documents
        return ObjectsResult(source, target, unchanged=count, seconds=round(time.monotonic() - begun, 3))
    after = _signatures(store, source, target)
    sure, present = _there(store, source, view)
    write = {one for one, signature in after.items() if sure.get(one) != signature}
    done = _apply(store, source, view, target, write, present - after.keys(), threads, prov)
    return replace(done, unchanged=len(after) - len(write), seconds=round(time.monotonic() - begun, 3))


def verify_objects(
    store: ObjectStore, source: str, *, threads: int = 16, prov: tuple[str, Source] | None = None
) -> ObjectsResult:
    """List the objects, compare size and MD5 with the newest harvest's documents, and repair what differs."""
    begun = time.monotonic()
    target = _target(store, source, None)
    listed = {_id_of(info): info for info in store.list(layout.summoned_prefix(source))}
    write: set[str] = set()
    missing = different = total = 0
    for batch in iter_texts(store, source, target):
        for document, text in zip(batch["id"].to_pylist(), batch["text"].to_pylist(), strict=True):
            total += 1
            info = listed.pop(document, None)
            if info is None:
                missing += 1
                write.add(document)
            elif not _same(info, text.encode()):
                different += 1
                write.add(document)
    # Whatever lies there and is no object of ours is left alone.
    extra = {document for document in listed if document}
    done = _apply(store, source, _read_view(store, source), target, write, extra, threads, prov)
    return replace(
        done,
        unchanged=total - len(write),
        missing=missing,
        different=different,
        extra=len(extra),
        seconds=round(time.monotonic() - begun, 3),
    )


def _target(store: ObjectStore, source: str, harvest_id: str | None) -> str:
    summary = read_summary(store, source, harvest_id) if harvest_id else latest_harvest(store, source)
    if summary is None:
        raise NotFound(f"{source} has no harvest yet: run 'sheaf job summon --source {source}'")
    if summary.partial or summary.stopped:
        raise BadInput(f"harvest {harvest_id} of {source} is not whole; the objects follow whole harvests only")
    return summary.harvest_id


View = tuple[str, tuple[str, ...]]


def _read_view(store: ObjectStore, source: str) -> View:
    """The harvest that the objects correspond to, and those that they were being brought to when runs died since."""
    try:
        found = json.loads(store.get(layout.object_view(source)))
        return str(found["harvest_id"]), tuple(map(str, found["writing"]))
    except (NotFound, ValueError, KeyError, TypeError):
        return "", ()


def _write_view(store: ObjectStore, source: str, view: View) -> None:
    body = json.dumps({"harvest_id": view[0], "writing": view[1]}).encode()
    store.put(layout.object_view(source), body, "application/json")


def _signatures(store: ObjectStore, source: str, harvest_id: str) -> dict[str, int]:
    """What decides whether an object has to be written, by id; comparable within this process."""
    documents = current_documents(read_manifest(store, source, harvest_id, ["id", "state", *_ABOUT]))
    columns = [documents[name].to_pylist() for name in _ABOUT]
    return dict(zip(documents["id"].to_pylist(), map(hash, zip(*columns, strict=True)), strict=True))


def _there(store: ObjectStore, source: str, view: View) -> tuple[dict[str, int], set[str]]:
    """Objects that are certainly as their signature says, and all ids that may have an object."""
    before, writing = view
    if before or writing:
        try:
            states = [_signatures(store, source, one) for one in writing]
            states.append(_signatures(store, source, before) if before else {})
        except NotFound:
            states = []  # a harvest that the view speaks of was removed: look at the objects themselves
        if states:
            first = states.pop()
            sure = {one: mark for one, mark in first.items() if all(state.get(one) == mark for state in states)}
            return sure, first.keys() | {one for state in states for one in state}
    return {}, {one for info in store.list(layout.summoned_prefix(source)) if (one := _id_of(info))}


def _apply(
    store: ObjectStore,
    source: str,
    view: View,
    target: str,
    write: set[str],
    delete: set[str],
    threads: int,
    prov: tuple[str, Source] | None,
) -> ObjectsResult:
    if write or delete:
        _write_view(store, source, (view[0], (*dict.fromkeys((*view[1], target)),)))
    size = 0
    if write:
        with ThreadPoolExecutor(threads, thread_name_prefix="objects") as pool:
            size = _put_all(pool, store, source, _rows(store, source, target, write), prov)
    if delete:
        store.delete(layout.summoned_object(source, one) for one in sorted(delete))
        if prov:
            store.delete(layout.prov_object(source, one) for one in sorted(delete))
    _write_view(store, source, (target, ()))
    return ObjectsResult(source, target, written=len(write), deleted=len(delete), bytes=size)


def _rows(store: ObjectStore, source: str, harvest_id: str, ids: set[str]) -> Iterator[dict[str, Any]]:
    for batch in iter_texts(store, source, harvest_id, ids=ids, columns=_TOLD):
        yield from batch.to_pylist()


def _put_all(
    pool: ThreadPoolExecutor,
    store: ObjectStore,
    source: str,
    rows: Iterator[dict[str, Any]],
    prov: tuple[str, Source] | None,
) -> int:
    waiting: deque[Future[int]] = deque()
    size = 0
    try:
        for row in rows:
            if len(waiting) >= _WAITING_PUTS:
                size += waiting.popleft().result()
            waiting.append(pool.submit(_put, store, source, row, prov))
        return size + sum(future.result() for future in waiting)
    finally:
        for future in waiting:
            future.cancel()


def _put(store: ObjectStore, source: str, row: Mapping[str, Any], prov: tuple[str, Source] | None) -> int:
    text = row["text"].encode()
    store.put(layout.summoned_object(source, row["id"]), text, JSON_LD, object_metadata(row))
    if prov:
        record = json.dumps(prov_jsonld(row, *prov)).encode()
        store.put(layout.prov_object(source, row["id"]), record, JSON_LD, {"url": row["url"], "sha1": row["id"]})
    return len(text)


def object_metadata(row: Mapping[str, Any]) -> dict[str, str]:
    """The user metadata of a summoned object, as Gleaner wrote them (contracts.md, section 3)."""
    json_sha = row["json_sha"] or hashlib.sha1(row["text"].encode()).hexdigest()
    told = {
        "url": row["url"],
        "sha1": json_sha if row["identifier_type"] == "identifierstring" else row["id"],
        "uniqueid": row["id"],
        "jsonsha": json_sha,
        "identifiertype": row["identifier_type"],
        "matchedpath": row["matched_path"],
        "matchedstring": row["matched_string"],
    }
    return {name: value for name, value in told.items() if value}


def _id_of(info: ObjectInfo) -> str:
    name = info.key.rpartition("/")[2]
    return name.removesuffix(".jsonld") if name.endswith(".jsonld") else ""


def _same(info: ObjectInfo, text: bytes) -> bool:
    if info.size != len(text):
        return False
    # An ETag is the MD5 of what came in one PUT; after a multipart upload it holds a dash and says nothing.
    digest = info.etag.lower()
    return len(digest) != 32 or digest == hashlib.md5(text, usedforsecurity=False).hexdigest()
