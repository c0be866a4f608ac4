"""Jobs as containers on one Docker Engine: by socket, by TCP, or through Portainer (``X-API-Key``)."""

from __future__ import annotations

import io
import tarfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import docker
import requests
import urllib3
from docker.errors import APIError, DockerException, ImageNotFound, NotFound

from code_locations.common.launchers.base import JobEnd, JobLog, JobSpec
from sheaf.errors import BadInput, TemporaryFault
from sheaf.settings import Settings

JOB_USER = 10001
SECRETS_FOLDER = "sheaf"
SECRETS_FILE = f"/run/{SECRETS_FOLDER}/secrets.env"
# A job reads strangers' pages: it is told the keys of the store that it works on, and none of the platform's others.
JOB_SECRETS = ("GLEANERIO_MINIO_ACCESS_KEY", "GLEANERIO_MINIO_SECRET_KEY")
GRACE_SECONDS = 20
API_VERSION = "1.41"  # Debian 12's engine; later ones still speak it
PIDS_LIMIT = 256
GATEWAY_TROUBLE = frozenset({502, 503, 504})  # what Portainer says when its engine is away


class DockerLauncher:
    """Creates, follows and removes one container a job; nothing of it stays, whatever happens."""

    def __init__(self, settings: Settings, program: Sequence[str] = ()) -> None:
        """``program`` runs in the place of the image's ``sheaf``, with the same arguments."""
        self._settings = settings
        self._program = list(program)

    def run(self, spec: JobSpec, log: JobLog) -> JobEnd:
        """Run to the end or the deadline.

        Raises ``TemporaryFault`` when the engine is gone, ``BadInput`` when it refuses or has no such image.
        """
        with self._engine() as engine:
            self._remove_leftovers(engine, spec)
            container = self._create(engine, spec)
            try:
                container.put_archive("/run", _secrets_archive(self._settings))
                container.start()
                follower = threading.Thread(target=_follow, args=(container, log), daemon=True)
                follower.start()
                end = self._wait(container, spec)
                follower.join(timeout=GRACE_SECONDS)
                return end
            finally:
                _remove(container)

    def reap(self, is_over: Callable[[str], bool]) -> list[str]:
        """Remove the containers of runs that are over, or that nobody knows: a killed worker leaves one."""
        removed = []
        with self._engine() as engine:
            for container in _containers(engine, self._own_labels()):
                if is_over(container.labels.get("dagster/run_id", "")):
                    _remove(container)
                    removed.append(str(container.name))
        return removed

    def _own_labels(self) -> dict[str, str]:
        # Projects may share an engine, and to each the runs of the others are unknown: the bucket tells them apart.
        return {"sheaf.bucket": f"{self._settings.minio_endpoint}/{self._settings.minio_bucket}"}

    def _remove_leftovers(self, engine: Any, spec: JobSpec) -> None:
        """Remove what a killed worker left of this job of this source: two at once would write one journal."""
        same = {"sheaf.job": spec.job, "sheaf.source": spec.source}
        for container in _containers(engine, self._own_labels() | same):
            _remove(container)

    @contextmanager
    def _engine(self) -> Iterator[Any]:
        url = self._settings.docker_url or "unix:///var/run/docker.sock"
        # With a version given, the client asks nothing before the header is in place.
        engine = docker.DockerClient(base_url=url, version=API_VERSION, timeout=60)
        if key := self._settings.portainer_apikey.get_secret_value():
            engine.api.headers["X-API-Key"] = key
        try:
            yield engine
        except (requests.ConnectionError, requests.Timeout) as error:
            raise TemporaryFault(
                f"the Docker Engine at {url} does not answer: {error}. Start it, or set GLEANERIO_DOCKER_URL."
            ) from error
        except DockerException as error:
            if isinstance(error, APIError) and error.status_code in GATEWAY_TROUBLE:
                raise TemporaryFault(f"the Docker Engine behind {url} does not answer: {error}") from error
            raise BadInput(f"the Docker Engine at {url} refused: {error}") from error
        finally:
            engine.close()

    def _create(self, engine: Any, spec: JobSpec) -> Any:
        settings, secrets = self._settings, self._settings.secret_names()
        environment = {name: value for name, value in settings.environment().items() if name not in secrets}
        environment["GLEANERIO_SECRETS_FILE"] = SECRETS_FILE
        try:
            return engine.containers.create(
                settings.job_image,
                command=spec.command,
                entrypoint=self._program or None,
                name=f"sheaf-{spec.job_id}",
                labels=spec.labels | self._own_labels(),
                environment=environment,
                user=str(JOB_USER),
                init=True,
                network=settings.job_network or None,
                mem_limit=f"{settings.job_memory_mb}m",
                memswap_limit=f"{settings.job_memory_mb}m",
                nano_cpus=int(settings.job_cpus * 1e9),
                pids_limit=PIDS_LIMIT,
                cap_drop=["ALL"],
                security_opt=["no-new-privileges"],
                log_config={"type": "json-file", "config": {"max-size": "50m", "max-file": "1"}},
            )
        except ImageNotFound as error:
            raise BadInput(
                f"the engine has no image {settings.job_image}. Build it with 'make image', or set GLEANERIO_JOB_IMAGE."
            ) from error

    def _wait(self, container: Any, spec: JobSpec) -> JobEnd:
        deadline = time.monotonic() + spec.deadline_seconds
        while True:
            container.reload()
            state = container.attrs["State"]
            if state["Status"] not in ("running", "created", "restarting", "paused"):
                break
            if time.monotonic() > deadline:
                container.stop(timeout=GRACE_SECONDS)
                return JobEnd(None, "deadline", f"the job ran for {spec.deadline_seconds} s")
            time.sleep(0.3)
        if state.get("OOMKilled"):
            limit = self._settings.job_memory_mb
            return JobEnd(state["ExitCode"], "out_of_memory", f"the job needed more than {limit} MB")
        return JobEnd(int(state["ExitCode"]), "exited", str(state.get("Error") or ""))


