"""``sheaf up`` with its real servers: ready, found, restarted with its data, and stopped without a trace."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from sheaf.settings import Settings
from sheaf.stack import processes
from sheaf.stack.folder import DataFolder
from sheaf.stack.ports import port_is_free
from sheaf.store import open_store

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.e2e


@dataclass(frozen=True)
class Stack:
    """A stack of the test's own: its data folder, its ports, and the command line beside it."""

    data: Path
    offset: int

    def sheaf(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "sheaf.cli", *arguments, "--data-dir", str(self.data)],
            cwd=ROOT,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GLEANERIO_")}
        return kept | {"GLEANERIO_PORT_OFFSET": str(self.offset)}

    def up(self, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.sheaf("up", "--detach", check=check)

    def parts(self) -> dict[str, dict[str, Any]]:
        shown = json.loads(self.sheaf("status", "--json", check=False).stdout)
        return {part["name"]: part for part in shown["parts"]}

    def left(self) -> list[psutil.Process]:
        return processes.marked(str(self.data))


def free_offset() -> int:
    """An offset at which every port of the stack is free."""
    for offset in range(10_000 + os.getpid() % 500, 20_000, 501):
        if all(port_is_free(port + offset) for port in (3000, 4000, 4001, 4002, 9000, 9999)):
            return offset
    raise AssertionError("no free ports for a stack")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One folder for all tests; each brings its stack up, which costs nothing when it is."""
    stack = Stack(tmp_path_factory.mktemp("stack") / "data", free_offset())
    yield stack
    stack.sheaf("down", check=False)
    for process in stack.left():
        process.kill()


def test_a_stack_keeps_its_data_over_a_restart_and_leaves_no_process(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = stack.up().stdout
    addresses = {name: part["url"] for name, part in stack.parts().items() if part["url"]}
    assert set(addresses) == {"s3", "graph", "webserver"}
    assert all(url in said for url in addresses.values())
    assert all(part["state"] == "ready" for part in stack.parts().values())
    monkeypatch.setenv("GLEANERIO_DATA_DIR", str(stack.data))
    store = open_store(Settings.load())
    store.put("kept/one.txt", b"one")
    graphs = Settings.load()
    assert httpx.get(f"{graphs.graph_url.removesuffix('/blazegraph')}/status").status_code == 200

    again = stack.up().stdout
    assert "Already running" in again
    assert addresses["webserver"] in again

    pids = [part["pid"] for part in stack.parts().values()]
    stack.sheaf("down")
    assert stack.left() == []
    assert not any(processes.started_at(pid) for pid in pids)
    assert stack.sheaf("status", check=False).returncode == 3

    stack.up()
    assert open_store(Settings.load()).get("kept/one.txt") == b"one"


def test_no_process_of_the_stack_shows_a_secret_in_its_command_line(stack: Stack) -> None:
    stack.up()
    lines = DataFolder(stack.data).secrets_file.read_text().split()
    secrets = [line.partition("=")[2] for line in lines]
    assert len(secrets) == 3
    shown = [" ".join(process.cmdline()) for process in stack.left()]
    assert len(shown) >= 5
    assert [line for line in shown if any(secret in line for secret in secrets)] == []
    for log in DataFolder(stack.data).logs.iterdir():
        assert not any(secret in log.read_text() for secret in secrets), log


def test_a_part_that_is_killed_comes_back_and_a_killed_supervisor_s_stack_is_taken_over(stack: Stack) -> None:
    stack.up()
    before = stack.parts()
    os.kill(before["webserver"]["pid"], signal.SIGKILL)
    deadline = time.monotonic() + 60
    while not (stack.parts()["webserver"]["restarts"] == 1 and stack.parts()["webserver"]["state"] == "ready"):
        assert time.monotonic() < deadline, "the webserver did not come back"
        time.sleep(0.5)
    assert stack.parts()["s3"]["pid"] == before["s3"]["pid"]

    supervisor = psutil.Process(before["s3"]["pid"]).parent()
    assert supervisor is not None
    supervisor.kill()
    supervisor.wait(10)
    old = {process.pid for process in stack.left()}
    stack.up()
    assert all(part["state"] == "ready" for part in stack.parts().values())
    assert old.isdisjoint(process.pid for process in stack.left())


def test_a_taken_port_is_named_and_nothing_is_started(stack: Stack) -> None:
    stack.sheaf("down")
    server = subprocess.Popen(
        [sys.executable, "-m", "http.server", str(9000 + stack.offset), "--bind", "127.0.0.1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 20
        while port_is_free(9000 + stack.offset):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        refused = stack.up(check=False)
    finally:
        server.kill()
        server.wait()
    assert refused.returncode != 0
    assert f"port {9000 + stack.offset} (S3)" in refused.stderr
    assert f"process {server.pid}" in refused.stderr
    assert stack.left() == []


def test_ctrl_c_in_the_foreground_stops_everything(stack: Stack) -> None:
    stack.sheaf("down")
    with (stack.data.parent / "out").open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "sheaf.cli", "up", "--data-dir", str(stack.data)],
            cwd=ROOT,
            env=stack.environment(),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + 120
    while "Everything is ready" not in (stack.data.parent / "out").read_text():
        assert process.poll() is None, (stack.data.parent / "out").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(60) == 0
    assert stack.left() == []
