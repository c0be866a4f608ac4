"""Counting the different subjects that state a value, over as many graphs as there are, in bounded memory."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from sheaf.reports.graphs import Pair, is_shared

_ROWS_AT_ONCE = 10_000
_MEMORY = "200MB"
_COLUMNS = ("source", "kind", "value", "subject")


class SubjectCounts:
    """Takes (value, subject) pairs by source and kind.

    A skolemised blank node stands in one graph alone and is counted at once; named subjects may come back in any
    graph, so they go to a table on disk, and are told apart there.
    """

    def __init__(self, folder: Path) -> None:
        settings: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": _MEMORY,
            "threads": 1,
            "temp_directory": str(folder / "spill"),
            "preserve_insertion_order": False,
        }
        self._table = duckdb.connect(str(folder / "subjects.duckdb"), config=settings)
        self._table.execute("CREATE TABLE named (source VARCHAR, kind VARCHAR, value VARCHAR, subject VARCHAR)")
        self._own: Counter[tuple[str, str, str]] = Counter()
        self._rows: list[tuple[str, str, str, str]] = []

    def add(self, source: str, kind: str, pairs: Iterable[Pair]) -> None:
        """Pairs of one graph, each once."""
        for value, subject in pairs:
            if is_shared(subject):
                self._rows.append((source, kind, value, subject.decode()))
            else:
                self._own[source, kind, value] += 1
        if len(self._rows) >= _ROWS_AT_ONCE:
            self._flush()

    def of_source(self, source: str, kind: str) -> dict[str, int]:
        """Value to number of different subjects in one source; the most frequent first, then by the alphabet."""
        return self._counts(kind, source)

    def overall(self, kind: str) -> dict[str, int]:
        """The same over all sources: a subject that two of them name counts once."""
        return self._counts(kind, None)

    def _counts(self, kind: str, source: str | None) -> dict[str, int]:
        self._flush()
        counts: Counter[str] = Counter()
        for (own_source, own_kind, value), number in self._own.items():
            if own_kind == kind and source in (None, own_source):
                counts[value] += number
        found = self._table.execute(
            "SELECT value, count(DISTINCT subject) FROM named WHERE kind = ? AND (? IS NULL OR source = ?) GROUP BY 1",
            [kind, source, source],
        )
        while rows := found.fetchmany(_ROWS_AT_ONCE):
            for value, number in rows:
                counts[value] += number
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    def _flush(self) -> None:
        if self._rows:
            columns = zip(*self._rows, strict=True)
            batch = pa.table(dict(zip(_COLUMNS, (pa.array(column, pa.string()) for column in columns), strict=True)))
            self._table.register("batch", batch)
            self._table.execute("INSERT INTO named SELECT * FROM batch")
            self._table.unregister("batch")
            self._rows = []

    def close(self) -> None:
        """Let go of the table."""
        self._table.close()


@contextmanager
def subject_counts() -> Iterator[SubjectCounts]:
    """A fresh ``SubjectCounts``, whose table is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="sheaf-subjects-") as folder:
        counts = SubjectCounts(Path(folder))
        try:
            yield counts
        finally:
            counts.close()
