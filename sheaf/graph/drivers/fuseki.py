"""Apache Jena Fuseki: a namespace is a TDB2 dataset, made by its admin API under ``/$/datasets``."""

from __future__ import annotations

from sheaf.graph.drivers.sparql import SparqlStore


class FusekiStore(SparqlStore):
    """``base_url`` is ``http://host:port``."""

    def endpoint(self, namespace: str) -> str:
        return f"{self.base_url}/{namespace}/sparql"

    def update_url(self, namespace: str) -> str:
        return f"{self.base_url}/{namespace}/update"

    def load_url(self, namespace: str) -> str:
        return f"{self.base_url}/{namespace}/data"

    def namespaces(self) -> list[str]:
        response = self._http.send("GET", f"{self.base_url}/$/datasets")
        return sorted(str(each["ds.name"]).lstrip("/") for each in response.json()["datasets"])

    def ensure(self, namespace: str) -> bool:
        response = self._http.send(
            "POST",
            f"{self.base_url}/$/datasets",
            params={"dbName": namespace, "dbType": "tdb2"},
            expect=(200, 201, 409),
        )
        return response.status_code != 409

    def drop(self, namespace: str) -> bool:
        response = self._http.send("DELETE", f"{self.base_url}/$/datasets/{namespace}", expect=(200, 204, 404))
        return response.status_code != 404
