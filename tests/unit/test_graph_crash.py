"""kill -9 of the graph server, and of whoever loads it, at the worst moments; both as real processes."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sheaf.errors import SheafError
from sheaf.graph import GraphChanges, reconcile_tenant
from sheaf.graph.drivers import Access, SheafStore
from tests.graphs import ORG, Releases, document, held, lines_of, tenant
from tests.integration.servers import TOKEN, free_port, sheaf_server


def store(url: str) -> SheafStore:
    return SheafStore(url, Access(token=TOKEN))


def lines(number: int) -> bytes:
    graph = f"urn:gleaner.io:{ORG}:iris:data:{number}"
    return "".join(lines_of(graph, f"title {number}", 30)).encode()


def test_what_was_answered_survives_a_kill_and_a_load_in_the_middle_leaves_no_trace(tmp_path: Path) -> None:
    port = free_port()
    arriving = threading.Event()

    def body() -> Iterator[bytes]:
        for number in range(1, 100_000):
            yield lines(number)
            if number == 200:
                arriving.set()

    with sheaf_server(tmp_path, port) as (url, pid):
        graphs = store(url)
        graphs.ensure("geo")
        for number in range(10):
            graphs.apply("geo", GraphChanges(insert=lines(-number - 1)))
        failed: list[SheafError] = []

        def load() -> None:
            try:
                graphs.load("geo", body)
            except SheafError as error:
                failed.append(error)

        thread = threading.Thread(target=load)
        thread.start()
        assert arriving.wait(30)
        os.kill(pid, signal.SIGKILL)
        thread.join(60)
        assert failed
    with sheaf_server(tmp_path, port) as (url, _):
        assert store(url).count("geo") == 300
        assert store(url).graphs("geo") == {f"urn:gleaner.io:{ORG}:iris:data:{-number - 1}" for number in range(10)}


@pytest.mark.parametrize("after", [0.05, 0.2])
def test_a_server_killed_in_the_middle_of_a_reconcile_is_healed_by_the_next_one(tmp_path: Path, after: float) -> None:
    port = free_port()
    releases = Releases()
    releases.publish("iris", {document("iris", n): f"title {n}" for n in range(800)})
    with sheaf_server(tmp_path, port) as (url, _):
        reconcile_tenant(releases.store, store(url), tenant("iris"), ["iris"], ORG)
    releases.publish("iris", {document("iris", n): f"new title {n}" for n in range(100, 900)})
    with sheaf_server(tmp_path, port) as (url, pid):
        killer = threading.Timer(after, os.kill, (pid, signal.SIGKILL))
        killer.start()
        with contextlib.suppress(SheafError):
            reconcile_tenant(releases.store, store(url), tenant("iris"), ["iris"], ORG)
        killer.join()
    with sheaf_server(tmp_path, port) as (url, _):
        result = reconcile_tenant(releases.store, store(url), tenant("iris"), ["iris"], ORG)
        assert result.problems == ()
        assert held(store(url), "geo") == releases.expected("iris")
        assert held(store(url), "geo_summary") == releases.expected_summary("iris")


def test_the_server_stops_at_once_when_it_is_told_to(tmp_path: Path) -> None:
    with sheaf_server(tmp_path) as (url, pid):
        graphs = store(url)
        graphs.ensure("geo")
        graphs.apply("geo", GraphChanges(insert=lines(1)))
        begun = time.monotonic()
        os.kill(pid, signal.SIGTERM)
        ended = 0
        while not ended and time.monotonic() - begun < 10:
            time.sleep(0.02)
            ended, _ = os.waitpid(pid, os.WNOHANG)
        assert ended == pid
