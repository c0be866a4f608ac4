"""Our own graph server: Blazegraph's URLs, a token for writes, and bulk loads at ``/store``."""

from __future__ import annotations

import json
from collections.abc import Iterator

from sheaf.graph.driver import Body
from sheaf.graph.drivers.blazegraph import BlazegraphStore
from sheaf.graph.drivers.sparql import SparqlStore


class SheafStore(BlazegraphStore):
    """``base_url`` is ``http://host:port/blazegraph``."""

    load_type = "application/n-quads"

    def exists(self, namespace: str) -> bool:
        url = f"{self.base_url}/namespace/{namespace}"
        return self._http.send("GET", url, expect=(200, 404)).status_code == 200

    def protect(self, namespace: str, visibility: str, read_token: str = "") -> bool:
        url = f"{self.base_url}/namespace/{namespace}"
        if not read_token and self._http.send("GET", url).json()["visibility"] == visibility:
            return False
        wanted = {"visibility": visibility, "read_token": read_token}
        body = json.dumps(wanted).encode()
        self._http.send("PUT", f"{url}/access", content=body, headers={"Content-Type": "application/json"})
        return True

    def dump(self, namespace: str) -> Iterator[bytes]:
        """The whole namespace as N-Quads, in blocks: one moment's state, whatever is written meanwhile."""
        yield from self._http.stream(self.load_url(namespace), {"Accept": "application/n-quads"})

    def load(self, namespace: str, body: Body) -> None:
        SparqlStore.load(self, namespace, body)

    def load_url(self, namespace: str) -> str:
        return f"{self.base_url}/namespace/{namespace}/store"
