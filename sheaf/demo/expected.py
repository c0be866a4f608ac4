"""The exact counts that harvests of a scripted site must reach, computed from the script alone.

The rules are those of the manifest: one row a (page, position). A document seen before is ``unchanged``, whether the
server said so (304) or its content did; a page that fails keeps its last good documents; a page that is no longer
found is ``gone``, unless the discovery was incomplete or more left at once than the source's shrink limit allows.
A harvest that finds no page at all is a failure, and leaves everything as it was.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass

from sheaf.demo.bodies import written_documents
from sheaf.demo.listings import discovery_complete, found_pages
from sheaf.demo.script import Expect, Page, Site, SourceScript

DEFAULT_SHRINK_LIMIT = 0.5
MOST_REDIRECTS = 5


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the manifest as it must be: ``document`` is "" where the row has none."""

    path: str
    position: int
    state: str
    reason: str
    document: str


@dataclass(frozen=True, slots=True)
class Expected:
    """What one harvest of one source must report. ``urls`` are the pages that discovery finds.

    ``documents`` counts each text once, ``new`` and ``changed`` are among the ``stored`` rows; a reason that is empty
    is not counted.
    """

    source: str
    day: int
    complete: bool
    urls: int
    documents: int
    new: int
    changed: int
    states: dict[str, int]
    reasons: dict[str, int]
    rows: tuple[Row, ...]

    @property
    def fails(self) -> bool:
        """Whether the harvest as a whole is a failure; the other counts are then those of the one before."""
        return self.urls == 0

    @property
    def losses(self) -> dict[str, int]:
        """Pages and scripts that gave no document today, by reason."""
        lost = ("no_jsonld", "invalid_jsonld", "failed")
        return dict(sorted(Counter(row.reason for row in self.rows if row.state in lost).items()))


def expected(site: Site, source_name: str, day: int, *, since: int = 0, rendered: bool = False) -> Expected:
    """The counts of a complete harvest on ``day``, after one harvest on each day from ``since`` on.

    ``since=day`` is a first harvest, made that day. ``rendered`` is for a harvest with a browser. ``KeyError`` for a
    source that the site does not have; ``ValueError`` when ``since`` lies behind ``day``.
    """
    if since > day:
        raise ValueError(f"the first harvest (day {since}) cannot be later than the one asked for (day {day})")
    source = site.source(source_name)
    rows: tuple[Row, ...] = ()
    new = changed = 0
    for today in range(since, day + 1):
        rows, new, changed = _harvest(site, source, today, rows, rendered)
    return Expected(
        source=source_name,
        day=day,
        complete=discovery_complete(source, day),
        urls=len(found_pages(source, day)),
        documents=len({row.document for row in rows if row.document}),
        new=new,
        changed=changed,
        states=dict(sorted(Counter(row.state for row in rows).items())),
        reasons=dict(sorted(Counter(row.reason for row in rows if row.reason).items())),
        rows=rows,
    )


def _harvest(
    site: Site, source: SourceScript, day: int, before: tuple[Row, ...], rendered: bool
) -> tuple[tuple[Row, ...], int, int]:
    known = {(row.path, row.position): row for row in before if row.state != "gone"}
    found = found_pages(source, day)
    if not found:
        return before, 0, 0
    paths = {page.path for page in found}
    rows: list[Row] = []
    new = changed = 0
    for page in found:
        fresh = _first_rows(site, page, day, rendered)
        failed = fresh[0].state == "failed"
        for row in fresh:
            old = known.pop((row.path, row.position), None)
            if row.state == "stored" and old and old.document == row.document:
                row = Row(row.path, row.position, "unchanged", _why_unchanged(page, day), row.document)
            elif row.state == "stored":
                new, changed = (new, changed + 1) if old and old.document else (new + 1, changed)
            elif failed and old:
                row = Row(row.path, row.position, row.state, row.reason, old.document)
            rows.append(row)
        for key in [key for key in known if key[0] == page.path]:
            old = known.pop(key)
            if failed:
                rows.append(Row(old.path, old.position, "failed", fresh[0].reason, old.document))
            elif old.document:
                rows.append(Row(old.path, old.position, "gone", "document_left_page", ""))
    rows.extend(_left(source, day, known, {row.path for row in before if row.state != "gone"}, paths))
    return tuple(rows), new, changed


def _left(
    source: SourceScript, day: int, known: dict[tuple[str, int], Row], before: set[str], paths: set[str]
) -> list[Row]:
    """The rows of pages that were known before and are not found any more."""
    reason = ""
    if not discovery_complete(source, day):
        reason = "discovery_incomplete"
    elif len(before - paths) > float(source.config.get("shrink_limit", DEFAULT_SHRINK_LIMIT)) * len(before):
        reason = "shrink_limit"
    if reason:
        return [Row(row.path, row.position, "unchanged", reason, row.document) for row in known.values()]
    return [Row(row.path, row.position, "gone", "left_sitemap", "") for row in known.values()]


def _first_rows(site: Site, page: Page, day: int, rendered: bool) -> list[Row]:
    """The rows of a page for a harvest that knows nothing of it."""
    today = page.on(day)
    expects: tuple[Expect, ...] = today.rendered if rendered and today.rendered else today.expect
    texts = written_documents(_target(site, page, day).on(day).answers[-1])
    rows: list[Row] = []
    for expect in expects:
        for _ in range(expect.rows):
            position = len(rows)
            has_document = expect.documents and position < len(texts)
            mark = hashlib.sha256(texts[position].encode()).hexdigest()[:16] if has_document else ""
            rows.append(Row(page.path, position, expect.state, expect.reason, mark))
    return rows


def _target(site: Site, page: Page, day: int) -> Page:
    """The page that the server's redirects lead to; the page itself when they lead nowhere."""
    for _ in range(MOST_REDIRECTS):
        redirect = page.on(day).answers[-1].redirect
        if not redirect:
            break
        try:
            page = site.page(redirect)
        except KeyError:
            break
    return page


def _why_unchanged(page: Page, day: int) -> str:
    answers = (page.on(day).answers[-1], page.on(max(day - 1, 0)).answers[-1])
    if any(answer.redirect for answer in answers):
        return "same_content"
    validated = all(_has_validator(answer.etag, answer.last_modified) for answer in answers)
    return "not_modified" if validated else "same_content"


def _has_validator(etag: str, last_modified: str) -> bool:
    return etag not in ("none", "changing") or bool(last_modified)
