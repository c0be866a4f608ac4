"""From what was fetched, and what the harvest before knew, to the rows of the manifest.

A merge of two lists sorted by url and position: pages of this harvest, rows of the one before. It decides what is
new, changed, unchanged and gone, which last good copies stay, and who keeps an identifier that several texts state.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from sheaf.harvest.clashes import final_ids
from sheaf.harvest.schema import DOCUMENT_NAMES, EMPTY_ROW, ROWS

SLICE_ROWS = 5_000
_NONE = -1


@dataclass(slots=True)
class Settled:
    """The manifest in the making: for each row, in order, where its columns come from.

    Row numbers below ``fresh.num_rows`` are of the journal, the others of the harvest before. ``kept`` is the reason
    why pages that are no longer listed stay, "" when they are gone.
    """

    fresh: pa.Table
    before: pa.Table
    page: array[int] = field(default_factory=lambda: array("q"))
    document: array[int] = field(default_factory=lambda: array("q"))
    stored: array[int] = field(default_factory=lambda: array("q"))
    position: array[int] = field(default_factory=lambda: array("i"))
    state: list[str] = field(default_factory=list)
    reason: list[str | None] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    clash: list[bool] = field(default_factory=list)
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    gone: int = 0
    clashes: int = 0
    left: int = 0
    kept: str = ""

    @property
    def rows(self) -> int:
        """How many rows the manifest has."""
        return len(self.state)

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


@dataclass(slots=True)
class _Side:
    """The columns of one list that the merge looks at, in its order; ``number`` is the row in the tables together."""

    url: list[str]
    position: list[int]
    state: list[str]
    sha256: list[str]
    number: list[int]

    @classmethod
    def of(cls, table: pa.Table, offset: int, order: list[int] | None = None) -> _Side:
        names = ("url", "position", "state", "sha256")
        chosen = table.select(names)
        if order is not None:
            chosen = chosen.take(pa.array(order, pa.int64()))
        numbers = order if order is not None else range(table.num_rows)
        url, position, state, sha256 = (chosen[name].to_pylist() for name in names)
        return cls(url, position, state, sha256, [offset + n for n in numbers])

    def pages(self) -> Iterator[tuple[str, range]]:
        begin, total = 0, len(self.url)
        while begin < total:
            end = begin + 1
            while end < total and self.url[end] == self.url[begin]:
                end += 1
            yield self.url[begin], range(begin, end)
            begin = end


def settle(
    fresh: pa.Table,
    before: pa.Table,
    *,
    complete: bool,
    partial: bool,
    shrink_limit: float,
    shrink_agreed: bool = False,
) -> Settled:
    """Decide every row of the manifest.

    ``fresh`` are the journal's rows: one a document or trouble, or one a page that is unchanged or failed. ``before``
    are the rows of the harvest before that are not gone. Pages that left are gone only after a ``complete`` discovery
    and within ``shrink_limit`` (a share of the pages before; ``shrink_agreed`` is a person's word); a ``partial``
    harvest says nothing about pages that it did not ask for.
    """
    result = Settled(fresh, before)
    order = pc.sort_indices(fresh, [("url", "ascending"), ("position", "ascending")]).to_pylist()
    mine, theirs = _Side.of(fresh, 0, order), _Side.of(before, fresh.num_rows)
    result.left, known = _count_left(mine, theirs)
    if not complete:
        result.kept = "discovery_incomplete"
    elif result.left > shrink_limit * known and not shrink_agreed:
        result.kept = "shrink_limit"
    for now, then in _merged(mine, theirs):
        if not now:
            if not partial:
                _page_left(result, theirs, then)
        elif mine.state[now[0]] == "unchanged":
            _page_unchanged(result, mine, now, theirs, then)
        elif mine.state[now[0]] == "failed" and then:
            _page_failed(result, mine, now, theirs, then)
        else:
            _page_read(result, mine, now, theirs, then)
    _decide_ids(result)
    return result


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


def _count_left(mine: _Side, theirs: _Side) -> tuple[int, int]:
    left = known = 0
    for now, then in _merged(mine, theirs):
        known += bool(then)
        left += bool(then) and not now
    return left, known


def _page_left(result: Settled, theirs: _Side, then: range) -> None:
    for old in then:
        number, has = theirs.number[old], bool(theirs.sha256[old])
        if result.kept:
            document = number if has else _NONE
            result.put(number, document, theirs.position[old], "unchanged", result.kept)
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


def _decide_ids(result: Settled) -> None:
    both = _both(result, ["url", "plain_id", "sha256", "matched_string"])
    rows = [row for row, number in enumerate(result.document) if number != _NONE]
    chosen = pa.array([result.document[row] for row in rows], pa.int64())
    columns = [both[name].take(chosen).to_pylist() for name in ("url", "plain_id", "sha256", "matched_string")]
    ids, flags, result.clashes = final_ids(*columns)
    result.ids, result.clash = [""] * result.rows, [False] * result.rows
    for row, document_id, flag in zip(rows, ids, flags, strict=True):
        result.ids[row], result.clash[row] = document_id, flag


def _both(result: Settled, names: list[str]) -> pa.Table:
    return pa.concat_tables([result.fresh.select(names), result.before.select(names)])


def tables(result: Settled, parts: dict[tuple[int, str, int], int], moved: dict[int, int]) -> Iterator[pa.Table]:
    """The manifest's rows, slice by slice. ``parts``/``moved`` say where carried texts lie now.

    ``moved`` maps a part of the harvest before that was copied whole; ``parts`` maps (old part, url, position) of rows
    that were written anew.
    """
    both = _both(result, ROWS.names)
    fresh = result.fresh.num_rows
    for begin in range(0, result.rows, SLICE_ROWS):
        end = min(begin + SLICE_ROWS, result.rows)
        pages = pa.array(result.page[begin:end], pa.int64())
        documents = pa.array([n if n != _NONE else None for n in result.document[begin:end]], pa.int64())
        dates = pa.array([n if n != _NONE else None for n in result.stored[begin:end]], pa.int64())
        columns = {}
        for name in ROWS.names:
            taken = both[name].take(documents if name in DOCUMENT_NAMES else pages)
            if name in DOCUMENT_NAMES and name != "stored_at":
                taken = taken.fill_null(EMPTY_ROW[name])
            columns[name] = taken
        columns["stored_at"] = both["stored_at"].take(dates)
        columns["position"] = pa.array(result.position[begin:end], pa.int32())
        columns["state"] = pa.array(result.state[begin:end], pa.string())
        said = columns["reason"].to_pylist()
        columns["reason"] = pa.array([mine if mine is not None else page for mine, page in
                                      zip(result.reason[begin:end], said, strict=True)], pa.string())  # fmt: skip
        columns["id"] = pa.array(result.ids[begin:end], pa.string())
        columns["clash"] = pa.array(result.clash[begin:end], pa.bool_())
        columns["part"] = _parts(columns, result.document[begin:end], fresh, parts, moved)
        yield pa.table([columns[name] for name in ROWS.names], schema=ROWS)


def _parts(
    columns: dict[str, pa.ChunkedArray],
    documents: array[int],
    fresh: int,
    parts: dict[tuple[int, str, int], int],
    moved: dict[int, int],
) -> pa.Array:
    now = []
    rows = zip(columns["part"].to_pylist(), documents, columns["url"].to_pylist(), columns["position"], strict=True)
    for part, number, url, position in rows:
        if number == _NONE or number < fresh:
            now.append(part if number != _NONE else -1)
        else:
            found = moved.get(part)
            now.append(parts[part, url, position.as_py()] if found is None else found)
    return pa.array(now, pa.int32())


def counts(result: Settled, reasons: Counter[str]) -> dict[str, int]:
    """Rows by state; ``reasons`` is filled with the rows by reason."""
    said = result.fresh["reason"].to_pylist() + result.before["reason"].to_pylist()
    for page, reason in zip(result.page, result.reason, strict=True):
        word = said[page] if reason is None else reason
        if word:
            reasons[word] += 1
    return dict(sorted(Counter(result.state).items()))


def wanted_of_before(result: Settled) -> dict[int, list[int]]:
    """Rows of the harvest before whose text is still needed, by the part that holds it."""
    part = result.before["part"].to_pylist()
    fresh = result.fresh.num_rows
    wanted: dict[int, list[int]] = {}
    for number in result.document:
        if number >= fresh:
            wanted.setdefault(part[number - fresh], []).append(number - fresh)
    return wanted
