"""Which rows a manifest gets: clashes of identifiers, what is carried over, and where the texts lie."""

from __future__ import annotations

import hashlib
import itertools
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheaf.errors import SheafError
from sheaf.harvest import ranges
from sheaf.harvest.carry import Carried, Wanted, carry_over
from sheaf.harvest.clashes import Identities
from sheaf.harvest.manifest import (
    iter_texts,
    latest_harvest,
    part_numbers,
    read_manifest,
    rows_table,
    write_harvest,
)
from sheaf.harvest.ranges import RowFile, cut
from sheaf.harvest.schema import ROWS
from sheaf.harvest.settling import count_left, keep_reason, settle
from sheaf.store import MemoryStore, layout

FIRST, SECOND = "20260101T000000Z-aaaaaa", "20260102T000000Z-bbbbbb"


def sha1(text: str) -> str:
    return hashlib.sha1(text.encode()).hexdigest()


def final_ids(urls: list[str], texts: list[str], matched: str = "[x]") -> tuple[list[str], list[bool], Identities]:
    """The ids of documents that all state the identifier "x"."""
    identities = Identities()
    plain = ["x"] * len(urls)
    identities.see(plain, texts, [10] * len(urls))
    identities.decide()
    return *identities.final(urls, plain, texts, [matched] * len(urls)), identities


def test_one_text_on_several_urls_is_one_document() -> None:
    ids, flags, identities = final_ids(["a", "b"], ["t", "t"])
    assert (ids, flags) == (["x", "x"], [False, False])
    assert (identities.documents, identities.bytes, identities.clashes) == (1, 10, 0)


def test_the_url_that_sorts_first_keeps_the_id_and_each_other_text_gets_one_of_its_url() -> None:
    ids, flags, identities = final_ids(["a", "b", "c"], ["t1", "t2", "t1"], "[doi:null]")
    assert ids == ["x", sha1("[doi:null]\nb"), "x"]
    assert flags == [True, True, True]
    assert (identities.documents, identities.clashes) == (2, 1)


def test_three_texts_under_one_identifier_on_one_page_are_three_documents() -> None:
    ids, _, _ = final_ids(["a"] * 3, ["t1", "t2", "t3"], "[n]")
    assert len(set(ids)) == 3
    assert ids[1] == sha1("[n]\na")


def fresh(*rows: dict[str, Any]) -> Any:
    return rows_table(rows, ROWS)


def document(url: str, text: str, position: int = 0, **more: Any) -> dict[str, Any]:
    digest = hashlib.sha256(text.encode()).hexdigest()
    return {
        "url": url,
        "position": position,
        "state": "stored",
        "sha256": digest,
        "plain_id": sha1(text),
        "part": 0,
        **more,
    }


def outcome(settled: Any) -> list[tuple[int, str, str | None]]:
    return list(zip(settled.position, settled.state, settled.reason, strict=True))


def test_a_document_that_its_page_lost_is_gone_and_the_others_stay() -> None:
    before = fresh(document("a", "one"), document("a", "two", 1))
    settled = settle(fresh(document("a", "one")), before, "", partial=False)
    assert outcome(settled) == [(0, "unchanged", "same_content"), (1, "gone", "document_left_page")]
    assert (settled.unchanged, settled.gone) == (1, 1)


def test_a_page_that_fails_keeps_all_its_documents() -> None:
    before = fresh(document("a", "one"), document("a", "two", 1))
    now = fresh({"url": "a", "state": "failed", "reason": "timeout_read"})
    settled = settle(now, before, "", partial=False)
    assert outcome(settled) == [(0, "failed", None), (1, "failed", None)]
    assert settled.table()["origin"].to_pylist() == [2, 2]


def test_an_unchanged_page_says_again_which_of_its_scripts_cannot_be_read() -> None:
    before = fresh(document("a", "one"), {"url": "a", "position": 1, "state": "invalid_jsonld", "reason": "not_json"})
    now = fresh({"url": "a", "state": "unchanged", "reason": "not_modified"})
    settled = settle(now, before, "", partial=False)
    assert settled.state == ["unchanged", "invalid_jsonld"]


def test_nothing_is_gone_after_an_incomplete_discovery() -> None:
    assert keep_reason(False, 1, 2, 1.0) == "discovery_incomplete"
    before = fresh(document("a", "one"), document("b", "two"))
    settled = settle(fresh(document("a", "one")), before, "discovery_incomplete", partial=False)
    assert outcome(settled)[1] == (0, "unchanged", "discovery_incomplete")
    assert settled.gone == 0


def test_more_pages_than_the_shrink_limit_go_only_when_a_person_agrees() -> None:
    before = fresh(*(document(url, url) for url in "abcd"))
    assert count_left(fresh(document("a", "a")), before) == (3, 4)
    assert keep_reason(True, 3, 4, 0.5) == "shrink_limit"
    assert keep_reason(True, 3, 4, 0.5, agreed=True) == ""
    assert keep_reason(True, 2, 4, 0.5) == ""


def test_a_partial_harvest_says_nothing_about_pages_that_it_did_not_ask_for() -> None:
    before = fresh(document("a", "one"), document("b", "two"))
    settled = settle(fresh(document("a", "one")), before, "", partial=True)
    assert len(settled.state) == 1


