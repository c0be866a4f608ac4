"""Every command of the README's code blocks works as it stands there, on other ports and in a folder of its own."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sheaf.settings import inherited_environment

pytestmark = pytest.mark.e2e
TOP = Path(__file__).parents[2]
OFFSET = 21_450
# `make test` runs this very test, and test_whole_way.py begins with `make demo`.
ELSEWHERE = {"make test", "make demo"}


def commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", (TOP / "README.md").read_text(), re.DOTALL)
    return [line.split("#")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]


def run(command: str, folder: Path, seconds: float) -> subprocess.CompletedProcess[str]:
    env = {**inherited_environment(), "GLEANERIO_DATA_DIR": str(folder), "PORT_OFFSET": str(OFFSET)}
    words = re.sub(r"^\.venv/bin/", f"{Path(sys.executable).parent}/", command).split()
    return subprocess.run(words, cwd=TOP, env=env, capture_output=True, text=True, timeout=seconds)


def test_the_embedded_stack_takes_the_configs_as_the_readme_says(tmp_path: Path) -> None:
    told = [command for command in commands() if command not in ELSEWHERE]
    assert told[0] == "make up"
    env = {**inherited_environment(), "GLEANERIO_DATA_DIR": str(tmp_path), "PORT_OFFSET": str(OFFSET)}
    up = subprocess.Popen(["make", "up"], cwd=TOP, env=env, start_new_session=True)
    try:
        end = time.monotonic() + 240
        while run(f"{sys.executable} -m sheaf.cli status", tmp_path, 60).returncode != 0:
            assert time.monotonic() < end
            assert up.poll() is None
            time.sleep(0.5)
        for command in told[1:]:
            done = run(command, tmp_path, 60)
            assert done.returncode == 0, f"{command}: {done.stdout} {done.stderr}"
        stopped = run("make down", tmp_path, 120)
        assert stopped.returncode == 0
        assert up.wait(timeout=60) == 0
    finally:
        if up.poll() is None:
            up.send_signal(signal.SIGTERM)
            up.wait(timeout=60)
