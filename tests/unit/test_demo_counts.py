"""The counts that a harvest of the demo site must reach follow from what it serves; scripts and configs are sound."""

from __future__ import annotations

import gzip
import re
from html import unescape
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import yaml

from sheaf.config import load_sources, load_tenants
from sheaf.demo import RunningSite, demo_configs, expected, load_site, serve
from sheaf.demo.configs import DEMO_BASE, site_configs, site_sources
from sheaf.demo.listings import found_pages
from sheaf.demo.load import fill, overlay
from sheaf.demo.table import PAGE, with_tables
from sheaf.errors import BadInput


def listed_urls(running: RunningSite, path: str, above: frozenset[str] = frozenset()) -> set[str]:
    """The URLs that a lenient reader of our own finds from one listing down; only as good as these tests need."""
    body = httpx.get(running.url + path, timeout=10)
    if body.status_code != 200 or "html" in body.headers["content-type"]:
        return set()
    data = gzip.decompress(body.content) if path.endswith(".gz") else body.content
    text = data.decode("latin-1" if b"ISO-8859-1" in data[:80] else "utf-8")
    if path.endswith(".txt"):
        return set(text.split())
    found = {unescape(one.strip()) for one in re.findall(r"<(?:loc|link)>(.*?)</(?:loc|link)>", text, re.DOTALL)}
    found |= set(re.findall(r'<link href="([^"]*)"/>', text))
    if "<sitemapindex" not in text:
        return found
    above |= {path}
    children = {urlsplit(url).path for url in found} - above
    return {url for child in children for url in listed_urls(running, child, above)}


# --- the expected counts ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["demo", "fieldnotes"])
def test_the_pages_that_are_expected_are_those_that_the_served_listings_name(name: str) -> None:
    with serve(load_site(name)) as running:
        for day in range(running.site.day_count):
            running.set_day(day)
            for source in running.site.sources:
                if source.sourcetype == "sitegraph":
                    continue
                served = set().union(*(listed_urls(running, path) for path in source.entries))
                assert served == {running.url + page.path for page in found_pages(source, day)}, (source.name, day)


@pytest.mark.parametrize("name", ["demo", "fieldnotes"])
def test_each_page_expected_to_fail_by_status_does_and_each_stored_one_answers_200(name: str) -> None:
    site = load_site(name)
    for source in site.sources:
        for page in source.pages:
            for day in range(site.day_count):
                today, last = page.on(day), page.on(day).answers[-1]
                reason = today.expect[0].reason
                if reason.startswith("http_"):
                    assert reason.startswith(f"http_{last.status}_"), page.path
                elif any(expect.documents for expect in today.expect):
                    assert (last.status, last.reset_after, last.endless) == (200, None, False), page.path
                    assert last.redirect or last.scripts, page.path


def test_a_document_is_expected_for_each_one_that_is_written() -> None:
    for name in ("demo", "fieldnotes"):
        site = load_site(name)
        for source in site.sources:
            for day in range(site.day_count):
                rows = expected(site, source.name, day).rows
                assert all(row.document for row in rows if row.state in ("stored", "unchanged")), source.name
                assert not any(row.document for row in rows if row.state in ("gone", "no_jsonld", "invalid_jsonld"))


def test_the_counts_of_a_source_that_changes_overnight() -> None:
    site = load_site("demo")
    first, second = expected(site, "nitrogen", 0), expected(site, "nitrogen", 1)
    assert (first.urls, first.documents, first.states, first.new) == (40, 40, {"stored": 40}, 40)
    assert (second.urls, second.documents, second.new, second.changed) == (40, 40, 1, 1)
    assert second.states == {"gone": 1, "stored": 2, "unchanged": 38}
    assert second.reasons == {"left_sitemap": 1, "not_modified": 38}


def test_the_failing_source_loses_eight_pages_and_keeps_its_last_good_copy() -> None:
    site = load_site("demo")
    first, second = expected(site, "brackish", 0), expected(site, "brackish", 1)
    assert (first.urls, first.documents) == (40, 32)
    assert sum(first.losses.values()) == 8
    assert first.states["failed"] / first.urls < 0.25
    kept = [row for row in second.rows if row.path == "/brackish/deployment/039"]
    before = [row for row in first.rows if row.path == "/brackish/deployment/039"]
    assert (kept[0].state, kept[0].document) == ("failed", before[0].document)
    assert second.documents == 33


def test_a_first_harvest_on_a_later_day_stores_everything_it_finds() -> None:
    fresh = expected(load_site("demo"), "nitrogen", 1, since=1)
    assert (fresh.states, fresh.reasons, fresh.new) == ({"stored": 40}, {}, 40)
    with pytest.raises(ValueError, match="cannot be later"):
        expected(load_site("demo"), "nitrogen", 0, since=1)


def test_a_sitemap_that_shrinks_or_fails_deletes_nothing() -> None:
    site = load_site("fieldnotes")
    assert expected(site, "shrinking", 1).reasons == {"not_modified": 2, "shrink_limit": 18}
    assert expected(site, "broken-children", 1).reasons == {"discovery_incomplete": 4, "not_modified": 3}
    down = expected(site, "sitemap-down", 1)
    assert (down.fails, down.complete, down.documents) == (True, False, 4)
    assert expected(site, "sitemap-down", 2).states == {"unchanged": 4}


