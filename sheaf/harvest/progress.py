"""How far a harvest is, counted by the engine and told to people by whoever runs it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Progress:
    """Counters of a running harvest: pages. ``listed`` grows while the discovery is still at it (``listing``)."""

    listed: int = 0
    done: int = 0
    resumed: int = 0
    stored: int = 0
    unchanged: int = 0
    failed: int = 0
    listing: bool = True
    step: str = "starting"
    clock: Callable[[], float] = time.monotonic
    begun: float = field(default=0.0)

    def __post_init__(self) -> None:
        self.begun = self.clock()

    @property
    def rate(self) -> float:
        """Pages a second, those of a killed run left out."""
        return (self.done - self.resumed) / max(self.clock() - self.begun, 1e-6)

    @property
    def left_seconds(self) -> float | None:
        """Seconds until the pages that are known are done, None when nothing can be said."""
        return (self.listed - self.done) / self.rate if self.rate > 0 else None

    def line(self) -> str:
        """``1,200 of 11,333 pages (10 %), 240/s, ETA 0:42, 3 failed``."""
        total = f"{self.listed:,}" + ("+" if self.listing else "")
        share = f" ({100 * self.done // self.listed} %)" if self.listed and not self.listing else ""
        left = self.left_seconds
        eta = f", ETA {_clock(left)}" if left is not None and self.done < self.listed else ""
        return f"{self.done:,} of {total} pages{share}, {self.rate:,.0f}/s{eta}, {self.failed:,} failed"


def _clock(seconds: float) -> str:
    whole = int(seconds + 0.5)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"
