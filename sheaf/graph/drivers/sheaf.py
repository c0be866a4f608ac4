"""Our own graph server: Blazegraph's URLs, a token for writes, and bulk loads at ``/store``."""

from __future__ import annotations

from sheaf.graph.driver import Body
from sheaf.graph.drivers.blazegraph import BlazegraphStore
from sheaf.graph.drivers.sparql import SparqlStore


class SheafStore(BlazegraphStore):
    """``base_url`` is ``http://host:port/blazegraph``."""

    load_type = "application/n-quads"

    def load(self, namespace: str, body: Body) -> None:
        SparqlStore.load(self, namespace, body)

    def load_url(self, namespace: str) -> str:
        return f"{self.base_url}/namespace/{namespace}/store"
