"""``sheaf up``, ``sheaf down``, ``sheaf status``: the embedded stack."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sheaf.errors import SheafError
from sheaf.settings import Settings

if TYPE_CHECKING:
    from sheaf.stack.folder import DataFolder
    from sheaf.stack.state import StackState

_START_SECONDS = 400.0
_STOP_SECONDS = 90.0


def _settings(data_dir: Path | None, port_offset: int | None = None) -> Settings:
    changes: dict[str, object] = {}
    if data_dir is not None:
        changes["data_dir"] = data_dir
    if port_offset is not None:
        changes["port_offset"] = port_offset
    return Settings.load().model_copy(update=changes)


def _say(text: str) -> None:
    click.echo(text)
    # The supervisor's output may be a file that somebody follows.
    sys.stdout.flush()


def _describe(state: StackState) -> str:
    lines = [f"{part.title:<24} {part.url}" for part in state.parts if part.url]
    return "\n".join(lines)


@click.command()
@click.option("--data-dir", type=click.Path(path_type=Path), help="The stack's data folder (GLEANERIO_DATA_DIR).")
@click.option("--port-offset", type=int, help="Added to every port, to run beside another stack.")
@click.option("--detach", "-d", is_flag=True, help="Return when everything is ready; `sheaf down` stops it.")
@click.option("--external-stores", is_flag=True, help="Dagster alone, on the stores that the settings name.")
@click.option(
    "--instance",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Dagster's instance file (default: dagster.yaml of the project, which keeps everything in SQLite).",
)
def up(
    data_dir: Path | None, port_offset: int | None, detach: bool, external_stores: bool, instance: Path | None
) -> None:
    """Start S3, graph server and Dagster on this machine, and keep them running until Ctrl-C."""
    from sheaf.stack.folder import data_folder, embedded_settings, external_settings, write_addresses
    from sheaf.stack.parts import dagster_parts, embedded_parts, prepare_dagster, project_root, read_workspace
    from sheaf.stack.ports import require_free_ports
    from sheaf.stack.state import running_state, stack_lock
    from sheaf.stack.supervisor import Supervisor, stop_orphans

    settings = _settings(data_dir, port_offset)
    folder = data_folder(settings)
    folder.create(settings.minio_bucket)
    running = running_state(folder)
    if running:
        _say(f"Already running in {folder.root} (supervisor: process {running.pid}).\n{_describe(running)}")
        return
    if detach:
        words = ["--external-stores"] if external_stores else []
        words += ["--instance", str(instance.resolve())] if instance else []
        _start_detached(folder, settings, words)
        return
    root = project_root()
    locations = read_workspace(root / "workspace.yaml", settings.port_offset)
    with stack_lock(folder) as alone:
        if not alone:
            raise SheafError(f"Another `sheaf up` has just been started in {folder.root}; `sheaf status` shows it.")
        stop_orphans(folder, _say)
        settings = external_settings(settings) if external_stores else embedded_settings(settings)
        make_parts = dagster_parts if external_stores else embedded_parts
        parts = make_parts(settings, folder, root, locations)
        require_free_ports({part.title: (part.port, part.port_setting) for part in parts if part.port})
        prepare_dagster(instance or root / "dagster.yaml", folder, locations)
        if not external_stores:
            write_addresses(folder, settings)
        _say(f"Data in {folder.root}, logs in {folder.logs}")
        Supervisor(parts, folder, root, _say).run()


def _start_detached(folder: DataFolder, settings: Settings, words: list[str]) -> None:
    """Start the supervisor in a session of its own and wait until its stack is ready."""
    from sheaf.settings import inherited_environment
    from sheaf.stack.state import running_state

    log = folder.log("supervisor")
    argv = [sys.executable, "-m", "sheaf.cli", "up", "--data-dir", str(folder.root)]
    argv += ["--port-offset", str(settings.port_offset), *words]
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv,
            env=inherited_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        state = running_state(folder)
        if state and state.phase == "ready":
            _say(f"{log.read_text().strip()}\nStop it with `sheaf down`.")
            return
        if process.poll() is not None:
            raise SheafError(f"The stack did not start.\n{log.read_text().strip()}")
        time.sleep(0.2)
    process.terminate()
    raise SheafError(f"The stack was not ready after {_START_SECONDS:.0f} s.\n{log.read_text().strip()}")


@click.command()
@click.option("--data-dir", type=click.Path(path_type=Path), help="The stack's data folder (GLEANERIO_DATA_DIR).")
def down(data_dir: Path | None) -> None:
    """Stop the stack that runs in the data folder, with everything it started."""
    from sheaf.stack.folder import data_folder
    from sheaf.stack.state import running_state, stack_lock
    from sheaf.stack.supervisor import stop_orphans

    folder = data_folder(_settings(data_dir))
    if not folder.root.is_dir():
        _say(f"Nothing runs: there is no {folder.root}.")
        return
    running = running_state(folder)
    if running is None:
        with stack_lock(folder) as alone:
            stopped = stop_orphans(folder, _say) if alone else 0
        _say(f"Stopped {stopped} processes." if stopped else f"Nothing runs in {folder.root}.")
        return
    if running.pid:
        os.kill(running.pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while running_state(folder) is not None:
        if time.monotonic() > deadline:
            raise SheafError(f"The supervisor (process {running.pid}) did not stop within {_STOP_SECONDS:.0f} s.")
        time.sleep(0.1)
    _say(f"Stopped the stack in {folder.root}.")


@click.command()
@click.option("--data-dir", type=click.Path(path_type=Path), help="The stack's data folder (GLEANERIO_DATA_DIR).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for scripts.")
def status(data_dir: Path | None, as_json: bool) -> None:
    """Show each part of the stack. Exit code 0: all ready; 3: not running, or not all ready."""
    from sheaf.stack.folder import data_folder
    from sheaf.stack.processes import is_same, tree
    from sheaf.stack.state import running_state

    folder = data_folder(_settings(data_dir))
    state = running_state(folder) if folder.root.is_dir() else None
    rows = []
    for part in state.parts if state else []:
        alive = bool(part.pid) and is_same(part.pid, part.started)
        memory = sum(_memory(process.pid) for process in tree([part.pid])) if alive else 0
        word = ("ready" if part.ready else "starting") if alive else "down"
        row = {"name": part.name, "state": word, "pid": part.pid, "url": part.url, "memory_mb": round(memory / 1e6)}
        rows.append(row | {"restarts": part.restarts, "log": part.log})
    ready = bool(rows) and all(row["state"] == "ready" for row in rows)
    if as_json:
        phase = state.phase if state else "stopped"
        click.echo(json.dumps({"phase": phase, "data": str(folder.root), "parts": rows}, indent=1))
    elif not rows:
        click.echo(f"Nothing runs in {folder.root}. `sheaf up` starts the stack.")
    else:
        click.echo(f"{'part':<14}{'state':<10}{'process':>8}{'MB':>6}{'restarts':>10}  where")
        for row in rows:
            where = row["url"] or row["log"]
            click.echo(
                f"{row['name']:<14}{row['state']:<10}{row['pid']:>8}{row['memory_mb']:>6}{row['restarts']:>10}  {where}"
            )
    if not ready:
        raise SystemExit(3)


def _memory(pid: int) -> int:
    import psutil

    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0
