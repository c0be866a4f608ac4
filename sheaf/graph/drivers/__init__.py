"""The triplestores that a tenant may live in, each behind the same protocol.

Changes come in, one transaction of the store's own goes out. They never retry what the store refused.
"""

from collections.abc import Mapping

from sheaf.graph.drivers.blazegraph import BlazegraphStore
from sheaf.graph.drivers.connection import Access
from sheaf.graph.drivers.fuseki import FusekiStore
from sheaf.graph.drivers.oxigraph import OxigraphStore
from sheaf.graph.drivers.rdf4j import Rdf4jStore
from sheaf.graph.drivers.sheaf import SheafStore
from sheaf.graph.drivers.sparql import SparqlStore

DRIVERS: Mapping[str, type[SparqlStore]] = {
    "blazegraph": BlazegraphStore,
    "fuseki": FusekiStore,
    "oxigraph": OxigraphStore,
    "rdf4j": Rdf4jStore,
    "sheaf": SheafStore,
}

__all__ = [
    "DRIVERS",
    "Access",
    "BlazegraphStore",
    "FusekiStore",
    "OxigraphStore",
    "Rdf4jStore",
    "SheafStore",
    "SparqlStore",
]
