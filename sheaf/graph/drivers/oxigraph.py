"""Plain ``oxigraph serve``: one process is one store, so each namespace is a server of its own.

``GLEANERIO_GRAPH_URL`` says where: ``http://oxigraph-{namespace}:7878`` with the namespace put in, or a list
``geocodes=http://a:7878,geocodes_summary=http://b:7878``. A plain URL is one namespace: the first that asks for it.
"""

from __future__ import annotations

import re

from sheaf.errors import BadInput, SheafError
from sheaf.graph.changes import iri
from sheaf.graph.drivers.connection import Access
from sheaf.graph.drivers.sparql import SparqlStore

PLACE = "{namespace}"
# Inside the store, so that a second driver, or a second tenant, learns whose it is; no triples, so no count moves.
OWNER = "urn:gleaner.io:namespace:"
_PAIR = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9_.-]*)=(https?://\S+?)\s*")


class OxigraphStore(SparqlStore):
    """One or several ``oxigraph serve``; there is no admin API, so nothing is made or dropped but the data."""

    def __init__(self, base_url: str, access: Access | None = None) -> None:
        pairs = [_PAIR.fullmatch(part) for part in base_url.split(",")]
        self._named = {pair.group(1): pair.group(2).rstrip("/") for pair in pairs if pair}
        if self._named and len(self._named) != len(pairs):
            raise BadInput(f"GLEANERIO_GRAPH_URL mixes forms: write name=url,name=url, or one URL; it is {base_url}")
        super().__init__(base_url, access)

    def _server(self, namespace: str) -> str:
        if self._named:
            if namespace not in self._named:
                known = ", ".join(sorted(self._named))
                raise BadInput(f"GLEANERIO_GRAPH_URL names no server for the namespace {namespace}, only for {known}")
            return self._named[namespace]
        return self.base_url.replace(PLACE, namespace)

    def endpoint(self, namespace: str) -> str:
        return f"{self._server(namespace)}/query"

    def update_url(self, namespace: str) -> str:
        return f"{self._server(namespace)}/update"

    def load_url(self, namespace: str) -> str:
        return f"{self._server(namespace)}/store"

    def namespaces(self) -> list[str]:
        """Those whose server was taken into use; with ``{namespace}`` in the URL nobody can know, so none."""
        if self._named:
            return sorted(name for name in self._named if self._owner(name) == name)
        if PLACE in self.base_url:
            return []
        return [owner] if (owner := self._owner("")) else []

    def exists(self, namespace: str) -> bool:
        try:
            return self._owner(namespace) == namespace
        except SheafError:
            if PLACE in self.base_url or self._named:
                return False
            raise

    def ensure(self, namespace: str) -> bool:
        owner = self._owner(namespace)
        if owner == namespace:
            return False
        if owner:
            raise BadInput(
                f"the oxigraph server at {self._server(namespace)} already holds the namespace {owner}, and has room "
                f"for one: start another for {namespace}, and set GLEANERIO_GRAPH_URL to name=url,name=url"
            )
        self._update(namespace, f"CREATE SILENT GRAPH {iri(OWNER + namespace)}")
        return True

    def drop(self, namespace: str) -> bool:
        if not self.exists(namespace):
            return False
        self._update(namespace, "DROP ALL")
        return True

    def _owner(self, namespace: str) -> str:
        """Which namespace the server holds; empty when it is new."""
        query = f'SELECT ?g WHERE {{ GRAPH ?g {{}} FILTER(STRSTARTS(STR(?g), "{OWNER}")) }}'
        rows = self.query(namespace, query)["results"]["bindings"]
        return str(rows[0]["g"]["value"]).removeprefix(OWNER) if rows else ""
