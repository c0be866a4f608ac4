"""What of a source's pages came in, and what of that is in the published release (contracts.md, section 8).

All of it follows from the manifest and the release's index: nobody is asked again.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field

from sheaf.config import Source
from sheaf.harvest.manifest import current_documents, read_manifest
from sheaf.harvest.schema import ROWS, HarvestSummary
from sheaf.harvest.states import REASONS
from sheaf.release import Pointer
from sheaf.release.archive import local_index
from sheaf.store import ObjectStore, layout

COLUMNS = (
    "url", "position", "state", "reason", "detail", "id", "identifier_type", "matched_path", "sha256", "repaired",
    "stored_at",
)  # fmt: skip
# Rows of pages that the source no longer lists, whether they are kept or gone.
UNLISTED = ("left_sitemap", "shrink_limit", "discovery_incomplete")
TROUBLED = ("failed", "invalid_jsonld", "no_jsonld")
EXAMPLES = 5
LISTED = 50  # pages that are listed for people, of each reason


class Frozen(BaseModel):
    """A part of a report."""

    model_config = ConfigDict(frozen=True)


class LoadReport(Frozen):
    """``load_report_s3.json`` and ``load_report_graph.json``; they differ in ``graph`` alone.

    URLs are pages. ``summoned_count`` counts documents, of which a page may hold several, and several pages the same.
    """

    source: str
    graph: str | None = Field(description="the release that the graphs were counted in; none in load_report_s3.json")
    sitemap: str
    date: str
    bucket: str
    s3store: str
    sitemap_count: int = Field(description="pages that the source lists")
    summoned_count: int = Field(description="documents that are current")
    missing_sitemap_summon_count: int
    missing_sitemap_summon: tuple[str, ...] = Field(description="pages that are listed and gave no document")
    extra_in_summon_count: int
    extra_in_summon: tuple[str, ...] = Field(description="pages with a document that are no longer listed")
    graph_urn_count: int = Field(description="documents' graphs in the published release")
    missing_summon_graph_count: int
    missing_summon_graph: tuple[str, ...] = Field(description="ids of documents that the published release lacks")


class IdentifierRow(Frozen):
    """One row of ``identifier_stats.json``: ``Uniqueid`` counts documents, ``Example`` holds up to five ids."""

    Source: str
    Identifiertype: str
    Matchedpath: str
    Uniqueid: int
    Example: tuple[str, ...]


class Page(Frozen):
    """A page with trouble. ``kept`` says that its last good copy stays in force."""

    url: str
    detail: str
    kept: bool


class Trouble(Frozen):
    """All pages with one reason; ``pages`` are the first of them by URL."""

    state: str
    reason: str
    meaning: str
    count: int
    kept: int
    pages: tuple[Page, ...]


def harvest_rows(store: ObjectStore, source: str, harvest: HarvestSummary | None) -> pa.Table:
    """The manifest's columns that the reports need; no rows when the source was never harvested."""
    if harvest is None:
        return pa.schema([ROWS.field(name) for name in COLUMNS]).empty_table()
    return read_manifest(store, source, harvest.harvest_id, COLUMNS)


def graph_ids(store: ObjectStore, pointer: Pointer | None) -> pa.Array:
    """The documents' ids in the index of the published release."""
    if pointer is None:
        return pa.array([], pa.string())
    with local_index(store, pointer.source, pointer.release_id) as path:
        ids = pq.read_table(path, columns=["id"], memory_map=False)["id"].combine_chunks()
    # The catalogue's graph is no document's, and has no id.
    return ids.filter(pc.not_equal(ids, ""))


