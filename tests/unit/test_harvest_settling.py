"""Which rows a manifest gets: clashes of identifiers, what is carried over, and where the texts lie."""

from __future__ import annotations

import hashlib
import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheaf.errors import SheafError
from sheaf.harvest.carry import carry_over
from sheaf.harvest.clashes import final_ids
from sheaf.harvest.manifest import (
    iter_texts,
    latest_harvest,
    part_numbers,
    read_manifest,
    rows_table,
    write_harvest,
)
from sheaf.harvest.schema import ROWS
from sheaf.harvest.settling import settle, wanted_of_before
from sheaf.store import MemoryStore, layout

FIRST, SECOND = "20260101T000000Z-aaaaaa", "20260102T000000Z-bbbbbb"


def sha1(text: str) -> str:
    return hashlib.sha1(text.encode()).hexdigest()


def test_one_text_on_several_urls_is_one_document() -> None:
    ids, flags, clashes = final_ids(["a", "b"], ["x", "x"], ["t", "t"], ["[x]", "[x]"])
    assert (ids, flags, clashes) == (["x", "x"], [False, False], 0)


def test_the_url_that_sorts_first_keeps_the_id_and_each_other_text_gets_one_of_its_url() -> None:
    ids, flags, clashes = final_ids(["a", "b", "c"], ["x"] * 3, ["t1", "t2", "t1"], ["[doi:null]"] * 3)
    assert ids == ["x", sha1("[doi:null]\nb"), "x"]
    assert flags == [True, True, True]
    assert clashes == 1


def test_three_texts_under_one_identifier_on_one_page_are_three_documents() -> None:
    ids, _, _ = final_ids(["a"] * 3, ["x"] * 3, ["t1", "t2", "t3"], ["[n]"] * 3)
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


def test_the_order_of_fetching_never_matters() -> None:
    rows = [document(url, text, plain_id="x", matched_string="[x]") for url, text in zip("abc", "pqp", strict=True)]
    results = []
    for order in itertools.permutations(rows):
        settled = settle(fresh(*order), ROWS.empty_table(), complete=True, partial=False, shrink_limit=0.5)
        results.append(settled.ids)
    assert all(ids == results[0] for ids in results)
    assert results[0] == ["x", sha1("[x]\nb"), "x"]


def test_a_document_that_its_page_lost_is_gone_and_the_others_stay() -> None:
    before = fresh(document("a", "one"), document("a", "two", 1))
    settled = settle(fresh(document("a", "one")), before, complete=True, partial=False, shrink_limit=0.5)
    assert outcome(settled) == [(0, "unchanged", "same_content"), (1, "gone", "document_left_page")]
    assert (settled.unchanged, settled.gone) == (1, 1)


def test_a_page_that_fails_keeps_all_its_documents() -> None:
    before = fresh(document("a", "one"), document("a", "two", 1))
    now = fresh({"url": "a", "state": "failed", "reason": "timeout_read"})
    settled = settle(now, before, complete=True, partial=False, shrink_limit=0.5)
    assert outcome(settled) == [(0, "failed", None), (1, "failed", None)]
    assert [number for rows in wanted_of_before(settled).values() for number in rows] == [0, 1]


def test_an_unchanged_page_says_again_which_of_its_scripts_cannot_be_read() -> None:
    before = fresh(document("a", "one"), {"url": "a", "position": 1, "state": "invalid_jsonld", "reason": "not_json"})
    now = fresh({"url": "a", "state": "unchanged", "reason": "not_modified"})
    settled = settle(now, before, complete=True, partial=False, shrink_limit=0.5)
    assert settled.state == ["unchanged", "invalid_jsonld"]


def test_nothing_is_gone_after_an_incomplete_discovery() -> None:
    before = fresh(document("a", "one"), document("b", "two"))
    settled = settle(fresh(document("a", "one")), before, complete=False, partial=False, shrink_limit=1.0)
    assert outcome(settled)[1] == (0, "unchanged", "discovery_incomplete")
    assert settled.gone == 0


def test_more_pages_than_the_shrink_limit_go_only_when_a_person_agrees() -> None:
    before = fresh(*(document(url, url) for url in "abcd"))
    now = fresh(document("a", "a"))
    kept = settle(now, before, complete=True, partial=False, shrink_limit=0.5)
    agreed = settle(now, before, complete=True, partial=False, shrink_limit=0.5, shrink_agreed=True)
    assert (kept.kept, kept.left, kept.gone) == ("shrink_limit", 3, 0)
    assert (agreed.kept, agreed.gone) == ("", 3)


def test_a_partial_harvest_says_nothing_about_pages_that_it_did_not_ask_for() -> None:
    before = fresh(document("a", "one"), document("b", "two"))
    settled = settle(fresh(document("a", "one")), before, complete=False, partial=True, shrink_limit=0.5)
    assert settled.rows == 1


@given(
    st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from("pqrs"), max_size=8),
    st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from("pqrs"), max_size=8),
)
def test_the_counts_of_two_harvests_are_those_of_the_pages(old: dict[str, str], new: dict[str, str]) -> None:
    before = fresh(*(document(url, text) for url, text in sorted(old.items())))
    now = fresh(*(document(url, text) for url, text in new.items()))
    settled = settle(now, before, complete=True, partial=False, shrink_limit=1.0)
    both = old.keys() & new.keys()
    assert settled.new == len(new.keys() - old.keys())
    assert settled.gone == len(old.keys() - new.keys())
    assert settled.unchanged == sum(old[url] == new[url] for url in both)
    assert settled.changed == sum(old[url] != new[url] for url in both)
    assert settled.rows == len(old.keys() | new.keys())


# --- parts that are carried over ----------------------------------------------------------------------------------


def carried(wanted_urls: set[str], rows: int = 600) -> tuple[MemoryStore, Any, list[str]]:
    store = MemoryStore()
    write_harvest(store, "s", FIRST, [{"url": f"u{n:04d}", "text": f"text {n}"} for n in range(rows)])
    before = read_manifest(store, "s", FIRST)
    wanted: dict[int, list[int]] = {}
    urls, parts = before["url"].to_pylist(), before["part"].to_pylist()
    for row, url in enumerate(urls):
        if url in wanted_urls:
            wanted.setdefault(parts[row], []).append(row)
    return store, carry_over(store, "s", FIRST, SECOND, before, wanted, 0), urls


def test_a_part_that_is_mostly_current_is_copied_byte_by_byte() -> None:
    store, result, _ = carried({f"u{n:04d}" for n in range(400)})
    assert result.moved == {0: 0}
    assert store.get(layout.harvest_part("s", SECOND, 0)) == store.get(layout.harvest_part("s", FIRST, 0))


def test_few_current_rows_of_many_parts_are_gathered_into_one() -> None:
    _, result, _ = carried({"u0001", "u0550"})
    assert result.moved == {}
    assert set(result.rows) == {(0, "u0001", 0), (1, "u0550", 0)}
    assert set(result.rows.values()) == {0}
    assert result.next_part == 1


def test_a_part_that_lacks_a_promised_text_is_named() -> None:
    store = MemoryStore()
    write_harvest(store, "s", FIRST, [{"url": "a", "text": "one"}, {"url": "b", "state": "failed"}])
    before = read_manifest(store, "s", FIRST)
    with pytest.raises(SheafError, match=r"part 0 .* lacks 1 texts"):
        carry_over(store, "s", FIRST, SECOND, before, {0: [1]}, 0)


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
