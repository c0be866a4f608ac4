"""Harvests of a few documents in a memory store, for the tests of releases."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from typing import Any

from sheaf.config import Source
from sheaf.harvest.manifest import write_harvest
from sheaf.release import ReleaseRecord, build_release
from sheaf.store import MemoryStore, layout

FIRST, SECOND, THIRD = "20260101T000000Z-aaaa", "20260102T000000Z-bbbb", "20260103T000000Z-cccc"
ORG = "sheaf"


def source(**values: Any) -> Source:
    """The demo source."""
    return Source(**{"name": "demo", "url": "https://e.org/sitemap.xml", "propername": "Demo", **values})


def text(number: int, **values: Any) -> str:
    """One dataset's JSON-LD."""
    fields = {"@type": "Dataset", "@id": f"https://e.org/d/{number}", "name": f"Dataset {number}", **values}
    return json.dumps({"@context": {"@vocab": "https://schema.org/"}, **fields})


def harvest(store: MemoryStore, harvest_id: str, texts: Iterable[str], **summary: Any) -> None:
    """A finished harvest of a page a text."""
    rows = [{"url": f"https://e.org/p/{number}", "text": body} for number, body in enumerate(texts)]
    write_harvest(store, "demo", harvest_id, rows, **summary)


def release(
    store: MemoryStore, harvest_id: str, texts: Iterable[str], *, config: Source | None = None, **values: Any
) -> ReleaseRecord:
    """A release of a harvest of these texts."""
    harvest(store, harvest_id, texts)
    return build_release(store, config or source(), harvest_id, org=ORG, workers=1, **values)


def nquads(store: MemoryStore, record: ReleaseRecord, name: str = "release.nq.gz") -> str:
    """An unpacked file of the archive."""
    data = store.get(layout.release_file(record.source, record.release_id, name))
    return (gzip.decompress(data) if name.endswith(".gz") else data).decode()
