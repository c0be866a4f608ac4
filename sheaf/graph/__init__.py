"""Tenants' graphs: published releases in, namespaces of a triplestore that hold exactly them out.

One driver interface over Oxigraph, Fuseki, Blazegraph, RDF4J and the embedded server. It never clears first, and never
lets a triplestore fetch from the bucket.
"""

from sheaf.graph.changes import GraphChanges
from sheaf.graph.driver import GraphStore, open_graph_store
from sheaf.graph.reconcile import reconcile_main, reconcile_summary, reconcile_tenant
from sheaf.graph.results import NamespaceResult, TenantResult

__all__ = [
    "GraphChanges",
    "GraphStore",
    "NamespaceResult",
    "TenantResult",
    "open_graph_store",
    "reconcile_main",
    "reconcile_summary",
    "reconcile_tenant",
]
