"""From what was fetched, and what the harvest before knew, to the rows of the manifest.

A merge of two lists sorted by url and position: pages of this harvest, rows of the one before. It decides what is new,
changed, unchanged and gone, and which last good copies stay. It is made for one range of URLs at a time.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa

from sheaf.harvest.schema import DOCUMENT_NAMES, EMPTY_ROW, ROWS

_NONE = -1
NO_TEXT, FRESH_TEXT, OLD_TEXT = 0, 1, 2
# The manifest's columns, and whose part holds the text: this harvest's, or the one before's.
SETTLED = ROWS.append(pa.field("origin", pa.int8()))


@dataclass(slots=True)
class Settled:
    """Rows of the manifest in the making: for each, in order, where its columns come from.

    Row numbers below ``fresh.num_rows`` are of this harvest, the others of the one before. The counts are of rows.
    """

    fresh: pa.Table
    before: pa.Table
    page: array[int] = field(default_factory=lambda: array("q"))
    document: array[int] = field(default_factory=lambda: array("q"))
    stored: array[int] = field(default_factory=lambda: array("q"))
    position: array[int] = field(default_factory=lambda: array("i"))
    state: list[str] = field(default_factory=list)
    reason: list[str | None] = field(default_factory=list)
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    gone: int = 0

    def put(
        self, page: int, document: int, position: int, state: str, reason: str | None = None, stored: int = _NONE
    ) -> None:
        """Append one row; ``reason`` None: as the page's row says. ``stored``: whose stored_at counts."""
        self.page.append(page)
        self.document.append(document)
        self.stored.append(document if stored == _NONE else stored)
        self.position.append(position)
        self.state.append(state)
        self.reason.append(reason)

    def table(self) -> pa.Table:
        """The rows (``SETTLED``). ``id`` is still the plain one, and ``part`` that of the harvest ``origin`` names."""
        both = pa.concat_tables([self.fresh, self.before])
        pages = pa.array(self.page, pa.int64())
        documents = _places(self.document)
        columns = {}
        for name in ROWS.names:
            taken = both[name].take(documents if name in DOCUMENT_NAMES else pages)
            empty = EMPTY_ROW[name]
            columns[name] = taken if empty is None or name not in DOCUMENT_NAMES else taken.fill_null(empty)
        columns["stored_at"] = both["stored_at"].take(_places(self.stored))
        columns["position"] = pa.array(self.position, pa.int32())
        columns["state"] = pa.array(self.state, pa.string())
        said = columns["reason"].to_pylist()
        reasons = [page if own is None else own for own, page in zip(self.reason, said, strict=True)]
        columns["reason"] = pa.array(reasons, pa.string())
        fresh = self.fresh.num_rows
        origins = [NO_TEXT if n == _NONE else FRESH_TEXT if n < fresh else OLD_TEXT for n in self.document]
        columns["origin"] = pa.array(origins, pa.int8())
        return pa.table([columns[name] for name in SETTLED.names], schema=SETTLED).combine_chunks()


def _places(numbers: array[int]) -> pa.Array:
    return pa.array([number if number != _NONE else None for number in numbers], pa.int64())


@dataclass(slots=True)
class _Side:
    """The columns of one list that the merge looks at, in its order; ``number`` is the row in the tables together."""

    url: list[str]
    position: list[int]
    state: list[str]
    sha256: list[str]
    number: range

    @classmethod
    def of(cls, table: pa.Table, offset: int) -> _Side:
        url, position, state, sha256 = (table[name].to_pylist() for name in ("url", "position", "state", "sha256"))
        return cls(url, position, state, sha256, range(offset, offset + table.num_rows))

    def pages(self) -> Iterator[tuple[str, range]]:
        begin, total = 0, len(self.url)
        while begin < total:
            end = begin + 1
            while end < total and self.url[end] == self.url[begin]:
                end += 1
            yield self.url[begin], range(begin, end)
            begin = end


