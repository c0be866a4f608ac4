"""Production parts, started for real: each on a free port, with data of its own, and stopped at the end.

``make parts`` installs them. A test that uses one carries ``@pytest.mark.part("<name>")``: without ``PARTS`` it is not
selected, and when its part was asked for and is not there, it fails with the part's name. The triplestores' own
starters are in ``tests/integration/servers.py``.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import docker
import httpx

from tests.integration.servers import PARTS, free_port

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("minio", "docker", "postgres", "nginx", "chromium", "fuseki", "blazegraph", "rdf4j", "oxigraph")


class PartMissing(AssertionError):
    """A part that was asked for and is not on this machine."""

    def __init__(self, part: str, what: str) -> None:
        super().__init__(f"part {part} is missing: {what}. Run `make parts PARTS={part}` (as root, on Debian).")


def _program(part: str, name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if not found:
        raise PartMissing(part, f"there is no {name} on PATH")
    return found


def _file(part: str, *path: str) -> Path:
    found = PARTS.joinpath(*path)
    if not found.is_file():
        raise PartMissing(part, f"there is no {found}")
    return found


def _postgres_bin() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not found:
        raise PartMissing("postgres", "there is no /usr/lib/postgresql/*/bin")
    return found[-1]


def require(part: str) -> None:
    """Raise PartMissing unless the part's programs are there."""
    jars = {
        "fuseki": ["jena-fuseki-server-*.jar"],
        "blazegraph": ["blazegraph-jar-*.jar"],
        "rdf4j": ["rdf4j-http-server-*.war", "jetty-runner-*.jar"],
    }
    if part in jars:
        _program(part, "java")
        for pattern in jars[part]:
            if not list((PARTS / "java").glob(pattern)):
                raise PartMissing(part, f"there is no {PARTS / 'java' / pattern}")
    elif part == "minio":
        _file(part, "bin", "minio")
    elif part == "docker":
        _program(part, "dockerd")
        _file(part, "sheaf-base.tar")
    elif part == "postgres":
        _postgres_bin()
    elif part in ("nginx", "chromium"):
        _program(part, part)
    elif part == "oxigraph":
        if not (shutil.which("oxigraph") or shutil.which("oxigraph", path=str(Path(sys.executable).parent))):
            _file(part, "oxigraph", "bin", "oxigraph")
    else:
        raise ValueError(f"There is no part {part!r}; there are {', '.join(NAMES)}.")


