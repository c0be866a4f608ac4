"""The reports over all sources of a project."""

from __future__ import annotations

import csv
import io
from datetime import date

from pydantic import Field

from sheaf.config import ProjectConfig
from sheaf.release import published
from sheaf.reports.graph_stats import GraphStats, Tally, all_stats, count_source
from sheaf.reports.graphs import read_graphs, release_lines
from sheaf.reports.history import Growth, StatsRow, growth, growth_table, source_history, stats_csv
from sheaf.reports.load import Frozen
from sheaf.reports.subjects import subject_counts
from sheaf.reports.writing import ALL_STATS, GRAPH_REPORT, SOURCE_LIST, TYPES, as_json, day_of, write_reports
from sheaf.store import ObjectStore, layout

_LISTED = 25


class AllReports(Frozen):
    """A project on one day. ``history`` has a row a source and dated report folder."""

    date: str
    sources: tuple[str, ...] = Field(description="all that the config names, sorted")
    unpublished: tuple[str, ...] = Field(description="active sources without a published release")
    history: tuple[StatsRow, ...]
    graph: GraphStats

    def files(self) -> dict[str, bytes]:
        """The files of contracts.md, section 8, by name."""
        return {
            ALL_STATS: stats_csv(self.history),
            SOURCE_LIST: as_json([{"name": name} for name in self.sources]),
            TYPES: types_csv(self.graph),
            GRAPH_REPORT: as_json(self.graph),
        }

    def growth(self) -> dict[str, tuple[Growth, ...]]:
        """Each source's growth over its dated reports."""
        return {name: growth([row for row in self.history if row.source == name]) for name in self.sources}

    def markdown(self) -> str:
        """For people: how much there is, where it comes from, how it grew."""
        repos = {row["repo"]: row for row in self.graph.rows("graph_count_by_repo")}
        lines = [
            f"# All sources, {self.date}",
            "",
            f"{len(self.sources):,} sources, {len(repos):,} of them published:",
            f"{self.graph.datasets:,} datasets, {self.graph.triples:,} triples.",
            "",
        ]
        if self.unpublished:
            lines += ["Active, and nothing published yet: " + ", ".join(self.unpublished) + ".", ""]
        if repos:
            lines += ["| source | documents | triples |", "|---|---:|---:|"]
            lines += [f"| {name} | {row['graphs']:,} | {row['triples']:,} |" for name, row in repos.items()]
            lines.append("")
        types = self.graph.rows("types_count")
        if types:
            lines += ["| type | things |", "|---|---:|"]
            lines += [f"| {row['type']} | {row['scount']:,} |" for row in types[:_LISTED]]
            lines.append("")
        for name, rows in self.growth().items():
            if len(rows) > 1:
                lines += [f"## Growth of {name}", "", growth_table(rows[-_LISTED:]), ""]
        return "\n".join(lines).rstrip("\n") + "\n"


def types_csv(graph: GraphStats) -> bytes:
    """``sos_types.csv``, with the unnamed column of row numbers in front that its readers know."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["", "type", "scount"])
    writer.writerows((number, row["type"], row["scount"]) for number, row in enumerate(graph.rows("types_count")))
    return text.getvalue().encode()


def all_reports(store: ObjectStore, project: ProjectConfig, *, today: date) -> AllReports:
    """The history of all sources, and one pass over each published release."""
    names = tuple(sorted(source.name for source in project.sources))
    tallies: dict[str, Tally] = {}
    with subject_counts() as subjects:
        for name in names:
            pointer = published(store, name)
            if pointer is not None:
                with release_lines(store, name, pointer.release_id) as lines:
                    tallies[name] = count_source(name, read_graphs(lines, pointer.org, name), subjects, words=False)
        graph = all_stats(tallies, subjects, today)
    return AllReports(
        date=today.isoformat(),
        sources=names,
        unpublished=tuple(name for name in project.active_names() if name not in tallies),
        history=tuple(row for name in names for row in source_history(store, name)),
        graph=graph,
    )


def write_all_reports(store: ObjectStore, reports: AllReports) -> list[str]:
    """Write the files under ``latest`` and the day; gives the keys that changed."""
    return write_reports(store, layout.report_all, day_of(reports.date), reports.files())
