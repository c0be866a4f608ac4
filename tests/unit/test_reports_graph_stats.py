"""The seven counts over a release's graphs, against SPARQL where the older queries were right."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Iterator
from datetime import date
from typing import Any

import pyoxigraph as ox
import pytest

from sheaf.errors import TemporaryFault
from sheaf.release import published
from sheaf.reports.graph_stats import GraphStats, count_source, source_stats
from sheaf.reports.graphs import read_graphs
from sheaf.reports.subjects import subject_counts
from sheaf.store import MemoryStore, layout
from tests.unit.reports_stage import harvest, page, publish, reports, text

REPORTS = [
    "triple_count", "dataset_count", "type_count", "kw_count", "variablename_count", "version_count",
    "graph_sizes_count",
]  # fmt: skip
TYPE = "<http://www.w3.org/1999/02/22-rdf-syntax-ns#type>"


def stats_of(*documents: str) -> GraphStats:
    """The statistics of a published release of these documents."""
    store = MemoryStore()
    harvest(store, [page(f"p{number}", document) for number, document in enumerate(documents)])
    publish(store)
    return reports(store).graph_stats


def counts(stats: GraphStats, report: str) -> dict[Any, Any]:
    """A report's rows of two columns as a dictionary."""
    return dict(tuple(row.values()) for row in stats.rows(report))


def test_the_file_has_the_seven_reports_with_the_keys_that_dashboards_read() -> None:
    store = MemoryStore()
    harvest(store, [page("a")])
    publish(store)
    told = json.loads(reports(store).files()["graph_stats.json"])
    assert list(told) == ["version", "repo", "date", "reports"]
    assert (told["version"], told["repo"], told["date"]) == (0, "iris", "2026-11-21")
    assert [each["report"] for each in told["reports"]] == REPORTS
    for each in told["reports"]:
        assert list(each) == ["report", "processing_time", "length", "data"]
        assert each["length"] == len(each["data"])


def test_the_columns_keep_the_names_of_the_older_queries() -> None:
    measured = {"@type": "PropertyValue", "name": "temperature"}
    parts = [{"@id": f"https://iris.test/part{number}", "version": str(number)} for number in (1, 2)]
    stats = stats_of(text("a", keywords="sea", variableMeasured=measured, hasPart=parts))
    columns = {name: list(stats.rows(name)[0]) for name in REPORTS}
    assert columns == {
        "triple_count": ["tripelcount"],
        "dataset_count": ["datasetcount"],
        "type_count": ["type", "scount"],
        "kw_count": ["keyword", "scount"],
        "variablename_count": ["variableName", "scount"],
        "version_count": ["g", "versionscount"],
        "graph_sizes_count": ["triple_per_jsonld", "count"],
    }


def test_the_counts_are_those_that_sparql_finds_in_the_documents_graphs() -> None:
    shared = {"@id": "https://orcid.org/1", "@type": "Person", "name": "Ada"}
    documents = [
        text("a", creator=[shared, {"@type": "Person", "name": "Bob"}], keywords=["sea", "ice"]),
        text(
            "b", creator=[shared], keywords=["sea", "air"], variableMeasured=[{"@type": "PropertyValue", "name": "t"}]
        ),
        text("c", creator=[{"@type": "Person", "name": "Bob"}], variableMeasured=[{"name": "t"}, {"name": "p"}]),
    ]
    store = MemoryStore()
    harvest(store, [page(f"p{number}", document) for number, document in enumerate(documents)])
    publish(store)
    stats = reports(store).graph_stats
    graphs = ox.Store()
    graphs.bulk_load(store.get(layout.latest_release("iris")), format=ox.RdfFormat.N_QUADS)

    def ask(what: str, where: str) -> dict[Any, Any]:
        query = f"""PREFIX s: <https://schema.org/> SELECT {what} {{
            GRAPH ?g {{ {where} }} FILTER(STRSTARTS(STR(?g), "urn:gleaner.io:sheaf:iris:data:")) }}"""
        grouped = query + (" GROUP BY ?v" if "?v" in what else "")
        found = graphs.query(grouped)
        assert isinstance(found, ox.QuerySolutions)
        rows = [[term.value for term in row] for row in found]  # type: ignore[union-attr]
        return {row[0] if len(row) == 2 else "": int(row[-1]) for row in rows}

    distinct = "?v (COUNT(DISTINCT ?s) AS ?n)"
    assert {"": stats.triples} == ask("(COUNT(*) AS ?n)", "?s ?p ?o")
    assert {"": stats.datasets} == ask("(COUNT(*) AS ?n)", "?s a s:Dataset")
    assert counts(stats, "type_count") == ask(distinct, "?s a ?v")
    assert counts(stats, "kw_count") == ask(distinct, "?s s:keywords ?v")
    assert counts(stats, "variablename_count") == ask(distinct, "?s s:variableMeasured/s:name ?v")
    assert counts(stats, "type_count")["https://schema.org/Person"] == 3


def test_http_and_https_schema_org_are_counted_as_one() -> None:
    stats = stats_of(
        text("a", keywords=["sea", "ice"]), text("b", schema="http://schema.org/", keywords=["sea", "ice"])
    )
    assert stats.datasets == 2
    assert counts(stats, "type_count") == {"https://schema.org/Dataset": 2}
    assert counts(stats, "kw_count") == {"ice": 2, "sea": 2}


