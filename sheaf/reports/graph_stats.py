"""``graph_stats.json`` of a source and ``graph_report.json`` of all: counts over the graphs of published releases.

Names of the reports and of their columns, spelling included (``tripelcount``, ``mutilple_version_count``), are those
that dashboards read (contracts.md, section 8). Only the documents' graphs count, not the catalogue.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from pydantic import BaseModel, ConfigDict

from sheaf.reports.graphs import GraphFacts
from sheaf.reports.subjects import SubjectCounts

ALL = "all"
TYPES, KEYWORDS, VARIABLES = "type", "keyword", "variableName"
VERSION = 0  # of the report's format, as the older tools wrote it

Rows = list[dict[str, Any]]


class GraphReport(BaseModel):
    """One count. ``processing_time`` is always 0: all come out of one pass, and equal input gives equal bytes."""

    model_config = ConfigDict(frozen=True)

    report: str
    processing_time: float = 0.0
    length: int
    data: tuple[dict[str, Any], ...]

    @classmethod
    def of(cls, report: str, rows: Rows) -> GraphReport:
        """A report of these rows."""
        return cls(report=report, length=len(rows), data=tuple(rows))


class GraphStats(BaseModel):
    """``graph_stats.json``, and ``graph_report.json`` with ``all`` as the repo."""

    model_config = ConfigDict(frozen=True)

    version: int = VERSION
    repo: str
    date: str
    reports: tuple[GraphReport, ...]

    def rows(self, report: str) -> tuple[dict[str, Any], ...]:
        """The data of one of the reports; ``KeyError`` when there is none of that name."""
        return {each.report: each.data for each in self.reports}[report]

    @property
    def triples(self) -> int:
        return int(self.rows("triple_count")[0]["tripelcount"])

    @property
    def datasets(self) -> int:
        return int(self.rows("dataset_count")[0]["datasetcount"])


@dataclass(slots=True)
class Tally:
    """What is counted while the graphs of one source go by; subjects are told apart by ``SubjectCounts``."""

    graphs: int = 0
    triples: int = 0
    datasets: int = 0
    dataset_graphs: int = 0
    keywords: int = 0
    sizes: Counter[int] = field(default_factory=Counter)
    versions: list[tuple[str, int]] = field(default_factory=list)

    def take(self, facts: GraphFacts) -> None:
        """One graph."""
        self.graphs += 1
        self.triples += facts.quads
        self.sizes[facts.quads] += 1
        datasets = facts.datasets
        self.datasets += datasets
        self.dataset_graphs += bool(datasets)
        self.keywords += len(facts.keywords)
        if len(facts.versioned) > 1:
            self.versions.append((facts.graph, len(facts.versioned)))

    def version_rows(self) -> Rows:
        """Graphs in which more than one thing states a version."""
        return [{"g": graph, "versionscount": number} for graph, number in self.versions]


def count_source(source: str, graphs: Iterable[GraphFacts], subjects: SubjectCounts, *, words: bool = True) -> Tally:
    """Go through a source's graphs once. ``words`` leaves out telling keywords and variables apart when false."""
    tally = Tally()
    for facts in graphs:
        tally.take(facts)
        subjects.add(source, TYPES, facts.types)
        if words:
            subjects.add(source, KEYWORDS, facts.keywords)
            subjects.add(source, VARIABLES, facts.variables)
    return tally


def source_stats(source: str, tally: Tally, subjects: SubjectCounts, today: date) -> GraphStats:
    """The seven reports of ``graph_stats.json``."""
    sizes = sorted(tally.sizes.items(), key=lambda item: (-item[1], item[0]))
    reports = (
        GraphReport.of("triple_count", [{"tripelcount": tally.triples}]),
        GraphReport.of("dataset_count", [{"datasetcount": tally.datasets}]),
        GraphReport.of("type_count", _scounts(TYPES, subjects.of_source(source, TYPES))),
        GraphReport.of("kw_count", _scounts(KEYWORDS, subjects.of_source(source, KEYWORDS))),
        GraphReport.of("variablename_count", _scounts(VARIABLES, subjects.of_source(source, VARIABLES))),
        GraphReport.of("version_count", tally.version_rows()),
        GraphReport.of("graph_sizes_count", [{"triple_per_jsonld": size, "count": number} for size, number in sizes]),
    )
    return GraphStats(repo=source, date=today.isoformat(), reports=reports)


def all_stats(tallies: dict[str, Tally], subjects: SubjectCounts, today: date) -> GraphStats:
    """The reports of ``graph_report.json``; ``tallies`` by source, ``repo`` in the rows is the source."""
    by_repo = sorted(tallies.items())
    versions = [row for _, tally in by_repo for row in tally.version_rows()]
    reports = (
        GraphReport.of("triple_count", [{"tripelcount": sum(tally.triples for tally in tallies.values())}]),
        GraphReport.of(
            "graph_count_by_repo",
            [{"repo": repo, "graphs": tally.graphs, "triples": tally.triples} for repo, tally in by_repo],
        ),
        GraphReport.of("dataset_count", [{"datasetcount": sum(tally.datasets for tally in tallies.values())}]),
        GraphReport.of(
            "dataset_count_by_repo",
            [{"repo": repo, "graphs": tally.dataset_graphs, "datasets": tally.datasets} for repo, tally in by_repo],
        ),
        GraphReport.of("types_count", _scounts(TYPES, subjects.overall(TYPES))),
        GraphReport.of(
            "types_count_by_repo",
            [{"repo": repo, **row} for repo, _ in by_repo for row in _scounts(TYPES, subjects.of_source(repo, TYPES))],
        ),
        GraphReport.of("mutilple_version_count", versions),
        GraphReport.of(
            "mutilple_version_count_by_repo",
            [{"repo": repo, "versionscount": len(tally.versions)} for repo, tally in by_repo if tally.versions],
        ),
        GraphReport.of(
            "repos_with_keywords",
            [{"repo": repo, "kwcount": tally.keywords} for repo, tally in by_repo if tally.keywords],
        ),
    )
    return GraphStats(repo=ALL, date=today.isoformat(), reports=reports)


def _scounts(column: str, counts: dict[str, int]) -> Rows:
    return [{column: value, "scount": number} for value, number in counts.items()]
