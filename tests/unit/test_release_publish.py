"""Publishing and rolling back: the pointer moves last, and never to half a release."""

from __future__ import annotations

from pathlib import Path

import pyoxigraph as ox
import pytest

from sheaf.errors import BadInput, CheckFailed, NotFound, SheafError, TemporaryFault
from sheaf.release import Pointer, build_release, diff, find_release, publish_release, published, releases, rollback
from sheaf.store import MemoryStore, ObjectInfo, layout
from tests.unit.release_harvests import FIRST, ORG, SECOND, THIRD, harvest, nquads, release, source, text


class RecordingStore(MemoryStore):
    """Remembers the order of writes, and fails the ones asked for."""

    def __init__(self, fail: str = "") -> None:
        super().__init__()
        self.written: list[str] = []
        self.fail = fail

    def put(
        self,
        key: str,
        data: bytes,
        content_type: str = "application/octet-stream",
        metadata: dict[str, str] | None = None,
    ) -> ObjectInfo:
        if self.fail and key == self.fail:
            raise TemporaryFault(f"the store does not take {key}")
        self.written.append(key)
        return super().put(key, data, content_type, metadata)

    def put_file(self, key: str, path: Path, content_type: str = "application/octet-stream") -> ObjectInfo:
        return self.put(key, path.read_bytes(), content_type)


def test_the_pointer_is_written_after_everything_else() -> None:
    store = RecordingStore()
    record = release(store, FIRST, [text(1)])
    store.written.clear()
    done = publish_release(store, source(), record.release_id)
    assert done.moved
    assert store.written[-1] == layout.latest_pointer("demo")
    assert set(store.written[:-1]) == {
        layout.latest_release("demo"),
        layout.latest_prov("demo"),
        layout.published_summary("demo"),
        layout.organizations(),
    }


def test_what_is_published_is_the_release_unpacked_and_the_summary_as_turtle() -> None:
    store = MemoryStore()
    record = release(store, FIRST, [text(n) for n in range(3)])
    publish_release(store, source(), record.release_id)
    assert store.get(layout.latest_release("demo")).decode() == nquads(store, record)
    assert store.get(layout.latest_prov("demo")).decode() == nquads(store, record, "prov.nq.gz")
    turtle = list(ox.parse(store.get(layout.published_summary("demo")), format=ox.RdfFormat.TURTLE))
    assert len(turtle) == record.summary_quads
    pointer = published(store, "demo")
    assert pointer is not None
    assert pointer.release_id == record.release_id
    assert pointer.forced_by == ""


def test_publishing_again_writes_nothing() -> None:
    store = MemoryStore()
    record = release(store, FIRST, [text(1)])
    publish_release(store, source(), record.release_id)
    puts = store.puts
    assert not publish_release(store, source(), record.release_id).moved
    assert store.puts == puts


def test_a_failed_check_keeps_the_last_good_release() -> None:
    store = MemoryStore()
    good = release(store, FIRST, [text(n) for n in range(10)])
    publish_release(store, source(), good.release_id)
    before = store.get(layout.latest_release("demo"))
    for harvest_id, texts in ((SECOND, []), (THIRD, [text(1)])):
        bad = release(store, harvest_id, texts)
        with pytest.raises(CheckFailed, match=r"sheaf release publish demo"):
            publish_release(store, source(), bad.release_id)
    assert store.get(layout.latest_release("demo")) == before
    pointer = published(store, "demo")
    assert pointer is not None
    assert pointer.release_id == good.release_id


def test_a_person_may_publish_over_a_failed_check_with_name_and_reason() -> None:
    store = MemoryStore()
    publish_release(store, source(), release(store, FIRST, [text(n) for n in range(10)]).release_id)
    small = release(store, SECOND, [text(1)])
    with pytest.raises(BadInput, match="reason"):
        publish_release(store, source(), small.release_id, force_by="ada")
    done = publish_release(store, source(), small.release_id, force_by="ada", reason="the source was cleaned up")
    assert done.failed_checks == ("no_drop",)
    pointer = published(store, "demo")
    assert pointer is not None
    assert (pointer.forced_by, pointer.forced_reason) == ("ada", "the source was cleaned up")


def test_a_drop_is_measured_against_what_is_published_when_publishing() -> None:
    store = MemoryStore()
    small = release(store, FIRST, [text(1)])
    large = release(store, SECOND, [text(n) for n in range(10)])
    publish_release(store, source(), large.release_id)
    with pytest.raises(CheckFailed, match="no_drop"):
        publish_release(store, source(), small.release_id)


def test_a_partial_harvests_release_is_never_published() -> None:
    store = MemoryStore()
    harvest(store, FIRST, [text(1)], partial=True)
    record = build_release(store, source(), FIRST, org=ORG, workers=1)
    with pytest.raises(BadInput, match="partial harvest"):
        publish_release(store, source(), record.release_id, force_by="ada", reason="please")


@pytest.mark.parametrize("name", ["release.nq.gz", "prov.nq.gz", "summary.nq"])
def test_a_damaged_file_of_the_archive_is_not_published_even_by_force(name: str) -> None:
    store = RecordingStore()
    record = release(store, FIRST, [text(n) for n in range(3)])
    key = layout.release_file("demo", record.release_id, name)
    store.put(key, store.get(key)[:-20])
    store.written.clear()
    with pytest.raises(SheafError, match="damaged"):
        publish_release(store, source(), record.release_id, force_by="ada", reason="please")
    assert store.written == []


