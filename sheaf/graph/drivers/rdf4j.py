"""RDF4J server: a namespace is a repository with a native store; changes go through its transactions."""

from __future__ import annotations

from sheaf.errors import SheafError
from sheaf.graph.changes import GraphChanges, sparql_update
from sheaf.graph.drivers.connection import refusal
from sheaf.graph.drivers.sparql import UPDATE_TYPE, SparqlStore

CONFIG = """@prefix config: <tag:rdf4j.org,2023:config/> .
[] a config:Repository ; config:rep.id "{name}" ; config:rep.impl [
   config:rep.type "openrdf:SailRepository" ; config:sail.impl [
     config:sail.type "openrdf:NativeStore" ; config:native.tripleIndexes "spoc,posc,cspo" ] ] .
"""


class Rdf4jStore(SparqlStore):
    """``base_url`` is ``http://host:port/rdf4j-server``."""

    load_type = "application/n-quads"

    def endpoint(self, namespace: str) -> str:
        return f"{self.base_url}/repositories/{namespace}"

    def load_url(self, namespace: str) -> str:
        return f"{self.base_url}/repositories/{namespace}/statements"

    def namespaces(self) -> list[str]:
        accept = {"Accept": "application/sparql-results+json"}
        rows = self._http.send("GET", f"{self.base_url}/repositories", headers=accept).json()["results"]["bindings"]
        return sorted(row["id"]["value"] for row in rows)

    def ensure(self, namespace: str) -> bool:
        if self.exists(namespace):
            return False
        response = self._http.send(
            "PUT",
            self.endpoint(namespace),
            content=CONFIG.format(name=namespace).encode(),
            headers={"Content-Type": "text/turtle"},
            expect=(200, 201, 204, 409),
        )
        return response.status_code != 409

    def drop(self, namespace: str) -> bool:
        if not self.exists(namespace):
            return False
        response = self._http.send("DELETE", self.endpoint(namespace), expect=(200, 204, 404))
        return response.status_code != 404

    def apply(self, namespace: str, changes: GraphChanges) -> None:
        """Each operation of an update is a transaction of its own here, so the batch is put into one of ours."""
        if changes.empty:
            return
        begun = self._http.send("POST", f"{self.endpoint(namespace)}/transactions")
        transaction = begun.headers.get("location", "")
        if not transaction:
            raise refusal(self.endpoint(namespace), begun.status_code, "no transaction was given")
        try:
            self._http.send(
                "PUT",
                transaction,
                params={"action": "UPDATE"},
                content=sparql_update(changes).encode(),
                headers={"Content-Type": UPDATE_TYPE},
            )
            self._http.send("PUT", transaction, params={"action": "COMMIT"})
        except SheafError:
            self._http.send("DELETE", transaction, expect=range(100, 600))
            raise
