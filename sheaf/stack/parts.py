"""What the embedded stack consists of: each part's command, environment, port, and how it is seen to be ready."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sheaf.errors import BadInput
from sheaf.settings import Settings, inherited_environment
from sheaf.stack.folder import DataFolder
from sheaf.stack.processes import MARKER
from sheaf.stack.readiness import Probe, answers_http, daemons_beat, serves_grpc, serves_locations

# What a server that holds no code of ours may see of the environment it is started from.
_PLAIN = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER", "LD_LIBRARY_PATH", "SSL_CERT_FILE")


_DEAD_RUNS = (sys.executable, "-m", "code_locations.common.dead_runs")


@dataclass(frozen=True, slots=True)
class Part:
    """One process of the stack. ``after``: parts that must be ready before it starts. No ``ready``: it
    prepares something, and is done when it ends with 0."""

    name: str
    title: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    ready: Probe | None
    after: tuple[str, ...] = ()
    port: int | None = None
    port_setting: str = ""
    url: str = ""
    # Run when the part is ready again after a death, with the time of its new start (epoch seconds) added.
    mourn: tuple[str, ...] = ()


def project_root() -> Path:
    """The folder that holds ``workspace.yaml`` and ``dagster.yaml``: the clone, or the folder we are called in.

    Raises BadInput when neither is one.
    """
    import sheaf

    for folder in (Path(sheaf.__file__).resolve().parent.parent, Path.cwd()):
        if (folder / "workspace.yaml").is_file() and (folder / "dagster.yaml").is_file():
            return folder
    raise BadInput(f"No workspace.yaml and dagster.yaml in {Path.cwd()}: call sheaf from the project's folder.")


def program(name: str) -> str:
    """The path of a program that came with our Python packages, or stands on PATH. Raises BadInput without it."""
    # Not resolved: in a virtual environment the link's folder is the one that holds the programs.
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if not found:
        raise BadInput(
            f"{name} is missing: install the stack's packages with `make deps`, or `pip install sheaf[platform]`."
        )
    return found


@dataclass(frozen=True, slots=True)
class Location:
    """A code location of ``workspace.yaml``, served over gRPC."""

    name: str
    module: str
    port: int


def read_workspace(path: Path, offset: int) -> list[Location]:
    """The code locations of a workspace file, their ports moved by the offset.

    Raises BadInput for a file that holds anything but ``grpc_server`` entries with a name and a port.
    """
    try:
        document = yaml.safe_load(path.read_text())
        entries = [entry["grpc_server"] for entry in document["load_from"]]
        return [
            Location(
                name=entry["location_name"],
                module=f"code_locations.{entry['location_name']}.definitions",
                port=int(entry["port"]) + offset,
            )
            for entry in entries
        ]
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise BadInput(
            f"{path}: {error!r}. Each entry of load_from is a grpc_server with location_name and port."
        ) from error


def prepare_dagster(instance: Path, folder: DataFolder, locations: list[Location]) -> None:
    """Write the instance's YAML (a copy of ``instance``) and the workspace's into ``DAGSTER_HOME``."""
    (folder.dagster / "dagster.yaml").write_text(instance.read_text())
    servers: list[dict[str, Any]] = [
        {"grpc_server": {"host": "127.0.0.1", "port": place.port, "location_name": place.name}} for place in locations
    ]
    (folder.dagster / "workspace.yaml").write_text(yaml.safe_dump({"load_from": servers}, sort_keys=False))


def embedded_parts(settings: Settings, folder: DataFolder, root: Path, locations: list[Location]) -> list[Part]:
    """The parts of the stack in the order of their dependencies.

    ``settings`` are those of ``embedded_settings``. Secrets go by environment, to the parts that need them only.
    """
    stores = _stores(settings, folder, root)
    return [*stores, *dagster_parts(settings, folder, root, locations, tuple(part.name for part in stores))]


def _argv(executable: str, words: str, path: Path) -> tuple[str, ...]:
    """A command line: words without blanks, and a path that may have some."""
    return (executable, *words.split(), str(path))


def _stores(settings: Settings, folder: DataFolder, root: Path) -> list[Part]:
    s3_port = settings.s3_port + settings.port_offset
    graph_port = settings.graph_port + settings.port_offset
    ours = settings.environment()
    inherited = inherited_environment()
    plain = {name: inherited[name] for name in _PLAIN if name in inherited} | {MARKER: str(folder.root)}
    access, secret = ours["GLEANERIO_MINIO_ACCESS_KEY"], ours["GLEANERIO_MINIO_SECRET_KEY"]
    s3_url, graph_url = f"http://127.0.0.1:{s3_port}", f"http://127.0.0.1:{graph_port}"
    return [
        Part(
            "s3",
            "S3",
            _argv(program("rclone"), f"serve s3 --addr 127.0.0.1:{s3_port}", folder.s3),
            # An empty RCLONE_CONFIG: the person's own remotes are none of our business.
            plain | {"RCLONE_AUTH_KEY": f'"{access},{secret}"', "RCLONE_CONFIG": ""},
            answers_http(s3_url),
            port=s3_port,
            port_setting="GLEANERIO_S3_PORT",
            url=s3_url,
        ),
        Part(
            "graph",
            "Graph server",
            _argv(
                sys.executable,
                f"-m sheaf.cli graph serve --host 127.0.0.1 --port {graph_port} --location",
                folder.graph,
            ),
            plain | {"GLEANERIO_GRAPH_TOKEN": ours["GLEANERIO_GRAPH_TOKEN"], "PYTHONPATH": str(root)},
            answers_http(f"{graph_url}/status", 200),
            port=graph_port,
            port_setting="GLEANERIO_GRAPH_PORT",
            url=graph_url,
        ),
    ]


def dagster_parts(
    settings: Settings, folder: DataFolder, root: Path, locations: list[Location], stores: tuple[str, ...] = ()
) -> list[Part]:
    """Dagster alone, on the object store and triplestore that the settings name; ``stores``: parts to wait for."""
    port = settings.dagster_port + settings.port_offset
    workspace = folder.dagster / "workspace.yaml"
    secret_names = settings.secret_names()
    ours = settings.environment()
    inherited = inherited_environment()
    # The webserver and the daemon run none of our code: they are told no secrets.
    env = {name: value for name, value in (inherited | ours).items() if name not in secret_names} | {
        MARKER: str(folder.root),
        "DAGSTER_HOME": str(folder.dagster),
        # The locations' modules stand in the project's folder, whatever folder `sheaf up` was called in.
        "PYTHONPATH": str(root),
        "PATH": f"{Path(sys.executable).parent}:{inherited.get('PATH', '')}",
    }
    code_env = env | {name: value for name, value in ours.items() if name in secret_names}
    codes = [
        Part(
            f"code-{place.name}",
            f"Code location {place.name}",
            _argv(
                program("dagster"),
                f"code-server start -h 127.0.0.1 -p {place.port} -m {place.module} --location-name {place.name} -d",
                root,
            ),
            code_env,
            serves_grpc(place.port),
            after=stores,
            port=place.port,
            port_setting=f"the port of {place.name} in workspace.yaml",
            mourn=(*_DEAD_RUNS, place.name),
        )
        for place in locations
    ]
    # Two processes that create the same SQLite tables trip over one another: the storage is made before.
    before = ("prepare", *(part.name for part in codes))
    return [
        Part("prepare", "Dagster's storage", _DEAD_RUNS, env, None),
        *codes,
        Part(
            "webserver",
            "Dagster UI",
            _argv(program("dagster-webserver"), f"-h 127.0.0.1 -p {port} --live-data-poll-rate 5000 -w", workspace),
            env,
            serves_locations(settings.dagster_url),
            after=before,
            port=port,
            port_setting="GLEANERIO_DAGSTER_PORT",
            url=settings.dagster_url,
        ),
        Part(
            "daemon",
            "Dagster daemon",
            _argv(program("dagster-daemon"), "run -w", workspace),
            env,
            daemons_beat(settings.dagster_url),
            after=before,
        ),
    ]
