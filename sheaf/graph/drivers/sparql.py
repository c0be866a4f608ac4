"""What all drivers share: SPARQL 1.1 Query through SPARQLWrapper, Update and loads over HTTP."""

from __future__ import annotations

from abc import ABC, abstractmethod
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError

import httpx
from SPARQLWrapper import JSON, POST, URLENCODED, SPARQLWrapper
from SPARQLWrapper.SPARQLExceptions import (
    EndPointInternalError,
    EndPointNotFound,
    QueryBadFormed,
    SPARQLWrapperException,
    Unauthorized,
    URITooLong,
)

from sheaf.errors import BadInput, NotFound
from sheaf.graph.changes import GraphChanges, sparql_update
from sheaf.graph.driver import Body
from sheaf.graph.drivers.connection import Access, Connection, refusal

QUERY_SECONDS = 600
# Blazegraph reads a body as Latin-1 unless the header says what it is.
UPDATE_TYPE = "application/sparql-update; charset=utf-8"
# SPARQLWrapper keeps the body of these statuses in an exception of its own, and forgets the number.
STATUS = {QueryBadFormed: 400, Unauthorized: 401, EndPointNotFound: 404, URITooLong: 414, EndPointInternalError: 500}
ALL_QUADS = "SELECT (COUNT(*) AS ?n) WHERE { GRAPH ?g { ?s ?p ?o } }"
ALL_GRAPHS = "SELECT DISTINCT ?g WHERE { GRAPH ?g { ?s ?p ?o } }"


class SparqlStore(ABC):
    """A triplestore that speaks the SPARQL 1.1 Protocol; sub classes know its URLs and its admin API."""

    load_type = "application/n-quads"

    def __init__(self, base_url: str, access: Access | None = None) -> None:
        self.base_url = base_url.rstrip("/")
        self._access = access or Access()
        self._http = Connection(self.base_url, self._access)

    @abstractmethod
    def endpoint(self, namespace: str) -> str: ...

    def update_url(self, namespace: str) -> str:
        """Where updates go."""
        return self.endpoint(namespace)

    def load_url(self, namespace: str) -> str:
        """Where N-Quads are posted to."""
        return self.endpoint(namespace)

    @abstractmethod
    def namespaces(self) -> list[str]: ...

    @abstractmethod
    def ensure(self, namespace: str) -> bool: ...

    @abstractmethod
    def drop(self, namespace: str) -> bool: ...

    def exists(self, namespace: str) -> bool:
        return namespace in self.namespaces()

    def protect(self, namespace: str, visibility: str, read_token: str = "") -> bool:  # noqa: ARG002
        return False

    def apply(self, namespace: str, changes: GraphChanges) -> None:
        if not changes.empty:
            self._update(namespace, sparql_update(changes))

    def _update(self, namespace: str, update: str) -> None:
        self._http.send(
            "POST",
            self.update_url(namespace),
            content=update.encode(),
            headers={"Content-Type": UPDATE_TYPE},
        )

    def load(self, namespace: str, body: Body) -> None:
        self._http.send("POST", self.load_url(namespace), content=body, headers={"Content-Type": self.load_type})

    def query(self, namespace: str, sparql: str) -> dict[str, Any]:
        url = self.endpoint(namespace)
        wrapper = SPARQLWrapper(url)
        wrapper.setQuery(sparql)
        wrapper.setMethod(POST)
        wrapper.setRequestMethod(URLENCODED)  # it sends no charset with a direct one, see UPDATE_TYPE
        wrapper.setReturnFormat(JSON)
        wrapper.setTimeout(QUERY_SECONDS)
        for name, value in self._access.headers().items():
            wrapper.addCustomHttpHeader(name, value)
        answer: list[dict[str, Any]] = []

        def once() -> httpx.Response:
            # Told as an httpx answer, so that queries are retried by the same rules as everything else.
            try:
                found = wrapper.query().convert()
            except SPARQLWrapperException as error:
                status = STATUS.get(type(error), 500)
                return httpx.Response(status, text=error.args[0] if error.args else error.msg)
            except HTTPError as error:
                return httpx.Response(error.code, text=error.read().decode(errors="replace"))
            except TimeoutError as error:
                raise httpx.ReadTimeout(str(error)) from error
            except (URLError, OSError, HTTPException) as error:
                raise httpx.ConnectError(f"{type(error).__name__}: {error}") from error
            except ValueError as error:
                raise BadInput(f"{url} did not answer with SPARQL results in JSON: {error}") from error
            if not isinstance(found, dict):
                raise BadInput(f"{url} answered with something else than SPARQL results in JSON: {str(found)[:200]}")
            answer.append(found)
            return httpx.Response(200)

        return self._asked(namespace, url, self._http.again(url, once), answer)

    def _asked(
        self, namespace: str, url: str, response: httpx.Response, answer: list[dict[str, Any]]
    ) -> dict[str, Any]:
        if response.status_code in {404, 405}:  # 405: Fuseki, where nothing is
            raise NotFound(f"there is no namespace {namespace} at {url}")
        if response.status_code != 200:
            raise refusal(url, response.status_code, response.text)
        return answer[-1]

    def count(self, namespace: str) -> int:
        return int(self.query(namespace, ALL_QUADS)["results"]["bindings"][0]["n"]["value"])

    def graphs(self, namespace: str) -> set[str]:
        return {row["g"]["value"] for row in self.query(namespace, ALL_GRAPHS)["results"]["bindings"]}

    def close(self) -> None:
        """Let the connections go."""
        self._http.close()
