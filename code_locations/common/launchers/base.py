"""What a launcher is given, what it gives back, and how it follows a job's log."""

from __future__ import annotations

import collections
import re
import tempfile
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Protocol

End = Literal["exited", "deadline", "out_of_memory", "cancelled", "not_started"]
TAIL_LINES = 40
LINE_BYTES = 16_384


@dataclass(frozen=True, slots=True)
class JobSpec:
    """One job of one source: ``sheaf job <job> --source <source> ...``, with no secret in it."""

    job: str
    source: str
    run_id: str
    attempt: int = 0
    arguments: tuple[str, ...] = ()
    deadline_seconds: int = 86_400

    @property
    def job_id(self) -> str:
        """Names the job in the store, in processes and in containers: unique for a run and an attempt."""
        return f"{self.job}-{self.source}-{self.run_id[:8]}-{self.attempt}"

    @property
    def command(self) -> list[str]:
        """The arguments behind the ``sheaf`` command."""
        return ["job", self.job, "--source", self.source, "--job-id", self.job_id, *self.arguments]

    @property
    def labels(self) -> dict[str, str]:
        """What containers are found by: the reaper's and an operator's filter."""
        return {
            "sheaf.job": self.job,
            "sheaf.source": self.source,
            "sheaf.job_id": self.job_id,
            "dagster/run_id": self.run_id,
        }


@dataclass(frozen=True, slots=True)
class JobEnd:
    """How a job ended: the exit code (None: it never had one) and why, if not by itself."""

    exit_code: int | None
    end: End = "exited"
    detail: str = ""


class Launcher(Protocol):
    """Runs one job to its end, streams its output, and leaves nothing running in any case."""

    def run(self, spec: JobSpec, log: JobLog) -> JobEnd: ...

    def reap(self, is_over: Callable[[str], bool]) -> list[str]:
        """Remove what is left of jobs whose run is over; the names removed."""
        ...


class JobLog:
    """A job's output: kept in a file for ``scheduler/logs/``, its tail in memory, each line shown as it comes."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self.started = datetime.now(UTC)
        self.path = Path(tempfile.mkstemp(prefix="sheaf-job-", suffix=".log")[1])
        self._file = self.path.open("ab")
        self._show = show
        self._lock = threading.Lock()
        self._rest = b""
        self._tail: collections.deque[str] = collections.deque(maxlen=TAIL_LINES)

    def feed(self, chunk: bytes) -> None:
        """Take some output; lines may be split anywhere between two chunks."""
        with self._lock:
            self._file.write(chunk)
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            if len(self._rest) > LINE_BYTES:
                lines, self._rest = [*lines, self._rest], b""
            for line in lines:
                self._line(line)

    def feed_all(self, chunks: Iterable[bytes]) -> None:
        """Take all output of a stream, until it ends."""
        for chunk in chunks:
            self.feed(chunk)

    def _line(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip()[:LINE_BYTES]
        if text:
            self._tail.append(text)
            self._show(text)

    def close(self) -> None:
        """Flush the last line and the file; the file stays until ``discard``."""
        with self._lock:
            if self._rest:
                self._line(self._rest)
                self._rest = b""
            self._file.close()

    def discard(self) -> None:
        """Remove the file."""
        self.path.unlink(missing_ok=True)

    @property
    def tail(self) -> str:
        """The last 40 lines."""
        return "\n".join(self._tail)


LEVEL = re.compile(r"^(?:\S+ )?(DEBUG|INFO|WARNING|ERROR)\b")


def level_of(line: str) -> str:
    """The level a job's log line was written at; ``INFO`` when it does not say."""
    found = LEVEL.match(line)
    return found.group(1) if found else "INFO"
