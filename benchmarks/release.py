"""A release of the OBIS corpus against pyoxigraph alone, which parses and serializes the same documents.

    python benchmarks/release.py --corpus ../shared/corpus/obis.tar.gz [--copies 9] [--times 3]

Each measurement is a process of its own, so that CPU and peak memory are its own; the best of ``--times`` counts. It
prints the CPU of a release by one process as a multiple of pyoxigraph's, the wall of two processes as a share of one's,
and the peak memory of the largest process. ``--copies 9`` adds a harvest of every document nine times, under other
identifiers, and compares the memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import psutil
import pyoxigraph as ox

from sheaf.config import Source
from sheaf.errors import NotFound
from sheaf.harvest.manifest import iter_texts, write_harvest
from sheaf.release import build_release, publish_release
from sheaf.store import ObjectInfo

HARVEST = "20260101T000000Z-bench"
SOURCE = Source(name="obis", url="https://obis.org/sitemap.xml")
ORG = "sheaf"


class FolderStore:
    """As much of an object store as a release needs, over a folder: memory stays what the release takes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, key: str) -> bytes:
        try:
            return (self.folder / key).read_bytes()
        except FileNotFoundError:
            raise NotFound(f"there is no object {key}") from None

    def put(self, key: str, data: bytes, content_type: str = "", metadata: object = None) -> ObjectInfo:  # noqa: ARG002
        path = self.folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return ObjectInfo(key, len(data), "")

    def put_file(self, key: str, path: Path, content_type: str = "") -> ObjectInfo:  # noqa: ARG002
        target = self.folder / key
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        return ObjectInfo(key, target.stat().st_size, "")

    def download(self, key: str, path: Path) -> None:
        shutil.copyfile(self.folder / key, path)

    @contextmanager
    def open(self, key: str) -> Iterator[BinaryIO]:
        with (self.folder / key).open("rb") as file:
            yield file

    def stat(self, key: str) -> ObjectInfo | None:
        path = self.folder / key
        return ObjectInfo(key, path.stat().st_size, "") if path.exists() else None

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        for path in sorted((self.folder / prefix).rglob("*")):
            if path.is_file():
                yield ObjectInfo(str(path.relative_to(self.folder)), path.stat().st_size, "")

    def folders(self, prefix: str) -> Iterator[str]:
        if (self.folder / prefix).is_dir():
            yield from sorted(path.name for path in (self.folder / prefix).iterdir() if path.is_dir())

    def delete(self, keys: Iterable[str]) -> int:
        return sum((self.folder / key).unlink() is None for key in keys)


def corpus_texts(corpus: Path) -> Iterator[str]:
    """The documents of a .tar.gz, or of a folder of .jsonld files, by file name."""
    if corpus.is_dir():
        for path in sorted(corpus.rglob("*.jsonld")):
            yield path.read_text(encoding="utf-8")
        return
    with tarfile.open(corpus) as archive:
        for member in sorted(archive.getmembers(), key=lambda member: member.name):
            if member.name.endswith(".jsonld"):
                file = archive.extractfile(member)
                assert file is not None
                yield file.read().decode()


def make_harvest(folder: Path, corpus: Path, copies: int) -> None:
    """A finished harvest of the corpus; each further copy of a document has an identifier and a title of its own."""
    rows = []
    for copy in range(copies):
        for number, text in enumerate(corpus_texts(corpus)):
            body = text if copy == 0 else text.replace("https://obis.org/dataset/", f"https://obis.org/{copy}/")
            rows.append({"url": f"https://obis.org/{copy}/{number}", "text": body})
    write_harvest(FolderStore(folder), SOURCE.name, HARVEST, rows)


def texts(folder: Path) -> Iterator[str]:
    """The current documents of a harvest."""
    for batch in iter_texts(FolderStore(folder), SOURCE.name, HARVEST):
        yield from batch["text"].to_pylist()


def alone(folder: Path) -> dict[str, Any]:
    """pyoxigraph parses and serializes each document, and that is all; the texts are in memory before."""
    documents = list(texts(folder))
    begun, cpu = time.perf_counter(), time.process_time()
    size = 0
    for text in documents:
        size += len(ox.serialize(ox.parse(text, format=ox.RdfFormat.JSON_LD), format=ox.RdfFormat.N_QUADS) or b"")
    return {"wall": time.perf_counter() - begun, "cpu": time.process_time() - cpu, "documents": len(documents)}


