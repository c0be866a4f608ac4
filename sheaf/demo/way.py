"""The whole way on this machine: a scripted site, the embedded stack, the configs, and when everything has followed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sheaf.config import ProjectConfig, TenantsConfig, load_sources, load_tenants, sha_in_force
from sheaf.errors import NotFound, SheafError
from sheaf.graph import GraphStore, open_graph_store
from sheaf.graph.markers import Markers, read_states
from sheaf.harvest.manifest import latest_harvest
from sheaf.release import published
from sheaf.settings import Settings, inherited_environment
from sheaf.stack.dagster_api import DagsterApi
from sheaf.stack.folder import data_folder, embedded_settings, external_settings
from sheaf.stack.state import running_state
from sheaf.store import ObjectStore, layout, open_store

START_SECONDS = 240.0
STOP_SECONDS = 60.0
LOOK_SECONDS = 1.0
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Stack:
    """A running stack and clients for its parts."""

    settings: Settings
    store: ObjectStore
    graphs: GraphStore
    dagster: DagsterApi
    process: subprocess.Popen[bytes]


def embedded_stack(settings: Settings, output: int | None = None) -> AbstractContextManager[Stack]:
    """Run ``sheaf up`` in the settings' data folder, ready when entered, stopped with all its tree when left.

    Raises ``SheafError`` when it does not start; what it says goes to our own output, or to ``output``.
    """
    return _stack(settings, [], embedded_settings, output)


def external_stack(settings: Settings, instance: Path, output: int | None = None) -> AbstractContextManager[Stack]:
    """The same, on the object store and the triplestore of the settings, and with an instance file of Dagster's."""
    return _stack(settings, ["--external-stores", "--instance", str(instance)], external_settings, output)


@contextmanager
def _stack(
    settings: Settings, words: list[str], settle: Callable[[Settings], Settings], output: int | None
) -> Iterator[Stack]:
    folder = data_folder(settings)
    command = [sys.executable, "-m", "sheaf.cli", "up", "--data-dir", str(folder.root)]
    process = subprocess.Popen(
        [*command, "--port-offset", str(settings.port_offset), *words],
        env={**inherited_environment(), **settings.environment()},
        stdout=output,
        stderr=output,
        start_new_session=True,
    )
    try:
        end = time.monotonic() + START_SECONDS
        while (state := running_state(folder)) is None or state.phase != "ready":
            if process.poll() is not None:
                raise SheafError(f"the stack did not start (exit code {process.returncode}); it says why above")
            if time.monotonic() > end:
                raise SheafError(f"the stack was not ready after {START_SECONDS:.0f} s; see {folder.logs}")
            time.sleep(0.1)
        there = settle(settings)
        dagster = DagsterApi(there.dagster_url)
        yield Stack(there, open_store(there), open_graph_store(there), dagster, process)
        dagster.close()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=STOP_SECONDS)


@dataclass(frozen=True, slots=True)
class Goal:
    """What the configs ask for: every active source published, every tenant equal to its sources' releases."""

    sources_sha: str
    tenants_sha: str
    project: ProjectConfig
    tenants: TenantsConfig


def upload(stack: Stack, sources: str, tenants: str) -> Goal:
    """Put both configs where the sensors watch, as an operator does."""
    loaded = load_sources(sources.encode())
    checked = load_tenants(tenants.encode(), [source.name for source in loaded.config.sources])
    settings = stack.settings
    keys = (
        layout.sources_config(settings.config_path, settings.sources_filename),
        layout.tenants_config(settings.config_path, settings.tenant_filename),
    )
    for key, text in zip(keys, (sources, tenants), strict=True):
        stack.store.put(key, text.encode(), "application/yaml")
    return Goal(loaded.sha256, checked.sha256, loaded.config, checked.config)


def missing(stack: Stack, goal: Goal) -> list[str]:
    """What is not yet as the goal says, a line each; empty when everything has followed."""
    for kind, sha in (("sources", goal.sources_sha), ("tenants", goal.tenants_sha)):
        try:
            if sha_in_force(stack.store, kind, stack.settings) != sha:
                return [f"the {kind} are not in force yet"]
        except NotFound:
            return [f"no {kind} are in force yet"]
    lines = []
    pointers: dict[str, str] = {}
    for source in goal.project.sources:
        pointer = published(stack.store, source.name)
        harvest = latest_harvest(stack.store, source.name)
        if source.active and (harvest is None or harvest.fingerprint != source.fingerprint(goal.project)):
            lines.append(f"{source.name} is not harvested yet")
        elif source.active and pointer is None:
            lines.append(f"{source.name} is not published yet")
        if pointer is not None:
            pointers[source.name] = pointer.release_id
    for tenant in goal.tenants.tenant:
        wanted = {name: pointers[name] for name in tenant.members(pointers)}
        for namespace in (tenant.graph.main_namespace, tenant.graph.summary_namespace):
            if loaded_releases(stack, tenant.community, namespace) != wanted:
                lines.append(f"{tenant.community}: {namespace} does not hold the published releases yet")
    return lines


def loaded_releases(stack: Stack, community: str, namespace: str) -> dict[str, str]:
    """The release of each source that a tenant's namespace says it holds."""
    try:
        states = read_states(stack.graphs, namespace, Markers(stack.settings.org, community))
    except NotFound:
        return {}
    return {source: state.release for source, state in states.items()}


def wait_until_followed(stack: Stack, goal: Goal, seconds: float, say: Say) -> None:
    """Wait until nothing is missing and nothing runs; ``SheafError`` names what failed or what is still missing."""
    end, shown = time.monotonic() + seconds, ""
    while True:
        lines = missing(stack, goal)
        runs = stack.dagster.runs()
        if not lines and not any(run.active for run in runs):
            return
        failed = next((run for run in runs if run.status == "FAILURE"), None)
        if failed is not None and not any(run.active for run in runs):
            raise SheafError(
                f"{failed.job} of {failed.partition or 'all'} failed: {stack.dagster.failure(failed.run_id)}. "
                f"See {stack.settings.dagster_url}/runs/{failed.run_id}"
            )
        if time.monotonic() > end:
            raise SheafError(f"not done after {seconds:.0f} s: {'; '.join(lines) or 'runs are still active'}")
        working = sorted({run.partition or run.job for run in runs if run.status == "STARTED"})
        now = f"{len(lines)} to go" + (f", working on {', '.join(working)}" if working else "")
        if now != shown:
            say(f"  {now}")
            shown = now
        time.sleep(LOOK_SECONDS)


def data_dir_of(settings: Settings, name: str) -> Path:
    """A data folder of its own for the demo, beside the one of ``sheaf up``."""
    return settings.data_dir / name
