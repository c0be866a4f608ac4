"""What Sheaf needs of a triplestore; everything else is written against this protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from sheaf.errors import BadInput
from sheaf.graph.changes import GraphChanges
from sheaf.settings import Settings

# Whole lines of N-Quads; called again for each attempt, as a stream can be sent only once.
Body = Callable[[], Iterable[bytes]]


class GraphStore(Protocol):
    """Namespaces of named graphs in one triplestore.

    Raises ``TemporaryFault`` when the store does not answer, ``BadInput`` when it refuses our credentials or a
    request, ``NotFound`` for a namespace that is not there.
    """

    def endpoint(self, namespace: str) -> str:
        """The namespace's SPARQL endpoint, for people and for links."""
        ...

    def namespaces(self) -> list[str]:
        """The namespaces there are, sorted."""
        ...

    def exists(self, namespace: str) -> bool: ...

    def ensure(self, namespace: str) -> bool:
        """Make the namespace when it is missing; true when it was made."""
        ...

    def protect(self, namespace: str, visibility: str, read_token: str = "") -> bool:
        """Make the namespace public or private; true when that changed anything. Stores that have no such thing of
        their own (all but ours) are protected by whoever runs them, and say false."""
        ...

    def drop(self, namespace: str) -> bool:
        """Remove the namespace with its data; false when there was none."""
        ...

    def apply(self, namespace: str, changes: GraphChanges) -> None:
        """Carry out one batch, all of it or nothing."""
        ...

    def load(self, namespace: str, body: Body) -> None:
        """Add N-Quads of any length in the store's bulk way, all of them or nothing, in constant memory here."""
        ...

    def query(self, namespace: str, sparql: str) -> dict[str, Any]:
        """A SELECT or ASK as SPARQL 1.1 Query Results JSON."""
        ...

    def count(self, namespace: str) -> int:
        """Quads in named graphs."""
        ...

    def graphs(self, namespace: str) -> set[str]:
        """The IRIs of the named graphs that hold at least one triple."""
        ...


def open_graph_store(settings: Settings) -> GraphStore:
    """The driver for ``settings.graph_type`` at ``settings.graph_url``."""
    from sheaf.graph.drivers import DRIVERS, Access

    kind = DRIVERS.get(settings.graph_type)
    if kind is None:
        raise BadInput(f"GLEANERIO_GRAPH_TYPE is {settings.graph_type!r}: use one of {', '.join(sorted(DRIVERS))}")
    access = Access(
        token=settings.graph_token.get_secret_value(),
        user=settings.graph_user,
        password=settings.graph_password.get_secret_value(),
    )
    return kind(settings.graph_url, access)