def settle(fresh: pa.Table, before: pa.Table, kept: str, *, partial: bool) -> Settled:
    """Decide every row of the manifest, for one range of URLs.

    ``fresh`` are the journal's rows, sorted: one a document or trouble, or one a page that is unchanged or failed.
    ``before`` are the rows of the harvest before that are not gone. ``kept`` (``keep_reason``) is why pages that are
    no longer listed stay, "" when they are gone; a ``partial`` harvest says nothing about pages it did not ask for.
    """
    result = Settled(fresh, before)
    mine, theirs = _Side.of(fresh, 0), _Side.of(before, fresh.num_rows)
    for now, then in _merged(mine, theirs):
        if not now:
            if not partial:
                _page_left(result, kept, theirs, then)
        elif mine.state[now[0]] == "unchanged":
            _page_unchanged(result, mine, now, theirs, then)
        elif mine.state[now[0]] == "failed" and then:
            _page_failed(result, mine, now, theirs, then)
        else:
            _page_read(result, mine, now, theirs, then)
    return result


def keep_reason(complete: bool, left: int, known: int, shrink_limit: float, agreed: bool = False) -> str:
    """Why pages that are no longer listed stay, "" when they are gone.

    They go only after a complete discovery, and no more of them at once (``left`` of ``known``) than ``shrink_limit``
    allows without a person's word.
    """
    if not complete:
        return "discovery_incomplete"
    return "shrink_limit" if left > shrink_limit * known and not agreed else ""


def count_left(fresh: pa.Table, before: pa.Table) -> tuple[int, int]:
    """How many pages of the harvest before are not in this one, and how many there were; one range of URLs."""
    known = set(before["url"].to_pylist())
    return len(known - set(fresh["url"].to_pylist())), len(known)


_NOTHING = range(0)


def _merged(mine: _Side, theirs: _Side) -> Iterator[tuple[range, range]]:
    """Both lists page by page, in the order of the URLs."""
    ours, others = mine.pages(), theirs.pages()
    one, two = next(ours, None), next(others, None)
    while one or two:
        if two is None or (one is not None and one[0] < two[0]):
            assert one is not None  # noqa: S101  one of the two is there
            yield one[1], _NOTHING
            one = next(ours, None)
        elif one is None or two[0] < one[0]:
            yield _NOTHING, two[1]
            two = next(others, None)
        else:
            yield one[1], two[1]
            one, two = next(ours, None), next(others, None)


def _page_left(result: Settled, kept: str, theirs: _Side, then: range) -> None:
    for old in then:
        number, has = theirs.number[old], bool(theirs.sha256[old])
        if kept:
            document = number if has else _NONE
            result.put(number, document, theirs.position[old], "unchanged", kept)
            result.unchanged += has
        else:
            result.put(number, _NONE, theirs.position[old], "gone", "left_sitemap")
            result.gone += has


def _page_unchanged(result: Settled, mine: _Side, now: range, theirs: _Side, then: range) -> None:
    page = mine.number[now[0]]
    for old in then:
        number = theirs.number[old]
        if theirs.sha256[old]:
            result.put(page, number, theirs.position[old], "unchanged")
            result.unchanged += 1
        else:
            # The page says again what it said: that it holds no JSON-LD, or a script that cannot be read.
            result.put(number, _NONE, theirs.position[old], theirs.state[old])


def _page_failed(result: Settled, mine: _Side, now: range, theirs: _Side, then: range) -> None:
    for old in then:
        document = theirs.number[old] if theirs.sha256[old] else _NONE
        result.put(mine.number[now[0]], document, theirs.position[old], "failed")


def _page_read(result: Settled, mine: _Side, now: range, theirs: _Side, then: range) -> None:
    olds = {theirs.position[old]: old for old in then}
    for row in now:
        number, digest, position = mine.number[row], mine.sha256[row], mine.position[row]
        old = olds.pop(position, None)
        before = theirs.sha256[old] if old is not None else ""
        if not digest:
            result.put(number, _NONE, position, mine.state[row])
            result.gone += bool(before)
        elif old is not None and before == digest:
            result.put(number, number, position, "unchanged", "same_content", theirs.number[old])
            result.unchanged += 1
        else:
            result.put(number, number, position, "stored")
            result.changed += bool(before)
            result.new += not before
    for position, old in sorted(olds.items()):
        if theirs.sha256[old]:
            result.put(mine.number[now[0]], _NONE, position, "gone", "document_left_page")
            result.gone += 1
