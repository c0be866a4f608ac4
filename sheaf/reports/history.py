"""What the dated reports of a source say, one after the other: ``all_stats.csv``, and growth as a table."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import orjson
from pydantic import ValidationError

from sheaf.errors import NotFound, SheafError
from sheaf.reports.load import Frozen, LoadReport
from sheaf.reports.writing import LOAD_GRAPH
from sheaf.store import ObjectStore, layout

_DAY = re.compile(r"\d{8}")
_AT_ONCE = 8


class StatsRow(Frozen):
    """One row of ``all_stats.csv``: a source on the day of a report."""

    source: str
    sitemap: str
    date: str
    sitemap_count: int
    summoned_count: int
    missing_sitemap_summon_count: int
    graph_urn_count: int
    missing_summon_graph_count: int

    @classmethod
    def of(cls, report: LoadReport) -> StatsRow:
        """The numbers of a report."""
        return cls.model_validate(report.model_dump(include=set(cls.model_fields)))


class Growth(Frozen):
    """A day in a source's history; the changes are against the row before."""

    date: str
    pages: int
    documents: int
    documents_change: int
    graphs: int
    graphs_change: int


def source_history(store: ObjectStore, source: str, newest: int | None = None) -> tuple[StatsRow, ...]:
    """A row a dated report, the oldest first; ``newest`` restricts to the last so many.

    Reports that older tools wrote count too; a row whose numbers they did not write has zeros in their place.
    """
    days = sorted(day for day in store.folders(layout.reports_prefix(source)) if _DAY.fullmatch(day))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        rows = pool.map(lambda day: _row(store, source, day), days if newest is None else days[-newest:])
        return tuple(row for row in rows if row is not None)


def _row(store: ObjectStore, source: str, day: str) -> StatsRow | None:
    key = layout.report(source, LOAD_GRAPH, day)
    try:
        told = orjson.loads(store.get(key))
        known = {name: told.get(name) for name in StatsRow.model_fields}
    except NotFound:
        return None
    except (orjson.JSONDecodeError, AttributeError) as error:
        raise SheafError(f"{key} is no load report ({error}): delete it, or write it again") from error
    numbers = {name: value if value is not None else 0 for name, value in known.items() if name.endswith("_count")}
    words = {"source": source, "sitemap": known["sitemap"] or "", "date": f"{day[:4]}-{day[4:6]}-{day[6:]}"}
    try:
        return StatsRow.model_validate({**numbers, **words})
    except ValidationError as error:
        raise SheafError(f"{key} is no load report ({error}): delete it, or write it again") from error


def with_today(history: Iterable[StatsRow], row: StatsRow) -> tuple[StatsRow, ...]:
    """A history with the row of today in the place of an earlier one of the same day."""
    return (*(old for old in history if old.date < row.date), row)


def growth(rows: Sequence[StatsRow]) -> tuple[Growth, ...]:
    """The rows of one source, in the order of their days, as changes from one to the next."""
    before = (None, *rows[:-1])
    return tuple(
        Growth(
            date=row.date,
            pages=row.sitemap_count,
            documents=row.summoned_count,
            documents_change=row.summoned_count - old.summoned_count if old else 0,
            graphs=row.graph_urn_count,
            graphs_change=row.graph_urn_count - old.graph_urn_count if old else 0,
        )
        for old, row in zip(before, rows, strict=False)
    )


def growth_table(rows: Sequence[Growth]) -> str:
    """Growth as a Markdown table, the newest day first."""
    lines = ["| day | pages | documents | change | in the graph | change |", "|---|---:|---:|---:|---:|---:|"]
    lines += [
        f"| {row.date} | {row.pages:,} | {row.documents:,} | {row.documents_change:+,} | {row.graphs:,} "
        f"| {row.graphs_change:+,} |"
        for row in reversed(rows)
    ]
    return "\n".join(lines)


def stats_csv(rows: Iterable[StatsRow]) -> bytes:
    """``all_stats.csv``."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(StatsRow.model_fields)
    writer.writerows(row.model_dump().values() for row in rows)
    return text.getvalue().encode()
