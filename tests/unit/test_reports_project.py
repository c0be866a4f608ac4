"""The reports over all sources and of a tenant."""

from __future__ import annotations

import csv
import io
import json
from datetime import date

import pytest

from sheaf.config import ProjectConfig, Source, Tenant
from sheaf.errors import SheafError
from sheaf.reports import (
    all_reports,
    tenant_reports,
    write_all_reports,
    write_source_reports,
    write_tenant_reports,
)
from sheaf.store import MemoryStore, layout
from tests.unit.reports_stage import (
    FIRST,
    IRIS,
    NEIGHBOUR,
    PROJECT,
    SECOND,
    TODAY,
    harvest,
    page,
    publish,
    reports,
    text,
    trouble,
)

STATS = (
    "source,sitemap,date,sitemap_count,summoned_count,missing_sitemap_summon_count,graph_urn_count,"
    "missing_summon_graph_count"
)
TENANT = Tenant.model_validate(
    {
        "community": "geocodesall",
        "name": "GeoCODES",
        "graph": {"main_namespace": "main", "summary_namespace": "summary"},
        "sources": ["all", "iris"],
    }
)


def two_sources() -> MemoryStore:
    """Two published sources that share a person; dated reports of one week of the first, two of the second."""
    ada = {"@id": "https://orcid.org/1", "@type": "Person", "name": "Ada"}
    store = MemoryStore()
    harvest(store, [page("a", text("a", creator=ada, keywords=["sea", "ice"])), trouble("b", "failed", "dns_error")])
    publish(store)
    harvest(store, [page("x", text("x", creator=ada))], NEIGHBOUR)
    publish(store, NEIGHBOUR)
    for source, days in ((IRIS, [14]), (NEIGHBOUR, [7, 14])):
        for day in days:
            write_source_reports(store, reports(store, source, today=date(2026, 11, day)))
    return store


def test_the_history_has_a_row_for_each_source_and_dated_folder() -> None:
    files = all_reports(two_sources(), PROJECT, today=TODAY).files()
    assert files["all_stats.csv"].decode().splitlines() == [
        STATS,
        "iris,https://iris.test/sitemap.xml,2026-11-14,2,1,1,1,0",
        "iris2,https://iris2.test/sitemap.xml,2026-11-07,1,1,0,1,0",
        "iris2,https://iris2.test/sitemap.xml,2026-11-14,1,1,0,1,0",
    ]


def test_the_source_list_names_every_source_in_order() -> None:
    files = all_reports(MemoryStore(), PROJECT, today=TODAY).files()
    assert json.loads(files["source_list.json"]) == [{"name": "iris"}, {"name": "iris2"}]


def test_the_types_count_a_thing_that_two_sources_name_once() -> None:
    report = all_reports(two_sources(), PROJECT, today=TODAY)
    assert list(csv.reader(io.StringIO(report.files()["sos_types.csv"].decode()))) == [
        ["", "type", "scount"],
        ["0", "https://schema.org/Dataset", "2"],
        ["1", "https://schema.org/Person", "1"],
    ]


def test_the_graph_report_counts_overall_and_by_source() -> None:
    told = json.loads(all_reports(two_sources(), PROJECT, today=TODAY).files()["graph_report.json"])
    assert (told["version"], told["repo"], told["date"]) == (0, "all", "2026-11-21")
    data = {each["report"]: each["data"] for each in told["reports"]}
    assert data["dataset_count"] == [{"datasetcount": 2}]
    assert data["triple_count"] == [{"tripelcount": sum(row["triples"] for row in data["graph_count_by_repo"])}]
    assert data["graph_count_by_repo"] == [
        {"repo": "iris", "graphs": 1, "triples": 7},
        {"repo": "iris2", "graphs": 1, "triples": 5},
    ]
    assert data["dataset_count_by_repo"] == [
        {"repo": "iris", "graphs": 1, "datasets": 1},
        {"repo": "iris2", "graphs": 1, "datasets": 1},
    ]
    assert {"repo": "iris2", "type": "https://schema.org/Person", "scount": 1} in data["types_count_by_repo"]
    assert data["repos_with_keywords"] == [{"repo": "iris", "kwcount": 2}]
    assert data["mutilple_version_count"] == data["mutilple_version_count_by_repo"] == []


def test_growth_is_told_source_by_source() -> None:
    store = two_sources()
    harvest(store, [page("x"), page("y")], NEIGHBOUR, SECOND)
    write_source_reports(store, reports(store, NEIGHBOUR))
    report = all_reports(store, PROJECT, today=TODAY)
    assert [(row.date, row.documents_change) for row in report.growth()["iris2"]] == [
        ("2026-11-07", 0),
        ("2026-11-14", 0),
        ("2026-11-21", 1),
    ]
    assert "## Growth of iris2" in report.markdown()