def test_an_interrupted_publication_is_finished_by_the_next_one() -> None:
    store = RecordingStore()
    first = release(store, FIRST, [text(1)])
    publish_release(store, source(), first.release_id)
    second = release(store, SECOND, [text(1), text(2)])
    store.fail = layout.published_summary("demo")
    with pytest.raises(TemporaryFault):
        publish_release(store, source(), second.release_id)
    pointer = published(store, "demo")
    assert pointer is not None
    assert pointer.release_id == first.release_id
    store.fail = ""
    assert publish_release(store, source(), second.release_id).moved
    assert store.get(layout.latest_release("demo")).decode() == nquads(store, second)


def test_rolling_back_publishes_the_one_before_and_says_so() -> None:
    store = MemoryStore()
    first = release(store, FIRST, [text(n) for n in range(9)])
    publish_release(store, source(), first.release_id)
    second = release(store, SECOND, [text(n) for n in range(10)])
    publish_release(store, source(), second.release_id)
    done = rollback(store, source())
    assert (done.release_id, done.previous, done.moved) == (first.release_id, second.release_id, True)
    assert store.get(layout.latest_release("demo")).decode() == nquads(store, first)
    pointer = published(store, "demo")
    assert pointer is not None
    assert pointer.rolled_back_from == second.release_id


def test_rolling_back_twice_goes_two_releases_back() -> None:
    store = MemoryStore()
    made = []
    for number, harvest_id in enumerate((FIRST, SECOND, THIRD)):
        made.append(release(store, harvest_id, [text(n) for n in range(9 + number)]))
        publish_release(store, source(), made[-1].release_id)
    assert rollback(store, source()).release_id == made[1].release_id
    assert rollback(store, source()).release_id == made[0].release_id
    assert rollback(store, source(), made[2].release_id).moved


def test_there_is_nothing_to_roll_back_before_a_second_release() -> None:
    store = MemoryStore()
    with pytest.raises(NotFound, match="nothing of demo is published"):
        rollback(store, source())
    publish_release(store, source(), release(store, FIRST, [text(1)]).release_id)
    with pytest.raises(NotFound, match="first published release"):
        rollback(store, source())


def test_organizations_of_all_sources_stand_in_one_file_each_in_its_graph() -> None:
    store = MemoryStore()
    line = '<https://gleaner.io/id/org/{0}> <https://schema.org/name> "{0}" <urn:gleaner.io:sheaf:orgs:{0}> .\n'
    store.put(layout.org("demo"), line.format("demo").encode())
    store.put(layout.org("demo2"), line.replace(" <urn:gleaner.io:sheaf:orgs:{0}>", "").format("demo2").encode())
    store.put(layout.org("broken"), b"<no n-quads")
    done = publish_release(store, source(), release(store, FIRST, [text(1)]).release_id)
    assert store.get(layout.organizations()).decode() == line.format("demo2") + line.format("demo")
    assert "orgs/broken.nq" in done.warnings[0]


def test_releases_are_listed_newest_first_without_unfinished_ones() -> None:
    store = MemoryStore()
    first = release(store, FIRST, [text(1)])
    second = release(store, SECOND, [text(2)])
    store.put(layout.release_file("demo", "20260105T000000Z-unfinished", "summary.nq"), b"")
    assert [record.release_id for record in releases(store, "demo")] == [second.release_id, first.release_id]


def test_a_release_is_found_by_its_beginning_and_near_ones_are_named() -> None:
    store = MemoryStore()
    first = release(store, FIRST, [text(1)])
    second = release(store, SECOND, [text(2)])
    assert find_release(store, "demo", "20260102") == second
    assert find_release(store, "demo", "latest") == second
    with pytest.raises(BadInput, match="2 releases of demo begin with 2026"):
        find_release(store, "demo", "2026")
    with pytest.raises(NotFound, match=first.release_id):
        find_release(store, "demo", first.release_id[:-1] + "x")
    with pytest.raises(NotFound, match="nothing of demo is published"):
        find_release(store, "demo", "published")


def test_the_neighbour_with_the_same_stem_is_left_alone() -> None:
    store = MemoryStore()
    release(store, FIRST, [text(1)])
    store.put("graphs/archive/demo2/20260109T000000Z-x/release.json", b"{}")
    assert len(releases(store, "demo")) == 1


def test_two_releases_are_compared_document_by_document() -> None:
    store = MemoryStore()
    first = release(store, FIRST, [text(1), text(2)])
    second = release(store, SECOND, [text(2), text(3)])
    changes = diff(store, "demo", first.release_id, second.release_id)
    assert (changes.added, changes.changed, changes.removed) == (1, 0, 1)


def test_an_older_pointer_with_unknown_fields_is_read() -> None:
    store = MemoryStore()
    record = release(store, FIRST, [text(1)])
    data = record.model_dump(mode="json") | {"something_new": 1}
    assert Pointer.model_validate(data).release_id == record.release_id
