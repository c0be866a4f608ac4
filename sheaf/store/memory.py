"""An object store in memory, for unit tests and for trying things."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sheaf.errors import NotFound
from sheaf.store.objects import ObjectInfo, Readable, whole_prefix


class MemoryStore:
    """The ``ObjectStore`` protocol over a dictionary; ``puts`` and ``deletes`` count the writes."""

    def __init__(self) -> None:
        self._objects: dict[str, tuple[bytes, ObjectInfo]] = {}
        self._lock = threading.Lock()
        self.puts = 0
        self.deletes = 0

    def get(self, key: str) -> bytes:
        try:
            return self._objects[key][0]
        except KeyError:
            raise NotFound(f"there is no object {key}") from None

    def put(
        self,
        key: str,
        data: bytes,
        content_type: str = "application/octet-stream",
        metadata: dict[str, str] | None = None,
    ) -> ObjectInfo:
        etag = hashlib.md5(data, usedforsecurity=False).hexdigest()
        meta = {**(metadata or {}), "content-type": content_type}
        info = ObjectInfo(key, len(data), etag, datetime.now(UTC), meta)
        with self._lock:
            self._objects[key] = (bytes(data), info)
            self.puts += 1
        return info

    def put_file(self, key: str, path: Path, content_type: str = "application/octet-stream") -> ObjectInfo:
        return self.put(key, path.read_bytes(), content_type)

    def download(self, key: str, path: Path) -> None:
        path.write_bytes(self.get(key))

    @contextmanager
    def open(self, key: str) -> Iterator[Readable]:
        yield io.BytesIO(self.get(key))

    def stat(self, key: str) -> ObjectInfo | None:
        found = self._objects.get(key)
        return found[1] if found else None

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        whole_prefix(prefix)
        for key in sorted(self._objects):
            if key.startswith(prefix):
                yield self._objects[key][1]

    def folders(self, prefix: str) -> Iterator[str]:
        whole_prefix(prefix)
        yield from sorted(
            {
                rest.split("/", 1)[0]
                for key in self._objects
                if (rest := key.removeprefix(prefix)) != key and "/" in rest
            }
        )

    def delete(self, keys: Iterable[str]) -> int:
        count = 0
        with self._lock:
            for key in keys:
                count += self._objects.pop(key, None) is not None
                self.deletes += 1
        return count
