"""A harvest's manifest and a release in, the reports that dashboards and people read out (contracts.md, section 8).

It asks neither websites nor triplestores, and never changes a harvest or a release.
"""

from sheaf.reports.all import AllReports, all_reports, write_all_reports
from sheaf.reports.graph_stats import GraphStats
from sheaf.reports.history import Growth, StatsRow, growth
from sheaf.reports.load import LoadReport
from sheaf.reports.source import source_reports, write_source_reports
from sheaf.reports.source_model import SourceReports
from sheaf.reports.tenant import TenantReports, tenant_reports, write_tenant_reports

__all__ = [
    "AllReports",
    "GraphStats",
    "Growth",
    "LoadReport",
    "SourceReports",
    "StatsRow",
    "TenantReports",
    "all_reports",
    "growth",
    "source_reports",
    "tenant_reports",
    "write_all_reports",
    "write_source_reports",
    "write_tenant_reports",
]
