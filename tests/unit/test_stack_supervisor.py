"""The supervisor, over small parts that are processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from sheaf.stack import processes
from sheaf.stack.folder import DataFolder
from sheaf.stack.state import read_state

ROOT = Path(__file__).parents[2]

# Each part is a small program; it is ready when the file that carries its name is there.
HARNESS = """
import sys
from pathlib import Path
from sheaf.errors import SheafError
from sheaf.stack import supervisor
from sheaf.stack.folder import DataFolder
from sheaf.stack.parts import Part
from sheaf.stack.processes import MARKER

root = Path(sys.argv[1])
supervisor.GRACE_SECONDS = 1.0
supervisor.READY_SECONDS = 5.0

def ready_file(name):
    def ready(started):
        file = root / f'ready-{name}'
        return None if file.exists() and file.stat().st_mtime >= started - 0.05 else f"{name} is not there"
    return ready

def part(name, program, after=(), once=False):
    ready = None if once else ready_file(name)
    env = {MARKER: str(root), "ROOT": str(root), "PATH": "/usr/bin:/bin"}
    return Part(name, name, (sys.executable, "-c", program), env, ready, after=after)

SERVE = "import os, pathlib, time; pathlib.Path(os.environ['ROOT'], 'ready-{name}').write_text(''); time.sleep(600)"

def server(name, after=()):
    return part(name, SERVE.format(name=name), after)

def run(*parts):
    folder = DataFolder(root)
    folder.create("b")
    try:
        supervisor.Supervisor(parts, folder, root, lambda text: print(text, flush=True)).run()
    except SheafError as error:
        print(error, flush=True)
        sys.exit(2)