@contextmanager
def _server(
    argv: Sequence[str],
    log: Path,
    ready: Callable[[], bool],
    env: Mapping[str, str] | None = None,
    user: str | None = None,
    stop_with: int = signal.SIGTERM,
    seconds: float = 60.0,
) -> Iterator[subprocess.Popen[bytes]]:
    """A process in its own group, from when it is ready until the block ends."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **(env or {})},
            user=user,
            cwd=log.parent,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + seconds
        while not ready():
            if process.poll() is not None or time.monotonic() > deadline:
                said = log.read_text(errors="replace")[-3000:]
                raise AssertionError(f"{argv[0]} did not become ready (exit code {process.poll()}):\n{said}")
            time.sleep(0.1)
        yield process
    finally:
        process.send_signal(stop_with)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _answers(url: str, status: int = 200) -> Callable[[], bool]:
    def ready() -> bool:
        try:
            return httpx.get(url, timeout=5, trust_env=False).status_code == status
        except httpx.HTTPError:
            return False

    return ready


@dataclass(frozen=True, slots=True)
class Minio:
    """A MinIO server with an empty bucket."""

    port: int
    access_key: str
    secret_key: str
    bucket: str

    def environment(self) -> dict[str, str]:
        """The settings that lead to it."""
        return {
            "GLEANERIO_MINIO_ADDRESS": "127.0.0.1",
            "GLEANERIO_MINIO_PORT": str(self.port),
            "GLEANERIO_MINIO_USE_SSL": "false",
            "GLEANERIO_MINIO_BUCKET": self.bucket,
            "GLEANERIO_MINIO_ACCESS_KEY": self.access_key,
            "GLEANERIO_MINIO_SECRET_KEY": self.secret_key,
        }


@contextmanager
def minio(folder: Path, bucket: str = "sheaf", host: str = "127.0.0.1") -> Iterator[Minio]:
    """MinIO over a folder. ``host`` 0.0.0.0 makes it reachable from containers on a bridge."""
    binary = _file("minio", "bin", "minio")
    server = Minio(free_port(), f"test{secrets.token_hex(6)}", secrets.token_hex(16), bucket)
    (folder / "minio" / bucket).mkdir(parents=True)
    argv = [str(binary), "server", "--quiet", "--address", f"{host}:{server.port}"]
    argv += ["--console-address", f"127.0.0.1:{free_port()}", str(folder / "minio")]
    env = {"MINIO_ROOT_USER": server.access_key, "MINIO_ROOT_PASSWORD": server.secret_key, "MINIO_UPDATE": "off"}
    with _server(argv, folder / "minio.log", _answers(f"http://127.0.0.1:{server.port}/minio/health/ready"), env):
        yield server


@dataclass(frozen=True, slots=True)
class Postgres:
    """A Postgres server with an empty database."""

    host: str
    port: int
    user: str
    password: str
    database: str

    def environment(self) -> dict[str, str]:
        """What ``deployment/dagster.yaml`` reads."""
        return {
            "DAGSTER_POSTGRES_HOST": self.host,
            "DAGSTER_POSTGRES_PORT": str(self.port),
            "DAGSTER_POSTGRES_DB": self.database,
            "DAGSTER_POSTGRES_USER": self.user,
            "DAGSTER_POSTGRES_PASSWORD": self.password,
        }


@contextmanager
def postgres(database: str = "dagster") -> Iterator[Postgres]:
    """A cluster of its own, made by initdb. Postgres refuses to run as root: there it runs as the user ``postgres``."""
    programs = _postgres_bin()
    user = "postgres" if os.getuid() == 0 else None
    # Not under pytest's folder, which is closed to other users; a short path, as it holds a socket.
    folder = Path(tempfile.mkdtemp(prefix="sheaf-pg-"))
    try:
        server = Postgres("127.0.0.1", free_port(), "dagster", secrets.token_hex(12), database)
        secret = folder / "password"
        secret.write_text(server.password)
        if user:
            shutil.chown(folder, user, user)
            shutil.chown(secret, user, user)

        def call(*argv: str) -> None:
            done = subprocess.run(
                argv,
                user=user,
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
                env={**os.environ, "PGPASSWORD": server.password},
            )
            assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"

        call(
            *(str(programs / "initdb"), "-D", str(folder / "data"), "-U", server.user, "--pwfile", str(secret)),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--no-sync"),
        )
        argv = [str(programs / "postgres"), "-D", str(folder / "data"), "-h", "127.0.0.1", "-p", str(server.port)]
        argv += ["-k", str(folder), "-c", "fsync=off", "-c", "max_connections=200"]
        check = [str(programs / "pg_isready"), "-h", "127.0.0.1", "-p", str(server.port), "-q"]

        def ready() -> bool:
            return subprocess.run(check, timeout=10, check=False).returncode == 0

        # SIGINT: a fast shutdown, which does not wait for clients to leave.
        with _server(argv, folder / "log", ready, user=user, stop_with=signal.SIGINT):
            call(*(str(programs / "createdb"), "-h", "127.0.0.1", "-p", str(server.port), "-U", server.user, database))
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class DockerEngine:
    """A Docker Engine that has the base image and the job image of this clone."""

    url: str
    image: str
    image_id: str

    def client(self) -> docker.DockerClient:
        """A client of it; close it."""
        return docker.DockerClient(base_url=self.url, timeout=120)


def _engine_answers(socket: Path) -> bool:
    if not socket.is_socket():
        return False
    transport = httpx.HTTPTransport(uds=str(socket))
    try:
        with httpx.Client(transport=transport, timeout=5) as client:
            return client.get("http://docker/_ping").status_code == 200
    except httpx.HTTPError:
        return False


@contextmanager
def dockerd() -> Iterator[str]:
    """The URL of a Docker Engine: the machine's own when it runs, else one with its data in the parts folder."""
    ours = PARTS / "docker.sock"
    for socket in (Path("/var/run/docker.sock"), ours):
        if _engine_answers(socket):
            yield f"unix://{socket}"
            return
    binary = _program("docker", "dockerd")
    with (PARTS / "docker.lock").open("w") as lock:
        # A data folder takes one engine; a second test run waits for the first one's to end.
        fcntl.flock(lock, fcntl.LOCK_EX)
        work = Path(tempfile.mkdtemp(prefix="sheaf-docker-"))
        ours.unlink(missing_ok=True)
        argv = [binary, "--data-root", str(PARTS / "docker"), "--exec-root", str(work / "exec")]
        argv += ["--pidfile", str(work / "pid"), "--host", f"unix://{ours}"]
        try:
            with _server(argv, work / "log", lambda: _engine_answers(ours)):
                yield f"unix://{ours}"
        finally:
            shutil.rmtree(work, ignore_errors=True)


