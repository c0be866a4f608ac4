"""``release.json``: what a release is made of, from and by, as a frozen model (issue 5; contracts.md, section 3)."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

RELEASE, SUMMARY, PROV, INDEX, RECORD = "release.nq.gz", "summary.nq", "prov.nq.gz", "index.parquet", "release.json"
LISTED = 100  # ids that are listed in release.json; the counts are always whole
LISTED_LOSSES = 1_000


class Frozen(BaseModel):
    """Readers of another version ignore what they do not know."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class FileFacts(Frozen):
    """One file: its length in bytes, its sha256 in hex, and its lines (0 for a binary file)."""

    bytes: int
    sha256: str
    lines: int = 0


class LeftOut(Frozen):
    """A document that could not be converted; ``reason`` is a code of ``sheaf.harvest.states.REASONS``."""

    id: str
    url: str
    reason: str
    detail: str = ""


class Check(Frozen):
    """One check of a release. A failed one that is ``blocking`` keeps the release from being published."""

    name: str
    passed: bool
    blocking: bool = True
    message: str = Field("", description="the numbers, and what to do when it failed")
    numbers: dict[str, int | float] = {}


class Changes(Frozen):
    """Documents against another release: whole counts, and the first ids of each kind in the order of the alphabet."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    added_ids: tuple[str, ...] = ()
    changed_ids: tuple[str, ...] = ()
    removed_ids: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        return self.added + self.changed + self.removed


class ReleaseRecord(Frozen):
    """A release. All of it follows from the harvest, the source's config, the tool and the release published before."""

    version: int = 1
    release_id: str
    source: str
    org: str
    harvest_id: str
    config_sha: str = ""
    tool_version: str = ""
    image_digest: str = ""
    contexts: dict[str, str] = Field(
        default_factory=dict, description="remote JSON-LD contexts asked for: none, a harvest inlines them"
    )
    created: datetime = Field(description="when the harvest ended")
    partial: bool = Field(False, description="of a harvest with --limit or --only: never published")
    harvested: int = Field(description="documents of the harvest: those released and those left out")
    documents: int
    datasets: int = Field(description="documents with a row in the summary")
    quads: int = Field(description="in the documents' graphs")
    catalogue_quads: int
    prov_quads: int
    summary_quads: int
    bytes: int = Field(description="of the graphs in the uncompressed release.nq, as the index counts them")
    catalogue_date: str = Field("", description="the newest date that a document states, empty when none does")
    repaired_iris: int = Field(0, description="IRIs with illegal characters and language tags that were mended")
    dropped: int = Field(0, description="triples whose IRI is relative or has white space around it: no RDF")
    content_sha256: str = Field(description="of release.nq followed by summary.nq")
    parsed_quads: int = Field(description="quads that a parser found in release.nq when it was made")
    files: dict[str, FileFacts] = Field(description="those of the archive, and release.nq uncompressed")
    left_out: int = 0
    left_out_reasons: dict[str, int] = Field(default_factory=dict)
    left_out_documents: tuple[LeftOut, ...] = Field((), description=f"the first {LISTED_LOSSES}")
    previous: str = Field("", description="the release that was published when this one was made")
    changes: Changes = Field(default_factory=Changes, description="against the previous release")
    checks: tuple[Check, ...] = ()

    @property
    def blocked_by(self) -> tuple[Check, ...]:
        """The failed checks that keep it from being published."""
        return tuple(check for check in self.checks if check.blocking and not check.passed)


class Pointer(ReleaseRecord):
    """``graphs/latest/<source>_release.json``: the record of the published release, and how it came to be that."""

    replaces: str = Field("", description="the release that was published before this one")
    forced_by: str = ""
    forced_reason: str = ""
    rolled_back_from: str = Field("", description="the release that a person took back for this one")

    @property
    def earlier(self) -> str:
        """Where a roll back leads: after one, on to the release before, and not forth again."""
        return self.previous if self.rolled_back_from else self.replaces or self.previous


class Published(Frozen):
    """What publishing did; ``moved`` is false when the release was the published one already."""

    source: str
    release_id: str
    moved: bool
    previous: str = ""
    failed_checks: tuple[str, ...] = ()
    forced_by: str = ""
    warnings: tuple[str, ...] = ()
