"""A release is a function of its harvest: sorted, whole, the same bytes wherever and however it is made."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pyoxigraph as ox
import pytest

from sheaf.errors import BadInput, NotFound, TemporaryFault
from sheaf.harvest.manifest import write_harvest
from sheaf.release import ReleaseRecord, buckets, build_release, publish_release, read_release
from sheaf.release.conversion import Converted, convert_document
from sheaf.release.index import compare, documents
from sheaf.store import MemoryStore, layout
from tests.unit.release_harvests import FIRST, ORG, SECOND, harvest, nquads, release, source, text

CATALOGUE = "urn:gleaner.io:sheaf:demo:datacatalog"


def files(store: MemoryStore, record: ReleaseRecord) -> dict[str, bytes]:
    prefix = layout.release_prefix(record.source, record.release_id)
    return {info.key.removeprefix(prefix): store.get(info.key) for info in store.list(prefix)}


def test_a_release_holds_each_document_in_its_graph_and_the_catalogue_behind_them() -> None:
    store = MemoryStore()
    record = release(store, FIRST, [text(n) for n in range(5)])
    lines = nquads(store, record).splitlines()
    graphs = list(dict.fromkeys(line.rsplit(" ", 2)[1] for line in lines))
    assert graphs == sorted(graphs)
    assert graphs[-1] == f"<{CATALOGUE}>"
    assert len(graphs) == 6
    assert (record.documents, record.datasets, record.quads) == (5, 5, 10)
    assert len(lines) == record.quads + record.catalogue_quads == record.parsed_quads
    assert all(check.passed for check in record.checks)


def test_the_catalogue_names_provider_publisher_date_and_each_document() -> None:
    store = MemoryStore()
    record = release(store, FIRST, [text(1, dateModified="2020-02-03T04:05:06Z"), text(2, dateCreated="2019-01-01")])
    lines = [line for line in nquads(store, record).splitlines() if line.endswith(f"<{CATALOGUE}> .")]
    assert lines == sorted(lines)
    assert len([line for line in lines if f"<{CATALOGUE}> <https://schema.org/dataset> <urn:" in line]) == 2
    assert any('<https://schema.org/dateCreated> "2020-02-03"' in line for line in lines)
    assert any("/provider> <urn:gleaner.io:sheaf:provider>" in line for line in lines)
    assert any("/publisher> <urn:gleaner.io:demo:publisher>" in line for line in lines)


def test_the_same_harvest_released_twice_gives_the_same_bytes() -> None:
    texts = [text(n, creator=[{"name": "A"}, {"name": "B"}]) for n in range(20)]
    one, two = MemoryStore(), MemoryStore()
    first, second = release(one, FIRST, texts), release(two, FIRST, texts)
    assert files(one, first) == files(two, second)


def test_the_order_of_harvesting_changes_no_byte_of_the_content() -> None:
    texts = [text(n, creator={"name": "A"}) for n in range(20)]
    shuffled = texts[7:] + texts[6::-1]
    one, two = MemoryStore(), MemoryStore()
    first, second = release(one, FIRST, texts), release(two, FIRST, shuffled)
    assert first.content_sha256 == second.content_sha256
    assert nquads(one, first) == nquads(two, second)


def test_buckets_and_processes_change_no_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [text(n, creator={"name": str(n)}) for n in range(60)]
    one, two = MemoryStore(), MemoryStore()
    first = release(one, FIRST, texts)
    monkeypatch.setattr(buckets, "_BUCKETS_FOR", (500, 8 << 20, 1 << 30))
    monkeypatch.setattr("sheaf.release.building._SMALL", 0)
    harvest(two, FIRST, texts)
    second = build_release(two, source(), FIRST, org=ORG, workers=2)
    assert first.content_sha256 == second.content_sha256
    assert nquads(one, first) == nquads(two, second)
    for name in ("summary.nq", "index.parquet"):
        assert files(one, first)[name] == files(two, second)[name]


def test_the_index_cuts_release_nq_into_its_graphs() -> None:
    store = MemoryStore()
    record = release(store, FIRST, [text(n) for n in range(7)])
    data = nquads(store, record).encode()
    rows = pq.read_table(io.BytesIO(files(store, record)["index.parquet"])).to_pylist()
    assert b"".join(data[row["offset"] : row["offset"] + row["bytes"]] for row in rows) == data
    for row in rows:
        part = data[row["offset"] : row["offset"] + row["bytes"]]
        assert hashlib.sha256(part).hexdigest() == row["sha256"]
        assert part.count(b"\n") == row["quads"]
        assert all(line.endswith(f"<{row['graph']}> .".encode()) for line in part.splitlines())
    assert [row["id"] for row in rows][-1] == ""
    assert {row["url"] for row in rows if row["id"]} == {f"https://e.org/p/{n}" for n in range(7)}


def test_the_record_tells_the_digest_of_every_file() -> None:
    store = MemoryStore()
    record = release(store, FIRST, [text(1)])
    for name, data in files(store, record).items():
        if name != "release.json":
            assert record.files[name].sha256 == hashlib.sha256(data).hexdigest()
            assert record.files[name].bytes == len(data)
    release_nq = nquads(store, record).encode()
    assert record.files["release.nq"].sha256 == hashlib.sha256(release_nq).hexdigest()
    assert record.release_id.startswith("20260101T000000Z-")
    assert read_release(store, "demo", record.release_id) == record


def test_the_summary_row_of_a_document_lies_in_its_graph() -> None:
    store = MemoryStore()
    record = release(store, FIRST, [text(1), text(2)])
    for quad in ox.parse(nquads(store, record, "summary.nq"), format=ox.RdfFormat.N_QUADS):
        assert quad.graph_name == quad.subject
    assert record.summary_quads == nquads(store, record, "summary.nq").count("\n")


def test_provenance_speaks_of_the_released_graphs_by_their_names() -> None:
    store = MemoryStore()
    record = release(store, FIRST, [text(1)])
    released = {q.graph_name.value for q in ox.parse(nquads(store, record), format=ox.RdfFormat.N_QUADS)} - {CATALOGUE}
    prov = list(ox.parse(nquads(store, record, "prov.nq.gz"), format=ox.RdfFormat.N_QUADS))
    generated = {q.object.value for q in prov if q.predicate.value.endswith("#generated")}
    assert generated == released
    assert len(prov) == record.prov_quads


def test_a_document_that_cannot_be_converted_costs_no_other_and_is_listed() -> None:
    store = MemoryStore()
    record = release(store, FIRST, [text(1), '{"name": "no context"}', text(2)])
    assert (record.documents, record.left_out, record.harvested) == (2, 1, 3)
    lost = record.left_out_documents[0]
    assert (lost.url, lost.reason) == ("https://e.org/p/1", "no_triples")
    assert record.left_out_reasons == {"no_triples": 1}
    assert lost.id not in nquads(store, record)
    assert lost.id not in nquads(store, record, "prov.nq.gz")


def test_one_text_on_several_pages_is_one_document() -> None:
    store = MemoryStore()
    record = release(store, FIRST, [text(1), text(1), text(2)])
    assert record.documents == 2


def test_a_release_tells_what_changed_against_the_published_one() -> None:
    store = MemoryStore()
    rows = [{"url": f"https://e.org/{n}", "text": text(n), "id": f"{n:040x}"} for n in range(4)]
    write_harvest(store, "demo", FIRST, rows)
    before = build_release(store, source(), FIRST, org=ORG, workers=1)
    assert (before.changes.added, before.previous) == (4, "")
    publish_release(store, source(), before.release_id)
    rows[1] = {"url": "https://e.org/1", "text": text(1, version=2), "id": f"{1:040x}"}
    rows[3] = {"url": "https://e.org/9", "text": text(9), "id": f"{9:040x}"}
    write_harvest(store, "demo", SECOND, rows)
    after = build_release(store, source(), SECOND, org=ORG, workers=1)
    assert after.previous == before.release_id
    changes = after.changes
    assert (changes.added_ids, changes.changed_ids, changes.removed_ids) == (
        (f"{9:040x}",), (f"{1:040x}",), (f"{3:040x}",),
    )  # fmt: skip


def test_equal_content_keeps_the_published_release_and_writes_nothing() -> None:
    store = MemoryStore()
    first = release(store, FIRST, [text(1), text(2)])
    publish_release(store, source(), first.release_id)
    harvest(store, SECOND, [text(2), text(1)])
    puts = store.puts
    second = build_release(store, source(), SECOND, org=ORG, workers=1)
    assert second == first
    assert store.puts == puts


def test_making_an_unpublished_release_again_writes_nothing() -> None:
    store = MemoryStore()
    first = release(store, FIRST, [text(1)])
    puts = store.puts
    assert build_release(store, source(), FIRST, org=ORG, workers=1) == first
    assert store.puts == puts


def test_an_empty_harvest_gives_a_release_that_may_not_be_published() -> None:
    store = MemoryStore()
    record = release(store, FIRST, [])
    assert record.documents == record.catalogue_quads == 0
    assert "not_empty" in [check.name for check in record.blocked_by]


def test_the_working_folder_is_empty_afterwards(tmp_path: Path) -> None:
    release(MemoryStore(), FIRST, [text(1)], work_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_harvest_that_is_missing_or_was_stopped_is_refused_by_name() -> None:
    store = MemoryStore()
    with pytest.raises(NotFound, match="no finished harvest 20260101T000000Z-aaaa of demo"):
        build_release(store, source(), FIRST, org=ORG)
    harvest(store, FIRST, [text(1)], stopped="breaker_open")
    with pytest.raises(BadInput, match="breaker_open"):
        build_release(store, source(), FIRST, org=ORG)


@pytest.mark.parametrize(("size", "digits"), [(0, 0), (1 << 20, 0), (2 << 20, 1), (17 << 20, 2), (2 << 30, 3)])
def test_buckets_grow_in_number_and_not_in_size(size: int, digits: int) -> None:
    assert buckets.bucket_digits(size) == digits


def test_long_lists_of_changes_are_counted_whole_and_listed_in_part() -> None:
    changes = compare([], ((f"{n:04}", "x") for n in range(500)), listed=10)
    assert changes.added == 500
    assert changes.added_ids == tuple(f"{n:04}" for n in range(10))


def test_the_index_reads_back_sorted_documents_without_the_catalogue(tmp_path: Path) -> None:
    store = MemoryStore()
    record = release(store, FIRST, [text(n) for n in range(9)])
    path = tmp_path / "index.parquet"
    store.download(layout.release_file("demo", record.release_id, "index.parquet"), path)
    found = [document for document, _ in documents(path)]
    assert found == sorted(found)
    assert len(found) == 9


class Poisoned:
    """A text at which the converter itself fails."""

    def __call__(self, text: str, graph: str) -> Converted:
        if "Dataset 2" in text:
            raise RuntimeError("a fault of ours")
        return convert_document(text, graph)


def test_a_fault_of_ours_costs_one_document_and_is_reported_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "convert_document", Poisoned())
    record = release(MemoryStore(), FIRST, [text(n) for n in range(4)])
    assert record.documents == 3
    assert record.left_out_reasons == {"internal_error": 1}
    assert "a fault of ours" in record.left_out_documents[0].detail


def test_a_killed_process_is_worth_another_attempt() -> None:
    class Killed(ThreadPoolExecutor):
        def map(self, *_: object, **__: object) -> Iterator[Any]:  # type: ignore[override]
            raise BrokenProcessPool("a child was killed")

    with Killed(1) as pool, pytest.raises(TemporaryFault, match="too little memory"):
        list(buckets.Converters(pool).run([]))
