"""The release job and ``sheaf release``: exit codes, the result object, and what a person is told."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

import sheaf.cli.release as cli
from sheaf.config import accept_sources
from sheaf.errors import CheckFailed, TemporaryFault
from sheaf.jobs.release import release_job
from sheaf.jobs.results import JobResult, read_result
from sheaf.release import published, read_release
from sheaf.settings import Settings
from sheaf.store import MemoryStore, layout
from tests.unit.release_harvests import FIRST, SECOND, harvest, text

CONFIG = b"""
sources:
- name: demo
  url: https://e.org/sitemap.xml
  thresholds: {max_lost: 0.5}
"""


class Down(MemoryStore):
    """A store that stops answering for documents."""

    def get(self, key: str) -> bytes:
        if key.endswith(".parquet"):
            raise TemporaryFault("the object store does not answer")
        return super().get(key)


@pytest.fixture
def settings() -> Settings:
    return Settings()


def with_config(store: MemoryStore, settings: Settings) -> MemoryStore:
    accept_sources(store, CONFIG, settings)
    return store


def run(store: MemoryStore, settings: Settings, harvest_id: str | None = None) -> tuple[int, JobResult]:
    code = release_job(settings, "demo", harvest_id, None, "job-1", store=store, workers=1)
    result = read_result(store, "job-1")
    assert result is not None
    assert result.exit_code == code
    return code, result


def test_a_release_without_losses_exits_with_0_and_leaves_its_numbers(settings: Settings) -> None:
    store = with_config(MemoryStore(), settings)
    harvest(store, FIRST, [text(1), text(2)])
    code, result = run(store, settings)
    assert code == 0
    record = read_release(store, "demo", result.release_id)
    assert result.numbers["documents"] == record.documents == 2
    assert result.numbers["quads"] == record.quads
    assert result.harvest_id == FIRST
    assert record.config_sha
    assert record.tool_version
    assert published(store, "demo") is None


def test_a_release_with_documents_left_out_exits_with_3_and_names_the_reasons(settings: Settings) -> None:
    store = with_config(MemoryStore(), settings)
    harvest(store, FIRST, [text(1), "[1"])
    code, result = run(store, settings)
    assert code == 3
    assert result.numbers["left_out_not_json"] == 1
    assert "1 not_json" in result.message


def test_a_failed_check_is_in_the_message(settings: Settings) -> None:
    store = with_config(MemoryStore(), settings)
    harvest(store, FIRST, [])
    _, result = run(store, settings)
    assert "check not_empty failed" in result.message
    assert result.numbers["checks_failed"] == 1


def test_a_store_that_does_not_answer_exits_with_75(settings: Settings) -> None:
    store = with_config(Down(), settings)
    harvest(store, FIRST, [text(1)])
    code, result = run(store, settings)
    assert (code, result.reason) == (75, "temporary")


@pytest.mark.parametrize("harvest_id", [None, "20990101T000000Z-none"])
def test_a_harvest_that_does_not_exist_exits_with_2_and_says_what_to_do(
    settings: Settings, harvest_id: str | None
) -> None:
    store = with_config(MemoryStore(), settings)
    code, result = run(store, settings, harvest_id)
    assert code == 2
    assert "sheaf job summon" in result.message


def test_an_unknown_source_exits_with_2(settings: Settings) -> None:
    store = with_config(MemoryStore(), settings)
    assert release_job(settings, "demmo", None, None, "job-2", store=store) == 2
    result = read_result(store, "job-2")
    assert result is not None
    assert "demo" in result.message


@pytest.fixture
def shop(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    """Two releases of the demo source; the command line works on this store."""
    store = with_config(MemoryStore(), settings)
    harvest(store, FIRST, [text(n) for n in range(6)])
    run(store, settings)
    harvest(store, SECOND, [text(0), text(9)])
    run(store, settings)
    monkeypatch.setattr(cli, "open_store", lambda _: store)
    return store


def told(*args: str) -> str:
    done = CliRunner().invoke(cli.release, args, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_a_person_lists_shows_publishes_compares_and_rolls_back(shop: MemoryStore) -> None:
    ids = [line.split()[0] for line in told("list", "demo").splitlines()]
    assert len(ids) == 2
    assert f"published {ids[1]}" in told("publish", "demo", ids[1])
    assert told("list", "demo").splitlines()[1].startswith("* ")
    assert "nothing was written" in told("publish", "demo", ids[1])
    assert "1 added, 0 changed, 5 removed" in told("diff", "demo")
    assert "ok     not_empty" in told("show", "demo", "latest")
    with pytest.raises(CheckFailed):
        told("publish", "demo")
    assert "over the failed checks no_drop, by ada" in told(
        "publish", "demo", "--force", "--by", "ada", "--reason", "right"
    )
    assert "forced by   ada: right" in told("show", "demo")
    assert f"published {ids[1]} of demo, before: {ids[0]}" in told("rollback", "demo")


def test_everything_is_there_as_json_for_scripts(shop: MemoryStore) -> None:
    told("publish", "demo", "20260101")
    assert len([json.loads(line) for line in told("list", "demo", "--json").splitlines()]) == 2
    assert json.loads(told("show", "demo", "--json"))["documents"] == 6
    assert json.loads(told("diff", "demo", "--json"))["removed"] == 5
    assert layout.latest_pointer("demo") == "graphs/latest/demo_release.json"
