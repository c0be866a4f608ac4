"""What a reconcile did, in numbers: the metadata of the tenant's assets."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Kind = Literal["main", "summary"]


class NamespaceResult(BaseModel):
    """One namespace of a tenant after a reconcile."""

    model_config = ConfigDict(frozen=True)

    version: int = 1
    namespace: str
    kind: Kind
    endpoint: str = ""
    created: bool = False
    graphs_total: int = 0
    graphs_added: int = 0
    graphs_changed: int = 0
    graphs_removed: int = 0
    triples: int = 0
    batches: int = 0
    bytes_sent: int = 0
    seconds: float = 0.0
    sources: dict[str, str] = {}  # name to the release id that is loaded
    sources_added: tuple[str, ...] = ()
    sources_removed: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()  # sources of the tenant without a published release
    unchanged: bool = True
    repaired: int = 0  # graphs that the counts afterwards showed to be wrong, and that were written again
    problems: tuple[str, ...] = ()


class TenantResult(BaseModel):
    """Both namespaces of a tenant; the numbers without a prefix are the main one's."""

    model_config = ConfigDict(frozen=True)

    version: int = 1
    community: str
    main: NamespaceResult
    summary: NamespaceResult

    @property
    def graphs_total(self) -> int:
        return self.main.graphs_total

    @property
    def graphs_added(self) -> int:
        return self.main.graphs_added

    @property
    def graphs_changed(self) -> int:
        return self.main.graphs_changed

    @property
    def graphs_removed(self) -> int:
        return self.main.graphs_removed

    @property
    def triples(self) -> int:
        return self.main.triples

    @property
    def batches(self) -> int:
        return self.main.batches + self.summary.batches

    @property
    def seconds(self) -> float:
        return round(self.main.seconds + self.summary.seconds, 3)

    @property
    def sources(self) -> dict[str, str]:
        return self.main.sources

    @property
    def unchanged(self) -> bool:
        return self.main.unchanged and self.summary.unchanged

    @property
    def problems(self) -> tuple[str, ...]:
        return tuple(f"{part.namespace}: {problem}" for part in (self.main, self.summary) for problem in part.problems)
