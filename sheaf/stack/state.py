"""What a running stack says about itself, and the lock that makes it the only one of its data folder."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Literal

from sheaf.stack.folder import DataFolder
from sheaf.stack.processes import is_same

Phase = Literal["starting", "ready", "stopping"]


@dataclass(slots=True)
class PartState:
    """A part as it is now. ``started`` is the process's own start time, in seconds since the epoch."""

    name: str
    title: str
    url: str
    log: str
    pid: int = 0
    started: float = 0.0
    restarts: int = 0
    ready: bool = False


@dataclass(slots=True)
class StackState:
    """A stack as its supervisor last wrote it down."""

    pid: int
    started: float
    phase: Phase = "starting"
    parts: list[PartState] = field(default_factory=list)

    def write(self, folder: DataFolder) -> None:
        """Replace the state file in one step: a reader never sees half of it."""
        draft = folder.state_file.with_suffix(".json.new")
        draft.write_text(json.dumps(asdict(self), indent=1))
        draft.replace(folder.state_file)


def read_state(folder: DataFolder) -> StackState | None:
    """The last state written, whether or not its processes still live; None when there is none that can be read."""
    try:
        document = json.loads(folder.state_file.read_text())
        parts = [PartState(**part) for part in document.pop("parts")]
        return StackState(**document, parts=parts)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def running_state(folder: DataFolder) -> StackState | None:
    """The state of the stack that runs in this data folder now; None when none does."""
    if not folder.lock_file.exists():
        return None
    with folder.lock_file.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            state = read_state(folder)
            # Between taking the lock and its first state, a supervisor has left nothing to show but its lock.
            return state if state and is_same(state.pid, state.started) else StackState(pid=0, started=0.0)
    return None


@contextmanager
def stack_lock(folder: DataFolder) -> Iterator[bool]:
    """Hold the data folder's lock; yields False when another supervisor has it. The kernel frees it when we die."""
    descriptor = os.open(folder.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(descriptor)