def _containers(engine: Any, labels: Mapping[str, str]) -> list[Any]:
    """Running or not. One that goes away while they are listed is no error."""
    wanted = ["sheaf.job_id", *(f"{name}={value}" for name, value in labels.items())]
    return list(engine.containers.list(all=True, ignore_removed=True, filters={"label": wanted}))


def _follow(container: Any, log: JobLog) -> None:
    try:
        log.feed_all(container.logs(stream=True, follow=True, stdout=True, stderr=True))
    except (OSError, DockerException, urllib3.exceptions.HTTPError) as error:
        log.feed(f"WARNING the engine stopped sending the log: {error}\n".encode())


def _remove(container: Any) -> None:
    """Stop with a grace, then remove by force; a container that is gone already, or just going, is fine."""
    with suppress(NotFound, APIError):
        container.stop(timeout=GRACE_SECONDS)
    try:
        container.remove(force=True, v=True)
    except NotFound:
        return
    except APIError as error:
        if error.status_code != requests.codes.conflict:
            raise


def _secrets_archive(settings: Settings) -> bytes:
    """A tar with one file only the job's user reads: unlike the environment, it does not show in ``inspect``."""
    values = settings.environment()
    text = "".join(f"{name}={_quoted(values[name])}\n" for name in JOB_SECRETS if values.get(name)).encode()
    folder, entry = tarfile.TarInfo(SECRETS_FOLDER), tarfile.TarInfo(SECRETS_FILE.removeprefix("/run/"))
    folder.type, folder.mode, folder.uid, folder.gid = tarfile.DIRTYPE, 0o500, JOB_USER, JOB_USER
    entry.size, entry.mode, entry.uid, entry.gid = len(text), 0o400, JOB_USER, JOB_USER
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(folder)
        archive.addfile(entry, io.BytesIO(text))
    return buffer.getvalue()


def _quoted(value: str) -> str:
    # The reader fills in ${NAME} within quotes too; an empty name with a default of "$" is its only escape.
    escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("${", "${:-$}{")
    return f"'{escaped}'"
