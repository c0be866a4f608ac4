"""The graph server over real HTTP: SPARQL 1.1 Protocol and Graph Store Protocol."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.graph_web import BASE, DATA, G1, G2, NAMES, WRITE, ask, geo, update
from tests.graphs import server_in_thread


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("server") / "graph"


@pytest.fixture(scope="module")
def root(folder: Path) -> Iterator[str]:
    with server_in_thread(folder) as url:
        yield url


@pytest.fixture
def web(root: str) -> Iterator[httpx.Client]:
    with geo(root) as client:
        yield client


# ---------------------------------------------------------------- query


def test_a_query_without_a_dataset_sees_all_graphs_as_one(web: httpx.Client) -> None:
    assert ask(web, NAMES) == ["bee", "Ærø"]


def test_a_query_by_get_by_form_and_directly_is_the_same_query(web: httpx.Client) -> None:
    by_get = web.get(f"{BASE}/sparql", params={"query": NAMES})
    by_form = web.post(f"{BASE}/sparql", data={"query": NAMES})
    direct = {"Content-Type": "application/sparql-query; charset=utf-8"}
    directly = web.post(f"{BASE}/sparql", content=NAMES.encode(), headers=direct)
    assert by_get.json() == by_form.json() == directly.json()
    assert by_get.headers["content-type"] == "application/sparql-results+json"


@pytest.mark.parametrize(
    ("accept", "content_type", "begins"),
    [
        ("application/sparql-results+json", "application/sparql-results+json", b'{"head"'),
        ("application/sparql-results+xml", "application/sparql-results+xml", b"<?xml"),
        ("text/csv", "text/csv; charset=utf-8", b"n\r\n"),
        ("text/tab-separated-values", "text/tab-separated-values; charset=utf-8", b"?n\n"),
        ("application/json", "application/json", b'{"head"'),
        ("text/html, text/csv;q=0.3, */*;q=0.2", "text/csv; charset=utf-8", b"n\r\n"),
        ("*/*", "application/sparql-results+json", b'{"head"'),
        ("text/csv;q=0, */*", "application/sparql-results+json", b'{"head"'),
    ],
)
def test_solutions_come_as_the_client_accepts_them(
    web: httpx.Client, accept: str, content_type: str, begins: bytes
) -> None:
    response = web.get(f"{BASE}/sparql", params={"query": NAMES}, headers={"Accept": accept})
    assert response.headers["content-type"] == content_type
    assert response.content.startswith(begins)


@pytest.mark.parametrize(
    ("accept", "contains"),
    [
        ("application/n-triples", b'<https://e.org/b> <https://schema.org/name> "bee"@en .'),
        ("text/turtle", b'<https://e.org/b> <https://schema.org/name> "bee"@en'),
        ("application/n-quads", b'<https://e.org/b> <https://schema.org/name> "bee"@en .'),
        ("application/ld+json", b'"@id":"https://e.org/b"'),
        ("application/rdf+xml", b"rdf:RDF"),
    ],
)
def test_a_construct_comes_as_the_client_accepts_it(web: httpx.Client, accept: str, contains: bytes) -> None:
    query = "CONSTRUCT { ?s ?p ?o } WHERE { ?s ?p ?o }"
    response = web.get(f"{BASE}/sparql", params={"query": query}, headers={"Accept": accept})
    assert response.headers["content-type"].startswith(accept)
    assert contains in response.content


def test_a_format_that_nobody_can_write_is_refused_with_the_list_of_those_there_are(web: httpx.Client) -> None:
    response = web.get(f"{BASE}/sparql", params={"query": NAMES}, headers={"Accept": "image/png"})
    assert response.status_code == 406
    assert "text/csv" in response.text


def test_the_format_parameter_of_blazegraphs_clients_wins_over_accept(web: httpx.Client) -> None:
    response = web.get(f"{BASE}/sparql", params={"query": NAMES, "format": "json"}, headers={"Accept": "text/html"})
    assert response.json()["head"]["vars"] == ["n"]


def test_ask_answers_a_boolean(web: httpx.Client) -> None:
    assert web.get(f"{BASE}/sparql", params={"query": "ASK { ?s ?p 'no such' }"}).json()["boolean"] is False


def test_default_graph_uri_and_named_graph_uri_choose_the_dataset(web: httpx.Client) -> None:
    assert ask(web, NAMES, **{"default-graph-uri": G2}) == ["bee"]
    assert ask(web, NAMES, **{"default-graph-uri": [G1, G2]}) == ["bee", "Ærø"]
    graphs = "SELECT ?g WHERE { GRAPH ?g { ?s <https://schema.org/name> ?n } }"
    assert ask(web, graphs, **{"named-graph-uri": G1}) == [G1]
    assert ask(web, NAMES, **{"named-graph-uri": G1}) == []


def test_from_in_the_query_chooses_the_dataset_and_the_protocols_wins_over_it(web: httpx.Client) -> None:
    query = f"SELECT ?n FROM <{G1}> WHERE {{ ?s <https://schema.org/name> ?n }}"
    assert ask(web, query) == ["Ærø"]
    assert ask(web, query, **{"default-graph-uri": G2}) == ["bee"]


@pytest.mark.parametrize(
    "params",
    [
        {"query": "SELECT nonsense"},
        {"query": [NAMES, NAMES]},
        {"query": NAMES, "default-graph-uri": "not an iri"},
        {"query": NAMES, "update": "CLEAR ALL"},
        {"update": "CLEAR ALL"},
    ],
    ids=["malformed", "twice", "bad dataset", "query and update", "update by GET"],
)
def test_a_request_the_protocol_forbids_is_a_400_with_words(web: httpx.Client, params: dict[str, Any]) -> None:
    response = web.get(f"{BASE}/sparql", params=params, headers=WRITE)
    assert response.status_code == 400
    assert len(response.text) > 20
    assert ask(web, NAMES) == ["bee", "Ærø"]


def test_a_malformed_query_is_answered_with_the_parsers_message(web: httpx.Client) -> None:
    response = web.get(f"{BASE}/sparql", params={"query": "SELECT * WHERE { ?s ?p"})
    assert response.status_code == 400
    assert "error at 1:" in response.text


def test_other_content_types_and_methods_are_refused(web: httpx.Client) -> None:
    typed = {"Content-Type": "text/yaml"}
    assert web.post(f"{BASE}/sparql", content=NAMES, headers=typed).status_code == 415
    assert web.put(f"{BASE}/sparql", content=NAMES).status_code == 405
    latin = {"Content-Type": "application/sparql-query"}
    assert web.post(f"{BASE}/sparql", content="ASK {'\xe6'}".encode("latin-1"), headers=latin).status_code == 400


def test_a_namespace_that_is_not_there_is_a_404(web: httpx.Client) -> None:
    assert web.get("/blazegraph/namespace/ge/sparql", params={"query": NAMES}).status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * WHERE { SERVICE <http://127.0.0.1:9/> { ?s ?p ?o } }",
        "SELECT * WHERE { service silent <http://127.0.0.1:9/> { ?s ?p ?o } }",
        "SELECT * WHERE { ?s ?p ?o . #comment\n SERVICE ?o { ?s ?p ?o } }",
    ],
)
def test_the_server_asks_no_other_host(web: httpx.Client, query: str) -> None:
    response = web.get(f"{BASE}/sparql", params={"query": query})
    assert response.status_code == 400
    assert "SERVICE is switched off" in response.text


def test_the_store_is_told_the_data_and_never_loads_it_from_somewhere(web: httpx.Client) -> None:
    response = update(web, "LOAD <http://127.0.0.1:9/bucket/graphs/latest/iris_release.nq>")
    assert response.status_code == 400
    assert "LOAD is switched off" in response.text


@pytest.mark.parametrize(
    "query",
    [
        "SELECT ?service WHERE { ?service <https://e.org/SERVICE> 'LOAD me; SERVICE' } # SERVICE",
        'PREFIX load: <https://e.org/> SELECT * WHERE { ?s load:service """SERVICE "quoted" LOAD""" }',
        "SELECT * WHERE { ?s ?p ?o FILTER(?o < 5 && ?o > 2) FILTER(?s != <https://e.org/#LOAD>) }",
    ],
)
def test_the_words_service_and_load_may_stand_in_strings_iris_names_and_comments(web: httpx.Client, query: str) -> None:
    assert web.get(f"{BASE}/sparql", params={"query": query}).status_code == 200


# ---------------------------------------------------------------- update


def test_an_update_by_form_and_directly(web: httpx.Client) -> None:
    sparql = f"INSERT DATA {{ GRAPH <{G1}> {{ <https://e.org/c> <https://schema.org/name> 'sea' }} }}"
    assert web.post(f"{BASE}/sparql", data={"update": sparql}, headers=WRITE).is_success
    assert update(web, f"DELETE WHERE {{ GRAPH <{G2}> {{ ?s ?p ?o }} }}").is_success
    assert ask(web, NAMES) == ["sea", "Ærø"]


def test_an_update_that_fails_in_its_second_half_changes_nothing(web: httpx.Client) -> None:
    response = update(web, f"DROP GRAPH <{G1}> ; DROP GRAPH <urn:none>")
    assert response.status_code >= 400
    assert ask(web, NAMES) == ["bee", "Ærø"]


def test_using_graph_uri_chooses_what_an_update_reads(web: httpx.Client) -> None:
    copy = "INSERT { GRAPH <urn:copy> { ?s ?p ?o } } WHERE { ?s ?p ?o }"
    assert update(web, copy, **{"using-graph-uri": G2}).is_success
    assert ask(web, NAMES, **{"default-graph-uri": "urn:copy"}) == ["bee"]
    refused = update(web, f"WITH <{G1}> {copy}", **{"using-graph-uri": G2})
    assert refused.status_code == 400
    assert "WITH" in refused.text


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic d3JvbmdzOg=="}])
def test_without_the_token_nothing_is_written(web: httpx.Client, header: dict[str, str]) -> None:
    nquads = header | {"Content-Type": "application/n-quads"}
    turtle = header | {"Content-Type": "text/turtle"}
    responses = [
        web.post(f"{BASE}/sparql", data={"update": "CLEAR ALL"}, headers=header),
        web.post(f"{BASE}/sparql", content="CLEAR ALL", headers=header | {"Content-Type": "application/sparql-update"}),
        web.post(f"{BASE}/sparql", content=DATA, headers=nquads),
        web.post(f"{BASE}/store", content=DATA, headers=nquads),
        web.put(f"{BASE}/store", params={"graph": G1}, content="", headers=turtle),
        web.delete(f"{BASE}/store", params={"graph": G1}, headers=header),
        web.delete(BASE, headers=header),
        web.put(f"{BASE}/access", json={"visibility": "private"}, headers=header),
        web.post("/blazegraph/namespace", content="com.bigdata.rdf.sail.namespace=x", headers=header),
    ]
    assert [response.status_code for response in responses] == [401] * 9
    assert all("Bearer" in response.headers["www-authenticate"] for response in responses)
    assert ask(web, NAMES) == ["bee", "Ærø"]


def test_a_server_without_a_token_takes_no_writes_at_all(tmp_path: Path) -> None:
    with server_in_thread(tmp_path / "graph", token="") as root, httpx.Client(base_url=root) as client:
        for header in ({}, {"Authorization": "Bearer x"}):
            response = client.post("/blazegraph/namespace", content="com.bigdata.rdf.sail.namespace=x", headers=header)
            assert response.status_code == 401
            assert "GLEANERIO_GRAPH_TOKEN" in response.text


# ---------------------------------------------------------------- graph store protocol


def test_a_graph_is_read_replaced_extended_and_deleted(web: httpx.Client) -> None:
    there, typed = {"graph": G2}, WRITE | {"Content-Type": "text/turtle; charset=utf-8"}
    assert b'"bee"@en' in web.get(f"{BASE}/store", params=there).content
    replaced = web.put(
        f"{BASE}/store", params=there, content='<https://e.org/x> <https://e.org/p> "ü" .', headers=typed
    )
    assert replaced.status_code == 204
    assert web.get(f"{BASE}/store", params=there).text == '<https://e.org/x> <https://e.org/p> "ü" .\n'
    assert web.post(f"{BASE}/store", params=there, content="<#y> a <#Z> .", headers=typed).status_code == 204
    assert ask(web, f"SELECT ?s WHERE {{ GRAPH <{G2}> {{ ?s a ?t }} }}") == [f"{G2}#y"]
    assert web.delete(f"{BASE}/store", params=there, headers=WRITE).status_code == 204
    assert web.get(f"{BASE}/store", params=there).status_code == 404
    assert web.delete(f"{BASE}/store", params=there, headers=WRITE).status_code == 404


def test_a_new_graph_is_created_with_201(web: httpx.Client) -> None:
    typed = WRITE | {"Content-Type": "application/n-triples"}
    made = web.put(f"{BASE}/store", params={"graph": "urn:new"}, content="", headers=typed)
    assert made.status_code == 201
    assert web.get(f"{BASE}/store", params={"graph": "urn:new"}).status_code == 200
    posted = web.post(f"{BASE}/store", content="<urn:a> <urn:b> <urn:c> .", headers=typed)
    assert posted.status_code == 201
    assert web.get(posted.headers["location"]).text == "<urn:a> <urn:b> <urn:c> .\n"


def test_the_default_graph_is_a_graph_of_its_own(web: httpx.Client) -> None:
    typed = WRITE | {"Content-Type": "application/n-triples"}
    line = "<urn:a> <urn:b> <urn:c> .\n"
    assert web.put(f"{BASE}/store?default", content=line, headers=typed).status_code == 204
    assert web.get(f"{BASE}/store?default").text == line
    assert len(web.get(f"{BASE}/store").text.splitlines()) == 4


def test_head_says_what_get_would_and_sends_no_body(web: httpx.Client) -> None:
    head = web.head(f"{BASE}/store", params={"graph": G1}, headers={"Accept": "text/turtle"})
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == "text/turtle; charset=utf-8"
    assert web.head(f"{BASE}/store", params={"graph": "urn:none"}).status_code == 404


@pytest.mark.parametrize(
    ("params", "content_type", "body", "status"),
    [
        ({"graph": G1}, "text/turtle", "this is no turtle", 400),
        ({"graph": G1}, "text/yaml", "a: b", 415),
        ({"graph": "relative"}, "text/turtle", "", 400),
        ({"graph": G1, "default": ""}, "text/turtle", "", 400),
        ({"graph": [G1, G2]}, "text/turtle", "", 400),
        ({}, "text/turtle", "", 400),
    ],
)
def test_a_graph_store_request_that_makes_no_sense_changes_nothing(
    web: httpx.Client, params: dict[str, Any], content_type: str, body: str, status: int
) -> None:
    typed = WRITE | {"Content-Type": content_type}
    assert web.put(f"{BASE}/store", params=params, content=body, headers=typed).status_code == status
    assert ask(web, NAMES) == ["bee", "Ærø"]


def test_a_body_of_quads_posted_to_sparql_is_inserted_as_blazegraph_does(web: httpx.Client) -> None:
    line = b'<https://e.org/c> <https://schema.org/name> "sea" <urn:g> .\n'
    response = web.post(f"{BASE}/sparql", content=line, headers=WRITE | {"Content-Type": "text/x-nquads"})
    assert response.is_success
    assert ask(web, NAMES) == ["bee", "sea", "Ærø"]


def test_a_bulk_load_with_a_bad_last_line_leaves_nothing_behind(web: httpx.Client) -> None:
    many = b"".join(f'<urn:s{n}> <https://schema.org/name> "{"x" * 500}" <urn:g> .\n'.encode() for n in range(5000))
    response = web.post(f"{BASE}/store", content=many + b"<broken\n", headers=WRITE | {"Content-Type": "text/x-nquads"})
    assert response.status_code == 400
    assert "line 500" in response.text
    assert ask(web, NAMES) == ["bee", "Ærø"]


def test_a_client_that_dies_in_the_middle_of_a_bulk_load_leaves_nothing_behind(web: httpx.Client) -> None:
    def body() -> Iterator[bytes]:
        for n in range(3000):
            yield f'<urn:s{n}> <https://schema.org/name> "{"x" * 500}" <urn:g> .\n'.encode()
        raise RuntimeError("the client died")

    with pytest.raises(RuntimeError, match="the client died"):
        web.post(f"{BASE}/store", content=body(), headers=WRITE | {"Content-Type": "text/x-nquads"})
    deadline = time.monotonic() + 10
    while web.get("/status").json()["bulk_loads_running"] and time.monotonic() < deadline:
        time.sleep(0.02)
    assert ask(web, NAMES) == ["bee", "Ærø"]
