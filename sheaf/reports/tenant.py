"""The reports of one tenant: the history of its sources, and what its portal says about each of them."""

from __future__ import annotations

from datetime import date

from sheaf.config import ProjectConfig, Source, Tenant
from sheaf.release import published
from sheaf.reports.history import StatsRow, source_history, stats_csv
from sheaf.reports.load import Frozen
from sheaf.reports.writing import ALL_STATS, REPORT_STATS, as_json, day_of, write_reports
from sheaf.store import ObjectStore, layout


class TenantSource(Frozen):
    """One entry of ``report_stats.json``; ``records`` are the rows of the published summary, as text."""

    source: str
    title: str
    website: str
    sitemap: str
    image: str
    community: str
    description: str
    records: str


class TenantReports(Frozen):
    """A tenant on one day."""

    community: str
    title: str
    date: str
    sources: tuple[TenantSource, ...]
    history: tuple[StatsRow, ...]

    @property
    def records(self) -> int:
        """What a search over the tenant's summary can find."""
        return sum(int(each.records) for each in self.sources)

    def files(self) -> dict[str, bytes]:
        """The files of contracts.md, section 8, by name."""
        return {ALL_STATS: stats_csv(self.history), REPORT_STATS: as_json(self.sources)}

    def markdown(self) -> str:
        """For people: which sources the tenant has, and how much each brings."""
        lines = [
            f"# {self.title} (`{self.community}`), {self.date}",
            "",
            f"{len(self.sources):,} sources, {self.records:,} records.",
            "",
            "| source | records | documents | listed pages | report of |",
            "|---|---:|---:|---:|---|",
        ]
        newest = {row.source: row for row in self.history}
        for each in self.sources:
            row = newest.get(each.source)
            seen = f"{row.summoned_count:,} | {row.sitemap_count:,} | {row.date}" if row else "| |"
            title = each.title.replace("|", "\\|")
            lines.append(f"| {title} | {int(each.records):,} | {seen} |")
        return "\n".join(lines) + "\n"


def tenant_reports(store: ObjectStore, project: ProjectConfig, tenant: Tenant, *, today: date) -> TenantReports:
    """The tenant's sources in the order of their names; one that has nothing published yet has 0 records."""
    known = {source.name: source for source in project.sources}
    names = tenant.members(known)
    return TenantReports(
        community=tenant.community,
        title=tenant.name or tenant.community,
        date=today.isoformat(),
        sources=tuple(_entry(store, known[name], tenant) for name in names),
        history=tuple(row for name in names for row in source_history(store, name)),
    )


def write_tenant_reports(store: ObjectStore, reports: TenantReports) -> list[str]:
    """Write the files under ``latest`` and the day; gives the keys that changed."""
    return write_reports(
        store,
        lambda name, when: layout.report_tenant(reports.community, name, when),
        day_of(reports.date),
        reports.files(),
    )


def _entry(store: ObjectStore, source: Source, tenant: Tenant) -> TenantSource:
    pointer = published(store, source.name)
    return TenantSource(
        source=source.name,
        title=source.propername or source.name,
        website=source.domain or source.robots_base,
        sitemap=source.url,
        image=f"{source.name}.png",
        community=tenant.community,
        # A key that is not ours, but stands in the files of several projects.
        description=str((source.model_extra or {}).get("description") or ""),
        records=str(pointer.datasets if pointer else 0),
    )