def test_one_text_on_two_pages_is_one_document_and_a_clash_is_as_many_as_it_has_texts() -> None:
    site = load_site("fieldnotes")
    first, second = expected(site, "identity", 0), expected(site, "identity", 1)
    assert (first.states, first.documents) == ({"stored": 11}, 10)
    assert (second.states, second.documents) == ({"gone": 1, "unchanged": 10}, 9)
    assert second.reasons["document_left_page"] == 1


def test_a_browser_finds_the_document_that_javascript_makes() -> None:
    site = load_site("fieldnotes")
    plain, rendered = expected(site, "extraction", 0), expected(site, "extraction", 0, rendered=True)
    assert rendered.documents == plain.documents + 1
    assert rendered.states["no_jsonld"] == plain.states["no_jsonld"] - 1


def test_the_tables_of_the_docs_hold_the_counts_of_the_scripts() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert with_tables(text) == text, "run python -m sheaf.demo.table"
    assert "| brackish | 0 | 40 | 32 |" in text


# --- the configs --------------------------------------------------------------------------------------------------


def test_the_demos_configs_name_the_sources_of_the_script_at_the_address_asked_for() -> None:
    sources, tenants = demo_configs("http://127.0.0.1:4711/")
    assert DEMO_BASE not in sources + tenants
    written = yaml.safe_load(sources)["sources"]
    for entry, scripted in zip(written, site_sources(load_site("demo"), "http://127.0.0.1:4711"), strict=True):
        assert {key: entry.get(key) for key in scripted} == scripted
    members = {tenant["community"]: tenant["sources"] for tenant in yaml.safe_load(tenants)["tenant"]}
    assert members == {"everything": ["all"], "coastal": ["nitrogen", "brackish", "tidewatch"]}


@pytest.mark.parametrize("name", ["demo", "fieldnotes"])
def test_the_configs_are_accepted_without_a_warning(name: str) -> None:
    site, base = load_site(name), "http://127.0.0.1:4711"
    sources_text, tenants_text = demo_configs(base) if name == "demo" else site_configs(site, base)
    sources = load_sources(sources_text.encode())
    names = [source.name for source in sources.config.sources]
    tenants = load_tenants(tenants_text.encode(), names)
    assert (sources.warnings, tenants.warnings) == ((), ())
    assert names == [source.name for source in site.sources]
    assert {tenant.community for tenant in tenants.config.tenant} == {one["community"] for one in site.tenants}


def test_configs_made_from_a_script_hold_each_source_and_a_namespace_for_each_tenant() -> None:
    site = load_site("fieldnotes")
    sources, tenants = (yaml.safe_load(text) for text in site_configs(site, "http://127.0.0.1:4711"))
    assert [entry["name"] for entry in sources["sources"]] == [source.name for source in site.sources]
    assert all(entry["crawl_delay_cap"] == 0.01 for entry in sources["sources"])
    assert tenants["tenant"][0]["graph"] == {
        "main_namespace": "fieldnotes",
        "summary_namespace": "fieldnotes_summary",
    }


# --- how scripts are read -----------------------------------------------------------------------------------------


def test_placeholders_keep_types_when_alone_and_the_base_for_later() -> None:
    values = {"depth": 850, "basin": {"name": "Sargasso Sea"}}
    assert fill({"a": "${depth}", "b": "${depth} m, ${basin.name}", "c": ["${base}/x"]}, values) == {
        "a": 850,
        "b": "850 m, Sargasso Sea",
        "c": ["${base}/x"],
    }
    with pytest.raises(ValueError, match="sea"):
        fill("${sea}", values)


def test_an_overlay_merges_mappings_and_replaces_the_rest() -> None:
    base = {"a": {"x": 1, "y": 2}, "b": [1, 2]}
    assert overlay(base, {"a": {"y": 3}, "b": [4]}) == {"a": {"x": 1, "y": 3}, "b": [4]}
    assert base == {"a": {"x": 1, "y": 2}, "b": [1, 2]}


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ({"path": "/a", "statsu": 404}, "unknown key 'statsu'"),
        ({"path": "/a", "expect": {"state": "stored", "reason": "tired"}}, "unknown reason 'tired'"),
        ({"path": "/a", "expect": {"state": "lost"}}, "unknown state 'lost'"),
        ({"path": "/a", "dataset": "nothing"}, "no template 'nothing'"),
        ({"path": "/a/${m}"}, "names nothing"),
        ({"path": "/a", "days": {5: {"status": 500}}}, "day 5"),
        ({"path": "/a", "repeat": 2}, "written twice"),
    ],
)
def test_a_script_with_a_mistake_is_refused_with_its_file_and_place(
    tmp_path: Path, page: dict[str, object], message: str
) -> None:
    (tmp_path / "site.yaml").write_text("{name: t, base: 'http://t', day_count: 2, sources: [one]}")
    source = {"name": "one", "title": "One", "url": "/s.xml", "listings": [{"path": "/s.xml"}], "pages": [page]}
    (tmp_path / "one.yaml").write_text(yaml.safe_dump(source))
    with pytest.raises(BadInput, match=re.escape(message)) as caught:
        load_site(str(tmp_path))
    assert str(tmp_path) in str(caught.value)
    assert "one" in str(caught.value)


def test_a_site_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(BadInput, match="demo, fieldnotes"):
        load_site("nowhere")
