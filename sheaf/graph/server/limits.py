"""What a request may cost, and the faults a handler answers with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the server; seconds and bytes."""

    query_seconds: float = 60.0
    update_seconds: float = 600.0
    answer_bytes: int = 512 * 1024 * 1024
    body_bytes: int = 64 * 1024 * 1024  # a query, an update, one graph; bulk loads stream and have no limit
    queries_at_once: int = 24
    runaways: int = 12  # queries that were given up and still compute: above this, no new ones


class Refused(Exception):
    """A request that gets ``status`` and ``message`` as its answer."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}
