"""The embedded graph server: SPARQL 1.1 Protocol and Graph Store Protocol over one Oxigraph store a namespace.

Requests under Blazegraph's URLs come in, answers in the negotiated format go out. It never fetches anything from
another host, and writes nothing without the token.
"""

from sheaf.graph.server.app import create_app
from sheaf.graph.server.limits import Limits
from sheaf.graph.server.run import serve

__all__ = ["Limits", "create_app", "serve"]
