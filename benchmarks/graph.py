"""A tenant's first load, a change of one percent, and nothing to do: our graph server and the other triplestores.

    python benchmarks/graph.py --corpus ../shared/corpus/obis.tar.gz [--stores sheaf,fuseki,blazegraph,rdf4j,oxigraph]

Our server is measured against pyoxigraph's ``bulk_load`` of the same release into a folder, the others against one POST
of it by curl. Each store is started afresh for each of the two. Other stores need ``make parts``.
"""

from __future__ import annotations

import argparse
import gzip
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pyoxigraph as ox

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.release import HARVEST, ORG, SOURCE, FolderStore, corpus_texts
from sheaf.config import Tenant
from sheaf.graph import GraphStore
from sheaf.graph.drivers import DRIVERS, Access, SparqlStore
from sheaf.graph.reconcile import Reconciler
from sheaf.harvest.manifest import write_harvest
from sheaf.release import build_release, publish_release
from sheaf.store import layout
from tests.integration import servers

TENANT = Tenant.model_validate(
    {"community": "obis", "graph": {"main_namespace": "obis", "summary_namespace": "obis_s"}, "sources": ["all"]}
)
LATENCY = "SELECT ?s WHERE { GRAPH ?g { ?s ?p ?o } } LIMIT 10"


def publish(store: FolderStore, corpus: Path, harvest_id: str, percent: int) -> str:
    """A release of the corpus in which that share of the documents has another description."""
    rows = []
    for number, text in enumerate(corpus_texts(corpus)):
        # by the text and not by the page, as one document may stand on several pages
        changed = zlib.crc32(text.encode()) % 100 < percent
        body = text.replace('"description": "', '"description": "Changed. ', 1) if changed else text
        rows.append({"url": f"https://obis.org/{number}", "text": body})
    write_harvest(store, SOURCE.name, harvest_id, rows)
    record = build_release(store, SOURCE, harvest_id, org=ORG, workers=2)
    publish_release(store, SOURCE, record.release_id)
    return record.release_id


@contextmanager
def started(kind: str, folder: Path) -> Iterator[SparqlStore]:
    """A fresh store of that kind with an empty namespace."""
    if kind == "sheaf":
        manager = servers.sheaf_server(folder)
    elif kind == "oxigraph":
        manager = servers.oxigraph_server(folder, ["obis", "obis_s"])
    else:
        manager = getattr(servers, kind)(folder)
    with manager as found:
        url = found[0] if isinstance(found, tuple) else found
        graphs = DRIVERS[kind](url, Access(token=servers.TOKEN if kind == "sheaf" else ""))
        graphs.ensure("obis")
        yield graphs


def timed(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def server_memory() -> float:
    """Resident MB of the largest process below this one."""
    sizes = [child.memory_info().rss / 1e6 for child in psutil.Process().children(recursive=True)]
    return max(sizes, default=0.0)


def bulk_load(nquads: Path) -> float:
    with tempfile.TemporaryDirectory() as folder:
        store = ox.Store(f"{folder}/store")
        return timed(lambda: store.bulk_load(path=str(nquads), format=ox.RdfFormat.N_QUADS))


def curl(kind: str, nquads: Path) -> float:
    with tempfile.TemporaryDirectory() as folder, started(kind, Path(folder)) as graphs:
        header = f"Content-Type: {graphs.load_type}"
        command = ["curl", "-sSf", "-X", "POST", "-H", header, "-H", f"Authorization: Bearer {servers.TOKEN}"]
        command += ["-T", str(nquads), "-o", "/dev/null", graphs.load_url("obis")]
        return timed(lambda: subprocess.run(command, check=True, timeout=600))


def latency(graphs: GraphStore) -> float:
    """Median milliseconds of a small query on an open connection."""
    with httpx.Client() as client:
        url = graphs.endpoint("obis")
        waits = [timed(lambda: client.get(url, params={"query": LATENCY}).raise_for_status()) for _ in range(200)]
    return statistics.median(waits) * 1000


def measure(kind: str, folder: Path, corpus: Path) -> None:
    store = FolderStore(folder)
    shutil.rmtree(folder / "graphs", ignore_errors=True)
    release = publish(store, corpus, HARVEST, 0)
    nquads = folder / "release.nq"
    with gzip.open(folder / layout.release_file(SOURCE.name, release, "release.nq.gz")) as packed:
        nquads.write_bytes(packed.read())
    measures = [bulk_load(nquads) if kind == "sheaf" else curl(kind, nquads) for _ in range(2)]
    with tempfile.TemporaryDirectory() as data, started(kind, Path(data)) as graphs:
        tracked = [0.0]
        over = threading.Event()

        def watch() -> None:
            while not over.wait(0.1):
                tracked[0] = max(tracked[0], server_memory())

        watcher = threading.Thread(target=watch)
        watcher.start()

        def bring() -> float:
            results = []
            seconds = timed(lambda: results.append(Reconciler(store, graphs, TENANT, ["obis"], ORG, "main").run()))
            assert not results[0].problems, results[0].problems
            print(f"  {results[0].graphs_total} graphs, {results[0].triples} quads, {results[0].batches} batches")
            return seconds

        first, nothing = bring(), bring()
        publish(store, corpus, "20260201T000000Z-bench", 1)
        change = bring()
        over.set()
        watcher.join()
        best = min(measures)
        print(
            f"{kind}: measure {best:.2f} s, first load {first:.2f} s ({first / best:.2f} times), nothing to do "
            f"{nothing:.3f} s, 1 % changed {change:.2f} s ({100 * change / first:.1f} % of the first load), "
            f"query {latency(graphs):.2f} ms, server {tracked[0]:.0f} MB"
        )


def main() -> None:
    """Measure each store in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, default=Path("../shared/corpus/obis.tar.gz"))
    parser.add_argument("--stores", default="sheaf")
    options = parser.parse_args()
    for kind in options.stores.split(","):
        with tempfile.TemporaryDirectory(prefix="sheaf-bench-") as folder:
            measure(kind, Path(folder), options.corpus)


if __name__ == "__main__":
    main()
