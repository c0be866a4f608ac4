"""Discovery of a large sitemap index against a bare expat pass over the same files.

    python benchmarks/discovery.py --urls 1000000

Writes an index of sitemaps of 50,000 URLs into a temporary folder, then measures in child processes, so that each
peak memory is its own: expat without handlers reading every file, and ``discover`` reading the same files in chunks
of 64 KiB through a fetch that opens them, each URL consumed one by one. Prints the ratio of the wall times.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from xml.parsers import expat

from sheaf.config import Source
from sheaf.harvest.discovery import DiscoveryReport, Fetched, discover

SITE = "https://data.example.org/"
CHUNK = 64 * 1024
PER_FILE = 50_000


def write_files(folder: Path, urls: int, kind: str) -> None:
    """The index and its sitemaps; ``kind`` "images" adds an image to each entry, "amp" a query with ``&amp;``."""
    names = [f"sitemap-{number}.xml" for number in range((urls + PER_FILE - 1) // PER_FILE)]
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    space = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
    listed = "".join(f"<sitemap><loc>{SITE}{name}</loc></sitemap>\n" for name in names)
    (folder / "index.xml").write_text(f"{head}<sitemapindex {space}>\n{listed}</sitemapindex>\n")
    extra = "    <image:image><image:loc>https://img.example.org/1.png</image:loc></image:image>\n"
    for number, name in enumerate(names):
        with (folder / name).open("w") as file:
            file.write(f"{head}<urlset {space}>\n")
            for n in range(number * PER_FILE, min(urls, (number + 1) * PER_FILE)):
                query = "?format=html&amp;version=2" if kind == "amp" else ""
                file.write(f"  <url>\n    <loc>{SITE}dataset/{n:08d}{query}</loc>\n")
                file.write(f"    <lastmod>2024-03-{n % 28 + 1:02d}T10:00:00Z</lastmod>\n")
                file.write(f"{extra if kind == 'images' else ''}  </url>\n")
            file.write("</urlset>\n")


def bare_expat(folder: Path) -> int:
    """Parse every file without a single handler."""
    for path in sorted(folder.glob("*.xml")):
        parser = expat.ParserCreate()
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                parser.Parse(chunk, False)
        parser.Parse(b"", True)
    return 0


async def chunks_of(path: Path) -> AsyncIterator[bytes]:
    """A file as a body."""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


async def discovered(folder: Path) -> int:
    """Run discovery over the files and count what it gives."""

    async def fetch(url: str, _accept: str) -> Fetched:
        return Fetched(200, url, "application/xml", {}, chunks_of(folder / url.removeprefix(SITE)))

    report = DiscoveryReport()
    count = 0
    async for _ in discover(Source(name="bench", url=f"{SITE}index.xml"), fetch, report):
        count += 1
    assert report.complete
    assert report.urls == count
    return count


def child(what: str, folder: Path) -> None:
    """One measurement; prints a line of JSON."""
    imported = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started, cpu = time.perf_counter(), time.process_time()
    count = bare_expat(folder) if what == "expat" else asyncio.run(discovered(folder))
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"seconds": seconds, "cpu": cpu, "urls": count, "peak_kb": peak, "start_kb": imported}))


def measure(what: str, folder: Path, times: int) -> dict[str, float]:
    """The best of several runs, each in a process of its own."""
    command = [sys.executable, __file__, "--child", what, "--folder", str(folder)]
    runs = [json.loads(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(times)]
    return min(runs, key=lambda run: run["seconds"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--urls", type=int, default=1_000_000)
    parser.add_argument("--kind", choices=("plain", "amp", "images"), default="plain")
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child, arguments.folder)
        return
    with tempfile.TemporaryDirectory(prefix="sheaf-bench-") as name:
        folder = Path(name)
        write_files(folder, arguments.urls, arguments.kind)
        size = sum(path.stat().st_size for path in folder.iterdir())
        bare = measure("expat", folder, arguments.times)
        ours = measure("discover", folder, arguments.times)
    assert ours["urls"] == arguments.urls
    print(f"{arguments.urls} URLs ({arguments.kind}), {size / 1e6:.0f} MB of XML, best of {arguments.times}")
    for label, run in (("expat, no handlers", bare), ("discover", ours)):
        grown = (run["peak_kb"] - run["start_kb"]) / 1024
        print(
            f"{label:20} {run['seconds']:6.2f} s  {run['cpu']:6.2f} s CPU  "
            f"peak {run['peak_kb'] / 1024:5.0f} MB (+{grown:.0f})"
        )
    print(f"ratio {ours['seconds'] / bare['seconds']:.2f} (CPU {ours['cpu'] / bare['cpu']:.2f})")


if __name__ == "__main__":
    main()
