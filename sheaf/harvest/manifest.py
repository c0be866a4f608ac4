"""Readers and writers of a harvest's parts, manifest and summary in the object store."""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sheaf.errors import NotFound, SheafError
from sheaf.harvest.schema import EMPTY_ROW, PART_ROWS, PARTS, ROWS, HarvestStart, HarvestSummary
from sheaf.store import ObjectStore, layout

JOURNAL, CARRIED = "journal", "carried"
PARQUET = "application/vnd.apache.parquet"


def latest_harvest(store: ObjectStore, source: str, *, partial: bool = False) -> HarvestSummary | None:
    """The newest harvest that has a manifest; partial ones (``--limit``, ``--only``) count only when asked for."""
    for harvest_id in sorted(store.folders(layout.harvests_prefix(source)), reverse=True):
        try:
            summary = read_summary(store, source, harvest_id)
        except NotFound:
            continue
        if not summary.stopped and (partial or not summary.partial):
            return summary
    return None


def read_summary(store: ObjectStore, source: str, harvest_id: str) -> HarvestSummary:
    """The summary of one harvest; ``NotFound`` when the harvest is not over."""
    return HarvestSummary.model_validate_json(store.get(layout.harvest_summary(source, harvest_id)))


def read_start(store: ObjectStore, source: str, harvest_id: str) -> HarvestStart:
    """What one harvest was started with."""
    return HarvestStart.model_validate_json(store.get(layout.harvest_start(source, harvest_id)))


def read_manifest(store: ObjectStore, source: str, harvest_id: str, columns: Sequence[str] | None = None) -> pa.Table:
    """The manifest (``schema.ROWS``, or some of its columns), sorted by url and position."""
    with local_manifest(store, source, harvest_id) as path:
        return pq.read_table(path, columns=list(columns) if columns else None, memory_map=False)


@contextmanager
def local_manifest(store: ObjectStore, source: str, harvest_id: str) -> Iterator[Path]:
    """A manifest as a file on this machine for a while, so that it can be read a row group at a time."""
    with tempfile.TemporaryDirectory(prefix="sheaf-manifest-") as folder:
        path = Path(folder) / "manifest.parquet"
        store.download(layout.harvest_manifest(source, harvest_id), path)
        yield path


def part_numbers(store: ObjectStore, source: str, harvest_id: str) -> list[int]:
    """The numbers of the parts that a harvest has by now, sorted."""
    numbers = []
    for info in store.list(layout.harvest_prefix(source, harvest_id)):
        name = info.key.rpartition("/")[2]
        if name.startswith("part-") and name.endswith(".parquet"):
            numbers.append(int(name.removeprefix("part-").removesuffix(".parquet")))
    return sorted(numbers)


def part_bytes(table: pa.Table, harvest_id: str, kind: str) -> bytes:
    """A part as Parquet. Its metadata say which harvest fetched the rows: a copied part is no journal of ours."""
    marked = table.replace_schema_metadata(
        {**(table.schema.metadata or {}), "sheaf.harvest": harvest_id, "sheaf.kind": kind}
    )
    sink = io.BytesIO()
    # The low-cardinality columns gain from a dictionary, the texts and digests only pay for one.
    words = ["state", "reason", "identifier_type", "matched_path", "repaired", "last_modified", "lastmod"]
    pq.write_table(marked, sink, compression="zstd", compression_level=1, use_dictionary=words, write_statistics=False)
    return sink.getvalue()


def part_kind(file: pq.ParquetFile) -> tuple[str, str]:
    """The harvest that wrote a part, and whether as its journal or as rows carried over."""
    metadata = file.schema_arrow.metadata or {}
    return metadata.get(b"sheaf.harvest", b"").decode(), metadata.get(b"sheaf.kind", b"").decode()


def write_manifest(table: pa.Table | Iterable[pa.Table], path: Path) -> None:
    """Write rows in their order into a manifest file; a row group a table."""
    tables = [table] if isinstance(table, pa.Table) else table
    words = ["state", "reason", "identifier_type", "matched_path", "repaired", "last_modified", "lastmod"]
    with pq.ParquetWriter(path, ROWS, compression="zstd", compression_level=1, use_dictionary=words) as writer:
        for rows in tables:
            writer.write_table(rows.select(ROWS.names).cast(ROWS))


def current_documents(manifest: pa.Table) -> pa.Table:
    """The rows that stand for a document, one an id: of several pages with one text, the URL that sorts first.

    The manifest needs the columns id, sha256 and state at least, and is sorted as it is written.
    """
    rows = manifest.filter(pc.and_(pc.not_equal(manifest["sha256"], ""), pc.not_equal(manifest["state"], "gone")))
    seen: set[str] = set()
    first = [i for i, document in enumerate(rows["id"].to_pylist()) if not (document in seen or seen.add(document))]  # type: ignore[func-returns-value]
    return rows if len(first) == rows.num_rows else rows.take(pa.array(first, pa.int64()))


def iter_texts(
    store: ObjectStore,
    source: str,
    harvest_id: str,
    *,
    ids: set[str] | None = None,
    columns: Sequence[str] = (),
    batch_rows: int = 256,
) -> Iterator[pa.RecordBatch]:
    """Each current document exactly once, part by part: columns id, text, sha256, url, bytes, and ``columns`` more.

    ``ids`` restricts to these final ids. Memory is one part at a time. Raises ``SheafError`` when a part lacks a text
    that the manifest promises.
    """
    names = list(dict.fromkeys(["id", "sha256", "url", "position", "state", "part", "bytes", *columns]))
    documents = current_documents(read_manifest(store, source, harvest_id, names))
    if ids is not None:
        documents = documents.filter(pc.is_in(documents["id"], value_set=pa.array(sorted(ids), pa.string())))
    documents = documents.sort_by([("part", "ascending"), ("url", "ascending"), ("position", "ascending")])
    starts = pc.run_end_encode(documents["part"].combine_chunks()) if documents.num_rows else None
    if starts is None:
        return
    begin = 0
    for number, end in zip(starts.values.to_pylist(), starts.run_ends.to_pylist(), strict=True):
        wanted = documents.slice(begin, end - begin)
        begin = end
        yield from _texts_of_part(store, source, harvest_id, number, wanted, columns, batch_rows)


