"""The checks: each names its numbers and the fix, and thresholds are the source's."""

from __future__ import annotations

from typing import Any

import pytest

from sheaf.config.sources import Thresholds
from sheaf.release import Check, ReleaseRecord, run_checks
from sheaf.release.record import FileFacts
from sheaf.store import MemoryStore
from tests.unit.release_harvests import FIRST, release, text


@pytest.fixture(scope="module")
def good() -> ReleaseRecord:
    return release(MemoryStore(), FIRST, [text(n) for n in range(10)])


def checks(record: ReleaseRecord, published: ReleaseRecord | None = None, **limits: Any) -> dict[str, Check]:
    return {check.name: check for check in run_checks(record, Thresholds(**limits), published)}


def changed(record: ReleaseRecord, **values: Any) -> ReleaseRecord:
    return record.model_copy(update=values)


def test_a_good_release_passes_all_of_them(good: ReleaseRecord) -> None:
    assert all(check.passed and check.blocking for check in checks(good).values())


def test_an_empty_release_is_blocked(good: ReleaseRecord) -> None:
    check = checks(changed(good, documents=0, quads=0))["not_empty"]
    assert not check.passed
    assert "never replaces a release" in check.message


def test_a_file_that_lost_lines_is_blocked(good: ReleaseRecord) -> None:
    whole = good.files["release.nq"]
    short = FileFacts(bytes=whole.bytes, sha256=whole.sha256, lines=whole.lines - 1)
    check = checks(changed(good, files={**good.files, "release.nq": short}))["files_whole"]
    assert not check.passed
    assert check.numbers["expected_lines"] - check.numbers["lines"] == 1


def test_a_missing_file_is_named(good: ReleaseRecord) -> None:
    files = {name: facts for name, facts in good.files.items() if name != "prov.nq.gz"}
    check = checks(changed(good, files=files))["files_whole"]
    assert not check.passed
    assert "prov.nq.gz" in check.message


def test_losses_block_from_the_sources_own_share_on(good: ReleaseRecord) -> None:
    lossy = changed(good, documents=7, left_out=3, harvested=10, left_out_reasons={"conversion_failed": 3})
    assert checks(lossy, max_lost=0.3)["documents_lost"].passed
    check = checks(lossy, max_lost=0.29)["documents_lost"]
    assert not check.passed
    assert "3 of 10" in check.message
    assert "3 conversion_failed" in check.message
    assert "thresholds.max_lost" in check.message


def test_a_drop_blocks_from_the_sources_own_share_on(good: ReleaseRecord) -> None:
    published = changed(good, release_id="before", documents=21)
    assert checks(good, published, max_drop=0.53)["no_drop"].passed
    check = checks(good, published, max_drop=0.5)["no_drop"]
    assert not check.passed
    assert "21 in before" in check.message


def test_growing_is_no_drop(good: ReleaseRecord) -> None:
    assert checks(good, changed(good, documents=1), max_drop=0)["no_drop"].passed


@pytest.mark.parametrize("parsed", [-1, 3])
def test_n_quads_that_do_not_parse_whole_are_blocked(good: ReleaseRecord, parsed: int) -> None:
    assert not checks(changed(good, parsed_quads=parsed))["nquads_parse"].passed


def test_a_summary_that_misses_rows_is_blocked(good: ReleaseRecord) -> None:
    assert not checks(changed(good, datasets=good.documents + 1))["summary_complete"].passed
    short = good.files["summary.nq"].model_copy(update={"lines": 1})
    assert not checks(changed(good, files={**good.files, "summary.nq": short}))["summary_complete"].passed


def test_a_partial_harvest_is_blocked(good: ReleaseRecord) -> None:
    assert not checks(changed(good, partial=True))["harvest_whole"].passed
