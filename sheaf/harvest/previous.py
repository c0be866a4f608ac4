"""What the harvest before knew of each page: for conditional requests, and to carry documents over.

Kept in files of this machine and not in memory, so that a source of a million pages needs no more of it than a small
one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sheaf.harvest.manifest import latest_harvest
from sheaf.harvest.schema import ROWS, HarvestSummary
from sheaf.store import ObjectStore, layout

_LIGHT = ("url", "etag", "last_modified", "body_sha", "lastmod", "final_url", "state", "sha256")
_BATCH_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class Known:
    """A page as the harvest before left it; ``settled`` is False when it has to be read again whatever it answers."""

    etag: str
    last_modified: str
    body_sha: str
    lastmod: str
    final_url: str
    settled: bool


class Previous:
    """The manifest of the harvest before on this machine; ``summary`` is None when there is none. Gone rows are out."""

    def __init__(self, summary: HarvestSummary | None, path: Path | None) -> None:
        self.summary = summary
        self._path = path
        self._pages: sqlite3.Connection | None = None

    @classmethod
    def load(cls, store: ObjectStore, source: str, folder: Path) -> Previous:
        """The newest whole harvest of the source, its manifest downloaded into ``folder``."""
        summary = latest_harvest(store, source)
        if summary is None:
            return cls(None, None)
        path = folder / "previous.parquet"
        store.download(layout.harvest_manifest(source, summary.harvest_id), path)
        return cls(summary, path)

    @property
    def harvest_id(self) -> str:
        """Its id, "" when there is none."""
        return self.summary.harvest_id if self.summary else ""

    def batches(self) -> Iterator[pa.Table]:
        """Its rows that are not gone, sorted by url and position, some thousand at a time."""
        if self._path is None:
            return
        with pq.ParquetFile(self._path) as file:
            for batch in file.iter_batches(_BATCH_ROWS, columns=ROWS.names):
                table = pa.Table.from_batches([batch]).select(ROWS.names).cast(ROWS)
                yield table.filter(pc.not_equal(table["state"], "gone"))

    def index(self) -> None:
        """Make pages findable by ``known``; to be called by the thread that asks."""
        if self._path is None:
            return
        pages = sqlite3.connect(self._path.with_suffix(".pages"))
        # A temporary file of this run alone: nothing in it has to survive a crash.
        for setting in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -4000"):
            pages.execute(f"PRAGMA {setting}")
        pages.execute(f"CREATE TABLE page (hash INTEGER PRIMARY KEY, {', '.join(f'{name} TEXT' for name in _LIGHT)})")
        marks = ", ".join("?" * (1 + len(_LIGHT)))
        pages.executemany(f"INSERT OR IGNORE INTO page VALUES ({marks})", self._light())
        self._pages = pages

    def _light(self) -> Iterator[tuple[Any, ...]]:
        if self._path is None:
            return
        with pq.ParquetFile(self._path) as file:
            for batch in file.iter_batches(_BATCH_ROWS, columns=list(_LIGHT)):
                columns = [batch[name].to_pylist() for name in _LIGHT]
                for row in zip(*columns, strict=True):
                    if row[6] != "gone":
                        yield (hash(row[0]), *row)

    def forget(self) -> None:
        """Let the index go: fetching is over."""
        if self._pages is not None:
            self._pages.close()
            self._pages = None

    def known(self, url: str) -> Known | None:
        """What was known of a page, None when it is new."""
        if self._pages is None:
            return None
        row = self._pages.execute("SELECT * FROM page WHERE hash = ?", (hash(url),)).fetchone()
        if row is None or row[1] != url:
            return None
        _, _, etag, last_modified, body_sha, lastmod, final_url, state, sha256 = row
        # A page that failed, or was kept, without a document never said what it holds: it is read again.
        settled = bool(body_sha) and (state not in ("failed", "unchanged") or bool(sha256))
        return Known(etag, last_modified, body_sha, lastmod, final_url, settled)
