"""The object store: bytes in under a key, bytes out; every key is built in ``layout``.

It never interprets what it stores, and never lists a prefix without its trailing slash.
"""

from sheaf.store import layout
from sheaf.store.memory import MemoryStore
from sheaf.store.objects import ObjectInfo, ObjectStore
from sheaf.store.s3 import S3Store, open_store

__all__ = ["MemoryStore", "ObjectInfo", "ObjectStore", "S3Store", "layout", "open_store"]
