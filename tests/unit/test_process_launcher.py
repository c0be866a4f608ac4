"""Jobs as child processes: what they are given, and that nothing of them stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from code_locations.common.launchers import JobLog, JobSpec, ProcessLauncher, level_of
from sheaf.settings import Settings

SETTINGS = Settings(minio_secret_key="very-secret-key")


def launched(script: str, deadline: int = 20) -> tuple[ProcessLauncher, JobSpec]:
    program = (sys.executable, "-u", "-c", script)
    return ProcessLauncher(SETTINGS, program), JobSpec("summon", "iris", "0123456789abcdef", 0, (), deadline)


def until(what: Callable[[], bool], seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.05)
    return what()


def test_each_line_is_shown_as_it_comes_and_the_exit_code_returned() -> None:
    lines: list[str] = []
    log = JobLog(lines.append)
    launcher, spec = launched("print('one'); print('two', flush=True); raise SystemExit(3)")
    end = launcher.run(spec, log)
    log.close()
    assert (end.exit_code, end.end, lines) == (3, "exited", ["one", "two"])
    assert log.path.read_bytes() == b"one\ntwo\n"
    log.discard()
    assert not log.path.exists()


def test_the_environment_is_the_settings_and_little_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-for-jobs")
    log = JobLog(lambda line: None)
    launcher, spec = launched("import os; print('\\n'.join(sorted(os.environ)))")
    launcher.run(spec, log)
    log.close()
    names = log.path.read_text().split()
    assert "GLEANERIO_MINIO_SECRET_KEY" in names
    assert "AWS_SECRET_ACCESS_KEY" not in names
    log.discard()


def test_no_secret_stands_in_the_command_or_the_labels() -> None:
    _, spec = launched("")
    assert "very-secret-key" not in " ".join([*spec.command, *spec.labels.values()])
    assert spec.command[:4] == ["job", "summon", "--source", "iris"]


def test_a_job_past_its_deadline_is_ended_with_its_grandchildren(tmp_path: Path) -> None:
    marker = tmp_path / "pid"
    script = (
        "import subprocess, sys, time, pathlib\n"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"pathlib.Path({str(marker)!r}).write_text(str(p.pid))\n"
        "time.sleep(60)"
    )
    launcher, spec = launched(script, deadline=2)
    end = launcher.run(spec, JobLog(lambda line: None))
    assert (end.exit_code, end.end) == (None, "deadline")
    grandchild = int(marker.read_text())
    assert until(lambda: not psutil.pid_exists(grandchild) or psutil.Process(grandchild).status() == "zombie")


def test_a_job_dies_with_a_worker_that_is_killed(tmp_path: Path) -> None:
    marker = tmp_path / "pid"
    child = f"import os, pathlib, time; pathlib.Path({str(marker)!r}).write_text(str(os.getpid())); time.sleep(60)"
    worker = (
        "from tests.unit.test_process_launcher import launched, JobLog\n"
        f"launcher, spec = launched({child!r}); launcher.run(spec, JobLog(print))"
    )
    process = subprocess.Popen([sys.executable, "-c", worker], cwd=Path(__file__).parents[2])
    assert until(lambda: marker.exists() and marker.read_text() != "")
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=10)
    job = int(marker.read_text())
    assert until(lambda: not psutil.pid_exists(job) or psutil.Process(job).status() == "zombie")


def test_lines_split_between_chunks_stay_whole_and_the_tail_keeps_forty() -> None:
    lines: list[str] = []
    log = JobLog(lines.append)
    log.feed_all([b"a", b"b\nc", *(f"{n}\n".encode() for n in range(60)), b"last"])
    log.close()
    assert lines[:2] == ["ab", "c0"]
    assert log.tail.splitlines()[-1] == "last"
    assert len(log.tail.splitlines()) == 40
    log.discard()


def test_a_log_line_keeps_its_level() -> None:
    assert [level_of(line) for line in ("2026-11-20T10:00:00Z WARNING x", "ERROR y", "120 of 300 pages")] == [
        "WARNING",
        "ERROR",
        "INFO",
    ]
