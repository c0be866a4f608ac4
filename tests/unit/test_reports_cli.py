"""``sheaf report``: the same reports on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sheaf.cli import report as command
from sheaf.config import accept_sources, accept_tenants
from sheaf.errors import BadInput
from sheaf.settings import Settings
from sheaf.store import MemoryStore, layout
from tests.unit.reports_stage import harvest, page, publish, trouble

SOURCES = b"""
sources:
- {name: iris, propername: IRIS, url: "https://iris.test/sitemap.xml", domain: "https://iris.test"}
"""
TENANTS = b"""
tenant:
- community: geocodesall
  name: GeoCODES
  graph: {main_namespace: main, summary_namespace: summary}
  sources: [all]
"""


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> MemoryStore:
    """A bucket with accepted configs and one published source, which the command line opens."""
    monkeypatch.chdir(tmp_path)
    bucket, settings = MemoryStore(), Settings.load()
    accept_sources(bucket, SOURCES, settings)
    accept_tenants(bucket, TENANTS, settings)
    harvest(bucket, [page("a"), trouble("b", "failed", "dns_error")])
    publish(bucket)
    monkeypatch.setattr("sheaf.cli.report.open_store", lambda _: bucket)
    return bucket


def run(*words: str) -> Result:
    """A command that must not fail."""
    return CliRunner().invoke(command.report, words, catch_exceptions=False)


def test_the_report_of_a_source_is_text_for_people_and_writes_nothing(store: MemoryStore) -> None:
    puts = store.puts
    done = run("source", "iris")
    assert done.exit_code == 0
    assert done.output.startswith("# IRIS (`iris`)")
    assert "`dns_error`" in done.output
    assert store.puts == puts


def test_every_report_is_one_json_object_when_asked_for(store: MemoryStore) -> None:
    load = json.loads(run("source", "iris", "--json").stdout)["load"]
    assert (load["summoned_count"], load["missing_sitemap_summon"]) == (1, ["https://iris.test/b"])
    assert json.loads(run("all", "--json").stdout)["sources"] == ["iris"]
    assert json.loads(run("tenant", "geocodesall", "--json").stdout)["sources"][0]["records"] == "1"


def test_write_stores_the_files_and_keeps_standard_output_for_the_report(store: MemoryStore) -> None:
    done = run("source", "iris", "--json", "--write")
    json.loads(done.stdout)
    assert f"wrote {layout.report('iris', 'graph_stats.json')}" in done.stderr
    run("all", "--write")
    run("tenant", "geocodesall", "--write")
    assert json.loads(store.get(layout.report("iris", "load_report_s3.json")))["bucket"] == "sheaf"
    assert len(store.get(layout.report_all("all_stats.csv")).splitlines()) == 2
    assert len(store.get(layout.report_tenant("geocodesall", "all_stats.csv")).splitlines()) == 2


@pytest.mark.parametrize(("words", "near"), [(("source", "irsi"), "iris"), (("tenant", "geocodeall"), "geocodesall")])
def test_a_name_that_does_not_exist_is_refused_with_near_names(
    store: MemoryStore, words: tuple[str, ...], near: str
) -> None:
    with pytest.raises(BadInput, match=near):
        run(*words)
