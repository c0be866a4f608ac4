"""A bucket with harvests and published releases, for the tests of the reports."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from sheaf.config import ProjectConfig, Source
from sheaf.harvest.manifest import write_harvest
from sheaf.release import build_release, publish_release
from sheaf.reports import SourceReports, source_reports
from sheaf.store import MemoryStore

ORG = "sheaf"
TODAY = date(2026, 11, 21)
FIRST, SECOND, THIRD = "20261101T030000Z-aaaaaa", "20261108T030000Z-bbbbbb", "20261115T030000Z-cccccc"

IRIS = Source(name="iris", propername="IRIS", url="https://iris.test/sitemap.xml", domain="https://iris.test")
NEIGHBOUR = Source(name="iris2", propername="IRIS Two", url="https://iris2.test/sitemap.xml")
PROJECT = ProjectConfig(sources=(NEIGHBOUR, IRIS))


def text(name: str, schema: str = "https://schema.org/", **properties: Any) -> str:
    """A stored document: a Dataset of that name."""
    document = {"@context": {"@vocab": schema}, "@id": f"https://iris.test/{name}", "@type": "Dataset", "name": name}
    return json.dumps({**document, **properties})


def page(name: str, document: str | None = None, **columns: Any) -> dict[str, Any]:
    """A row of a manifest: the page of that name with a document, its id readable."""
    row = {"url": f"https://iris.test/{name}", "text": document or text(name), "id": f"id-{name}"}
    return {**row, "identifier_type": "identifiersha", "matched_path": "$['@id']", **columns}


def trouble(name: str, state: str, reason: str, detail: str = "") -> dict[str, Any]:
    """A row without a document."""
    return {"url": f"https://iris.test/{name}", "state": state, "reason": reason, "detail": detail}


def harvest(
    store: MemoryStore,
    rows: Iterable[Mapping[str, Any]],
    source: Source = IRIS,
    harvest_id: str = FIRST,
    **summary: Any,
) -> None:
    """A finished harvest."""
    write_harvest(store, source.name, harvest_id, rows, **summary)


def publish(store: MemoryStore, source: Source = IRIS, harvest_id: str = FIRST, org: str = ORG) -> str:
    """Release a harvest and publish it; the release's id."""
    record = build_release(store, source, harvest_id, org=org, workers=1)
    publish_release(store, source, record.release_id)
    return record.release_id


def reports(store: MemoryStore, source: Source = IRIS, today: date = TODAY, org: str = ORG) -> SourceReports:
    """The reports of a source."""
    return source_reports(store, PROJECT, source, org=org, today=today, bucket="sheaf", s3store="s3.test:9000")
