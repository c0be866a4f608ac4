"""From a source's address to the stream of its pages.

In: a source and a fetch. Out: Found, one by one, each URL once, and a DiscoveryReport that says whether the list is
whole. It never opens a connection by itself except to Google Drive, and never decides that a page is gone.
"""

from sheaf.harvest.discovery.dispatch import discover
from sheaf.harvest.discovery.types import DiscoveryReport, Fetch, Fetched, FetchFault, Found, status_reason

__all__ = ["DiscoveryReport", "Fetch", "FetchFault", "Fetched", "Found", "discover", "status_reason"]
