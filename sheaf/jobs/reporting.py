"""A job's progress on standard error: a line every few seconds, a bar where a person watches."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn
from rich.progress import Progress as Bar

from sheaf.harvest.progress import Progress

LINE_SECONDS = 5.0
BAR_SECONDS = 0.2


class ProgressReport:
    """Tells how far ``progress`` is while the block runs."""

    def __init__(self, progress: Progress, stream: TextIO | None = None, seconds: float = LINE_SECONDS) -> None:
        self._progress, self._stream, self._seconds = progress, stream or sys.stderr, seconds
        self._over = threading.Event()
        tell = self._bar if self._stream.isatty() else self._lines
        self._thread = threading.Thread(target=tell, name="progress", daemon=True)

    def __enter__(self) -> ProgressReport:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(timeout=5)

    def _lines(self) -> None:
        said = ""
        while not self._over.wait(self._seconds):
            said = self._say(said)
        self._say(said)

    def _say(self, said: str) -> str:
        line = self._progress.line()
        if line != said and self._progress.listed:
            print(line, file=self._stream, flush=True)
        return line

    def _bar(self) -> None:
        say: Callable[[], str] = self._progress.line
        with Bar(
            BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"), console=Console(file=self._stream)
        ) as bar:
            task = bar.add_task("", total=None)
            while not self._over.wait(BAR_SECONDS):
                total = None if self._progress.listing else self._progress.listed
                bar.update(task, completed=self._progress.done, total=total, description=say())
            bar.update(task, completed=self._progress.done, total=self._progress.listed, description=say())
