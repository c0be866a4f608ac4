"""What the reports say of one source: pages, documents, identifiers, and the answers for its provider."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime

from sheaf.harvest.manifest import put_summary, read_summary
from sheaf.release import build_release
from sheaf.reports import write_source_reports
from sheaf.store import MemoryStore, layout
from tests.unit.reports_stage import (
    FIRST,
    IRIS,
    NEIGHBOUR,
    ORG,
    SECOND,
    THIRD,
    harvest,
    page,
    publish,
    reports,
    text,
    trouble,
)

LOAD_KEYS = [
    "source", "graph", "sitemap", "date", "bucket", "s3store", "sitemap_count", "summoned_count",
    "missing_sitemap_summon_count", "missing_sitemap_summon", "extra_in_summon_count", "extra_in_summon",
    "graph_urn_count", "missing_summon_graph_count", "missing_summon_graph",
]  # fmt: skip


def test_the_load_reports_have_the_keys_that_dashboards_read() -> None:
    store = MemoryStore()
    harvest(store, [page("a")])
    publish(store)
    files = reports(store).files()
    for name, graph in (("load_report_s3.json", None), ("load_report_graph.json", "graphs/latest/iris_release.nq")):
        report = json.loads(files[name])
        assert list(report) == LOAD_KEYS
        assert report["graph"] == graph
        assert (report["source"], report["sitemap"], report["date"]) == ("iris", IRIS.url, "2026-11-21")
        assert (report["bucket"], report["s3store"]) == ("sheaf", "s3.test:9000")


def test_a_listed_page_without_a_document_is_missing_and_a_kept_page_that_left_the_list_is_extra() -> None:
    store = MemoryStore()
    rows = [
        page("a"),
        trouble("broken", "failed", "http_500_server_error"),
        trouble("empty", "no_jsonld", "no_script"),
        page("left", state="unchanged", reason="shrink_limit"),
        trouble("gone", "gone", "left_sitemap"),
    ]
    harvest(store, rows)
    load = reports(store).load
    assert load.sitemap_count == 3
    assert load.summoned_count == 2
    assert load.missing_sitemap_summon == ("https://iris.test/broken", "https://iris.test/empty")
    assert load.missing_sitemap_summon_count == 2
    assert load.extra_in_summon == ("https://iris.test/left",)
    assert load.extra_in_summon_count == 1


def test_one_text_on_two_pages_is_one_document_and_neither_page_is_missing() -> None:
    store = MemoryStore()
    harvest(store, [page("a", text("x"), id="id-x"), page("b", text("x"), id="id-x")])
    load = reports(store).load
    assert (load.sitemap_count, load.summoned_count, load.missing_sitemap_summon_count) == (2, 1, 0)


def test_a_page_that_lost_one_of_its_documents_is_still_listed() -> None:
    store = MemoryStore()
    left = {**trouble("a", "gone", "document_left_page"), "position": 1}
    harvest(store, [page("a"), left])
    load = reports(store).load
    assert (load.sitemap_count, load.missing_sitemap_summon_count, load.extra_in_summon_count) == (1, 0, 0)


def test_a_document_that_was_left_out_of_the_release_is_missing_from_the_graph_by_its_id() -> None:
    store = MemoryStore()
    harvest(store, [page("a"), page("b"), page("c"), page("void", '{"name": "no context, so no triples"}')])
    publish(store)
    report = reports(store)
    assert report.load.graph_urn_count == 3
    assert report.load.missing_summon_graph == ("id-void",)
    assert report.load.missing_summon_graph_count == 1
    assert "`no_triples`" in report.markdown()


def test_a_newer_harvest_is_compared_with_the_release_that_is_published() -> None:
    store = MemoryStore()
    harvest(store, [page("a"), page("b")])
    publish(store)
    harvest(store, [page("b"), page("new")], harvest_id=SECOND)
    load = reports(store).load
    assert (load.summoned_count, load.graph_urn_count, load.missing_summon_graph) == (2, 2, ("id-new",))


def test_the_urls_name_each_object_once_with_its_page() -> None:
    store = MemoryStore()
    stored = datetime(2026, 10, 1, 12, 30, 5, 999, tzinfo=UTC)
    rows = [page("b", text("x"), id="id-x"), page("a", text("x"), id="id-x", stored_at=stored), page("c,d")]
    harvest(store, [*rows, trouble("e", "failed", "dns_error")])
    data = reports(store).files()["bucketutil_urls.csv"].decode()
    assert list(csv.reader(io.StringIO(data))) == [
        ["sha", "url", "identifiertype", "lastmodified"],
        ["id-x.jsonld", "https://iris.test/a", "identifiersha", "2026-10-01 12:30:05+00:00"],
        ["id-c,d.jsonld", "https://iris.test/c,d", "identifiersha", ""],
    ]


def test_identifier_statistics_are_records_with_a_count_and_five_examples() -> None:
    store = MemoryStore()
    rows = [page(f"p{number}") for number in range(7)]
    harvest(store, [*rows, page("z", identifier_type="filesha", matched_path="")])
    assert json.loads(reports(store).files()["identifier_stats.json"]) == [
        {"Source": "iris", "Identifiertype": "filesha", "Matchedpath": "", "Uniqueid": 1, "Example": ["id-z"]},
        {
            "Source": "iris",
            "Identifiertype": "identifiersha",
            "Matchedpath": "$['@id']",
            "Uniqueid": 7,
            "Example": [f"id-p{number}" for number in range(5)],
        },
    ]


def test_a_source_that_was_never_harvested_has_zeros_and_empty_lists() -> None:
    report = reports(MemoryStore())
    files = report.files()
    load = json.loads(files["load_report_graph.json"])
    assert [load[key] for key in LOAD_KEYS if key.endswith("_count")] == [0] * 6
    assert json.loads(files["identifier_stats.json"]) == []
    assert files["bucketutil_urls.csv"].decode() == '"sha","url","identifiertype","lastmodified"\n'
    assert report.graph_stats.triples == 0
    assert "**No.**" in report.markdown()
    assert "no release of it is published" in report.markdown()


def test_the_files_are_written_under_latest_and_the_day_and_the_second_time_not_at_all() -> None:
    store = MemoryStore()
    harvest(store, [page("a")])
    publish(store)
    first = write_source_reports(store, reports(store))
    names = ("load_report_s3.json", "load_report_graph.json", "bucketutil_urls.csv", "identifier_stats.json")
    expected = {
        layout.report("iris", name, when) for name in (*names, "graph_stats.json") for when in ("latest", "20261121")
    }
    assert set(first) == expected
    assert {key: store.get(key) for key in first} == {
        layout.report("iris", name, when): data
        for name, data in reports(store).files().items()
        for when in ("latest", "20261121")
    }
    puts = store.puts
    assert write_source_reports(store, reports(store)) == []
    assert store.puts == puts


def test_the_next_day_leaves_the_reports_of_the_day_before_as_they_were() -> None:
    store = MemoryStore()
    harvest(store, [page("a")])
    write_source_reports(store, reports(store, today=date(2026, 11, 20)))
    before = store.get(layout.report("iris", "load_report_s3.json", "20261120"))
    harvest(store, [page("a"), page("b")], harvest_id=SECOND)
    write_source_reports(store, reports(store))
    assert store.get(layout.report("iris", "load_report_s3.json", "20261120")) == before
    assert json.loads(store.get(layout.report("iris", "load_report_s3.json")))["summoned_count"] == 2


def test_the_text_says_which_pages_fail_and_why() -> None:
    store = MemoryStore()
    rows = [
        page("a"),
        page("kept", state="failed", reason="timeout_read", detail="30 s"),
        trouble("lost|<b>", "failed", "http_404_not_found"),
        trouble("script", "invalid_jsonld", "not_json", "line 3: a comma too many"),
    ]
    harvest(store, rows)
    report = reports(store)
    assert {(each.reason, each.count, each.kept) for each in report.troubles} == {
        ("timeout_read", 1, 1),
        ("http_404_not_found", 1, 0),
        ("not_json", 1, 0),
    }
    text = report.markdown()
    assert "the page does not exist (404)" in text
    assert "- https://iris.test/script: line 3: a comma too many" in text
    assert "lost\\|&lt;b>" in text


def test_of_a_reason_that_many_pages_share_the_first_are_listed_and_all_are_counted() -> None:
    store = MemoryStore()
    rows = [trouble(f"p{number:04}", "failed", "dns_error") for number in range(300)]
    harvest(store, [page("a"), *rows])
    (found,) = reports(store).troubles
    assert found.count == 300
    assert [each.url for each in found.pages] == [f"https://iris.test/p{number:04}" for number in range(50)]
    assert "- and 280 more" in reports(store).markdown()


def test_a_source_whose_harvests_were_stopped_since_is_down_since_the_first_of_them() -> None:
    store = MemoryStore()
    harvest(store, [page("a")])
    for harvest_id in (SECOND, THIRD):
        harvest(store, [trouble("a", "failed", "dns_error")], harvest_id=harvest_id)
        stopped = read_summary(store, "iris", harvest_id).model_copy(
            update={"stopped": "breaker_open: 20 of 20 failed"}
        )
        put_summary(store, stopped)
    report = reports(store)
    assert [attempt.harvest_id for attempt in report.attempts] == [THIRD, SECOND]
    assert report.load.summoned_count == 1
    text = report.markdown()
    assert "**Not at present.** It last worked on 2026-11-01 03:00 UTC: 1 documents" in text
    assert "Down since 2026-11-08 03:00 UTC" in text
    assert "breaker_open: 20 of 20 failed" in text


def test_a_release_that_its_checks_keep_back_is_named_with_the_checks() -> None:
    store = MemoryStore()
    harvest(store, [page(name) for name in "abcdef"])
    publish(store)
    harvest(store, [page("a")], harvest_id=SECOND)
    kept = build_release(store, IRIS, SECOND, org=ORG, workers=1)
    report = reports(store)
    assert report.waiting is not None
    assert report.waiting.release_id == kept.release_id
    assert list(report.waiting.failed_checks) == [check.name for check in kept.blocked_by] != []
    assert report.load.graph_urn_count == 6
    assert f"Release `{kept.release_id}` is newer and not published" in report.markdown()


def test_growth_is_the_change_from_one_dated_report_to_the_next_with_today_at_its_end() -> None:
    store = MemoryStore()
    harvest(store, [page("a")])
    publish(store)
    write_source_reports(store, reports(store, today=date(2026, 11, 7)))
    harvest(store, [page("a"), page("b"), page("c")], harvest_id=SECOND)
    write_source_reports(store, reports(store, today=date(2026, 11, 14)))
    publish(store, harvest_id=SECOND)
    report = reports(store)
    assert [
        (row.date, row.documents, row.documents_change, row.graphs, row.graphs_change) for row in report.growth
    ] == [
        ("2026-11-07", 1, 0, 1, 0),
        ("2026-11-14", 3, 2, 1, 0),
        ("2026-11-21", 3, 0, 3, 2),
    ]
    assert "| 2026-11-14 | 3 | 3 | +2 | 1 | +0 |" in report.markdown()


def test_a_neighbour_whose_name_begins_alike_is_not_counted() -> None:
    store = MemoryStore()
    harvest(store, [page("a")])
    publish(store)
    harvest(store, [page("x"), page("y")], NEIGHBOUR)
    publish(store, NEIGHBOUR)
    write_source_reports(store, reports(store, NEIGHBOUR, today=date(2026, 11, 14)))
    report = reports(store)
    assert (report.load.summoned_count, report.load.graph_urn_count, report.graph_stats.datasets) == (1, 1, 1)
    assert [row.date for row in report.growth] == ["2026-11-21"]


def test_a_release_under_another_organisation_is_counted_and_the_difference_is_said() -> None:
    store = MemoryStore()
    harvest(store, [page("a")])
    publish(store, org="before")
    report = reports(store)
    assert report.graph_stats.datasets == 1
    assert any("before" in note and "make a new release" in note for note in report.notes)


def test_settings_that_changed_since_the_harvest_are_said() -> None:
    store = MemoryStore()
    harvest(store, [page("a")], fingerprint="of other settings")
    assert any("settings changed" in note for note in reports(store).notes)


def test_a_partial_harvest_is_in_no_report() -> None:
    store = MemoryStore()
    harvest(store, [page("a"), page("b")], harvest_id=FIRST)
    harvest(store, [page("a")], harvest_id=SECOND, partial=True)
    assert reports(store).load.summoned_count == 2