@given(
    st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from("pqrs"), max_size=8),
    st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from("pqrs"), max_size=8),
)
def test_the_counts_of_two_harvests_are_those_of_the_pages(old: dict[str, str], new: dict[str, str]) -> None:
    before = fresh(*(document(url, text) for url, text in sorted(old.items())))
    now = fresh(*(document(url, text) for url, text in sorted(new.items())))
    settled = settle(now, before, "", partial=False)
    both = old.keys() & new.keys()
    assert settled.new == len(new.keys() - old.keys())
    assert settled.gone == len(old.keys() - new.keys())
    assert settled.unchanged == sum(old[url] == new[url] for url in both)
    assert settled.changed == sum(old[url] != new[url] for url in both)
    assert len(settled.state) == len(old.keys() | new.keys())


# --- ranges of URLs -----------------------------------------------------------------------------------------------


@given(
    st.lists(st.text("abcé/?", min_size=1, max_size=5), unique=True, max_size=60),
    st.lists(st.text("abcé/?", min_size=1, max_size=5), unique=True, max_size=60),
)
def test_ranges_hold_every_row_once_and_in_the_order_of_the_urls(new: list[str], old: list[str]) -> None:
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranges, "RANGE_ROWS", 7)
        rows = RowFile(Path(name) / "rows")
        for start in range(0, len(new), 5):
            rows.write(fresh(*(document(url, "t") for url in new[start : start + 5])))
        before = fresh(*(document(url, "t") for url in sorted(old)))
        made = [one.tables() for one in cut(rows, [before], len(old), Path(name))]
    assert [url for here, _ in made for url in here["url"].to_pylist()] == sorted(new)
    assert [url for _, there in made for url in there["url"].to_pylist()] == sorted(old)
    for (here, there), (later, latest) in itertools.pairwise(made):
        ends = here["url"].to_pylist() + there["url"].to_pylist()
        starts = later["url"].to_pylist() + latest["url"].to_pylist()
        assert not ends or not starts or max(ends) < min(starts)


# --- parts that are carried over ----------------------------------------------------------------------------------


def carried(wanted_urls: set[str], rows: int = 600) -> tuple[MemoryStore, Carried]:
    store = MemoryStore()
    write_harvest(store, "s", FIRST, [{"url": f"u{n:04d}", "text": f"text {n}"} for n in range(rows)])
    before = read_manifest(store, "s", FIRST).to_pylist()
    wanted = Wanted()
    places: dict[int, set[tuple[str, int]]] = {}
    for row in before:
        if row["url"] in wanted_urls:
            wanted.add([row["part"]], [row["bytes"]])
            places.setdefault(row["part"], set()).add((row["url"], row["position"]))
    return store, carry_over(store, "s", FIRST, SECOND, wanted, lambda parts: {p: places[p] for p in parts}, 0)


def test_a_part_that_is_mostly_current_is_copied_byte_by_byte() -> None:
    store, result = carried({f"u{n:04d}" for n in range(400)})
    assert result.moved == {0: 0}
    assert store.get(layout.harvest_part("s", SECOND, 0)) == store.get(layout.harvest_part("s", FIRST, 0))


def test_few_current_rows_of_many_parts_are_gathered_into_one() -> None:
    _, result = carried({"u0001", "u0550"})
    assert result.moved == {}
    assert result.rows == {(0, "u0001", 0): 0, (1, "u0550", 0): 0}
    assert result.next_part == 1


def test_a_part_with_few_but_long_texts_is_copied_too() -> None:
    wanted = Wanted()
    wanted.add([3, 4], [5 << 20, 100])
    assert wanted.worth_copying(3)
    assert not wanted.worth_copying(4)


def test_a_part_that_lacks_a_promised_text_is_named() -> None:
    store = MemoryStore()
    write_harvest(store, "s", FIRST, [{"url": "a", "text": "one"}, {"url": "b", "state": "failed"}])
    wanted = Wanted()
    wanted.add([0], [3])
    with pytest.raises(SheafError, match=r"part-00000.parquet lacks 1 texts"):
        carry_over(store, "s", FIRST, SECOND, wanted, lambda parts: {0: {("b", 0)}}, 0)


# --- reading ------------------------------------------------------------------------------------------------------


def test_each_current_document_is_read_exactly_once_and_only_those() -> None:
    store = MemoryStore()
    rows = [{"url": f"u{n:04d}", "text": f"text {n % 700}"} for n in range(1200)]
    written = write_harvest(store, "s", FIRST, [*rows, {"url": "x", "state": "failed", "reason": "timeout_read"}])
    batches = list(iter_texts(store, "s", FIRST, batch_rows=100))
    ids = [one for batch in batches for one in batch["id"].to_pylist()]
    assert len(ids) == len(set(ids)) == written.documents == 700
    for batch in batches:
        for text, digest in zip(batch["text"].to_pylist(), batch["sha256"].to_pylist(), strict=True):
            assert hashlib.sha256(text.encode()).hexdigest() == digest
    assert part_numbers(store, "s", FIRST) == [0, 1, 2]


def test_stopped_partial_and_unfinished_harvests_are_never_the_latest() -> None:
    store = MemoryStore()
    write_harvest(store, "s", FIRST, [{"url": "a", "text": "one"}])
    write_harvest(store, "s", SECOND, [{"url": "a", "text": "one"}], partial=True)
    write_harvest(store, "s", "20260103T000000Z-cccccc", [{"url": "a", "text": "one"}], stopped="breaker_open")
    store.put(layout.harvest_start("s", "20260104T000000Z-dddddd"), b"{}")
    latest = latest_harvest(store, "s")
    assert latest is not None
    assert latest.harvest_id == FIRST
    with_partial = latest_harvest(store, "s", partial=True)
    assert with_partial is not None
    assert with_partial.harvest_id == SECOND