"""


@contextmanager
def supervised(folder: Path, parts: str) -> Iterator[subprocess.Popen[str]]:
    with (folder / "out").open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", f"{HARNESS}\nrun({parts})", str(folder)],
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for left in processes.marked(str(folder)):
            left.kill()


def eventually(condition: Callable[[], bool], what: str, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def pid_of(folder: Path, part: str) -> int:
    state = read_state(DataFolder(folder))
    return next((known.pid for known in state.parts if known.name == part), 0) if state else 0


def is_ready(folder: Path) -> bool:
    state = read_state(DataFolder(folder))
    return state is not None and state.phase == "ready"


def said(folder: Path) -> str:
    return (folder / "out").read_text()


def test_parts_start_after_what_they_need_and_all_are_gone_at_the_end(tmp_path: Path) -> None:
    with supervised(tmp_path, "server('web', after=('code',)), server('s3'), server('code', after=('s3',))") as process:
        eventually(lambda: is_ready(tmp_path), "it did not become ready")
        times = [psutil.Process(pid_of(tmp_path, name)).create_time() for name in ("s3", "code", "web")]
        pids = [pid_of(tmp_path, name) for name in ("s3", "code", "web")]
        assert times == sorted(times)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert not any(psutil.pid_exists(pid) for pid in pids)
    assert said(tmp_path).index("s3") < said(tmp_path).index("code") < said(tmp_path).index("web")
    assert "Everything is stopped." in said(tmp_path)
    assert read_state(DataFolder(tmp_path)) is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_grandchild_that_left_its_group_and_ignores_sigterm_is_stopped_too(tmp_path: Path, number: int) -> None:
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    program = (
        "import os, pathlib, subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', {stubborn!r}], start_new_session=True)\n"
        "root = pathlib.Path(os.environ['ROOT'])\n"
        "time.sleep(0.3); (root / 'grandchild').write_text(str(child.pid)); (root / 'ready-code').write_text('')\n"
        "time.sleep(600)\n"
    )
    with supervised(tmp_path, f"part('code', {program!r})") as process:
        eventually(lambda: is_ready(tmp_path), "it did not become ready")
        grandchild = int((tmp_path / "grandchild").read_text())
        assert psutil.pid_exists(grandchild)
        process.send_signal(number)
        assert process.wait(20) == 0
        assert processes.started_at(grandchild) is None
    assert f"({grandchild}) did not end within 1 s and was killed" in said(tmp_path)


def test_a_part_that_dies_is_started_again_and_what_it_left_is_cleared_away(tmp_path: Path) -> None:
    program = (
        "import os, pathlib, subprocess, sys, time\n"
        "child = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
        "root = pathlib.Path(os.environ['ROOT'])\n"
        "(root / f'child-{os.getpid()}').write_text(str(child.pid)); (root / 'ready-code').write_text('')\n"
        "time.sleep(600)\n"
    )
    with supervised(tmp_path, f"server('s3'), part('code', {program!r}, after=('s3',))") as process:
        eventually(lambda: is_ready(tmp_path), "it did not become ready")
        first, store = pid_of(tmp_path, "code"), pid_of(tmp_path, "s3")
        os.kill(first, signal.SIGKILL)
        eventually(lambda: "code                     ready again" in said(tmp_path), "it did not come back")
        assert "code was ended by SIGKILL; restart 1 of 5" in said(tmp_path)
        assert pid_of(tmp_path, "code") not in (0, first)
        assert pid_of(tmp_path, "s3") == store
        assert processes.started_at(int((tmp_path / f"child-{first}").read_text())) is None
        process.terminate()
        assert process.wait(20) == 0


def test_a_part_that_dies_before_it_is_ready_ends_the_start_with_its_last_words(tmp_path: Path) -> None:
    with supervised(tmp_path, "server('s3'), part('code', 'raise SystemExit(\"no such module\")')") as process:
        assert process.wait(20) == 2
        assert processes.marked(str(tmp_path)) == []
    assert "code ended with exit code 1" in said(tmp_path)
    assert "no such module" in said(tmp_path)


def test_a_part_that_is_never_ready_ends_the_start_and_says_what_was_waited_for(tmp_path: Path) -> None:
    with supervised(tmp_path, "part('code', 'import time; time.sleep(600)')") as process:
        assert process.wait(30) == 2
    assert "code was not ready after 5 s (code is not there)" in said(tmp_path)


def test_a_preparing_part_ends_before_those_that_need_it_start(tmp_path: Path) -> None:
    slow = "import os, pathlib, time; time.sleep(0.5); pathlib.Path(os.environ['ROOT'], 'prepared').write_text('')"
    reads = "import os, pathlib, time; p = pathlib.Path(os.environ['ROOT']); "
    reads += "(p / 'ready-web').write_text(str((p / 'prepared').exists())); time.sleep(600)"
    with supervised(tmp_path, f"part('prepare', {slow!r}, once=True), part('web', {reads!r}, after=('prepare',))"):
        eventually(lambda: is_ready(tmp_path), "it did not become ready")
        assert (tmp_path / "ready-web").read_text() == "True"


def test_what_a_killed_supervisor_left_is_found_by_its_marker(tmp_path: Path) -> None:
    program = (
        "import os, pathlib, subprocess, time, signal\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
        "pathlib.Path(os.environ['ROOT'], 'ready-code').write_text(''); time.sleep(600)\n"
    )
    with supervised(tmp_path, f"part('code', {program!r})") as process:
        eventually(lambda: is_ready(tmp_path), "it did not become ready")
        process.kill()
        process.wait()
        left = processes.marked(str(tmp_path))
        assert len(left) == 2
        assert processes.marked(str(tmp_path / "other")) == []
        processes.stop(left, 0.5)
        assert processes.marked(str(tmp_path)) == []


def test_a_process_number_that_was_given_again_is_not_the_same_process() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        started = processes.started_at(process.pid)
        assert started is not None
        assert processes.is_same(process.pid, started)
        assert not processes.is_same(process.pid, started - 60)
        process.kill()
    assert not processes.is_same(process.pid, started)
