"""The real triplestores, started for one test run from the folder that ``make parts`` fills.

Each context manager yields the URL a driver takes. A missing part is an error that names it, never a skip.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

PARTS = Path(os.environ.get("SHEAF_PARTS", Path.home() / ".cache" / "sheaf" / "parts"))
TOKEN = "write-token-of-the-tests"


class MissingPart(AssertionError):
    """A production part was asked for and is not on this machine."""


def part(*path: str) -> Path:
    """A file of the parts folder; ``MissingPart`` when it is not there."""
    found = PARTS.joinpath(*path)
    if not found.exists():
        raise MissingPart(f"the part {'/'.join(path)} is not in {PARTS}: run make parts")
    return found


def java(*names: str) -> Path:
    """A jar or war of the parts, after a look whether there is a Java to run it."""
    if shutil.which("java") is None:
        raise MissingPart("there is no java on PATH: run make parts (it installs openjdk-17-jre-headless)")
    return part("java", *names)


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: Sequence[str], ready: str, folder: Path, env: dict[str, str] | None = None) -> Iterator[int]:
    """A server process in a process group of its own, from when ``ready`` answers 200 until the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "server.log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            command, cwd=folder, stdout=out, stderr=out, start_new_session=True, env={**os.environ, **(env or {})}
        )
    try:
        deadline = time.monotonic() + 120
        while True:
            if process.poll() is not None:
                raise AssertionError(f"{command[0]} ended with {process.returncode}:\n{log.read_text()[-2000:]}")
            try:
                if httpx.get(ready, timeout=5, trust_env=False).status_code == 200:
                    break
            except httpx.TransportError:
                pass
            if time.monotonic() > deadline:
                raise AssertionError(f"{ready} did not answer within 120 s:\n{log.read_text()[-2000:]}")
            time.sleep(0.1)
        yield process.pid
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@contextmanager
def sheaf_server(folder: Path, port: int | None = None) -> Iterator[tuple[str, int]]:
    """Our graph server as a process; its URL and its process id."""
    port = port or free_port()
    command = (sys.executable, "-m", "sheaf.cli", "graph", "serve", "--location", str(folder / "graph"))
    command += ("--host", "127.0.0.1", "--port", str(port))
    with running(command, f"http://127.0.0.1:{port}/status", folder, {"GLEANERIO_GRAPH_TOKEN": TOKEN}) as pid:
        yield f"http://127.0.0.1:{port}/blazegraph", pid


@contextmanager
def fuseki(folder: Path) -> Iterator[str]:
    """Apache Jena Fuseki with its datasets under the folder."""
    jar, port = java("jena-fuseki-server-5.5.0.jar"), free_port()
    command = ("java", "-Xmx1g", "-jar", str(jar), "--localhost", "--port", str(port))
    url = f"http://127.0.0.1:{port}"
    with running(command, f"{url}/$/ping", folder, {"FUSEKI_BASE": str(folder / "base")}):
        yield url


@contextmanager
def blazegraph(folder: Path) -> Iterator[str]:
    """Blazegraph; on Java 17 its jar has to be unpacked, and jetty.home given, or it dies looking for itself."""
    jar, port = java("blazegraph-jar-2.1.5.jar"), free_port()
    home = folder / "home"
    with zipfile.ZipFile(jar) as archive:
        wanted = [name for name in archive.namelist() if name.startswith("war/")]
        archive.extractall(home, [*wanted, "jetty.xml", "realm.properties"])
    war = home / "war"
    command = (
        *("java", "-Xmx1g", f"-Djetty.home={war}", f"-Djetty.port={port}", f"-Djetty.resourceBase={war}"),
        f"-Djetty.webXml={war}/WEB-INF/web.xml",
        f"-Djetty.overrideWebXml={war}/WEB-INF/override-web.xml",
        *("-cp", str(jar), "com.bigdata.rdf.sail.webapp.NanoSparqlServer", "-jettyXml", str(home / "jetty.xml")),
        *(str(port), "kb", str(war / "WEB-INF" / "RWStore.properties")),
    )
    url = f"http://127.0.0.1:{port}/blazegraph"
    with running(command, f"{url}/status", folder):
        yield url


@contextmanager
def rdf4j(folder: Path) -> Iterator[str]:
    """RDF4J server in Jetty; its REST protocol is GraphDB's."""
    runner, war, port = java("jetty-runner-9.4.57.v20241219.jar"), java("rdf4j-http-server-5.0.3.war"), free_port()
    command = ("java", "-Xmx1g", f"-Dorg.eclipse.rdf4j.appdata.basedir={folder / 'data'}", "-jar", str(runner))
    command += ("--host", "127.0.0.1", "--port", str(port), "--path", "/rdf4j-server", str(war))
    url = f"http://127.0.0.1:{port}/rdf4j-server"
    with running(command, f"{url}/protocol", folder):
        yield url


def oxigraph_binary() -> str:
    """``oxigraph`` of the package of that name: in the parts folder, beside our Python, or on PATH."""
    beside = shutil.which("oxigraph", path=str(Path(sys.executable).parent)) or shutil.which("oxigraph")
    return beside or str(part("oxigraph", "bin", "oxigraph"))


@contextmanager
def oxigraph_server(folder: Path, namespaces: Sequence[str]) -> Iterator[str]:
    """Plain ``oxigraph serve``, one a namespace; the URL form that the driver takes for several."""
    binary = oxigraph_binary()
    with ExitStack() as stack:
        pairs = []
        for name in namespaces:
            port = free_port()
            command = (binary, "serve", "--location", str(folder / name / "store"), "--bind", f"127.0.0.1:{port}")
            stack.enter_context(running(command, f"http://127.0.0.1:{port}/", folder / name))
            pairs.append(f"{name}=http://127.0.0.1:{port}")
        yield ",".join(pairs)
