"""The harvest of the OBIS corpus as a website, against a bare GET of the same pages in the same run.

    python benchmarks/harvest.py --corpus ../shared/corpus/obis.tar.gz [--store memory|rclone|env] [--pages 11333]
    python benchmarks/harvest.py --generated 10000 100000

Needs nginx. Pages of 9 kB are made of the corpus, one a file, and served from a temporary folder on a free port. Each
step runs in a child process, so that CPU and peak memory are its own; ratios are to the bare GET by pyreqwest, 20 at
once, that is measured before and after. ``--store rclone`` starts ``rclone serve s3``, ``env`` takes the settings'
object store (MinIO). ``--generated`` compares the peak memory of two sizes of a site that nginx makes up.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

THREADS = 20
PAGE_BYTES = 9_000
FILLER = "<p>" + "Lorem ipsum dolor sit amet, consectetur adipiscing elit. " * 80 + "</p>"
HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
  access_log off; types {{ text/html html; application/xml xml; }} default_type text/html;
  sendfile on; keepalive_requests 10000000;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{
    listen 127.0.0.1:{port}; root {folder}/www;
    location ~ ^/g/(?<n>[0-9]+)$ {{
      add_header ETag '"$n"';
      return 200 '<html><script type="application/ld+json">{{"@context":"https://schema.org/","@type":"Dataset",
        "@id":"https://e.org/$n","name":"Generated $n"}}</script><body>{filler}</body></html>';
    }}
  }}
}}
"""


def free_port() -> int:
    """A port that nothing listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    """Until something listens on the port, at most ten seconds."""
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit(f"nothing listens on port {port} after ten seconds")


def write_site(folder: Path, corpus: Path, pages: int, base: str) -> int:
    """Landing pages of the corpus' documents, and their sitemap."""
    site = folder / "www" / "d"
    site.mkdir(parents=True)
    urls = []
    with tarfile.open(corpus) as tar:
        for member in tar:
            file = tar.extractfile(member) if member.name.endswith(".jsonld") else None
            if file is None or len(urls) >= pages:
                continue
            text = file.read().decode().replace("</", "<\\/")
            name = Path(member.name).stem
            filler = FILLER[: max(0, PAGE_BYTES - len(text))]
            body = f'<!DOCTYPE html><html><head><title>{name}</title><script type="application/ld+json">{text}</script>'
            (site / f"{name}.html").write_text(f"{body}</head><body>{filler}</body></html>")
            urls.append(f"{base}/d/{name}.html")
    write_sitemap(folder, urls)
    return len(urls)


def write_sitemap(folder: Path, urls: list[str]) -> None:
    """One sitemap of all URLs; listing them to the bare client too."""
    (folder / "www").mkdir(exist_ok=True)
    lines = "".join(f"<url><loc>{url}</loc></url>\n" for url in sorted(urls))
    (folder / "www" / "sitemap.xml").write_text(f"{HEAD}{lines}</urlset>\n")
    (folder / "urls.txt").write_text("\n".join(sorted(urls)))


@contextmanager
def process(*command: str) -> Iterator[None]:
    """A server for the time of the block."""
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        server.terminate()
        server.wait(timeout=10)


@contextmanager
def object_store(kind: str, folder: Path) -> Iterator[dict[str, str]]:
    """The environment of the children's object store."""
    if kind != "rclone":
        yield {}
        return
    port = free_port()
    (folder / "s3" / "bench").mkdir(parents=True)
    binary = Path(sys.executable).with_name("rclone")
    with process(str(binary), "serve", "s3", str(folder / "s3"), "--addr", f"127.0.0.1:{port}", "--auth-key",
                 "benchkey,benchsecret"):  # fmt: skip
        wait_for(port)
        yield {
            "GLEANERIO_MINIO_ADDRESS": "127.0.0.1",
            "GLEANERIO_MINIO_PORT": str(port),
            "GLEANERIO_MINIO_BUCKET": "bench",
            "GLEANERIO_MINIO_ACCESS_KEY": "benchkey",
            "GLEANERIO_MINIO_SECRET_KEY": "benchsecret",
        }


# ---------------------------------------------------------------- the steps, each in a process of its own


def bare_get(folder: Path) -> dict[str, Any]:
    """GET every page with pyreqwest, 20 at once, and count the bytes."""
    from pyreqwest.client import ClientBuilder

    urls = iter((folder / "urls.txt").read_text().split("\n"))
    size = 0

    async def worker(client: Any) -> None:
        nonlocal size
        for url in urls:
            response = await client.get(url).build().send()
            size += len(await response.bytes())

    async def whole() -> None:
        nonlocal wall
        async with ClientBuilder().no_proxy().build() as client:
            begun = time.perf_counter()
            await asyncio.gather(*(worker(client) for _ in range(THREADS)))
            wall = time.perf_counter() - begun
        await asyncio.sleep(0.1)  # a process that ends while the client's thread closes up aborts

    wall = 0.0
    asyncio.run(whole())
    return {"bytes": size, "inner_wall": wall}


def harvest_step(store: Any, base: str, mode: str) -> dict[str, Any]:
    """One harvest up to its summary."""
    from sheaf.config import ProjectConfig, Source
    from sheaf.harvest.engine import run_harvest
    from sheaf.settings import Settings

    source = Source(name="obis", url=f"{base}/sitemap.xml", threads=THREADS)
    done = run_harvest(store, ProjectConfig(sources=(source,)), source, "bench", settings=Settings(), mode=mode)
    return {"urls": done.urls, "documents": done.documents, "states": done.counts, "parts": done.parts}


