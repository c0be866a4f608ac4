"""``sheaf graph ...`` on a real graph server, with the objects in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sheaf.cli import graph as module
from sheaf.config import accept_sources, accept_tenants
from sheaf.errors import BadInput
from sheaf.graph import GraphChanges, GraphStore
from sheaf.settings import Settings
from tests.graphs import ORG, Releases, document, held, own_store

SOURCES = """
sources:
- {name: iris, url: https://example.org/sitemap.xml}
- {name: nitrogen, url: https://example.org/nitrogen.xml}
"""
TENANTS = """
tenant:
- community: geo
  graph: {main_namespace: geo, summary_namespace: geo_summary}
  sources: [all]
"""
Run = Callable[..., Result]


@dataclass
class Bench:
    run: Run
    releases: Releases
    graphs: GraphStore


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    releases = Releases()
    settings = Settings(org=ORG, graph_type="sheaf")
    accept_sources(releases.store, SOURCES.encode(), settings)
    accept_tenants(releases.store, TENANTS.encode(), settings)
    releases.publish("iris", {document("iris", n): f"title {n}" for n in range(4)})
    with own_store(tmp_path / "graph") as graphs:
        monkeypatch.setattr(module.Settings, "load", classmethod(lambda cls: settings))
        monkeypatch.setattr(module, "open_store", lambda settings: releases.store)
        monkeypatch.setattr(module, "open_graph_store", lambda settings: graphs)

        def run(*arguments: str, typed: str = "") -> Result:
            return CliRunner().invoke(module.graph, arguments, input=typed)

        yield Bench(run, releases, graphs)


def test_reconcile_prints_what_it_did_and_the_second_time_that_there_was_nothing(bench: Bench) -> None:
    first = bench.run("reconcile", "geo")
    assert first.exit_code == 0, first.output
    assert "geo: 5 graphs, 16 triples of 1 sources; 5 added, 0 changed, 0 removed in 1 batches" in first.output
    assert "waiting for their first release: nitrogen" in first.output
    assert held(bench.graphs, "geo") == bench.releases.expected("iris")
    second = json.loads(bench.run("reconcile", "geo", "--json").output)
    assert second["main"]["unchanged"]
    assert second["main"]["batches"] == 0


def test_status_says_what_is_loaded_and_what_is_behind(bench: Bench) -> None:
    bench.run("reconcile", "geo")
    newer = bench.releases.publish("iris", {document("iris", 1): "new"})
    rows = json.loads(bench.run("status", "geo", "--json").output)
    main = {row["source"]: row for row in rows if row["namespace"] == "geo"}
    assert (main["iris"]["state"], main["iris"]["published"], main["iris"]["triples"]) == ("behind", newer, 16)
    assert main["nitrogen"]["state"] == "waiting for a release"
    assert "behind" in bench.run("status", "geo").output


def test_verify_ends_with_1_when_anything_differs_and_names_it(bench: Bench) -> None:
    bench.run("reconcile", "geo")
    assert bench.run("verify", "geo").exit_code == 0
    lost = sorted(bench.releases.held["iris"])[0]
    bench.graphs.apply("geo", GraphChanges(drop=(lost,)))
    result = bench.run("verify", "geo")
    assert result.exit_code == 1
    assert f"geo: iris {lost}: is missing" in result.output
    assert "geo_summary: 0 differences" in result.output


def test_drop_wants_the_tenants_name_typed(bench: Bench) -> None:
    bench.run("reconcile", "geo")
    refused = bench.run("drop", "geo", typed="yes\n")
    assert isinstance(refused.exception, BadInput)
    assert bench.graphs.exists("geo")
    assert bench.run("drop", "geo", typed="geo\n").exit_code == 0
    assert not bench.graphs.exists("geo")
    assert not bench.graphs.exists("geo_summary")
    assert "was not there" in bench.run("drop", "geo", "--yes").output


def test_query_prints_a_table_csv_or_json(bench: Bench) -> None:
    bench.run("reconcile", "geo")
    names = "SELECT ?n WHERE { ?s <https://schema.org/name> ?n } ORDER BY ?n"
    assert "title 3" in bench.run("query", "geo", names).output
    csv = bench.run("query", "geo", "--summary", "--format", "csv", names).output
    assert csv.split() == ["n", "title", "0", "title", "1", "title", "2", "title", "3"]
    from_input = bench.run("query", "geo", "--format", "json", "-", typed=names)
    assert len(json.loads(from_input.output)["results"]["bindings"]) == 4
    assert bench.run("query", "geo", "ASK { ?s ?p 'none' }").output == "no\n"


def test_an_unknown_tenant_is_refused_with_near_names(bench: Bench) -> None:
    result = bench.run("status", "goe")
    assert isinstance(result.exception, BadInput)
    assert "geo" in str(result.exception)


def test_a_read_token_is_made_for_private_tenants_only(bench: Bench) -> None:
    assert isinstance(bench.run("token", "geo").exception, BadInput)
    private = TENANTS + "  visibility: private\n"
    accept_tenants(bench.releases.store, private.encode(), Settings(org=ORG))
    bench.run("reconcile", "geo")
    token = bench.run("token", "geo").output.strip()
    assert len(token) > 20


def test_a_backup_is_restored_into_empty_namespaces_only(bench: Bench, tmp_path: Path) -> None:
    bench.run("reconcile", "geo")
    folder = str(tmp_path / "backup")
    assert "geo.nq.gz" in bench.run("backup", "geo", folder).output
    refused = bench.run("restore", "geo", folder)
    assert isinstance(refused.exception, BadInput)
    assert "is not empty" in str(refused.exception)
    bench.run("drop", "geo", "--yes")
    assert bench.run("restore", "geo", folder).exit_code == 0
    assert held(bench.graphs, "geo") == bench.releases.expected("iris")
    assert json.loads(bench.run("reconcile", "geo", "--json").output)["main"]["unchanged"]
    assert bench.run("verify", "geo").exit_code == 0


def test_a_tenant_that_left_the_config_is_dropped_with_a_persons_word_only(bench: Bench) -> None:
    bench.run("reconcile", "geo")
    bench.graphs.ensure("somebody_elses")
    assert "belongs to a tenant" in bench.run("leftovers", "--drop", "--yes").output
    accept_tenants(bench.releases.store, TENANTS.replace("geo", "soil").encode(), Settings(org=ORG))
    listed = bench.run("leftovers").output
    assert "geo: 25 triples of geo" in listed
    assert "somebody_elses" not in listed
    assert "kept" in bench.run("leftovers", "--drop", typed="no\nno\n").output
    assert bench.graphs.exists("geo")
    assert bench.run("leftovers", "--drop", "--yes").output.count("dropped") == 2
    assert bench.graphs.namespaces() == ["somebody_elses"]
