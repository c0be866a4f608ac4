"""One process that starts the parts in order, sees that they are ready, restarts what dies, and stops them all."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from sheaf.errors import SheafError
from sheaf.stack import processes
from sheaf.stack.folder import DataFolder
from sheaf.stack.parts import Part
from sheaf.stack.readiness import PartFailed
from sheaf.stack.state import PartState, StackState

READY_SECONDS = 180.0
GRACE_SECONDS = 20.0
# A part that dies more often than this within the window will not be mended by another start.
MAX_RESTARTS = 5
RESTART_WINDOW_SECONDS = 600.0
MAX_LOG_BYTES = 50_000_000
_TICK_SECONDS = 0.2
_HOUSEKEEPING_SECONDS = 10.0

Say = Callable[[str], None]


class StackFailed(SheafError):
    """A part that did not become ready, or died too often; the message has its log's last lines."""


@dataclass(slots=True)
class _Child:
    part: Part
    log: Path
    process: subprocess.Popen[bytes] | None = None
    launched: float = 0.0
    ready: bool = False
    waits_for: str = ""
    start_at: float = 0.0
    deaths: list[float] = field(default_factory=list)

    @property
    def done(self) -> bool:
        """A preparing part that has done its work."""
        return self.part.ready is None and self.ready


class Supervisor:
    """Runs the parts until a signal or until one of them cannot be kept alive."""

    def __init__(self, parts: Sequence[Part], folder: DataFolder, cwd: Path, say: Say) -> None:
        self._children = [_Child(part, folder.log(part.name)) for part in parts]
        self._folder = folder
        self._cwd = cwd
        self._out = say
        self._signals: list[int] = []
        self._woken = threading.Event()
        self._settled = False
        self._state = StackState(pid=os.getpid(), started=processes.started_at(os.getpid()) or time.time())

    def run(self) -> None:
        """Start, watch, and stop everything before returning or raising.

        Returns after SIGINT, SIGTERM or SIGHUP. Raises StackFailed for a part that cannot be started or kept alive.
        """
        processes.adopt_orphans()
        with self._listening():
            self._write_state()
            try:
                self._watch()
            finally:
                self._stop_all()

    def _say(self, text: str) -> None:
        # A terminal that was closed, or a reader that went away, must not keep us from stopping the parts.
        with contextlib.suppress(OSError):
            self._out(text)

    @contextlib.contextmanager
    def _listening(self) -> Iterator[None]:
        def received(number: int, _: FrameType | None) -> None:
            self._signals.append(number)
            self._woken.set()

        wanted = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, received) for number in wanted}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _watch(self) -> None:
        begun = tidied = time.monotonic()
        while not self._signals:
            for child in self._children:
                self._look_after(child)
                if self._signals:
                    break
            if not self._settled and all(child.ready for child in self._children):
                self._settled = True
                self._state.phase = "ready"
                self._write_state()
                self._say(f"Everything is ready after {time.monotonic() - begun:.1f} s.")
            if time.monotonic() - tidied > _HOUSEKEEPING_SECONDS:
                tidied = time.monotonic()
                processes.adopted(self._pids())
                for child in self._children:
                    _keep_small(child.log)
            self._woken.wait(_TICK_SECONDS if not self._settled else 2.5 * _TICK_SECONDS)
        self._say(f"{signal.Signals(self._signals[0]).name} received.")

    def _look_after(self, child: _Child) -> None:
        if child.done:
            return
        if child.process is None:
            needed = [other for other in self._children if other.part.name in child.part.after]
            if all(other.ready for other in needed) and time.monotonic() >= child.start_at:
                self._start(child)
            return
        code = child.process.poll()
        if code is not None:
            if child.part.ready is None and code == 0:
                self._note_ready(child)
            else:
                self._bury(child, child.process.pid, _ending(code))
        elif not child.ready and child.part.ready is not None:
            try:
                child.waits_for = child.part.ready(child.launched) or ""
            except PartFailed as error:
                if not self._settled:
                    raise StackFailed(f"{child.part.title}: {error}\n{_tail(child.log)}") from error
                # It runs, and shows the fault in its pages: no reason to stop what else runs.
                child.waits_for = ""
                self._say(f"{child.part.title}: {error}")
            if not child.waits_for:
                self._note_ready(child)
            elif time.time() - child.launched > READY_SECONDS:
                self._bury(child, child.process.pid, f"was not ready after {READY_SECONDS:.0f} s ({child.waits_for})")

    def _start(self, child: _Child) -> None:
        env = {**child.part.env, processes.PART_MARKER: child.part.name}
        child.launched = time.time()
        child.process = processes.start(child.part.argv, env, child.log, self._cwd)
        self._write_state()

    def _note_ready(self, child: _Child) -> None:
        child.ready = True
        self._write_state()
        if child.deaths and child.part.mourn:
            # Only now: what it closes is to be tried again, and that needs the part.
            processes.run((*child.part.mourn, str(child.launched)), child.part.env, child.log, self._cwd)
        seconds = time.time() - child.launched
        if child.part.ready is not None:
            again = "ready again" if child.deaths else "ready"
            self._say(f"{child.part.title:<24} {again} in {seconds:4.1f} s   {child.part.url or ''}".rstrip())

    def _bury(self, child: _Child, pid: int, how: str) -> None:
        """Clear away what a dead part left and set the time of its next start; give up when it dies too often."""
        rest = processes.tree([pid])
        child.process, child.ready = None, False
        # Killed outright: a run's worker that is asked to end reports a failure that Dagster would try again at once,
        # in vain, while its code server is away.
        processes.stop([*rest, *processes.left_behind_by(child.part.name, self._pids())], 0)
        if not self._settled:
            raise StackFailed(f"{child.part.title} {how}. The end of {child.log}:\n{_tail(child.log)}")
        moment = time.monotonic()
        child.deaths = [death for death in child.deaths if moment - death < RESTART_WINDOW_SECONDS] + [moment]
        if len(child.deaths) > MAX_RESTARTS:
            raise StackFailed(
                f"{child.part.title} {how}, for the {len(child.deaths)}th time in {RESTART_WINDOW_SECONDS / 60:.0f} "
                f"minutes. The end of {child.log}:\n{_tail(child.log)}"
            )
        pause = 2.0 ** (len(child.deaths) - 1)
        child.start_at = moment + pause
        self._say(
            f"{child.part.title} {how}; restart {len(child.deaths)} of {MAX_RESTARTS} in {pause:.0f} s, "
            f"its log is {child.log}"
        )
        self._write_state()

    def _stop_all(self) -> None:
        """End every descendant of ours, adopted ones too: first those that work with the stores, then the stores."""
        self._state.phase = "stopping"
        self._write_state()
        stores = [child.process.pid for child in self._children if child.process and not child.part.after]
        kept = processes.tree(stores)
        for wave in ([process for process in processes.tree([os.getpid()])[1:] if process not in kept], kept):
            for name in processes.stop(wave, GRACE_SECONDS):
                self._say(f"{name} did not end within {GRACE_SECONDS:.0f} s and was killed.")
        # What was started while the first wave ended.
        processes.stop(processes.tree([os.getpid()])[1:], 2.0)
        self._folder.state_file.unlink(missing_ok=True)
        self._folder.addresses_file.unlink(missing_ok=True)
        self._say("Everything is stopped.")

    def _pids(self) -> set[int]:
        return {child.process.pid for child in self._children if child.process}

    def _write_state(self) -> None:
        self._state.parts = [
            PartState(
                name=child.part.name,
                title=child.part.title,
                url=child.part.url,
                log=str(child.log),
                pid=child.process.pid if child.process else 0,
                started=(processes.started_at(child.process.pid) or 0.0) if child.process else 0.0,
                restarts=len(child.deaths),
                ready=child.ready,
            )
            for child in self._children
            if child.part.ready is not None
        ]
        self._state.write(self._folder)


def _ending(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    with contextlib.suppress(ValueError):
        return f"was ended by {signal.Signals(-code).name}"
    return f"was ended by signal {-code}"


def _tail(log: Path, lines: int = 15) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 20_000))
        text = file.read().decode(errors="replace")
    return "\n".join(f"  | {line}" for line in text.splitlines()[-lines:])


def _keep_small(log: Path) -> None:
    """Move a long log aside. The writer has it open for appending: it is copied and cut, never renamed."""
    if not log.exists() or log.stat().st_size < MAX_LOG_BYTES:
        return
    older = log.with_suffix(".log.1")
    with log.open("rb") as source, older.open("wb") as target:
        while block := source.read(1 << 20):
            target.write(block)
    os.truncate(log, 0)


def stop_orphans(folder: DataFolder, say: Say) -> int:
    """End what a supervisor that was killed left running in this data folder. Call it with the lock held."""
    left = processes.marked(str(folder.root))
    if left:
        say(f"{len(left)} processes of a stack whose supervisor was killed still run here; they are stopped first.")
        processes.stop(left, GRACE_SECONDS)
    return len(left)
