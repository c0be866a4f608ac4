"""Blazegraph: namespaces by its REST API, everything under ``/blazegraph/namespace/NS/sparql``."""

from __future__ import annotations

import re

from sheaf.graph.driver import Body
from sheaf.graph.drivers.connection import refusal
from sheaf.graph.drivers.sparql import SparqlStore

NAMESPACE = re.compile(r'<http://www\.bigdata\.com/rdf#/features/KB/Namespace>\s+"([^"]+)"')
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
# Quads without inference; the same settings for main and summary, as both are replaced graph by graph.
PROPERTIES = {
    "com.bigdata.rdf.store.AbstractTripleStore.quads": "true",
    "com.bigdata.rdf.store.AbstractTripleStore.axiomsClass": "com.bigdata.rdf.axioms.NoAxioms",
    "com.bigdata.rdf.store.AbstractTripleStore.statementIdentifiers": "false",
    "com.bigdata.rdf.store.AbstractTripleStore.textIndex": "true",
    "com.bigdata.rdf.store.AbstractTripleStore.justify": "false",
    "com.bigdata.rdf.sail.truthMaintenance": "false",
    "com.bigdata.rdf.sail.isolatableIndices": "false",
}


class BlazegraphStore(SparqlStore):
    """``base_url`` is ``http://host:port/blazegraph``."""

    load_type = "text/x-nquads"

    def endpoint(self, namespace: str) -> str:
        return f"{self.base_url}/namespace/{namespace}/sparql"

    def load(self, namespace: str, body: Body) -> None:
        super().load(namespace, lambda: map(in_ascii, body()))

    def namespaces(self) -> list[str]:
        response = self._http.send(
            "GET",
            f"{self.base_url}/namespace",
            params={"describe-each-named-graph": "false"},
            headers={"Accept": "text/plain"},
        )
        return sorted(set(NAMESPACE.findall(response.text)))

    def ensure(self, namespace: str) -> bool:
        properties = {"com.bigdata.rdf.sail.namespace": namespace, **PROPERTIES}
        response = self._http.send(
            "POST",
            f"{self.base_url}/namespace",
            content="".join(f"{name}={value}\n" for name, value in properties.items()).encode(),
            headers={"Content-Type": "text/plain"},
            expect=(201, 409),
        )
        return response.status_code == 201

    def drop(self, namespace: str) -> bool:
        response = self._http.send("DELETE", f"{self.base_url}/namespace/{namespace}", expect=(200, 204, 404, 500))
        if response.status_code == 500:  # what it answers for a namespace that is not there
            if self.exists(namespace):
                raise refusal(f"{self.base_url}/namespace/{namespace}", 500, response.text)
            return False
        return response.status_code != 404


def in_ascii(nquads: bytes) -> bytes:
    """The same N-Quads with ``\\u`` escapes: Blazegraph's parser reads ASCII only, and cuts ``\\U0001F600`` to four
    digits, so what lies beyond U+FFFF goes as the two halves of its surrogate pair."""
    if nquads.isascii():
        return nquads
    return _NOT_ASCII.sub(_escaped, nquads.decode()).encode("ascii")


def _escaped(match: re.Match[str]) -> str:
    units = match.group().encode("utf-16-be").hex().upper()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
