"""How a harvest loads remote JSON-LD contexts: what the operator mapped, else the web, public addresses only."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import orjson

from sheaf.config import ProjectConfig, Source
from sheaf.errors import NotFound
from sheaf.harvest.addresses import forbidden
from sheaf.harvest.contexts import MAX_CONTEXT_BYTES, ContextCache
from sheaf.store import ObjectStore

TIMEOUT_SECONDS = 10.0
MAX_REDIRECTS = 5
_ACCEPT = {"Accept": "application/ld+json, application/json;q=0.9"}

log = logging.getLogger(__name__)


def context_cache(store: ObjectStore, project: ProjectConfig, source: Source) -> ContextCache:
    """The contexts of one source's documents: mapped ones, those kept in the bucket, then the web."""
    return ContextCache(context_fetch(source.allow_private), store=store, maps=mapped_contexts(store, project))


def mapped_contexts(store: ObjectStore, project: ProjectConfig) -> dict[str, Any]:
    """``contextmaps``: documents of the bucket by context URL. schema.org is never one: it becomes ``@vocab``.

    A map whose file is not in the bucket, or is no JSON, is left out and logged.
    """
    maps: dict[str, Any] = {}
    for entry in project.contextmaps:
        if (urlsplit(entry.prefix).hostname or "").removeprefix("www.") == "schema.org":
            continue
        try:
            maps[entry.prefix] = orjson.loads(store.get(entry.file.removeprefix("./").lstrip("/")))
        except (NotFound, orjson.JSONDecodeError) as error:
            log.warning("contextmaps: %s for %s is not used: %s", entry.file, entry.prefix, error)
    return maps


def context_fetch(allow_private: bool) -> Callable[[str], bytes]:
    """A function from a context's IRI to its bytes. A document's author chooses the IRI: each hop is looked at."""

    def fetch(iri: str) -> bytes:
        url = iri
        for _ in range(MAX_REDIRECTS + 1):
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError(f"{url} is no http or https URL")
            if not allow_private:
                _check(parts.hostname, parts.port or (443 if parts.scheme == "https" else 80))
            with httpx.stream("GET", url, headers=_ACCEPT, timeout=TIMEOUT_SECONDS, trust_env=False) as answer:
                if answer.is_redirect:
                    url = urljoin(url, answer.headers["location"])
                    continue
                answer.raise_for_status()
                return _read(answer)
        raise ValueError(f"{iri} redirects more than {MAX_REDIRECTS} times")

    return fetch


def _check(host: str, port: int) -> None:
    for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        if why := forbidden(str(entry[4][0])):
            raise ValueError(f"{host} is {entry[4][0]}, a {why} address")


def _read(answer: httpx.Response) -> bytes:
    body = bytearray()
    for piece in answer.iter_bytes():
        body += piece
        if len(body) > MAX_CONTEXT_BYTES:
            break
    return bytes(body)
