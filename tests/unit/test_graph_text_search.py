"""Queries of search pages that were written for Blazegraph, on our server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from sheaf.graph.server.text_search import rewritten
from tests.graph_web import BASE, WRITE, create
from tests.graphs import server_in_thread

ROWS = {
    "1": ("Coral reefs of Norway", "Cold-water corals along the shelf."),
    "2": ("Sea ice", "Observations of ice; the coral is only mentioned in a very long description of other things."),
    "3": ("Reef fish", "Fish, counted by divers near Ålesund."),
    "4": ("Corallimorphs", "No word of that name stands alone."),
}

# As the search page of an EarthCube portal asks its summary namespace.
PORTAL = """PREFIX bds: <http://www.bigdata.com/rdf/search#>
PREFIX schema: <https://schema.org/>
SELECT DISTINCT ?g ?name ?description ?resourceType (MAX(?score1) AS ?score)
WHERE {
    ?lit bds:search "${q}" .
    ?lit bds:matchAllTerms %s .
    ?lit bds:relevance ?score1 .
    ?lit bds:minRelevance 0.14 .
    ?g ?p ?lit .
    ?g schema:name ?name .
    ?g schema:description ?description .
    BIND (IF (EXISTS {?g a schema:Dataset .}, "data", "tool") AS ?resourceType) .
    OPTIONAL {?g schema:date ?datep .}
}
GROUP BY ?g ?name ?description ?resourceType
ORDER BY DESC(?score)"""


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder: Path = tmp_path_factory.mktemp("search")
    with server_in_thread(folder) as root, httpx.Client(base_url=root, timeout=30) as client:
        create(client, "geo")
        lines = []
        for number, (name, description) in ROWS.items():
            graph = f"<urn:{number}>"
            lines.append(f'{graph} <https://schema.org/name> "{name}" {graph} .\n')
            lines.append(f'{graph} <https://schema.org/description> "{description}" {graph} .\n')
            kind = "<http://www.w3.org/1999/02/22-rdf-syntax-ns#type>"
            lines.append(f"{graph} {kind} <https://schema.org/Dataset> {graph} .\n")
        body = "".join(lines).encode()
        client.post(f"{BASE}/store", content=body, headers=WRITE | {"Content-Type": "text/x-nquads"}).raise_for_status()
        yield client


def found(web: httpx.Client, query: str) -> list[str]:
    response = web.get(f"{BASE}/sparql", params={"query": query})
    assert response.status_code == 200, response.text
    return [row["g"]["value"].removeprefix("urn:") for row in response.json()["results"]["bindings"]]


@pytest.mark.parametrize(
    ("words", "every", "expected"),
    [
        ("coral", "false", ["1", "2"]),
        ("coral", '"false"', ["1", "2"]),
        ("CORAL ice", "false", ["1", "2"]),
        ("coral ice", "true", ["2"]),
        ("coral*", "false", ["1", "2", "4"]),
        ("ålesund", "false", ["3"]),
        ("cold-water", "true", ["1"]),
        ("nothing", "false", []),
        ("", "false", []),
        ('say \\"coral\\" \\\\ (.*', "false", ["1", "2"]),
    ],
)
def test_a_portals_search_finds_whole_words(web: httpx.Client, words: str, every: str, expected: list[str]) -> None:
    assert sorted(found(web, PORTAL.replace("${q}", words) % every)) == expected


def test_the_best_match_comes_first(web: httpx.Client) -> None:
    assert found(web, PORTAL.replace("${q}", "coral") % "false")[0] == "1"
    assert found(web, PORTAL.replace("${q}", "reef fish") % "false")[0] == "3"


def test_parts_with_semicolons_groups_unions_and_hints_are_understood(web: httpx.Client) -> None:
    query = """SELECT DISTINCT ?g WHERE {
        hint:Query hint:optimizer "None" .
        { ?lit bds:search "ice"@en ; bds:matchAllTerms "true" ; bds:rank ?rank . GRAPH ?g { ?s ?p ?lit } }
        UNION
        { ?lit bds:search "fish" ; ^<https://schema.org/name> ?g . }
    } ORDER BY ?g"""
    assert found(web, query) == ["2", "3"]


def test_an_exact_match_is_the_words_in_that_order(web: httpx.Client) -> None:
    query = 'SELECT ?g WHERE { ?lit bds:search "of norway" ; bds:matchExact "true" . ?g ?p ?lit }'
    assert found(web, query) == ["1"]


def test_a_query_that_only_speaks_of_searching_is_left_alone() -> None:
    for query in (
        "SELECT * WHERE { ?s ?p ?o }",
        "SELECT * WHERE { ?s ?p 'bds:search' } # ?lit bds:search 'x' .",
        "PREFIX bds: <http://www.bigdata.com/rdf/search#> SELECT * WHERE { ?s ?p ?o }",
    ):
        assert rewritten(query) == query