def test_an_active_source_without_a_release_is_named_and_one_that_is_switched_off_is_not() -> None:
    idle = [Source(name=name, url="https://x.test/", active=name == "new") for name in ("new", "old")]
    report = all_reports(two_sources(), ProjectConfig(sources=(*PROJECT.sources, *idle)), today=TODAY)
    assert report.unpublished == ("new",)
    assert "nothing published yet: new." in report.markdown()


def test_the_reports_of_all_are_written_under_latest_and_the_day_and_the_second_time_not_at_all() -> None:
    store = two_sources()
    written = write_all_reports(store, all_reports(store, PROJECT, today=TODAY))
    names = ("all_stats.csv", "source_list.json", "sos_types.csv", "graph_report.json")
    assert set(written) == {layout.report_all(name, when) for name in names for when in ("latest", "20261121")}
    assert write_all_reports(store, all_reports(store, PROJECT, today=TODAY)) == []


def test_a_report_that_an_older_tool_wrote_is_part_of_the_history() -> None:
    store = MemoryStore()
    old = {"source": "iris", "graph": "https://graph.test/sparql", "sitemap": "https://old.test/sitemap.xml"}
    counts = {"date": "2024-10-10", "sitemap_geturls_time": 1.2, "sitemap_count": 9, "summoned_count": 8}
    store.put(layout.report("iris", "load_report_graph.json", "20241010"), json.dumps({**old, **counts}).encode())
    rows = all_reports(store, PROJECT, today=TODAY).files()["all_stats.csv"].decode().splitlines()
    assert rows[1:] == ["iris,https://old.test/sitemap.xml,2024-10-10,9,8,0,0,0"]


def test_a_dated_report_that_cannot_be_read_is_named() -> None:
    store = MemoryStore()
    key = layout.report("iris", "load_report_graph.json", "20241010")
    store.put(key, b"<html>")
    with pytest.raises(SheafError, match=r"reports/iris/20241010/load_report_graph\.json is no load report"):
        all_reports(store, PROJECT, today=TODAY)


def test_a_tenant_lists_its_sources_with_the_records_of_their_summaries() -> None:
    store = two_sources()
    described = Source.model_validate({**IRIS.model_dump(), "description": "Seismology"})
    new = Source(name="new", url="https://new.test/sitemap.xml")
    project = ProjectConfig(sources=(NEIGHBOUR, described, new))
    files = tenant_reports(store, project, TENANT, today=TODAY).files()
    entries = json.loads(files["report_stats.json"])
    assert entries[0] == {
        "source": "iris",
        "title": "IRIS",
        "website": "https://iris.test",
        "sitemap": "https://iris.test/sitemap.xml",
        "image": "iris.png",
        "community": "geocodesall",
        "description": "Seismology",
        "records": "1",
    }
    assert [(entry["source"], entry["website"], entry["records"]) for entry in entries[1:]] == [
        ("iris2", "https://iris2.test", "1"),
        ("new", "https://new.test", "0"),
    ]
    assert len(files["all_stats.csv"].decode().splitlines()) == 1 + 3


def test_a_tenant_has_the_history_of_its_own_sources_alone() -> None:
    store = two_sources()
    tenant = TENANT.model_copy(update={"sources": ("all",), "exclude": ("iris2",)})
    report = tenant_reports(store, PROJECT, tenant, today=TODAY)
    assert {row.source for row in report.history} == {"iris"}
    assert report.records == 1
    assert "| IRIS | 1 | 1 | 2 | 2026-11-14 |" in report.markdown()


def test_the_reports_of_a_tenant_are_written_under_latest_and_the_day() -> None:
    store = two_sources()
    written = write_tenant_reports(store, tenant_reports(store, PROJECT, TENANT, today=TODAY))
    assert set(written) == {
        layout.report_tenant("geocodesall", name, when)
        for name in ("all_stats.csv", "report_stats.json")
        for when in ("latest", "20261121")
    }
    assert write_tenant_reports(store, tenant_reports(store, PROJECT, TENANT, today=TODAY)) == []


def test_the_harvest_that_a_report_is_made_of_is_the_newest() -> None:
    store = MemoryStore()
    harvest(store, [page("a")], harvest_id=SECOND)
    harvest(store, [page("a"), page("b")], harvest_id=FIRST)
    found = reports(store).harvest
    assert found is not None
    assert found.harvest_id == SECOND