def build_job_image(url: str, tag: str) -> str:
    """Build this clone's job image on the base of ``make parts``; returns its id."""
    done = subprocess.run(
        [str(ROOT / "deployment" / "image" / "build.sh"), "sheaf-base", tag],
        env={**os.environ, "DOCKER_HOST": url, "SHEAF_PARTS": str(PARTS)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, f"the job image was not built:\n{done.stdout}{done.stderr}"
    # The image that this one took the name from would stay for ever.
    client = docker.DockerClient(base_url=url, timeout=120)
    client.images.prune(filters={"dangling": True, "label": "org.opencontainers.image.title=sheaf-job"})
    client.close()
    return done.stdout.split()[-1]


@contextmanager
def docker_engine(tag: str = "sheaf-job:test") -> Iterator[DockerEngine]:
    """A Docker Engine with the job image of this clone."""
    require("docker")
    with dockerd() as url:
        yield DockerEngine(url, tag, build_job_image(url, tag))


@contextmanager
def nginx(folder: Path, server: str) -> Iterator[str]:
    """nginx with one server block of these directives (``root ...; location ...``); yields its URL."""
    port = free_port()
    # As root it would read files as nobody, who cannot enter pytest's folders.
    user = "user root;" if os.getuid() == 0 else ""
    temporary = "".join(
        f"{kind}_temp_path {folder}/nginx-{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    conf = folder / "nginx.conf"
    conf.write_text(
        f"{user} daemon off; worker_processes 2; pid {folder}/nginx.pid; error_log {folder}/nginx-error.log;\n"
        f"events {{ worker_connections 1024; }}\n"
        f"http {{ include /etc/nginx/mime.types; access_log {folder}/nginx-access.log;\n{temporary}"
        f"server {{ listen 127.0.0.1:{port} backlog=1024;\n"
        f"location = /-/ready {{ return 204; }}\n{server}\n}} }}\n"
    )
    argv = [_program("nginx", "nginx"), "-c", str(conf), "-p", str(folder)]
    url = f"http://127.0.0.1:{port}"
    with _server(argv, folder / "nginx.log", _answers(f"{url}/-/ready", 204)):
        yield url


@contextmanager
def chromium(folder: Path) -> Iterator[str]:
    """Headless Chromium; yields the URL that Playwright's ``connect_over_cdp`` takes."""
    port = free_port()
    argv = [_program("chromium", "chromium"), "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    argv += ["--disable-dev-shm-usage", f"--user-data-dir={folder / 'chromium'}", f"--remote-debugging-port={port}"]
    url = f"http://127.0.0.1:{port}"
    with _server([*argv, "about:blank"], folder / "chromium.log", _answers(f"{url}/json/version")):
        yield url
