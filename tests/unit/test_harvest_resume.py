"""A harvest that is killed goes on from its journal; what it leaves is what an undisturbed one leaves."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sheaf.demo import RunningSite, serve
from sheaf.harvest import engine, journal
from sheaf.harvest.beginning import utc_now
from sheaf.harvest.manifest import iter_texts, latest_harvest, part_numbers
from sheaf.harvest.schema import HarvestSummary
from sheaf.store import MemoryStore, layout
from tests.unit.harvest_site import FolderStore, harvested, rows_of, small_site

PAGES = [
    {"repeat": 120, "path": "/small/${nnn}", "dataset": "note", "delay": 0.01},
    {"repeat": 4, "start": 121, "path": "/small/${nnn}", "status": 404},
    {"repeat": 3, "start": 125, "path": "/small/${nnn}", "dataset": "note", "set": {"@id": "doi:null"}},
]
PART_PAGES = 10
THREADS = 4

# The job as its own process, so that it can be killed; parts are small, so that there is a journal to take up.
RUN = """
import sys
from pathlib import Path
import yaml
from sheaf.config import load_sources
from sheaf.harvest import journal
from sheaf.harvest.engine import run_harvest
from sheaf.settings import Settings
from tests.unit.harvest_site import FolderStore

journal.PART_ROWS = {rows}
project = load_sources(Path(sys.argv[2]).read_bytes()).config
run_harvest(FolderStore(Path(sys.argv[1])), project, project.sources[0], "sha", settings=Settings())
"""


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningSite]:
    with serve(small_site(tmp_path / "site", PAGES)) as site:
        yield site


def job(folder: Path, config: Path) -> subprocess.Popen[bytes]:
    code = RUN.format(rows=PART_PAGES)
    return subprocess.Popen([sys.executable, "-c", code, str(folder), str(config)], stderr=subprocess.PIPE)


def content(store: MemoryStore, summary: HarvestSummary) -> tuple[Any, Any]:
    """What a harvest says, without the moments at which it said so."""
    dropped = {"fetched_at", "stored_at", "ms", "part", "attempts"}
    rows = {key: {n: v for n, v in row.items() if n not in dropped} for key, row in rows_of(store, summary).items()}
    texts = {}
    for batch in iter_texts(store, summary.source, summary.harvest_id):
        texts.update(zip(batch["id"].to_pylist(), batch["text"].to_pylist(), strict=True))
    return rows, texts


def config_of(running: RunningSite, tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(
        f"sources:\n- {{name: small, url: '{running.url}/small/sitemap.xml', threads: {THREADS}, "
        "breaker: {first: 200, share: 1}}\n"
    )
    return path


def test_killed_again_and_again_it_ends_as_an_undisturbed_harvest_does(running: RunningSite, tmp_path: Path) -> None:
    config, folder = config_of(running, tmp_path), tmp_path / "store"
    seed = random.Random(4)  # noqa: S311
    undisturbed = MemoryStore()
    want = content(undisturbed, harvested(undisturbed, running, config={"breaker": {"first": 200, "share": 1}}))
    running.forget()
    kills = 0
    for _ in range(4):
        parts = len(list(folder.glob("*part-*.parquet"))) if folder.exists() else 0
        process = job(folder, config)
        deadline = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < deadline:
            if len(list(folder.glob("*part-*.parquet"))) > parts:
                time.sleep(seed.uniform(0, 0.05))
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(0.002)
        kills += process.wait() == -signal.SIGKILL
    assert kills >= 3
    assert job(folder, config).wait() == 0
    store = FolderStore(folder)
    summary = latest_harvest(store, "small")
    assert summary is not None
    assert len(list(store.folders(layout.harvests_prefix("small")))) == 1
    assert content(store, summary) == want
    # A kill costs the journal's gap: the part in the making, and what the workers and the writer had in their hands.
    gap = 2 * PART_PAGES + THREADS
    twice = sum(max(0, running.hits(f"/small/{n:03d}") - 1) for n in range(1, 128))
    assert twice <= kills * gap


def test_sigterm_writes_the_journal_lets_go_of_the_lease_and_says_that_it_was_cancelled(
    running: RunningSite, tmp_path: Path
) -> None:
    folder = tmp_path / "store"
    process = job(folder, config_of(running, tmp_path))
    while not any(running.hits(f"/small/{n:03d}") for n in (20, 30)):
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=20)
    assert b"TemporaryFault" in said
    assert b"cancelled" in said
    store = FolderStore(folder)
    assert store.stat(layout.harvest_lease("small")) is None
    harvest_id = next(iter(store.folders(layout.harvests_prefix("small"))))
    assert part_numbers(store, "small", harvest_id)
    running.forget()
    summary = harvested(store, running, config={"threads": THREADS, "breaker": {"first": 200, "share": 1}})
    assert summary.documents == 123


def test_a_harvest_with_other_settings_does_not_take_up_the_killed_one(running: RunningSite) -> None:
    store = MemoryStore()
    loud = {"breaker": {"first": 200, "share": 1}}
    first = harvested(store, running, config=loud)
    store.delete([layout.harvest_summary("small", first.harvest_id)])
    other = harvested(store, running, config={**loud, "identifiertype": "filesha"})
    assert other.harvest_id != first.harvest_id


def test_the_harvest_of_yesterday_is_not_taken_up(running: RunningSite) -> None:
    store = MemoryStore()
    loud = {"breaker": {"first": 200, "share": 1}}
    first = harvested(store, running, config=loud, clock=lambda: utc_now() - timedelta(days=1, minutes=1))
    store.delete([layout.harvest_summary("small", first.harvest_id)])
    assert harvested(store, running, config=loud).harvest_id != first.harvest_id


def test_parts_that_were_being_carried_over_are_made_again(running: RunningSite) -> None:
    store = MemoryStore()
    loud = {"breaker": {"first": 200, "share": 1}}
    first = harvested(store, running, config=loud)
    second = harvested(store, running, config=loud)
    store.delete([layout.harvest_summary("small", second.harvest_id)])
    again = harvested(store, running, config=loud)
    assert again.harvest_id == second.harvest_id
    assert content(store, again)[1] == content(store, first)[1]
    assert part_numbers(store, "small", again.harvest_id) == list(range(again.parts))


def test_slow_pages_reach_the_journal_after_seconds_not_after_hundreds_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "PART_SECONDS", 0.1)
    monkeypatch.setattr(engine, "TICK_SECONDS", 0.05)
    slow = [{"repeat": 8, "path": "/small/${nnn}", "dataset": "note", "delay": 0.1}]
    store = MemoryStore()
    with serve(small_site(tmp_path / "slow", slow)) as running:
        summary = harvested(store, running, config={"threads": 1})
    assert summary.parts >= 3
    assert summary.documents == 8


def test_a_cancelled_harvest_ends_at_whatever_moment_it_is_cancelled(running: RunningSite, tmp_path: Path) -> None:
    # The HTTP client loses a cancellation that comes together with an answer: seven moments, to meet one such.
    for moment in range(7):
        process = job(tmp_path / f"store-{moment}", config_of(running, tmp_path))
        running.forget()
        while running.hits("/small/sitemap.xml") == 0:
            assert process.poll() is None
            time.sleep(0.002)
        time.sleep(0.03 * moment)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=20)
        assert process.returncode in (0, 1), said.decode()
        assert process.returncode == 0 or b"cancelled" in said
