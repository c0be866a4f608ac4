"""What the harvest before knew of each page: for conditional requests, and to carry documents over."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sheaf.harvest.manifest import latest_harvest
from sheaf.harvest.schema import ROWS, HarvestSummary
from sheaf.store import ObjectStore, layout

_LIGHT = ("url", "state", "etag", "last_modified", "body_sha", "lastmod", "final_url", "sha256")


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
        self._light: pa.Table | None = None
        self._first: dict[int, int] = {}

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

    def rows(self) -> pa.Table:
        """All its rows that are not gone, sorted by url and position."""
        if self._path is None:
            return ROWS.empty_table()
        table = pq.read_table(self._path, memory_map=False).select(ROWS.names).cast(ROWS)
        return table.filter(pc.not_equal(table["state"], "gone"))

    def index(self) -> None:
        """Make pages findable by ``known``: about 200 bytes a page."""
        if self._path is None:
            return
        light = pq.read_table(self._path, columns=list(_LIGHT), memory_map=False)
        light = light.filter(pc.not_equal(light["state"], "gone")).combine_chunks()
        self._light = light
        self._columns = [light[name].chunk(0) if light.num_rows else light[name] for name in _LIGHT]
        first: dict[int, int] = {}
        for row, url in enumerate(self._columns[0]):
            first.setdefault(hash(url.as_py()), row)
        self._first = first

    def forget(self) -> None:
        """Give the index's memory back: fetching is over."""
        self._light, self._columns, self._first = None, [], {}

    def known(self, url: str) -> Known | None:
        """What was known of a page, None when it is new."""
        row = self._first.get(hash(url))
        if row is None:
            return None
        values = [column[row].as_py() for column in self._columns]
        if values[0] != url:
            return None
        _, state, etag, last_modified, body_sha, lastmod, final_url, sha256 = values
        # A page that failed, or was kept, without a document never said what it holds: it is read again.
        settled = bool(body_sha) and (state not in ("failed", "unchanged") or bool(sha256))
        return Known(etag, last_modified, body_sha, lastmod, final_url, settled)
