"""The columns of a harvest's parts and manifest, and the summary that closes it (architecture.md, 2).

One row a (url, position): ``position`` counts the documents of a page. A row has a document if and only if ``sha256``
is not empty; rows of the states stored, unchanged and failed with a document are current (failed keeps its last good
copy), gone rows have none.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = 1
# Raised when reading a page gives another result than before, so that the next harvest reads every page again.
READING_VERSION = 1

PART_ROWS = 500
PART_BYTES = 8 << 20
PART_SECONDS = 5.0

_WHEN = pa.timestamp("us", tz="UTC")


def _column(name: str, kind: pa.DataType, about: str) -> pa.Field:
    return pa.field(name, kind, metadata={"about": about})


PAGE_COLUMNS: tuple[pa.Field, ...] = (
    _column("url", pa.string(), "the page as it was listed"),
    _column("position", pa.int32(), "which document of the page, from 0"),
    _column("state", pa.string(), "one of sheaf.harvest.states.STATES"),
    _column("reason", pa.string(), "a code of sheaf.harvest.states.REASONS, empty when there is nothing to explain"),
    _column("detail", pa.string(), "what exactly happened, for a person"),
    _column("status", pa.int16(), "HTTP status of the last answer, 0 when there was none"),
    _column("body_sha", pa.string(), "sha1 (hex) of the page's body, Content-Encoding undone"),
    _column("etag", pa.string(), "ETag of the page that was last read"),
    _column("last_modified", pa.string(), "Last-Modified of the page that was last read"),
    _column("lastmod", pa.string(), "lastmod as the sitemap gives it"),
    _column("final_url", pa.string(), "the page after redirects, empty when it is the listed one"),
    _column("ms", pa.int32(), "milliseconds from the first request to the last byte, waits of politeness excluded"),
    _column("attempts", pa.int16(), "requests that it took"),
    _column("fetched_at", _WHEN, "when the page was asked for last"),
)
DOCUMENT_COLUMNS: tuple[pa.Field, ...] = (
    _column("id", pa.string(), "the document's id, clashes decided: object name and end of its graph's URN"),
    _column("plain_id", pa.string(), "the id by the document alone (contracts.md, section 4)"),
    _column("identifier_type", pa.string(), "the type that was really used"),
    _column("matched_path", pa.string(), "the JSONPath that matched"),
    _column("matched_string", pa.string(), "the text whose sha1 the id is"),
    _column("json_sha", pa.string(), "sha1 (hex) of the text"),
    _column("sha256", pa.string(), "sha256 (hex) of the text; empty: the row has no document"),
    _column("bytes", pa.int64(), "length of the text in UTF-8"),
    _column("repaired", pa.string(), "what was mended in the text, separated by commas"),
    _column("rendered", pa.bool_(), "whether a browser made the page"),
    _column("stored_at", _WHEN, "when this text was first harvested from this page"),
    _column("part", pa.int32(), "number of the part of this harvest that holds the text, -1 when none does"),
    _column("clash", pa.bool_(), "whether other texts state the same identifier"),
)
ROWS = pa.schema([*PAGE_COLUMNS, *DOCUMENT_COLUMNS], metadata={"sheaf.schema": str(SCHEMA_VERSION)})
PARTS = pa.schema(
    [*ROWS, _column("text", pa.string(), "the stored text of the document, null when the row brings none")],
    metadata=ROWS.metadata,
)
PAGE_NAMES = tuple(field.name for field in PAGE_COLUMNS)
DOCUMENT_NAMES = tuple(field.name for field in DOCUMENT_COLUMNS)

_EMPTY = {pa.string(): "", pa.int16(): 0, pa.int32(): 0, pa.int64(): 0, pa.bool_(): False, _WHEN: None}
EMPTY_ROW: Mapping[str, Any] = {
    **{field.name: _EMPTY[field.type] for field in ROWS},
    "part": -1,
    "text": None,
}


class HarvestStart(BaseModel):
    """``start.json``: what a harvest was started with; written before anything else of it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    source: str
    harvest_id: str
    config_sha: str
    fingerprint: str
    mode: str
    limit: int | None = None
    only: tuple[str, ...] = ()
    started_at: datetime
    previous: str = ""


class HarvestSummary(BaseModel):
    """``summary.json``: numbers and circumstances of a harvest that is over; counts are rows."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    schema_version: int = SCHEMA_VERSION
    source: str
    harvest_id: str
    config_sha: str = ""
    fingerprint: str = Field("", description="Source.fingerprint of the config that the harvest began with")
    reading: str = Field("", description="digest of the rules and of the code version by which pages were read")
    mode: str = "full"
    started_at: datetime
    ended_at: datetime
    complete: bool = Field(True, description="whether the discovery saw every page that the source lists")
    partial: bool = Field(False, description="made with --limit or --only: never published")
    previous: str = Field("", description="the harvest that this one carries on from")
    counts: dict[str, int] = Field(default_factory=dict, description="rows by state")
    reasons: dict[str, int] = Field(default_factory=dict, description="rows by reason")
    urls: int = Field(0, description="pages that the discovery found")
    documents: int = Field(0, description="different current documents, one an id")
    bytes: int = Field(0, description="their texts together, UTF-8")
    new: int = Field(0, description="rows with a document that had none before")
    changed: int = Field(0, description="rows whose document is another text than before")
    unchanged: int = Field(0, description="rows whose document is the same text as before")
    gone: int = Field(0, description="documents of the harvest before that their page, or the sitemap, no longer has")
    clashes: int = Field(0, description="identifiers that several different texts state")
    shrink: int = Field(0, description="pages that left the list and are kept until a person agrees (shrink_limit)")
    requests: int = Field(0, description="HTTP requests that were sent, discovery included")
    parts: int = 0
    discovery: dict[str, int] = Field(default_factory=dict, description="discovery's own counts, by reason code")
    discovery_errors: tuple[tuple[str, str, str], ...] = ()
    seconds: float = 0.0
    tool_version: str = ""
    stopped: str = Field("", description="why the harvest ended without a manifest, empty when it has one")

    @property
    def lossy(self) -> bool:
        """Whether something was lost that the source offers: exit code 3 (architecture.md, Dagster)."""
        bad = self.counts.get("failed", 0) + self.counts.get("invalid_jsonld", 0)
        return bool(bad or self.shrink or not (self.complete or self.partial))
