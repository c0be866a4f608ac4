"""The graph server over real HTTP: gzip, limits, many clients, namespaces, who may read, restarts."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from sheaf.errors import SheafError
from sheaf.graph.server import Limits, create_app
from tests.graph_web import BASE, DATA, G1, NAMES, WRITE, ask, create, geo
from tests.graphs import server_in_thread
from tests.integration.servers import TOKEN


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


# ---------------------------------------------------------------- gzip, limits


def test_bodies_and_answers_may_be_gzip(web: httpx.Client) -> None:
    two = b'<urn:a> <https://schema.org/name> "one" <urn:g> .\n', b'<urn:b> <https://schema.org/name> "two" <urn:g> .\n'
    packed = gzip.compress(two[0]) + gzip.compress(two[1])
    headers = WRITE | {"Content-Type": "application/n-quads", "Content-Encoding": "gzip"}
    assert web.post(f"{BASE}/store", content=packed, headers=headers).is_success
    assert ask(web, NAMES) == ["bee", "one", "two", "Ærø"]
    assert web.post(f"{BASE}/store", content=b"no gzip", headers=headers).status_code == 400
    many = "SELECT * WHERE { ?s ?p ?o . ?s2 ?p2 ?o2 . ?s3 ?p3 ?o3 }"
    response = web.get(f"{BASE}/sparql", params={"query": many}, headers={"Accept-Encoding": "gzip"})
    assert response.headers["content-encoding"] == "gzip"
    assert len(response.json()["results"]["bindings"]) == 125


def test_an_unknown_content_encoding_is_refused(web: httpx.Client) -> None:
    headers = WRITE | {"Content-Type": "application/n-quads", "Content-Encoding": "compress"}
    assert web.post(f"{BASE}/store", content=b"x", headers=headers).status_code == 415


HUGE = "SELECT * WHERE { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l . ?m ?n ?o . ?p ?q ?r . ?t ?u ?v }"


@pytest.mark.parametrize("query", [HUGE, HUGE.replace("*", "(COUNT(*) AS ?n)")], ids=["writes rows", "only counts"])
def test_a_query_over_its_time_is_a_503_and_the_server_goes_on(tmp_path: Path, query: str) -> None:
    limits = Limits(query_seconds=0.5)
    with server_in_thread(tmp_path / "graph", limits) as root, httpx.Client(base_url=root, timeout=30) as web:
        create(web, "geo")
        # 12^7 rows: minutes for the rows, some seconds for the count, which nothing can interrupt
        many = "".join(f'<urn:{n}> <urn:p> "{n}" <urn:g> .\n' for n in range(12)).encode()
        web.post(f"{BASE}/store", content=many, headers=WRITE | {"Content-Type": "text/x-nquads"})
        begun = time.monotonic()
        response = web.get(f"{BASE}/sparql", params={"query": query})
        assert response.status_code == 503
        assert "0.5 s" in response.text
        assert time.monotonic() - begun < 5
        assert web.get(f"{BASE}/sparql", params={"query": "ASK { ?s ?p ?o }"}).json()["boolean"] is True


def test_an_answer_over_the_cap_is_refused_instead_of_cut_off(tmp_path: Path) -> None:
    limits = Limits(answer_bytes=20_000)
    with server_in_thread(tmp_path / "graph", limits) as root, httpx.Client(base_url=root, timeout=30) as web:
        create(web, "geo")
        many = "".join(f'<urn:{n}> <urn:p> "{"x" * 100}" <urn:g> .\n' for n in range(500)).encode()
        web.post(f"{BASE}/store", content=many, headers=WRITE | {"Content-Type": "text/x-nquads"})
        response = web.get(f"{BASE}/sparql", params={"query": "SELECT * WHERE { ?s ?p ?o }"})
        assert response.status_code == 400
        assert "20,000 bytes" in response.text
        assert web.get(f"{BASE}/sparql", params={"query": "SELECT * WHERE { ?s ?p ?o } LIMIT 9"}).status_code == 200


def test_a_body_over_the_limit_is_a_413_that_names_the_way_without_one(tmp_path: Path) -> None:
    with server_in_thread(tmp_path / "graph", Limits(body_bytes=1000)) as root, httpx.Client(base_url=root) as web:
        create(web, "geo")
        typed = WRITE | {"Content-Type": "text/turtle"}
        response = web.put(f"{BASE}/store", params={"graph": G1}, content="# " + "x" * 2000, headers=typed)
        assert response.status_code == 413
        assert "/store" in response.text


def test_an_answer_larger_than_memory_allows_for_arrives_whole(web: httpx.Client) -> None:
    many = "".join(f'<urn:{n}> <urn:p> "{"x" * 200}" <urn:g> .\n' for n in range(20_000)).encode()
    web.post(f"{BASE}/store", content=many, headers=WRITE | {"Content-Type": "text/x-nquads"})
    response = web.get(f"{BASE}/store", params={"graph": "urn:g"})
    assert len(response.text.splitlines()) == 20_000


def test_readers_go_on_while_a_load_runs(web: httpx.Client) -> None:
    waits: list[float] = []
    loading = threading.Event()

    def body() -> Iterator[bytes]:
        for n in range(200):
            yield b"".join(f'<urn:s{n}-{m}> <urn:p> "{"x" * 100}" <urn:g> .\n'.encode() for m in range(200))
            loading.set()

    def load() -> None:
        web.post(f"{BASE}/store", content=body(), headers=WRITE | {"Content-Type": "text/x-nquads"})

    thread = threading.Thread(target=load)
    thread.start()
    loading.wait(10)
    with httpx.Client(base_url=web.base_url) as reader:
        while thread.is_alive():
            begun = time.monotonic()
            assert ask(reader, NAMES) == ["bee", "Ærø"]
            waits.append(time.monotonic() - begun)
    assert len(waits) > 3
    assert sorted(waits)[len(waits) // 2] < 0.3, "on a machine that does nothing else it is a few milliseconds"
    assert ask(web, "SELECT (COUNT(*) AS ?n) WHERE { GRAPH <urn:g> { ?s ?p ?o } }") == ["40000"]


def test_twenty_clients_at_once_all_get_their_own_answer(web: httpx.Client) -> None:
    answers: list[list[str]] = []

    def client(number: int) -> None:
        with httpx.Client(base_url=web.base_url, timeout=30) as one:
            for turn in range(10):
                answers.append(ask(one, f"SELECT ('{number}-{turn}' AS ?x) WHERE {{ ?s ?p ?o }} LIMIT 1"))

    threads = [threading.Thread(target=client, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == sorted([f"{number}-{turn}"] for number in range(20) for turn in range(10))


# ---------------------------------------------------------------- namespaces


def test_namespaces_are_listed_created_and_dropped_as_blazegraph_does(web: httpx.Client) -> None:
    assert create(web, "geo").status_code == 409
    assert create(web, "geo_summary").status_code == 201
    listing = web.get("/blazegraph/namespace", headers={"Accept": "text/plain"}).text
    assert '<http://www.bigdata.com/rdf#/features/KB/Namespace> "geo_summary" .' in listing
    assert web.get("/blazegraph/namespace", headers={"Accept": "application/json"}).json() == {
        "namespaces": ["geo", "geo_summary"]
    }
    assert b"<kb:Namespace>geo</kb:Namespace>" in web.get("/blazegraph/namespace").content
    assert web.delete(BASE, headers=WRITE).status_code == 200
    assert web.delete(BASE, headers=WRITE).status_code == 404
    assert create(web, "geo").status_code == 201
    assert ask(web, NAMES) == []


def test_a_namespace_is_created_from_blazegraphs_xml_too(web: httpx.Client) -> None:
    xml = """<?xml version="1.0" encoding="UTF-8" standalone="no"?>
      <!DOCTYPE properties SYSTEM "http://java.sun.com/dtd/properties.dtd">
      <properties><entry key="com.bigdata.rdf.sail.namespace">from_xml</entry>
      <entry key="com.bigdata.rdf.store.AbstractTripleStore.quads">true</entry></properties>"""
    typed = WRITE | {"Content-Type": "application/xml"}
    assert web.post("/blazegraph/namespace", content=xml, headers=typed).status_code == 201
    assert web.get("/blazegraph/namespace/from_xml").json()["visibility"] == "public"


@pytest.mark.parametrize("name", ["", "../evil", "a/b", ".hidden", "x" * 200, "a b"])
def test_a_namespace_that_would_leave_its_folder_is_refused(web: httpx.Client, folder: Path, name: str) -> None:
    assert create(web, name).status_code == 400
    assert [path.name for path in folder.iterdir() if not path.name.startswith(".")] == ["geo"]


def test_a_private_namespace_is_read_with_its_token_only(web: httpx.Client) -> None:
    wanted = {"visibility": "private", "read_token": "read-me"}
    assert web.put(f"{BASE}/access", json=wanted, headers=WRITE).status_code == 204
    get = {"params": {"query": NAMES}}
    assert web.get(f"{BASE}/sparql", **get).status_code == 401
    assert web.get(f"{BASE}/store", params={"graph": G1}).status_code == 401
    assert web.get(f"{BASE}/sparql", headers={"Authorization": "Bearer read-me"}, **get).status_code == 200
    assert web.get(f"{BASE}/sparql", headers=WRITE, **get).status_code == 200
    assert "geo" not in web.get("/").text
    assert (
        web.post(
            f"{BASE}/sparql", data={"update": "CLEAR ALL"}, headers={"Authorization": "Bearer read-me"}
        ).status_code
        == 401
    )
    assert web.put(f"{BASE}/access", json={"visibility": "public"}, headers=WRITE).status_code == 204
    assert web.get(f"{BASE}/sparql", **get).status_code == 200


def test_the_tokens_are_nowhere_in_the_folder(web: httpx.Client, folder: Path) -> None:
    web.put(f"{BASE}/access", json={"visibility": "private", "read_token": "read-me-secret"}, headers=WRITE)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if b"read-me-secret" in path.read_bytes() or TOKEN.encode() in path.read_bytes()]


def test_the_front_page_lists_namespaces_with_counts_for_people_and_programs(web: httpx.Client) -> None:
    counts = web.get("/", headers={"Accept": "application/json"}).json()
    assert counts == {"namespaces": [{"namespace": "geo", "graphs": 2, "quads": 3}]}
    page = web.get("/").text
    assert "/blazegraph/namespace/geo/sparql" in page
    assert "<textarea" in web.get(f"{BASE}/sparql").text


def test_status_says_that_the_server_is_there(web: httpx.Client) -> None:
    status = web.get("/status").json()
    assert (status["status"], status["namespaces"], status["runaway_queries"]) == ("ok", 1, 0)
    assert web.get("/blazegraph/status").status_code == 200


def test_a_second_server_on_the_same_folder_is_refused_by_name(root: str, folder: Path) -> None:
    with pytest.raises(SheafError, match=r"another graph server uses .*graph"):
        create_app(folder, TOKEN)


def test_a_restart_finds_everything_again(tmp_path: Path) -> None:
    for attempt in (1, 2):
        with server_in_thread(tmp_path / "graph") as root, httpx.Client(base_url=root) as web:
            if attempt == 1:
                create(web, "geo", **{"sheaf.visibility": "private", "sheaf.readToken": "t"})
                web.post(f"{BASE}/store", content=DATA, headers=WRITE | {"Content-Type": "text/x-nquads"})
            response = web.get(f"{BASE}/sparql", params={"query": NAMES}, headers={"Authorization": "Bearer t"})
            assert len(json.loads(response.text)["results"]["bindings"]) == 2
