"""The data folder: where each part of the embedded stack keeps its data, its log and its secrets."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from sheaf.errors import BadInput
from sheaf.settings import Settings


@dataclass(frozen=True, slots=True)
class DataFolder:
    """Paths below one data folder; nothing outside it is written."""

    root: Path

    @property
    def s3(self) -> Path:
        """Buckets as folders, objects as files."""
        return self.root / "s3"

    @property
    def graph(self) -> Path:
        """One Oxigraph store a namespace."""
        return self.root / "graph"

    @property
    def dagster(self) -> Path:
        """``DAGSTER_HOME``: SQLite files, compute logs, the instance's and the workspace's YAML."""
        return self.root / "dagster"

    @property
    def logs(self) -> Path:
        """One log file a part."""
        return self.root / "logs"

    @property
    def secrets_file(self) -> Path:
        """Keys of this stack, generated at its first start, readable by its owner alone."""
        return self.root / "secrets.env"

    @property
    def addresses_file(self) -> Path:
        """Where this stack's servers listen, for the commands that a person runs beside it."""
        return self.root / "stack.env"

    @property
    def state_file(self) -> Path:
        """What runs: written by the supervisor, read by ``up``, ``down`` and ``status``."""
        return self.root / "stack.json"

    @property
    def lock_file(self) -> Path:
        """Locked by the supervisor as long as it lives."""
        return self.root / "stack.lock"

    def log(self, part: str) -> Path:
        """The log file of a part."""
        return self.logs / f"{part}.log"

    def create(self, bucket: str) -> None:
        """Make the folders, and the bucket, which is a folder of the S3 server's.

        Raises BadInput when the data folder cannot be written.
        """
        try:
            for path in (self.s3 / bucket, self.graph, self.dagster, self.logs):
                path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(
                f"The data folder {self.root} cannot be written: {error}. "
                "Set GLEANERIO_DATA_DIR, or --data-dir, to a folder of yours."
            ) from error


def data_folder(settings: Settings) -> DataFolder:
    """The data folder that the settings name, as an absolute path."""
    return DataFolder(settings.data_dir.expanduser().resolve())


def load_keys(folder: DataFolder) -> dict[str, str]:
    """The stack's own secrets by environment variable; generated and kept when there are none yet.

    Raises BadInput when the file has a line that is no ``NAME=value``, or lacks a key.
    """
    names = ("GLEANERIO_MINIO_ACCESS_KEY", "GLEANERIO_MINIO_SECRET_KEY", "GLEANERIO_GRAPH_TOKEN")
    path = folder.secrets_file
    if not path.exists():
        keys = dict(
            zip(names, (f"sheaf{secrets.token_hex(8)}", secrets.token_hex(24), secrets.token_hex(24)), strict=True)
        )
        # Written beside and renamed: a start that is killed here must not leave half a file of keys.
        draft = path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        draft.write_text("".join(f"{name}={value}\n" for name, value in keys.items()))
        draft.replace(path)
        return keys
    keys = {}
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals:
            raise BadInput(f"{path}, line {number}: expected NAME=value. Mend the line.")
        keys[name.strip()] = value.strip()
    missing = [name for name in names if not keys.get(name)]
    if missing:
        raise BadInput(
            f"{path} lacks {', '.join(missing)}. Add the line, or remove the file: the next start writes new keys."
        )
    return keys


def embedded_settings(settings: Settings) -> Settings:
    """The settings with addresses and keys of the embedded stack in the place of whatever they named before."""
    folder = data_folder(settings)
    keys = load_keys(folder)
    offset = settings.port_offset
    return settings.model_copy(
        update={
            "data_dir": folder.root,
            "minio_address": "127.0.0.1",
            "minio_port": settings.s3_port + offset,
            "minio_use_ssl": False,
            "minio_access_key": SecretStr(keys["GLEANERIO_MINIO_ACCESS_KEY"]),
            "minio_secret_key": SecretStr(keys["GLEANERIO_MINIO_SECRET_KEY"]),
            "graph_type": "sheaf",
            "graph_url": f"http://127.0.0.1:{settings.graph_port + offset}/blazegraph",
            "graph_token": SecretStr(keys["GLEANERIO_GRAPH_TOKEN"]),
            "graph_user": "",
            "graph_password": SecretStr(""),
            "dagster_url": f"http://127.0.0.1:{settings.dagster_port + offset}",
        }
    )


def external_settings(settings: Settings) -> Settings:
    """The settings as they are, for a Dagster of ours on an object store and a triplestore that run elsewhere."""
    url = f"http://127.0.0.1:{settings.dagster_port + settings.port_offset}"
    return settings.model_copy(update={"data_dir": data_folder(settings).root, "dagster_url": url})


ADDRESS_FIELDS = (
    "GLEANERIO_MINIO_ADDRESS",
    "GLEANERIO_MINIO_PORT",
    "GLEANERIO_MINIO_USE_SSL",
    "GLEANERIO_MINIO_BUCKET",
    "GLEANERIO_MINIO_REGION",
    "GLEANERIO_GRAPH_TYPE",
    "GLEANERIO_GRAPH_URL",
    "GLEANERIO_DAGSTER_URL",
)


def write_addresses(folder: DataFolder, settings: Settings) -> None:
    """Leave ``NAME=value`` lines from which ``Settings.load`` finds a running embedded stack."""
    values = settings.environment()
    folder.addresses_file.write_text("".join(f"{name}={values[name]}\n" for name in ADDRESS_FIELDS))
