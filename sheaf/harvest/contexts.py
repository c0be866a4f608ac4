"""Remote JSON-LD contexts: each fetched once, kept in the bucket, and only those that are allowed.

The cache is bounded, and remembers failures too: one unreachable context costs its documents, and one request,
not one request a page.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import httpx
import orjson

from sheaf.errors import NotFound, SheafError, TemporaryFault
from sheaf.harvest.addresses import forbidden
from sheaf.store import layout
from sheaf.store.objects import ObjectStore

MAX_CONTEXT_BYTES = 2 * 1024 * 1024
_MAX_REDIRECTS = 5
# A context document, not a vocabulary: only these are loaded when they stand alone as a string, because a
# string @context otherwise becomes @vocab (contracts.md, section 5).
_CONTEXT_DOCUMENT = re.compile(
    r"\.json(?:ld)?\Z|^https?://w3id\.org/ro/crate/|^https?://(?:doi\.org/10\.5063|w3id\.org)/(?:schema/)?codemeta",
    re.IGNORECASE,
)


class ContextUnavailable(SheafError):
    """A remote context that could not be loaded; ``reason`` is a code of ``sheaf.harvest.states``."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Contexts(Protocol):
    """Where remote contexts come from."""

    def get(self, iri: str) -> Any:
        """The value of ``@context`` behind ``iri``: an object, or an array of these. Raises ContextUnavailable."""
        ...

    def is_document(self, iri: str) -> bool:
        """Whether an IRI that stands alone as ``@context`` is a document to load, not a vocabulary."""
        ...


class ContextCache:
    """Contexts by IRI, from ``maps``, memory, the bucket, or ``fetch``, in this order.

    ``fetch`` takes an IRI and gives the bytes of the answer; it may raise anything. ``allow`` holds IRI prefixes.
    ``maps`` are documents of the operator's (``contextmaps``). ``size`` is the number of contexts kept in memory.
    """

    def __init__(
        self,
        fetch: Callable[[str], bytes],
        *,
        store: ObjectStore | None = None,
        allow: Iterable[str] = ("https://", "http://"),
        maps: Mapping[str, Any] | None = None,
        size: int = 200,
        retry_seconds: float = 600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._store = store
        self._allow = tuple(allow)
        self._maps = dict(maps or {})
        self._size = size
        self._retry_seconds = retry_seconds
        self._clock = clock
        self._kept: OrderedDict[str, Any] = OrderedDict()
        self._failed: OrderedDict[str, tuple[float, ContextUnavailable]] = OrderedDict()
        self._lock = threading.Lock()

    def is_document(self, iri: str) -> bool:
        """See ``Contexts``; what the operator mapped is one."""
        return iri in self._maps or (iri.startswith(self._allow) and _CONTEXT_DOCUMENT.search(iri) is not None)

    def get(self, iri: str) -> Any:
        """The value of ``@context`` behind ``iri``; safe to call from several threads. Raises ContextUnavailable."""
        mapped = self._maps.get(iri)
        if mapped is not None:
            return _context_of(mapped, iri)
        if not iri.startswith(self._allow):
            raise ContextUnavailable("context_not_allowed", f"the context {iri} is outside the allowed ones")
        with self._lock:
            kept = self._kept.get(iri)
            if kept is not None:
                self._kept.move_to_end(iri)
                return kept
            failed = self._failed.get(iri)
            if failed is not None and self._clock() - failed[0] < self._retry_seconds:
                raise failed[1]
            try:
                context = self._load(iri)
            except ContextUnavailable as error:
                self._failed[iri] = (self._clock(), error)
                _trim(self._failed, self._size)
                raise
            self._kept[iri] = context
            _trim(self._kept, self._size)
            return context

    def _load(self, iri: str) -> Any:
        key = layout.context(hashlib.sha256(iri.encode()).hexdigest())
        if self._store is not None:
            try:
                return _context_of(orjson.loads(self._store.get(key)), iri)
            except (NotFound, TemporaryFault, ValueError):
                pass  # nothing kept, nothing to be had now, or no JSON: fetched anew and overwritten
        try:
            body = self._fetch(iri)
        except ContextUnavailable:
            raise
        except Exception as error:
            raise ContextUnavailable("unreachable_context", f"the context {iri} cannot be loaded: {error}") from error
        if len(body) > MAX_CONTEXT_BYTES:
            raise ContextUnavailable("unreachable_context", f"the context {iri} is over {MAX_CONTEXT_BYTES} bytes")
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise ContextUnavailable("unreachable_context", f"the context {iri} is not JSON: {error}") from error
        context = _context_of(document, iri)
        if self._store is not None:
            # Keeping it is for the next process; this one has it.
            with contextlib.suppress(TemporaryFault):
                self._store.put(key, body, content_type="application/ld+json", metadata={"url": iri})
        return context


def http_fetch(iri: str, *, timeout: float = 10.0, allow_private: bool = False) -> bytes:
    """The bytes behind ``iri``, with caps on size and redirects; ``timeout`` in seconds.

    The connection goes to the address that was looked at, so that a name cannot mean another one a moment later.
    Raises ContextUnavailable with ``blocked_address`` for what is not public, and httpx.HTTPError.
    """
    headers = {"Accept": "application/ld+json, application/json;q=0.9"}
    with httpx.Client(timeout=timeout, trust_env=False) as client:
        for _ in range(_MAX_REDIRECTS + 1):
            url = httpx.URL(iri)
            if url.scheme not in ("http", "https"):
                raise ContextUnavailable("bad_scheme", f"the context {iri} is not an http or https URL")
            address = url.host if allow_private else _public_address(url.host, iri)
            pinned = url.copy_with(host=address)
            own = {**headers, "Host": url.netloc.decode("ascii")}
            with client.stream("GET", pinned, headers=own, extensions={"sni_hostname": url.host}) as answer:
                if answer.is_redirect:
                    iri = str(url.join(answer.headers["location"]))
                    continue
                answer.raise_for_status()
                return _capped(answer)
    raise ContextUnavailable("too_many_redirects", f"the context {iri} redirects more than {_MAX_REDIRECTS} times")


def _public_address(host: str, iri: str) -> str:
    addresses = [str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
    for address in addresses:
        if why := forbidden(address):
            raise ContextUnavailable("blocked_address", f"the context {iri} is at {address}, a {why} address")
    return addresses[0]


def _capped(answer: httpx.Response) -> bytes:
    pieces: list[bytes] = []
    size = 0
    for piece in answer.iter_bytes():
        pieces.append(piece)
        size += len(piece)
        if size > MAX_CONTEXT_BYTES:
            break
    return b"".join(pieces)


def _context_of(document: Any, iri: str) -> Any:
    context = document.get("@context", document) if isinstance(document, dict) else document
    if not isinstance(context, (dict, list)):
        raise ContextUnavailable("unreachable_context", f"{iri} answers with something that is no context")
    return context


def _trim(entries: OrderedDict[str, Any], size: int) -> None:
    while len(entries) > size:
        entries.popitem(last=False)