def in_graphs(folder: Path) -> dict[str, Any]:
    """The same, and each document's quads in a graph of its own, as a release has them."""
    documents = list(texts(folder))
    begun, cpu = time.perf_counter(), time.process_time()
    for number, text in enumerate(documents):
        graph = ox.NamedNode(f"urn:gleaner.io:{ORG}:obis:data:{number:040x}")
        quads = ox.parse(text, format=ox.RdfFormat.JSON_LD)
        named = [ox.Quad(quad.subject, quad.predicate, quad.object, graph) for quad in quads]
        ox.serialize(named, format=ox.RdfFormat.N_QUADS)
    return {"wall": time.perf_counter() - begun, "cpu": time.process_time() - cpu, "documents": len(documents)}


def release(folder: Path, workers: int) -> dict[str, Any]:
    """A whole release, from the harvest's parts to release.json in the archive."""
    store = FolderStore(folder)
    shutil.rmtree(folder / "graphs", ignore_errors=True)
    begun, cpu = time.perf_counter(), time.process_time()
    record = build_release(store, SOURCE, HARVEST, org=ORG, workers=workers)
    built = {"wall": time.perf_counter() - begun, "cpu": time.process_time() - cpu}
    begun = time.perf_counter()
    publish_release(store, SOURCE, record.release_id)
    return {**built, "publish": time.perf_counter() - begun, "documents": record.documents, "quads": record.quads}


def child(folder: Path, what: str) -> dict[str, Any]:
    """Run one measurement in a process of its own; adds the peak memory (MB) of its largest process."""
    command = [sys.executable, __file__, "--child", what, "--folder", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    peak = 0.0
    over = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not over.wait(0.02):
            try:
                family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
                peak = max([peak, *(member.memory_info().rss / 1e6 for member in family)])
            except psutil.Error:
                continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    out, _ = process.communicate()
    over.set()
    watcher.join()
    if process.returncode:
        raise SystemExit(f"{what} failed")
    result = json.loads(out)
    return {**result, "peak_mb": max(peak, result["peak_mb"])}


MEASURED = {
    "alone": alone,
    "in_graphs": in_graphs,
    "one": lambda folder: release(folder, 1),
    "two": lambda folder: release(folder, 2),
}


def main() -> None:
    """Measure and print, or be one measured process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, default=Path("../shared/corpus/obis.tar.gz"))
    parser.add_argument("--copies", type=int, default=0, help="also a harvest of so many times the documents")
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--child", choices=sorted([*MEASURED, "harvest"]), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child == "harvest":
        make_harvest(options.folder, options.corpus, options.copies)
        return
    if options.child:
        result = MEASURED[options.child](options.folder)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        print(json.dumps({**result, "peak_mb": peak}))
        return
    with tempfile.TemporaryDirectory(prefix="sheaf-benchmark-") as folder:
        report(Path(folder), options)


def report(folder: Path, options: argparse.Namespace) -> None:
    """The table and the ratios."""
    sizes = {"obis": 1, **({"many": options.copies} if options.copies else {})}
    peaks: dict[str, float] = {}
    for name, copies in sizes.items():
        place = folder / name
        making = ["--child", "harvest", "--copies", str(copies), "--corpus", str(options.corpus)]
        subprocess.run([sys.executable, __file__, *making, "--folder", str(place)], check=True)
        runs: dict[str, list[dict[str, Any]]] = {what: [] for what in MEASURED}
        for _ in range(options.times if copies == 1 else 1):
            for what, results in runs.items():
                results.append(child(place, what))
        best = {
            what: {key: (max if key == "peak_mb" else min)(result[key] for result in results) for key in results[0]}
            for what, results in runs.items()
        }
        for what, result in best.items():
            print(f"{name:5} {what:10} " + "  ".join(f"{key} {value:,.2f}" for key, value in result.items()))
        print(f"CPU of a release / pyoxigraph alone              {best['one']['cpu'] / best['alone']['cpu']:.2f}")
        print(f"CPU of a release / pyoxigraph, quads in graphs   {best['one']['cpu'] / best['in_graphs']['cpu']:.2f}")
        print(f"wall of two processes / of one                   {best['two']['wall'] / best['one']['wall']:.2f}")
        peaks[name] = max(best["one"]["peak_mb"], best["two"]["peak_mb"])
        print(f"peak memory of the largest process               {peaks[name]:.0f} MB")
    if "many" in peaks:
        print(f"peak memory of many / of obis                    {peaks['many'] / peaks['obis']:.2f}")


if __name__ == "__main__":
    main()
