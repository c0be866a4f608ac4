"""The tables of ``docs/demo-site.md``, made from the scripts; ``python -m sheaf.demo.table`` writes them there."""

from __future__ import annotations

from pathlib import Path

from sheaf.demo.expected import Expected, expected
from sheaf.demo.load import load_site
from sheaf.demo.script import Site

PAGE = Path(__file__).parents[2] / "docs" / "demo-site.md"
MARKS = ("<!-- {} table: made by python -m sheaf.demo.table -->", "<!-- end of {} table -->")


def counts_table(site: Site) -> str:
    """Markdown: a row for each source and day, with the counts that its harvest must reach."""
    lines = ["| source | day | pages found | documents | states | reasons |", "|---|---|---|---|---|---|"]
    for source in site.sources:
        for day in range(site.day_count):
            lines.append(_row(source.name, expected(site, source.name, day)))
    return "\n".join(lines)


def _row(name: str, counts: Expected) -> str:
    states = ", ".join(f"{number} {state}" for state, number in counts.states.items())
    reasons = ", ".join(f"{number} {reason}" for reason, number in counts.reasons.items())
    if counts.fails:
        states, reasons = "the harvest fails", "everything stays as it was"
    return f"| {name} | {counts.day} | {counts.urls} | {counts.documents} | {states} | {reasons} |"


def with_tables(text: str) -> str:
    """The page's text with each table between its marks made anew; ``ValueError`` when a mark is missing."""
    for name in ("demo", "fieldnotes"):
        begin, end = (mark.format(name) for mark in MARKS)
        before, _, rest = text.partition(begin)
        _, found, after = rest.partition(end)
        if not found:
            raise ValueError(f"docs/demo-site.md has no lines {begin!r} and {end!r}")
        text = f"{before}{begin}\n{counts_table(load_site(name))}\n{end}{after}"
    return text


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
