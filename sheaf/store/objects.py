"""What Sheaf needs of an object store; everything else is written against this protocol."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One object as the store lists it; ``metadata`` is filled by ``stat`` alone."""

    key: str
    size: int
    etag: str
    modified: datetime | None = None
    metadata: dict[str, str] = field(default_factory=dict)


class Readable(Protocol):
    """A binary stream: ``read(n)`` gives at most n bytes, empty at the end."""

    def read(self, size: int = -1, /) -> bytes: ...


class ObjectStore(Protocol):
    """Objects under keys in one bucket. Raises ``NotFound``, and ``TemporaryFault`` when the store does not answer."""

    def get(self, key: str) -> bytes: ...

    def put(
        self,
        key: str,
        data: bytes,
        content_type: str = "application/octet-stream",
        metadata: dict[str, str] | None = None,
    ) -> ObjectInfo: ...

    def put_file(self, key: str, path: Path, content_type: str = "application/octet-stream") -> ObjectInfo: ...

    def download(self, key: str, path: Path) -> None: ...

    def open(self, key: str) -> AbstractContextManager[Readable]: ...

    def stat(self, key: str) -> ObjectInfo | None: ...

    def list(self, prefix: str) -> Iterator[ObjectInfo]: ...

    def folders(self, prefix: str) -> Iterator[str]: ...

    def delete(self, keys: Iterable[str]) -> int: ...


def whole_prefix(prefix: str) -> str:
    """The prefix itself; ``ValueError`` unless it ends in a slash (contracts.md, section 3)."""
    if prefix and not prefix.endswith("/"):
        raise ValueError(f"the prefix {prefix!r} must end in '/', or it would pick up its neighbours too")
    return prefix