def _texts_of_part(
    store: ObjectStore,
    source: str,
    harvest_id: str,
    number: int,
    wanted: pa.Table,
    columns: Sequence[str],
    batch_rows: int,
) -> Iterator[pa.RecordBatch]:
    key = layout.harvest_part(source, harvest_id, number)
    waiting = {
        (url, position): row
        for row, (url, position) in enumerate(
            zip(wanted["url"].to_pylist(), wanted["position"].to_pylist(), strict=True)
        )
    }
    file = pq.ParquetFile(io.BytesIO(store.get(key)))
    order = list(dict.fromkeys(["id", "text", "sha256", "url", "bytes", *columns]))
    for batch in file.iter_batches(batch_rows, columns=["url", "position", "sha256", "text"]):
        rows, texts = [], []
        places = zip(batch["url"].to_pylist(), batch["position"].to_pylist(), batch["sha256"].to_pylist(), strict=True)
        for place, (url, position, sha256) in enumerate(places):
            row = waiting.get((url, position))
            if row is not None and sha256 and batch["text"][place].is_valid:
                del waiting[url, position]
                rows.append(row)
                texts.append(place)
        if not rows:
            continue
        taken = wanted.take(pa.array(rows, pa.int64()))
        taken = taken.append_column("text", pa.chunked_array([batch["text"].take(pa.array(texts, pa.int64()))]))
        yield from taken.select(order).combine_chunks().to_batches()
    if waiting:
        url, position = next(iter(waiting))
        raise SheafError(
            f"{key} lacks {len(waiting)} texts that the manifest promises, first {url} ({position}): "
            f"run 'sheaf job summon {source} --mode full' to harvest them again"
        )


def rows_table(rows: Iterable[Mapping[str, Any]], schema: pa.Schema = PARTS) -> pa.Table:
    """Rows given as mappings, in which a missing column is empty, as a table of ``schema``."""
    full = [{**EMPTY_ROW, **row} for row in rows]
    return pa.Table.from_pylist([{name: row[name] for name in schema.names} for row in full], schema=schema)


def write_harvest(
    store: ObjectStore, source: str, harvest_id: str, rows: Iterable[Mapping[str, Any]], **summary: Any
) -> HarvestSummary:
    """Write a whole finished harvest out of rows that hold ``url`` and ``text`` at least: for tests and imports.

    A row with a text gets what it lacks: state stored, sha256, bytes, and the sha1 of the text as id (filesha).
    ``summary`` sets fields of the ``HarvestSummary``; ``started_at`` follows from the harvest's id.
    """
    full = [_completed(row, number // PART_ROWS) for number, row in enumerate(rows)]
    for number in range(0, len(full), PART_ROWS):
        data = part_bytes(rows_table(full[number : number + PART_ROWS]), harvest_id, JOURNAL)
        store.put(layout.harvest_part(source, harvest_id, number // PART_ROWS), data, PARQUET)
    manifest = rows_table(full, ROWS).sort_by([("url", "ascending"), ("position", "ascending")])
    with tempfile.TemporaryDirectory(prefix="sheaf-harvest-") as folder:
        path = Path(folder) / "manifest.parquet"
        write_manifest(manifest, path)
        store.put_file(layout.harvest_manifest(source, harvest_id), path, PARQUET)
    documents = current_documents(manifest)
    begun = datetime.strptime(harvest_id[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    fields: dict[str, Any] = {
        "source": source,
        "harvest_id": harvest_id,
        "started_at": begun,
        "ended_at": begun,
        "counts": counted(manifest["state"]),
        "reasons": counted(manifest["reason"]),
        "urls": pc.count_distinct(manifest["url"]).as_py(),
        "documents": documents.num_rows,
        "bytes": pc.sum(documents["bytes"]).as_py() or 0,
        "new": documents.num_rows,
        "parts": (len(full) + PART_ROWS - 1) // PART_ROWS,
        "tool_version": "written",
    }
    written = HarvestSummary.model_validate({**fields, **summary})
    put_summary(store, written)
    return written


def _completed(row: Mapping[str, Any], part: int) -> dict[str, Any]:
    text = row.get("text")
    if text is None:
        return {**EMPTY_ROW, **row}
    data = text.encode()
    sha1 = hashlib.sha1(data).hexdigest()
    own = {
        "state": "stored",
        "status": 200,
        "identifier_type": "filesha",
        "json_sha": sha1,
        "id": sha1,
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
    }
    done = {**EMPTY_ROW, **own, **row, "part": part}
    return {**done, "plain_id": done["plain_id"] or done["id"]}


def put_summary(store: ObjectStore, summary: HarvestSummary) -> None:
    """Write ``summary.json``: the last object of a harvest."""
    key = layout.harvest_summary(summary.source, summary.harvest_id)
    store.put(key, summary.model_dump_json(indent=1).encode(), "application/json")


def counted(column: pa.ChunkedArray) -> dict[str, int]:
    """How often each non-empty word stands in a column, sorted by the word."""
    counts = {item["values"]: item["counts"] for item in pc.value_counts(column).to_pylist()}
    return {word: counts[word] for word in sorted(counts) if word}
