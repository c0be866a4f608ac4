"""The object view follows the manifest: new and changed written, gone deleted, nothing else touched, crashes healed."""

from __future__ import annotations

from typing import Any

import pytest

from sheaf.config import Source
from sheaf.errors import BadInput, NotFound, TemporaryFault
from sheaf.harvest.manifest import write_harvest
from sheaf.harvest.objects import object_metadata, reconcile_objects, verify_objects
from sheaf.store import MemoryStore, layout
from sheaf.store.objects import ObjectInfo

FIRST, SECOND, THIRD = "20260101T000000Z-aaaaaa", "20260102T000000Z-bbbbbb", "20260103T000000Z-cccccc"


def write(store: MemoryStore, harvest_id: str, texts: dict[str, str], **summary: Any) -> None:
    rows = [{"url": f"https://e.org/{name}", "text": text, "id": name} for name, text in texts.items()]
    write_harvest(store, "iris", harvest_id, rows, **summary)


def objects(store: MemoryStore) -> dict[str, str]:
    prefix = layout.summoned_prefix("iris")
    return {info.key.removeprefix(prefix): store.get(info.key).decode() for info in store.list(prefix)}


class FailingStore(MemoryStore):
    """Fails after some puts of objects, as a store that goes down does."""

    left = 10**9

    def put(self, key: str, data: bytes, content_type: str = "x", metadata: dict[str, str] | None = None) -> ObjectInfo:
        if key.startswith("summoned/"):
            self.left -= 1
            if self.left < 0:
                raise TemporaryFault("the store is down")
        return super().put(key, data, content_type, metadata)


def test_new_and_changed_are_written_gone_are_deleted_and_nothing_else_is_touched() -> None:
    store = MemoryStore()
    write(store, FIRST, {"a": "1", "b": "2", "c": "3"})
    first = reconcile_objects(store, "iris")
    assert (first.written, first.deleted, first.unchanged) == (3, 0, 0)
    write(store, SECOND, {"a": "1", "b": "two", "d": "4"})
    store.puts = 0
    second = reconcile_objects(store, "iris")
    assert (second.written, second.deleted, second.unchanged) == (2, 1, 1)
    assert store.puts == 2 + 2  # two objects, and the view's mark before and after
    assert objects(store) == {"a.jsonld": "1", "b.jsonld": "two", "d.jsonld": "4"}


def test_when_nothing_changed_nothing_is_written() -> None:
    store = MemoryStore()
    write(store, FIRST, {"a": "1", "b": "2"})
    reconcile_objects(store, "iris")
    store.puts = store.deletes = 0
    again = reconcile_objects(store, "iris")
    assert (again.written, again.deleted, again.unchanged, store.puts, store.deletes) == (0, 0, 2, 0, 0)


def test_two_crashes_in_the_middle_are_healed_by_a_later_harvest() -> None:
    store = FailingStore()
    write(store, FIRST, {"a": "1", "b": "1", "c": "1", "x": "1"})
    reconcile_objects(store, "iris")
    write(store, SECOND, {"a": "2", "b": "2", "c": "2", "y": "2"})
    store.left = 2
    with pytest.raises(TemporaryFault):
        reconcile_objects(store, "iris", threads=1)
    write(store, "20260102T120000Z-bbbbbb", {"a": "3", "b": "1", "z": "3"})
    store.left = 1
    with pytest.raises(TemporaryFault):
        reconcile_objects(store, "iris", threads=1)
    store.left = 10**9
    # Back to the texts of the first harvest: only all manifests together say which objects may differ.
    write(store, THIRD, {"a": "1", "b": "1", "c": "1"})
    reconcile_objects(store, "iris")
    assert objects(store) == {"a.jsonld": "1", "b.jsonld": "1", "c.jsonld": "1"}


def test_objects_of_older_tools_that_no_document_stands_for_go_when_the_view_is_taken_over() -> None:
    store = MemoryStore()
    store.put(layout.summoned_object("iris", "old"), b"{}")
    store.put(layout.summoned_object("iris2", "old"), b"{}")
    write(store, FIRST, {"a": "1"})
    assert reconcile_objects(store, "iris").deleted == 1
    assert objects(store) == {"a.jsonld": "1"}
    assert store.get(layout.summoned_object("iris2", "old")) == b"{}"


def test_verify_lists_and_repairs_what_somebody_changed_behind_our_back() -> None:
    store = MemoryStore()
    write(store, FIRST, {"a": "1", "b": "2", "c": "3", "d": "4"})
    reconcile_objects(store, "iris")
    store.delete([layout.summoned_object("iris", "a")])
    store.put(layout.summoned_object("iris", "b"), b"9")
    store.put(layout.summoned_object("iris", "z"), b"{}")
    found = verify_objects(store, "iris")
    assert (found.missing, found.different, found.extra, found.unchanged) == (1, 1, 1, 2)
    assert objects(store) == {"a.jsonld": "1", "b.jsonld": "2", "c.jsonld": "3", "d.jsonld": "4"}
    again = verify_objects(store, "iris")
    assert (again.missing, again.different, again.extra) == (0, 0, 0)


def test_the_metadata_have_the_names_that_older_tools_read() -> None:
    store = MemoryStore()
    row = {"url": "https://e.org/a", "text": "{}", "id": "abc", "identifier_type": "identifiersha",
           "matched_path": "$['@id']", "matched_string": "[x]"}  # fmt: skip
    write_harvest(store, "iris", FIRST, [row])
    reconcile_objects(store, "iris")
    info = store.stat(layout.summoned_object("iris", "abc"))
    assert info is not None
    assert info.metadata == {
        "url": "https://e.org/a", "sha1": "abc", "uniqueid": "abc", "identifiertype": "identifiersha",
        "jsonsha": "bf21a9e8fbc5a3846fb05b4fa0859e0917b2202f", "matchedpath": "$['@id']", "matchedstring": "[x]",
        "content-type": "application/ld+json",
    }  # fmt: skip


def test_sha1_of_an_identifierstring_is_the_digest_of_the_text() -> None:
    row = {"url": "u", "text": "{}", "id": "name", "identifier_type": "identifierstring", "json_sha": "j",
           "matched_path": "", "matched_string": ""}  # fmt: skip
    assert object_metadata(row)["sha1"] == "j"


def test_provenance_objects_stand_beside_the_documents_where_the_project_wants_them() -> None:
    store = MemoryStore()
    source = Source(name="iris", url="https://e.org/sitemap.xml")
    write(store, FIRST, {"a": "1", "b": "2"})
    reconcile_objects(store, "iris", prov=("org", source))
    assert b"urn:gleaner.io:org:iris:data:a" in store.get(layout.prov_object("iris", "a"))
    write(store, SECOND, {"a": "1"})
    reconcile_objects(store, "iris", prov=("org", source))
    assert store.stat(layout.prov_object("iris", "b")) is None


def test_a_partial_harvest_never_becomes_the_view() -> None:
    store = MemoryStore()
    write(store, FIRST, {"a": "1"}, partial=True)
    with pytest.raises(BadInput, match="not whole"):
        reconcile_objects(store, "iris", FIRST)
    with pytest.raises(NotFound, match="no harvest yet"):
        reconcile_objects(store, "iris")