def load_report(
    source: Source,
    rows: pa.Table,
    in_graph: pa.Array,
    pointer: Pointer | None,
    today: date,
    *,
    bucket: str,
    s3store: str,
) -> LoadReport:
    """Pages against documents, documents against graphs."""
    listed = pc.unique(rows.filter(pc.invert(_among(rows["reason"], UNLISTED)))["url"])
    documents = current_documents(rows)
    pages = pc.unique(_with_document(rows)["url"])
    missing = _without(listed, pages)
    extra = _without(pages, listed)
    lost = _without(documents["id"].combine_chunks(), in_graph)
    return LoadReport(
        source=source.name,
        graph=layout.latest_release(source.name) if pointer else None,
        sitemap=source.url,
        date=today.isoformat(),
        bucket=bucket,
        s3store=s3store,
        sitemap_count=len(listed),
        summoned_count=documents.num_rows,
        missing_sitemap_summon_count=len(missing),
        missing_sitemap_summon=missing,
        extra_in_summon_count=len(extra),
        extra_in_summon=extra,
        graph_urn_count=len(in_graph),
        missing_summon_graph_count=len(lost),
        missing_summon_graph=lost,
    )


def _among(column: pa.ChunkedArray, words: tuple[str, ...]) -> pa.ChunkedArray:
    return pc.is_in(column, value_set=pa.array(words, pa.string()))


def _with_document(rows: pa.Table) -> pa.Table:
    return rows.filter(pc.and_(pc.not_equal(rows["sha256"], ""), pc.not_equal(rows["state"], "gone")))


def _without(values: pa.Array, others: pa.Array) -> tuple[str, ...]:
    left = values.filter(pc.invert(pc.is_in(values, value_set=others)))
    return tuple(sorted(left.to_pylist()))


def identifier_rows(source: str, rows: pa.Table) -> tuple[IdentifierRow, ...]:
    """How the documents got their ids; no document, no rows."""
    documents = current_documents(rows)
    counts: dict[tuple[str, str], int] = {}
    examples: dict[tuple[str, str], list[str]] = {}
    columns = [documents[name].to_pylist() for name in ("identifier_type", "matched_path", "id")]
    for kind, path, document in zip(*columns, strict=True):
        key = (kind, path)
        counts[key] = counts.get(key, 0) + 1
        shown = examples.setdefault(key, [])
        if len(shown) < EXAMPLES:
            shown.append(document)
    return tuple(
        IdentifierRow(
            Source=source, Identifiertype=kind, Matchedpath=path, Uniqueid=counts[kind, path], Example=tuple(shown)
        )
        for (kind, path), shown in sorted(examples.items())
    )


def urls_csv(rows: pa.Table) -> bytes:
    """``bucketutil_urls.csv``: a row a document, under the name of its object; words quoted, as pandas wrote them."""
    documents = current_documents(rows)
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow(["sha", "url", "identifiertype", "lastmodified"])
    columns = [documents[name].to_pylist() for name in ("id", "url", "identifier_type", "stored_at")]
    for document, url, kind, stored in zip(*columns, strict=True):
        writer.writerow([f"{document}.jsonld", url, kind, moment(stored)])
    return text.getvalue().encode()


def moment(when: datetime | None) -> str:
    """A time in UTC to the second, empty when there is none."""
    return when.astimezone(UTC).isoformat(sep=" ", timespec="seconds") if when else ""


def troubles(rows: pa.Table) -> tuple[Trouble, ...]:
    """The pages that failed or gave no document, by state and reason, the most frequent first."""
    bad = rows.filter(_among(rows["state"], TROUBLED))
    counts: Counter[tuple[str, str]] = Counter()
    kept: Counter[tuple[str, str]] = Counter()
    pages: dict[tuple[str, str], list[Page]] = {}
    columns = [bad[name].to_pylist() for name in ("state", "reason", "url", "detail", "sha256")]
    for state, reason, url, detail, digest in zip(*columns, strict=True):
        counts[state, reason] += 1
        kept[state, reason] += bool(digest)
        shown = pages.setdefault((state, reason), [])
        if len(shown) < LISTED:
            shown.append(Page(url=url, detail=detail, kept=bool(digest)))
    found = [
        Trouble(
            state=state,
            reason=reason,
            meaning=REASONS.get(reason, ""),
            count=counts[state, reason],
            kept=kept[state, reason],
            pages=tuple(shown),
        )
        for (state, reason), shown in pages.items()
    ]
    return tuple(sorted(found, key=lambda trouble: (-trouble.count, trouble.state, trouble.reason)))
