"""A client's view of the graph server, for its tests: one namespace with three quads, and short ways to ask."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from tests.integration.servers import TOKEN

WRITE = {"Authorization": f"Bearer {TOKEN}"}
BASE = "/blazegraph/namespace/geo"
G1, G2 = "urn:gleaner.io:test:iris:data:1", "urn:gleaner.io:test:iris:data:2"
DATA = f"""<https://e.org/a> <https://schema.org/name> "Ærø" <{G1}> .
<https://e.org/a> <https://schema.org/version> "2"^^<http://www.w3.org/2001/XMLSchema#integer> <{G1}> .
<https://e.org/b> <https://schema.org/name> "bee"@en <{G2}> .
""".encode()
NAMES = "SELECT ?n WHERE { ?s <https://schema.org/name> ?n } ORDER BY STR(?n)"


@contextmanager
def geo(root: str) -> Iterator[httpx.Client]:
    """A client of a running server, with a new namespace geo of three quads; every namespace goes afterwards."""
    with httpx.Client(base_url=root, timeout=30) as client:
        create(client, "geo")
        assert client.post(f"{BASE}/store", content=DATA, headers=WRITE | {"Content-Type": "text/x-nquads"}).is_success
        yield client
        for name in client.get("/blazegraph/namespace", headers={"Accept": "application/json"}).json()["namespaces"]:
            client.delete(f"/blazegraph/namespace/{name}", headers=WRITE)


def create(client: httpx.Client, name: str, **more: str) -> httpx.Response:
    properties = {"com.bigdata.rdf.sail.namespace": name, **more}
    body = "# made by a test\n" + "".join(f"{key} = {value}\n" for key, value in properties.items())
    return client.post("/blazegraph/namespace", content=body, headers=WRITE | {"Content-Type": "text/plain"})


def ask(client: httpx.Client, sparql: str, **params: Any) -> list[str]:
    response = client.get(f"{BASE}/sparql", params={"query": sparql, **params})
    assert response.status_code == 200, response.text
    return [row[next(iter(row))]["value"] for row in response.json()["results"]["bindings"]]


def update(client: httpx.Client, sparql: str, **params: Any) -> httpx.Response:
    headers = WRITE | {"Content-Type": "application/sparql-update"}
    return client.post(f"{BASE}/sparql", content=sparql.encode(), headers=headers, params=params)