def bare_puts(store: Any) -> dict[str, Any]:
    """PUT the bytes of every current document, 16 at once, with the same client."""
    from sheaf.harvest.manifest import iter_texts, latest_harvest

    latest = latest_harvest(store, "obis")
    assert latest is not None
    texts = [
        text.encode() for batch in iter_texts(store, "obis", latest.harvest_id) for text in batch["text"].to_pylist()
    ]
    begun = time.perf_counter()
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda pair: store.put(f"bare/{pair[0]:06d}", pair[1]), enumerate(texts)))
    return {"objects": len(texts), "inner_wall": time.perf_counter() - begun}


def step(name: str, folder: Path, base: str, kind: str) -> None:
    """Run one step in this process and print what it cost as JSON."""
    # Imported before the clock starts: the bare GET does not pay for imports either.
    import sheaf.harvest.engine  # noqa: F401
    from sheaf.harvest.objects import reconcile_objects
    from sheaf.settings import Settings
    from sheaf.store import open_store

    if kind == "memory":
        from tests.unit.harvest_site import FolderStore

        store: Any = FolderStore(folder / "objects")
    else:
        store = open_store(Settings())
    begun, cpu = time.perf_counter(), time.process_time()
    if name == "bare":
        result = bare_get(folder)
    elif name == "puts":
        result = bare_puts(store)
    elif name == "view":
        done = reconcile_objects(store, "obis")
        result = {"written": done.written, "deleted": done.deleted, "unchanged": done.unchanged}
    else:
        result = harvest_step(store, base, "full" if name == "full" else "diff")
    wall = result.pop("inner_wall", time.perf_counter() - begun)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"wall": wall, "cpu": time.process_time() - cpu, "peak_mb": peak, "result": result}))


def run_step(name: str, folder: Path, base: str, kind: str, env: dict[str, str]) -> dict[str, Any]:
    """One step in a child process."""
    command = [sys.executable, __file__, "--step", name, "--folder", str(folder), "--base", base, "--store", kind]
    done = subprocess.run(command, env={**os.environ, **env}, stdout=subprocess.PIPE, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def show(name: str, cost: dict[str, Any], bare: dict[str, Any] | None) -> None:
    """A line of the table."""
    ratio = f"{cost['wall'] / bare['wall']:6.2f}x {cost['cpu'] / bare['cpu']:6.2f}x" if bare else " " * 15
    print(f"{name:<28}{cost['wall']:8.2f} s {cost['cpu']:7.2f} s {cost['peak_mb']:6d} MB  {ratio}  {cost['result']}")


def corpus_run(arguments: argparse.Namespace, folder: Path, base: str, env: dict[str, str]) -> None:
    """Bare GET, first harvest, second (304), full mode, and the object view."""
    pages = write_site(folder, arguments.corpus, arguments.pages, base)
    print(f"{pages} pages, store {arguments.store}; ratios of wall and CPU to the bare GET")
    run_step("bare", folder, base, arguments.store, env)  # warms nginx and the page cache
    bare = run_step("bare", folder, base, arguments.store, env)
    show("bare GET", bare, None)
    for name, label in (("first", "first harvest"), ("second", "second, all 304"), ("full", "fetched but unchanged")):
        show(label, run_step(name, folder, base, arguments.store, env), bare)
    show("bare GET, again", run_step("bare", folder, base, arguments.store, env), bare)
    puts = run_step("puts", folder, base, arguments.store, env)
    show("bare PUTs", puts, None)
    show("object view, all new", run_step("view", folder, base, arguments.store, env), puts)
    show("object view, nothing to do", run_step("view", folder, base, arguments.store, env), puts)


def generated_run(sizes: list[int], folder: Path, base: str, kind: str, env: dict[str, str]) -> None:
    """Peak memory of two sizes of a generated site, first and second harvest."""
    for size in sizes:
        shutil.rmtree(folder / "objects", ignore_errors=True)
        write_sitemap(folder, [f"{base}/g/{n}" for n in range(size)])
        for label in ("first", "second"):
            show(f"{size} pages, {label}", run_step(label, folder, base, kind, env), None)


def main() -> None:
    """Set the servers up and run the steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, default=Path("../shared/corpus/obis.tar.gz"))
    parser.add_argument("--pages", type=int, default=1_000_000)
    parser.add_argument("--store", choices=["memory", "rclone", "env"], default="rclone")
    parser.add_argument("--generated", type=int, nargs="+")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--base", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        step(arguments.step, arguments.folder, arguments.base, arguments.store)
        return
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    with tempfile.TemporaryDirectory(prefix="sheaf-bench-") as name:
        folder, port = Path(name), free_port()
        base = f"http://127.0.0.1:{port}"
        (folder / "www").mkdir()
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, filler=FILLER[:2000]))
        folder.chmod(0o755)
        with process(nginx, "-c", str(folder / "nginx.conf"), "-p", name), object_store(arguments.store, folder) as env:
            wait_for(port)
            if arguments.generated:
                generated_run(arguments.generated, folder, base, arguments.store, env)
            else:
                corpus_run(arguments, folder, base, env)


if __name__ == "__main__":
    main()
