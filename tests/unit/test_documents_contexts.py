"""Remote contexts: once, bounded, allowed, kept in the bucket."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import httpx
import orjson
import pytest

from sheaf.errors import NotFound, TemporaryFault
from sheaf.harvest.contexts import MAX_CONTEXT_BYTES, ContextCache, ContextUnavailable, http_fetch
from sheaf.harvest.fixups import fix
from sheaf.store.memory import MemoryStore
from sheaf.store.objects import ObjectInfo

IRI = "https://ctx.example.org/a"
CONTEXT = {"@context": {"a": "http://a/"}}


class Web:
    """Answers by IRI; counts what was asked for."""

    def __init__(self, **answers: bytes) -> None:
        self.answers = {f"https://ctx.example.org/{name}": body for name, body in answers.items()}
        self.asked: list[str] = []

    def __call__(self, iri: str) -> bytes:
        self.asked.append(iri)
        try:
            return self.answers[iri]
        except KeyError:
            raise NotFound(f"{iri}: 404") from None


def test_a_context_is_fetched_once() -> None:
    web = Web(a=orjson.dumps(CONTEXT))
    contexts = ContextCache(web)
    assert contexts.get(IRI) == contexts.get(IRI) == {"a": "http://a/"}
    assert web.asked == [IRI]


def test_a_failure_is_remembered_for_a_while() -> None:
    now = 0.0
    web = Web()
    contexts = ContextCache(web, clock=lambda: now, retry_seconds=60)
    for _ in range(3):
        with pytest.raises(ContextUnavailable, match="404") as caught:
            contexts.get(IRI)
        assert caught.value.reason == "unreachable_context"
    assert len(web.asked) == 1
    now = 61.0
    web.answers[IRI] = orjson.dumps(CONTEXT)
    assert contexts.get(IRI) == {"a": "http://a/"}


def test_a_context_is_kept_in_the_bucket_for_the_next_process() -> None:
    store = MemoryStore()
    ContextCache(Web(a=orjson.dumps(CONTEXT)), store=store).get(IRI)
    (kept,) = store.list("contexts/")
    assert kept.key.endswith(".jsonld")
    nothing = Web()
    assert ContextCache(nothing, store=store).get(IRI) == {"a": "http://a/"}
    assert nothing.asked == []


class BusyStore(MemoryStore):
    def get(self, key: str) -> bytes:
        raise TemporaryFault("the store does not answer")

    def put(self, *args: object, **named: object) -> ObjectInfo:
        raise TemporaryFault("the store does not answer")


def test_a_store_that_does_not_answer_costs_no_document() -> None:
    contexts = ContextCache(Web(a=orjson.dumps(CONTEXT)), store=BusyStore())
    assert contexts.get(IRI) == {"a": "http://a/"}


def test_only_allowed_contexts_are_asked_for() -> None:
    web = Web(a=orjson.dumps(CONTEXT))
    contexts = ContextCache(web, allow=["https://w3id.org/"])
    with pytest.raises(ContextUnavailable, match="outside the allowed") as caught:
        contexts.get(IRI)
    assert caught.value.reason == "context_not_allowed"
    assert web.asked == []


def test_memory_is_bounded() -> None:
    web = Web(**{f"c{n}": orjson.dumps(CONTEXT) for n in range(5)})
    contexts = ContextCache(web, size=2)
    for n in (0, 1, 2, 0):
        contexts.get(f"https://ctx.example.org/c{n}")
    assert [iri[-2:] for iri in web.asked] == ["c0", "c1", "c2", "c0"]


@pytest.mark.parametrize("body", [b"<html>", b"[1", b'"x"', b"5", b"{" + b" " * MAX_CONTEXT_BYTES + b"}"])
def test_an_answer_that_is_no_context_is_an_unreachable_one(body: bytes) -> None:
    with pytest.raises(ContextUnavailable) as caught:
        ContextCache(Web(a=body)).get(IRI)
    assert caught.value.reason == "unreachable_context"


def test_a_document_that_the_operator_mapped_is_never_asked_for() -> None:
    web = Web()
    contexts = ContextCache(web, maps={IRI: CONTEXT})
    text = f'{{"@context":"{IRI}","a":"x"}}'
    assert fix(text, orjson.loads(text), contexts=contexts)[0] == '{"@context":{"a":"http://a/"},"a":"x"}'
    assert web.asked == []


@pytest.mark.parametrize(
    ("iri", "document"),
    [
        ("https://w3id.org/ro/crate/1.1/context", True),
        ("https://doi.org/10.5063/schema/codemeta-2.0", True),
        ("https://example.org/contexts/x.jsonld", True),
        ("https://example.org/vocabulary/", False),
    ],
)
def test_a_string_is_loaded_only_when_it_is_a_context_document(iri: str, document: bool) -> None:
    assert ContextCache(Web()).is_document(iri) is document


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/loop":
            self.send_response(302)
            self.send_header("Location", "/loop")
            self.end_headers()
            return
        self.send_response(200 if self.path == "/ctx" else 404)
        self.end_headers()
        self.wfile.write(orjson.dumps({**CONTEXT, "accept": self.headers["Accept"], "host": self.headers["Host"]}))

    def log_message(self, *args: object) -> None:
        return


@pytest.fixture
def site() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_context_is_asked_for_as_json_ld(site: str) -> None:
    answer = orjson.loads(http_fetch(f"{site}/ctx", allow_private=True))
    assert answer["accept"].startswith("application/ld+json")
    assert answer["host"] == site.removeprefix("http://")
    with pytest.raises(httpx.HTTPStatusError):
        http_fetch(f"{site}/none", allow_private=True)
    with pytest.raises(ContextUnavailable, match="redirects"):
        http_fetch(f"{site}/loop", allow_private=True)


@pytest.mark.parametrize("iri", ["http://127.0.0.1:9/ctx", "http://[::1]:9/ctx", "http://169.254.1.1/x"])
def test_private_addresses_are_never_asked_for_contexts(iri: str) -> None:
    with pytest.raises(ContextUnavailable) as caught:
        ContextCache(http_fetch).get(iri)
    assert caught.value.reason == "blocked_address"


def test_other_schemes_are_refused() -> None:
    with pytest.raises(ContextUnavailable):
        http_fetch("file:///etc/passwd")
