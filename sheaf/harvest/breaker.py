"""When a source counts as down, so that a harvest stops early and the last good state stays in force."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from sheaf.config.sources import Breaker
from sheaf.errors import HarvestStopped

# Our own refusals say nothing about the server.
_NOT_THE_SERVER = frozenset({"robots_disallowed", "blocked_address", "bad_scheme", "bad_url", "url_too_long"})


class SourceDown(HarvestStopped):
    """A harvest that was stopped because of its source; ``passing`` when trying again later may help."""

    def __init__(self, reason: str, message: str, *, passing: bool = True) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.passing = passing


@dataclass(slots=True)
class CircuitBreaker:
    """Counts pages that were tried, in the order in which they ended.

    It opens when the first ``first`` pages all fail, when more than ``share`` of the pages fails once ``after`` were
    tried, or when ``after`` pages in a row fail: a source that goes down late is not asked for all the rest.
    """

    limits: Breaker
    tried: int = 0
    failed: int = 0
    in_a_row: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def count(self, failed: bool, reason: str = "") -> None:
        """Count one page that was asked for."""
        if failed and reason in _NOT_THE_SERVER:
            return
        self.tried += 1
        if failed:
            self.failed += 1
            self.in_a_row += 1
            self.reasons[reason] += 1
        else:
            self.in_a_row = 0

    def verdict(self) -> str:
        """Why the harvest has to stop, "" while it may go on."""
        limits = self.limits
        if self.failed == self.tried and self.tried >= limits.first:
            return f"the first {self.tried} pages all failed ({self.most()})"
        if self.tried >= limits.after and self.failed > limits.share * self.tried:
            return (
                f"{self.failed} of {self.tried} pages failed, more than the {limits.share:.0%} that "
                f"breaker.share allows ({self.most()})"
            )
        if self.in_a_row >= max(limits.after, limits.first) and limits.share < 1:
            return f"the last {self.in_a_row} pages all failed ({self.most()})"
        return ""

    def most(self) -> str:
        """The three most frequent reasons, and how often each came."""
        return ", ".join(f"{reason} {count}" for reason, count in self.reasons.most_common(3))
