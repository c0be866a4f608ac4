"""One typed object reads the environment; nothing else does (contracts.md, section 9).

Every field is an environment variable of the name given as its alias. Secrets may also stand in a file of
``NAME=value`` lines that ``GLEANERIO_SECRETS_FILE`` names, which is how they reach a container without showing in
``docker inspect``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

GraphType = Literal["sheaf", "oxigraph", "fuseki", "blazegraph", "rdf4j"]
LauncherName = Literal["process", "docker"]

INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "PYTHONPATH")


def _env(*names: str) -> AliasChoices:
    return AliasChoices(*names)


class Settings(BaseSettings):
    """Everything that may differ between a laptop and production; the defaults are the embedded stack's."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    # the object store
    minio_address: str = Field("127.0.0.1", validation_alias=_env("GLEANERIO_MINIO_ADDRESS"), description="S3 host")
    minio_port: int | None = Field(9000, validation_alias=_env("GLEANERIO_MINIO_PORT"), description="S3 port")
    minio_use_ssl: bool = Field(False, validation_alias=_env("GLEANERIO_MINIO_USE_SSL"), description="S3 over TLS")
    minio_bucket: str = Field(
        "sheaf", validation_alias=_env("GLEANERIO_MINIO_BUCKET"), description="one bucket a project"
    )
    minio_region: str = Field("us-east-1", validation_alias=_env("GLEANERIO_MINIO_REGION"), description="S3 region")
    minio_access_key: SecretStr = Field(
        SecretStr(""), validation_alias=_env("GLEANERIO_MINIO_ACCESS_KEY"), description="S3 access key (secret)"
    )
    minio_secret_key: SecretStr = Field(
        SecretStr(""), validation_alias=_env("GLEANERIO_MINIO_SECRET_KEY"), description="S3 secret key (secret)"
    )
    config_path: str = Field(
        "scheduler/configs/",
        validation_alias=_env("GLEANERIO_CONFIG_PATH"),
        description="prefix that holds the configs",
    )
    sources_filename: str = Field(
        "gleanerconfig.yaml",
        validation_alias=_env("GLEANERIO_SOURCES_FILENAME"),
        description="sources, under the prefix",
    )
    tenant_filename: str = Field(
        "tenant.yaml", validation_alias=_env("GLEANERIO_TENANT_FILENAME"), description="tenants, under the prefix"
    )
    log_prefix: str = Field(
        "scheduler/logs/", validation_alias=_env("GLEANERIO_LOG_PREFIX"), description="prefix of the jobs' logs"
    )

    # the project
    project: str = Field("demo", validation_alias=_env("PROJECT"), description="name of the project")
    org: str = Field(
        "sheaf", validation_alias=_env("IMPLEMENTATION_NETWORK_ORGNAME"), description="organisation in the graphs' URNs"
    )
    host: str = Field("localhost", validation_alias=_env("HOST"), description="host the services are reached under")
    sched_hostname: str = Field(
        "sched", validation_alias=_env("SCHED_HOSTNAME"), description="Dagster's name under HOST"
    )

    # the triplestore
    graph_url: str = Field(
        "http://127.0.0.1:9999/blazegraph",
        validation_alias=_env("GLEANERIO_GRAPH_URL"),
        description="triplestore's base URL",
    )
    graph_type: GraphType = Field(
        "sheaf",
        validation_alias=_env("GLEANERIO_GRAPH_TYPE"),
        description="sheaf, oxigraph, fuseki, blazegraph or rdf4j",
    )
    graph_token: SecretStr = Field(
        SecretStr(""), validation_alias=_env("GLEANERIO_GRAPH_TOKEN"), description="bearer token for writes (secret)"
    )
    graph_user: str = Field(
        "", validation_alias=_env("GLEANERIO_GRAPH_USER"), description="user for basic authentication"
    )
    graph_password: SecretStr = Field(
        SecretStr(""), validation_alias=_env("GLEANERIO_GRAPH_PASSWORD"), description="its password (secret)"
    )

    # harvesting
    headless_endpoint: str = Field(
        "", validation_alias=_env("GLEANERIO_HEADLESS_ENDPOINT"), description="DevTools URL of a headless Chromium"
    )
    contact: str = Field(
        "", validation_alias=_env("GLEANERIO_CONTACT"), description="mail or URL in the User-Agent, for complaints"
    )

    # launching jobs
    launcher: LauncherName = Field(
        "process", validation_alias=_env("GLEANERIO_LAUNCHER"), description="where jobs run: process or docker"
    )
    docker_url: str = Field(
        "", validation_alias=_env("GLEANERIO_DOCKER_URL"), description="Docker Engine; empty: the local socket"
    )
    portainer_apikey: SecretStr = Field(
        SecretStr(""), validation_alias=_env("GLEANERIO_PORTAINER_APIKEY"), description="sent as X-API-Key (secret)"
    )
    job_image: str = Field(
        "sheaf-job:latest", validation_alias=_env("GLEANERIO_JOB_IMAGE"), description="image of the job containers"
    )
    job_network: str = Field(
        "", validation_alias=_env("GLEANERIO_DOCKER_HEADLESS_NETWORK"), description="network of the job containers"
    )
    job_timeout_seconds: int = Field(
        86_400, validation_alias=_env("GLEANERIO_JOB_TIMEOUT"), description="a job's deadline, seconds"
    )
    job_memory_mb: int = Field(
        2_048, validation_alias=_env("GLEANERIO_JOB_MEMORY_MB"), description="a job's memory, MB"
    )
    job_cpus: float = Field(2.0, validation_alias=_env("GLEANERIO_JOB_CPUS"), description="a job's processors")

    # Dagster
    default_schedule: str = Field(
        "@weekly", validation_alias=_env("GLEANERIO_DEFAULT_SCHEDULE"), description="cron of sources without their own"
    )
    default_schedule_timezone: str = Field(
        "UTC", validation_alias=_env("GLEANERIO_DEFAULT_SCHEDULE_TIMEZONE"), description="time zone of the schedules"
    )
    dagster_url: str = Field(
        "http://127.0.0.1:3000",
        validation_alias=_env("GLEANERIO_DAGSTER_URL"),
        description="Dagster's web address, for links",
    )

    # notifications
    slack_channel: str = Field("", validation_alias=_env("SLACK_CHANNEL"), description="channel for notifications")
    slack_token: SecretStr = Field(
        SecretStr(""), validation_alias=_env("SLACK_TOKEN"), description="Slack bot token (secret)"
    )
    slack_api_url: str = Field(
        "https://slack.com/api/",
        validation_alias=_env("GLEANERIO_SLACK_API_URL"),
        description="Slack's API, or a stand-in",
    )

    # the embedded stack
    data_dir: Path = Field(
        Path("data"), validation_alias=_env("GLEANERIO_DATA_DIR"), description="the stack's data folder"
    )
    s3_port: int = Field(9000, validation_alias=_env("GLEANERIO_S3_PORT"), description="embedded S3 server's port")
    graph_port: int = Field(
        9999, validation_alias=_env("GLEANERIO_GRAPH_PORT"), description="embedded graph server's port"
    )
    dagster_port: int = Field(
        3000, validation_alias=_env("GLEANERIO_DAGSTER_PORT"), description="Dagster web UI's port"
    )
    port_offset: int = Field(
        0, validation_alias=_env("GLEANERIO_PORT_OFFSET"), description="added to every port of the embedded stack"
    )

    @field_validator("minio_port", mode="before")
    @classmethod
    def _empty_port(cls, value: Any) -> Any:
        return None if value == "" else value

    @classmethod
    def load(cls) -> Self:
        """Read the environment, and what it leaves open from the file that ``GLEANERIO_SECRETS_FILE`` names.

        Without such a file, a command that a person runs beside an embedded stack finds that stack's addresses and keys
        in its data folder.
        """
        secrets_file = os.environ.get("GLEANERIO_SECRETS_FILE")
        if secrets_file:
            return cls(_env_file=secrets_file)
        folder = Path(os.environ.get("GLEANERIO_DATA_DIR") or "data")
        running = (folder / "stack.env").is_file()
        return cls(_env_file=(folder / "stack.env", folder / "secrets.env") if running else None)

    @property
    def minio_endpoint(self) -> str:
        """``host:port``, or the host alone where the port is left empty."""
        return f"{self.minio_address}:{self.minio_port}" if self.minio_port else self.minio_address

    def environment(self) -> dict[str, str]:
        """These settings as environment variables, secrets included: what a child process is given."""
        values: dict[str, str] = {}
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if value is None:
                continue
            values[_variable(field)] = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        return values

    def secret_names(self) -> frozenset[str]:
        """The environment variables that hold secrets."""
        return frozenset(
            _variable(field) for field in type(self).model_fields.values() if field.annotation is SecretStr
        )


def _variable(field: FieldInfo) -> str:
    alias = field.validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else str(alias)


def inherited_environment() -> dict[str, str]:
    """Our own environment as child processes get it, without what would make every Python start of theirs slow."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def process_environment(settings: Settings) -> dict[str, str]:
    """What a child process is given: these settings, and of the rest only what any program needs."""
    kept = {name: value for name in INHERITED if (value := os.environ.get(name)) is not None}
    return {**kept, **settings.environment()}
