"""A source's reports as Markdown, for the three questions that providers ask (field-notes.md)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from sheaf.harvest.states import REASONS
from sheaf.reports.history import growth_table
from sheaf.reports.load import Trouble
from sheaf.reports.source_model import SourceReports

_PAGES = 20  # pages that are listed, of each reason
_TYPES = 10


def source_text(report: SourceReports) -> str:
    """The whole text."""
    lines = [f"# {report.title} (`{report.source}`), {report.date}", ""]
    lines += [*_harvested(report), *_published(report), *_troubles(report), *_content(report)]
    if report.growth:
        lines += ["## Growth", "", growth_table(report.growth), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _time(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _cell(text: str) -> str:
    """Text in a cell: what a page says must not break the table, nor pass for markup."""
    flat = " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
    return flat if len(flat) <= 300 else f"{flat[:299]}…"


def _harvested(report: SourceReports) -> Iterator[str]:
    yield from ("## Is it harvested?", "")
    harvest = report.harvest
    if harvest is None:
        yield "**No.** No harvest of it has worked so far."
    else:
        down = bool(report.attempts)
        yield (
            f"**{'Not at present' if down else 'Yes'}.** It last worked on {_time(harvest.started_at)}: "
            f"{harvest.documents:,} documents on {report.load.sitemap_count:,} pages "
            f"({harvest.new:,} new, {harvest.changed:,} changed, "
            f"{harvest.unchanged:,} unchanged, {harvest.gone:,} gone)."
        )
        if down:
            yield f"Down since {_time(report.attempts[-1].started_at)}; the documents of the last good harvest stay."
        if not harvest.complete:
            yield "The list of its pages could not be read to its end, so no page was taken for gone."
    yield from (f"- {note}" for note in report.notes)
    yield ""
    if report.attempts:
        yield from ("| attempt | why it ended |", "|---|---|")
        yield from (f"| {_time(attempt.started_at)} | {_cell(attempt.why)} |" for attempt in report.attempts)
        yield ""
    if harvest is not None and harvest.discovery_errors:
        yield from ("| sitemap or list | trouble | meaning |", "|---|---|---|")
        for url, reason, detail in harvest.discovery_errors:
            yield f"| {_cell(url)} | `{reason}` {_cell(detail)} | {REASONS.get(reason, '')} |"
        yield ""


def _published(report: SourceReports) -> Iterator[str]:
    yield from ("## What do portals show?", "")
    release, load = report.release, report.load
    if release is None:
        yield "Nothing: no release of it is published yet."
    else:
        yield (
            f"Release `{release.release_id}` of the harvest that ended on {_time(release.created)}: "
            f"{release.documents:,} documents, {release.datasets:,} of them datasets, {release.quads:,} quads."
        )
    if report.waiting is not None:
        failed = ", ".join(report.waiting.failed_checks)
        yield f"Release `{report.waiting.release_id}` is newer and not published" + (
            f"; these checks failed: {failed}." if failed else "."
        )
    if release is not None and load.missing_summon_graph_count:
        yield f"{load.missing_summon_graph_count:,} harvested documents are not in it."
    yield ""
    if release is not None and release.left_out_documents:
        yield from ("| document left out | reason | meaning |", "|---|---|---|")
        for lost in release.left_out_documents[:_PAGES]:
            yield f"| {_cell(lost.url)} | `{lost.reason}` {_cell(lost.detail)} | {REASONS.get(lost.reason, '')} |"
        if release.left_out > _PAGES:
            yield f"| and {release.left_out - _PAGES:,} more | | |"
        yield ""


def _troubles(report: SourceReports) -> Iterator[str]:
    yield from ("## Which pages fail, and why?", "")
    if not report.troubles:
        yield from ("None." if report.harvest else "Unknown, as nothing was harvested yet.", "")
        return
    yield from ("| pages | state | reason | meaning | last good copy kept |", "|---:|---|---|---|---:|")
    for trouble in report.troubles:
        yield (
            f"| {trouble.count:,} | {trouble.state} | `{trouble.reason or trouble.state}` | {_cell(trouble.meaning)} "
            f"| {trouble.kept:,} |"
        )
    yield ""
    for trouble in report.troubles:
        yield from _pages(trouble)


def _pages(trouble: Trouble) -> Iterator[str]:
    yield from (f"### `{trouble.reason or trouble.state}`", "")
    for page in trouble.pages[:_PAGES]:
        yield f"- {_cell(page.url)}" + (f": {_cell(page.detail)}" if page.detail else "")
    if trouble.count > _PAGES:
        yield f"- and {trouble.count - _PAGES:,} more"
    yield ""


def _content(report: SourceReports) -> Iterator[str]:
    types = report.graph_stats.rows("type_count")
    if report.harvest is not None and (report.harvest.repaired or report.harvest.clashes):
        yield from ("## What could be better", "")
        if report.harvest.repaired:
            yield f"- {report.harvest.repaired:,} documents hold JSON with mistakes that were mended."
        if report.harvest.clashes:
            yield f"- {report.harvest.clashes:,} identifiers are stated by several different documents."
        yield ""
    if types:
        yield from ("## What is in it", "", "| type | things |", "|---|---:|")
        yield from (f"| {_cell(row['type'])} | {row['scount']:,} |" for row in types[:_TYPES])
        yield ""