def test_a_single_text_of_keywords_is_delimited_by_commas_and_several_are_taken_as_they_are() -> None:
    stats = stats_of(text("a", keywords="sea, ice ,, sea"), text("b", keywords=["sea", "Earth, wind and fire"]))
    assert counts(stats, "kw_count") == {"sea": 2, "Earth, wind and fire": 1, "ice": 1}


def test_keywords_that_are_terms_count_by_their_names() -> None:
    terms = [
        {"@type": "DefinedTerm", "name": "sea"},
        {"@id": "https://vocab.test/ice", "name": "ice"},
        {"@id": "https://vocab.test/air"},
        {"@type": "DefinedTerm"},
    ]
    assert counts(stats_of(text("a", keywords=terms)), "kw_count") == {"sea": 1, "ice": 1, "https://vocab.test/air": 1}


def test_a_variable_may_be_a_text_or_a_node_with_a_name() -> None:
    measured = ["salinity", {"@type": "PropertyValue", "name": "temperature"}, {"@type": "PropertyValue"}]
    assert counts(stats_of(text("a", variableMeasured=measured)), "variablename_count") == {
        "salinity": 1,
        "temperature": 1,
    }


def test_a_variable_is_never_named_by_another_document() -> None:
    first = text("a", variableMeasured={"@id": "https://vocab.test/t"})
    second = text("b", about={"@id": "https://vocab.test/t", "name": "temperature"})
    assert stats_of(first, second).rows("variablename_count") == ()


def test_only_graphs_with_several_versioned_things_are_listed_with_their_number() -> None:
    parts = [{"@id": f"https://iris.test/part{number}", "version": str(number)} for number in (1, 2)]
    assert stats_of(text("a", version="1"), text("b", hasPart=parts)).rows("version_count") == (
        {"g": "urn:gleaner.io:sheaf:iris:data:id-p1", "versionscount": 2},
    )


def test_the_sizes_of_graphs_are_a_histogram_with_the_most_frequent_size_first() -> None:
    stats = stats_of(text("a"), text("b"), text("c", keywords="sea"))
    assert stats.rows("graph_sizes_count") == (
        {"triple_per_jsonld": 2, "count": 2},
        {"triple_per_jsonld": 3, "count": 1},
    )


def test_texts_come_out_without_the_escapes_of_n_quads() -> None:
    stats = stats_of(text("a", keywords=['a "quoted"\\word', "two\nlines", "Ünï 💧", "tab\there"]))
    assert set(counts(stats, "kw_count")) == {'a "quoted"\\word', "two\nlines", "Ünï 💧", "tab\there"}


def test_quads_of_a_neighbour_and_of_the_catalogue_are_passed_over() -> None:
    wanted = "urn:gleaner.io:o:iris:data:1"
    names = [
        "urn:gleaner.io:o:iris2:data:1",
        wanted,
        "urn:gleaner.io:o:iris:datacatalog",
        "urn:gleaner.io:o:x:data:iris",
    ]
    lines = [f"<https://x.test/a> {TYPE} <https://schema.org/Dataset> <{name}> .\n".encode() for name in names]
    assert [facts.graph for facts in read_graphs(lines, "o", "iris")] == [wanted]


def test_equal_documents_give_equal_bytes_in_whatever_order_they_came() -> None:
    documents = [page(name, text(name, keywords=[name, "sea"])) for name in "abc"]
    files = []
    for rows in (documents, documents[::-1]):
        store = MemoryStore()
        harvest(store, rows)
        publish(store)
        files.append(reports(store).files())
    assert files[0] == files[1]


def test_memory_does_not_grow_with_the_number_of_graphs() -> None:
    def lines(graphs: int) -> Iterator[bytes]:
        for number in range(graphs):
            end = f"<urn:gleaner.io:o:iris:data:{number:040x}> .\n"
            subject = f"<https://x.test/{number}>"
            yield f"{subject} {TYPE} <https://schema.org/Dataset> {end}".encode()
            yield f'{subject} <https://schema.org/keywords> "word {number % 9}" {end}'.encode()

    peaks = []
    for graphs in (5_500, 16_500):
        tracemalloc.start()
        with subject_counts() as subjects:
            tally = count_source("iris", read_graphs(lines(graphs), "o", "iris"), subjects)
            stats = source_stats("iris", tally, subjects, date(2026, 11, 21))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert counts(stats, "type_count") == {"https://schema.org/Dataset": graphs}
    assert peaks[1] < 1.2 * peaks[0]


def test_a_release_file_that_breaks_off_is_no_result() -> None:
    store = MemoryStore()
    harvest(store, [page("a")])
    publish(store)
    pointer = published(store, "iris")
    assert pointer is not None
    key = layout.release_file("iris", pointer.release_id, "release.nq.gz")
    store.put(key, gzip.compress(b"x" * 10_000)[:-9])
    with pytest.raises(TemporaryFault, match=r"breaks off or is damaged.*make the release again"):
        reports(store)
