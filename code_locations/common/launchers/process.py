"""Jobs as child processes: the default, for one machine, a laptop and tests."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence

from code_locations.common.launchers.base import JobEnd, JobLog, JobSpec
from sheaf.settings import Settings, process_environment

GRACE_SECONDS = 15.0
PR_SET_PDEATHSIG = 1


class ProcessLauncher:
    """Runs ``python -m sheaf.cli job ...`` in a process group of its own, with a scrubbed environment."""

    def __init__(self, settings: Settings, program: Sequence[str] = (sys.executable, "-m", "sheaf.cli")) -> None:
        self._settings = settings
        self._program = tuple(program)

    def run(self, spec: JobSpec, log: JobLog) -> JobEnd:
        """Run to the end or the deadline; a cancelled run takes its whole group along."""
        process = subprocess.Popen(
            [*self._program, *spec.command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=process_environment(self._settings),
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )
        reader = threading.Thread(target=self._follow, args=(process, log), daemon=True)
        reader.start()
        try:
            code = process.wait(timeout=spec.deadline_seconds)
            end = JobEnd(128 - code if code < 0 else code)
        except subprocess.TimeoutExpired:
            end = JobEnd(None, "deadline", f"the job ran for {spec.deadline_seconds} s")
        finally:
            _end_group(process)
            reader.join(timeout=GRACE_SECONDS)
        return end

    def reap(self, is_over: Callable[[str], bool]) -> list[str]:
        """Nothing to do: a child asks the kernel to be ended with its parent."""
        del is_over
        return []

    @staticmethod
    def _follow(process: subprocess.Popen[bytes], log: JobLog) -> None:
        if process.stdout is None:
            return
        while chunk := os.read(process.stdout.fileno(), 65_536):
            log.feed(chunk)


def _end_with_parent() -> None:
    """In the child: have the kernel send SIGTERM when the run's worker dies, kill -9 included (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM to the whole group, and SIGKILL to what is left of it after the grace."""
    if not _signal_group(process.pid, signal.SIGTERM):
        return
    until = time.monotonic() + GRACE_SECONDS
    while time.monotonic() < until:
        process.poll()
        if not _signal_group(process.pid, 0):
            return
        time.sleep(0.05)
    _signal_group(process.pid, signal.SIGKILL)
    process.wait(timeout=GRACE_SECONDS)


def _signal_group(group: int, number: int) -> bool:
    """Send a signal to a process group; false when the group is gone."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True
