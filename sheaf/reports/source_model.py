"""All that is reported of one source, as one frozen model; the files and the text for people are made from it."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from sheaf.reports.graph_stats import GraphStats
from sheaf.reports.history import Growth
from sheaf.reports.load import Frozen, IdentifierRow, LoadReport, Trouble
from sheaf.reports.writing import GRAPH_STATS, IDENTIFIERS, LOAD_GRAPH, LOAD_S3, URLS, as_json


class Attempt(Frozen):
    """A harvest since the last good one that ended without a manifest."""

    harvest_id: str
    started_at: datetime
    why: str


class LastHarvest(Frozen):
    """The last harvest that worked."""

    harvest_id: str
    started_at: datetime
    ended_at: datetime
    complete: bool = Field(description="whether all that the source lists was seen")
    pages: int
    documents: int
    new: int
    changed: int
    unchanged: int
    gone: int
    bytes: int
    seconds: float
    repaired: int = Field(description="rows whose JSON had to be mended")
    clashes: int = Field(description="identifiers that several different documents state")
    reasons: dict[str, int]
    discovery_errors: tuple[tuple[str, str, str], ...]


class LostDocument(Frozen):
    """A document that could not be converted, and so is in no release."""

    id: str
    url: str
    reason: str
    detail: str


class PublishedRelease(Frozen):
    """What tenants and portals see of the source."""

    release_id: str
    harvest_id: str
    org: str
    created: datetime
    documents: int
    datasets: int
    quads: int
    left_out: int
    left_out_documents: tuple[LostDocument, ...]
    rolled_back_from: str


class WaitingRelease(Frozen):
    """A release newer than the published one, and the checks that keep it back."""

    release_id: str
    failed_checks: tuple[str, ...]


class SourceReports(Frozen):
    """One source on one day."""

    source: str
    title: str
    active: bool
    date: str
    harvest: LastHarvest | None = Field(description="none: it never worked")
    attempts: tuple[Attempt, ...] = Field(description="since then, the newest first")
    release: PublishedRelease | None
    waiting: WaitingRelease | None
    notes: tuple[str, ...]
    troubles: tuple[Trouble, ...]
    load: LoadReport
    identifiers: tuple[IdentifierRow, ...]
    graph_stats: GraphStats
    growth: tuple[Growth, ...]
    urls: bytes = Field(exclude=True, repr=False, description="bucketutil_urls.csv")

    def files(self) -> dict[str, bytes]:
        """The files of contracts.md, section 8, by name."""
        return {
            LOAD_S3: as_json(self.load.model_copy(update={"graph": None})),
            LOAD_GRAPH: as_json(self.load),
            URLS: self.urls,
            IDENTIFIERS: as_json(self.identifiers),
            GRAPH_STATS: as_json(self.graph_stats),
        }

    def markdown(self) -> str:
        """For people: is it harvested, when did it last work, which pages fail and why."""
        from sheaf.reports.source_text import source_text

        return source_text(self)
