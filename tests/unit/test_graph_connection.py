"""What a driver makes of a store that is away, busy, or refuses: against real sockets."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sheaf.errors import BadInput, NotFound, SheafError, TemporaryFault
from sheaf.graph import GraphChanges, open_graph_store
from sheaf.graph.changes import quad_pattern, sparql_update
from sheaf.graph.drivers import Access, BlazegraphStore, FusekiStore, OxigraphStore, SheafStore
from sheaf.graph.drivers.blazegraph import in_ascii
from sheaf.graph.drivers.connection import ATTEMPTS, Connection
from sheaf.settings import Settings
from tests.integration.servers import free_port

LINE = b'<urn:s> <urn:p> "o" <urn:g> .\n'


@contextmanager
def answering(*statuses: int, body: bytes = b"{}") -> Iterator[tuple[str, list[tuple[str, bytes, str]]]]:
    """A server that answers with these statuses in turn, the last one for ever; 0 closes the connection."""
    seen: list[tuple[str, bytes, str]] = []
    left = list(statuses)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            if self.headers.get("Transfer-Encoding") == "chunked":
                got = b""
                while size := int(self.rfile.readline(), 16):
                    got += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
            else:
                got = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            seen.append((f"{self.command} {self.path}", got, self.headers.get("Authorization", "")))
            status = left.pop(0) if len(left) > 1 else left[0]
            if not status:
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("Content-Type", "application/sparql-results+json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def quick(url: str) -> tuple[Connection, list[float]]:
    waits: list[float] = []
    return Connection(url, Access(), waits.append), waits


@pytest.mark.parametrize("trouble", [502, 503, 504, 0])
def test_a_store_that_is_busy_for_a_moment_is_asked_again_with_growing_waits(trouble: int) -> None:
    with answering(trouble, trouble, 200) as (url, seen):
        connection, waits = quick(url)
        assert connection.send("POST", f"{url}/x", content=LINE).status_code == 200
        assert [body for _, body, _ in seen] == [LINE] * 3
        assert waits == [0.25, 0.5]


def test_a_streamed_body_is_sent_whole_again() -> None:
    with answering(503, 200) as (url, seen):
        connection, _ = quick(url)
        connection.send("POST", f"{url}/x", content=lambda: iter([LINE, LINE]))
        assert [body for _, body, _ in seen] == [LINE * 2] * 2


def test_a_store_that_stays_away_is_a_temporary_fault_that_names_it() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    connection, waits = quick(url)
    with pytest.raises(TemporaryFault, match=f"{url}/x does not answer after {ATTEMPTS} attempts"):
        connection.send("GET", f"{url}/x")
    assert len(waits) == ATTEMPTS - 1


@pytest.mark.parametrize(
    ("status", "kind", "says"),
    [
        (400, BadInput, "refused the request .400.: bad line 7"),
        (401, BadInput, "GLEANERIO_GRAPH_TOKEN"),
        (403, BadInput, "GLEANERIO_GRAPH_PASSWORD"),
        (500, TemporaryFault, "failed .500.: bad line 7"),
        (302, BadInput, "refused the request .302."),
    ],
)
def test_what_a_store_refuses_is_not_tried_again(status: int, kind: type[SheafError], says: str) -> None:
    with answering(status, body=b"bad\nline 7") as (url, seen):
        connection, _ = quick(url)
        with pytest.raises(kind, match=says):
            connection.send("POST", f"{url}/x", content=LINE)
        assert len(seen) == 1


def test_a_query_is_retried_and_refused_by_the_same_rules() -> None:
    empty = b'{"head":{"vars":[]},"results":{"bindings":[]}}'
    with answering(503, 200, body=empty) as (url, seen):
        assert FusekiStore(url).query("geo", "SELECT * { ?s ?p ?o }")["results"]["bindings"] == []
        assert len(seen) == 2
    for status, kind in ((404, NotFound), (400, BadInput), (401, BadInput), (500, TemporaryFault)):
        with answering(status) as (url, seen), pytest.raises(kind):
            FusekiStore(url).query("geo", "ASK { ?s ?p ?o }")
        assert len(seen) == 1
    with pytest.raises(TemporaryFault):
        FusekiStore(f"http://127.0.0.1:{free_port()}").query("geo", "ASK { ?s ?p ?o }")


def test_an_answer_that_is_no_json_is_refused_by_name() -> None:
    with (
        answering(200, body=b"<html>login please</html>") as (url, _),
        pytest.raises(SheafError, match="did not answer with SPARQL"),
    ):
        FusekiStore(url).query("geo", "ASK { ?s ?p ?o }")


@pytest.mark.parametrize(
    ("access", "header"),
    [
        (Access(token="t0ken"), "Bearer t0ken"),
        (Access(user="me", password="pass"), "Basic bWU6cGFzcw=="),
        (Access(), ""),
    ],
)
def test_credentials_go_with_queries_and_updates(access: Access, header: str) -> None:
    with answering(200, body=b'{"head":{},"boolean":true}') as (url, seen):
        store = SheafStore(url, access)
        store.query("geo", "ASK { ?s ?p ?o }")
        store.apply("geo", GraphChanges(insert=LINE))
        store.load("geo", lambda: iter([LINE]))
        assert [sent for _, _, sent in seen] == [header] * 3


def test_credentials_do_not_show_when_they_are_printed() -> None:
    assert "s3cret" not in repr(Access(token="s3cret", user="me", password="s3cret"))


@pytest.mark.parametrize("kind", ["sheaf", "oxigraph", "fuseki", "blazegraph", "rdf4j"])
def test_the_settings_choose_the_driver(kind: str) -> None:
    settings = Settings(graph_type=kind, graph_url="http://h:1/base/")
    endpoint = open_graph_store(settings).endpoint("geo")
    assert endpoint.startswith("http://h:1/base/")


def test_oxigraph_servers_are_named_by_namespace_or_by_a_pattern() -> None:
    pairs = OxigraphStore("geo=http://a:1, geo_summary=http://b:2/")
    assert pairs.endpoint("geo_summary") == "http://b:2/query"
    assert OxigraphStore("http://ox-{namespace}:7878").endpoint("geo") == "http://ox-geo:7878/query"
    with pytest.raises(BadInput, match="names no server for the namespace soil, only for geo, geo_summary"):
        pairs.endpoint("soil")
    with pytest.raises(BadInput, match="mixes forms"):
        OxigraphStore("geo=http://a:1,http://b:2")


def test_blazegraph_is_sent_ascii_with_surrogate_pairs() -> None:
    assert in_ascii("é 😀 a".encode()) == b"\\u00E9 \\uD83D\\uDE00 a"
    assert BlazegraphStore("http://h/blazegraph/").endpoint("geo") == "http://h/blazegraph/namespace/geo/sparql"


def test_a_batch_is_one_update_in_the_order_drop_remove_insert() -> None:
    changes = GraphChanges(drop=("urn:a", "urn:b"), remove=LINE, insert=LINE + LINE.replace(b"urn:g", b"urn:h"))
    text = " ".join(sparql_update(changes).split())
    assert text == (
        "DROP SILENT GRAPH <urn:a> ; DROP SILENT GRAPH <urn:b> ; "
        'DELETE DATA { GRAPH <urn:g> { <urn:s> <urn:p> "o" . } } ; '
        'INSERT DATA { GRAPH <urn:g> { <urn:s> <urn:p> "o" . } GRAPH <urn:h> { <urn:s> <urn:p> "o" . } }'
    )
    assert GraphChanges().empty


def test_a_graph_name_that_would_break_out_of_its_brackets_is_refused() -> None:
    with pytest.raises(ValueError, match="is no absolute IRI"):
        sparql_update(GraphChanges(drop=("urn:a> ; DROP ALL ; <urn:b",)))
    with pytest.raises(ValueError, match="without a graph"):
        quad_pattern(b'<urn:s> <urn:p> "o" .\n')
