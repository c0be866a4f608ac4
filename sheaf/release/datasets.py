"""The datasets of a release as a table for analysts: one row a dataset, read from the archive, not from the harvest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sheaf.release.blank_nodes import Triple
from sheaf.release.summary import DATES, Nodes, best_text, box_of, named, publisher_of, subject_of
from sheaf.release.terms import text_of, unescape

_ROWS_AT_ONCE = 5_000


def _column(name: str, kind: pa.DataType, about: str) -> pa.Field:
    return pa.field(name, kind, metadata={"about": about})


DATASETS_SCHEMA = pa.schema(
    [
        _column("id", pa.string(), "the document's id"),
        _column("name", pa.string(), "title"),
        _column("description", pa.string(), "as published, HTML and all"),
        _column("publisher", pa.string(), "publisher, else provider, else creator; empty when none is named"),
        _column("keywords", pa.list_(pa.string()), "sorted"),
        _column("license", pa.string(), "IRI or text, as published"),
        _column("south", pa.float64(), "degrees; the box around every shape of the spatial coverage"),
        _column("west", pa.float64(), "degrees; greater than east: over the antimeridian"),
        _column("north", pa.float64(), "degrees"),
        _column("east", pa.float64(), "degrees"),
        _column("temporal_coverage", pa.string(), "ISO 8601, as published"),
        _column("date", pa.string(), "published, else modified, else created"),
        _column("url", pa.string(), "the dataset's own address, else its IRI"),
        _column("page", pa.string(), "the page it was harvested from"),
        _column("source", pa.string(), "name of the source"),
        _column("graph", pa.string(), "name of its graph in release.nq"),
    ],
    metadata={"sheaf.schema": "1"},
)


def dataset_row(graph: str, triples: list[Triple]) -> dict[str, Any] | None:
    """One dataset's columns, without id, page and source; None for a document about no dataset and no tool."""
    nodes = Nodes(triples)
    subject = subject_of(nodes)
    if subject is None:
        return None
    own = nodes.properties(subject)
    box = box_of(nodes, own.get("spatialCoverage") or own.get("spatial") or [])
    licenses = [best_text(nodes.of(value, "url", "name")) or text_of(value) for value in own.get("license", ())]
    dates = [text for name in DATES for text in sorted(map(text_of, own.get(name, ()))) if text]
    return {
        "name": unescape(best_text(own.get("name") or nodes.of(subject, "headline", "alternateName"))),
        "description": unescape(best_text(own.get("description", ()))),
        "publisher": unescape(publisher_of(nodes, own)),
        "keywords": sorted(map(unescape, named(nodes, own.get("keywords", ())))),
        "license": unescape(min(licenses, default="")),
        "south": box.south if box else None,
        "west": box.west if box else None,
        "north": box.north if box else None,
        "east": box.east if box else None,
        "temporal_coverage": unescape(best_text(own.get("temporalCoverage", ()))),
        "date": unescape(dates[0] if dates else ""),
        "url": unescape(best_text(own.get("url", ())) or text_of(subject)),
        "graph": graph,
    }


def graphs_of(lines: Iterable[str]) -> Iterator[tuple[str, list[Triple]]]:
    """The graphs of sorted N-Quads lines, one after the other."""
    for graph, group in groupby(map(_cut, lines), key=lambda cut: cut[0]):
        yield graph, [triple for _, triple in group]


def _cut(line: str) -> tuple[str, Triple]:
    subject, predicate, rest = line.split(" ", 2)
    end = rest.rindex(" <")
    return rest[end + 2 : rest.rindex(">")], (subject, predicate, rest[:end])


def write_datasets(release_nq: Path, index: Path, source: str, target: Path) -> int:
    """Write the table of a release, a row group at a time; gives the number of rows.

    ``release_nq`` is the uncompressed release, ``index`` its index: both are sorted by graph.
    """
    rows: list[dict[str, Any]] = []
    written = 0
    with (
        release_nq.open(encoding="utf-8", newline="\n") as lines,
        pq.ParquetWriter(target, DATASETS_SCHEMA, compression="zstd") as writer,
    ):
        pages = _pages(index)
        for graph, triples in graphs_of(lines):
            document, page = next(pages)
            row = dataset_row(graph, triples) if document else None
            if row is not None:
                rows.append({"id": document, "page": page, "source": source, **row})
            if len(rows) >= _ROWS_AT_ONCE:
                written += _write(writer, rows)
        written += _write(writer, rows)
    return written


def _pages(index: Path) -> Iterator[tuple[str, str]]:
    with pq.ParquetFile(index) as file:
        for batch in file.iter_batches(_ROWS_AT_ONCE, columns=["id", "url"]):
            yield from zip(batch["id"].to_pylist(), batch["url"].to_pylist(), strict=True)


def _write(writer: pq.ParquetWriter, rows: list[dict[str, Any]]) -> int:
    count = len(rows)
    if rows:
        writer.write_table(pa.Table.from_pylist(rows, schema=DATASETS_SCHEMA))
        rows.clear()
    return count
