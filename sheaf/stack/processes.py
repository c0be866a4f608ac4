"""Starting children that cannot outlive us, and stopping whole trees of them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import psutil

# Every process of a stack carries this variable, and hands it on to its own children: whatever became of the
# supervisor and of the process ids it noted, the next start finds what is left.
MARKER = "SHEAF_STACK"
# ... and this one says which part of it they belong to.
PART_MARKER = "SHEAF_STACK_PART"

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def adopt_orphans() -> None:
    """Make grandchildren whose parent dies ours, so that they are found again when the tree is stopped (Linux)."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def adopted(known: set[int]) -> list[psutil.Process]:
    """Our living children that are not among the ``known`` ones; those of them that ended are taken leave of."""
    living = []
    for child in psutil.Process().children():
        if child.pid in known:
            continue
        with contextlib.suppress(psutil.NoSuchProcess, ChildProcessError):
            if child.status() == psutil.STATUS_ZOMBIE:
                os.waitpid(child.pid, os.WNOHANG)
            else:
                living.append(child)
    return living


def left_behind_by(part: str, known: set[int]) -> list[psutil.Process]:
    """The trees of the adopted children that a dead part left: its marker says so, or nobody else's does."""
    pids = []
    for child in adopted(known):
        with contextlib.suppress(psutil.Error, OSError):
            if child.environ().get(PART_MARKER, part) == part:
                pids.append(child.pid)
    return tree(pids)


def start(argv: Sequence[str], env: Mapping[str, str], log: Path, cwd: Path) -> subprocess.Popen[bytes]:
    """Start a child in its own process group, its output appended to a log file, that is told when we die (Linux)."""

    def before_exec() -> None:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    with log.open("ab") as output:
        return subprocess.Popen(
            argv,
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,
            # Nothing but a system call happens there, and the supervisor starts children from its only thread.
            preexec_fn=before_exec,
        )


def run(argv: Sequence[str], env: Mapping[str, str], log: Path, cwd: Path, timeout_seconds: float = 120.0) -> None:
    """Run a short program to its end, its output appended to a log file, whatever its exit code."""
    with log.open("ab") as output, contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(argv, env=dict(env), cwd=cwd, stdout=output, stderr=output, timeout=timeout_seconds, check=False)


def tree(pids: Iterable[int]) -> list[psutil.Process]:
    """The processes of these ids and all their descendants, each once."""
    found: dict[int, psutil.Process] = {}
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            found[pid] = process
            for child in process.children(recursive=True):
                found[child.pid] = child
    return list(found.values())


def stop(processes: Sequence[psutil.Process], grace_seconds: float) -> list[str]:
    """End these processes: SIGTERM, then SIGKILL for what is left after the grace. Returns what had to be killed."""
    alive = list(processes)
    if grace_seconds > 0:
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
        _, alive = psutil.wait_procs(processes, timeout=grace_seconds)
    killed = []
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            name = f"{process.name()} ({process.pid})"
            process.kill()
            killed.append(name)
    psutil.wait_procs(alive, timeout=5)
    return killed


def started_at(pid: int) -> float | None:
    """When a process began (seconds since the epoch), None when it is gone or a zombie."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.NoSuchProcess:
        return None


def is_same(pid: int, started: float) -> bool:
    """Whether the process of that id is still the one that began then, and not a later one with its number."""
    now = started_at(pid)
    # The kernel counts from boot, and the boot's wall time is corrected by NTP: two seconds are no difference.
    return now is not None and abs(now - started) < 2


def marked(value: str) -> list[psutil.Process]:
    """All processes that carry this stack's marker, with their descendants; ourselves and our ancestors excepted."""
    ours = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    pids = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid not in ours and process.environ().get(MARKER) == value:
                pids.append(process.pid)
    return [process for process in tree(pids) if process.pid not in ours]
