"""What a harvest holds, by state and reason with example pages, and what changed since the harvest before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sheaf.errors import BadInput, NotFound
from sheaf.harvest.manifest import latest_harvest, read_manifest, read_summary
from sheaf.harvest.schema import HarvestSummary
from sheaf.store import ObjectStore

_COMPARED = ("url", "position", "id", "sha256", "state", "reason")


@dataclass(frozen=True, slots=True)
class Finding:
    """How often a state came with a reason, and some of its pages with what was said of them."""

    state: str
    reason: str
    rows: int
    examples: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Difference:
    """URLs whose documents differ between two harvests; a page with several documents stands once in each list.

    ``failing`` fail now and did not before, ``recovered`` the other way round.
    """

    source: str
    before: str
    after: str
    new: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    failing: list[str] = field(default_factory=list)
    recovered: list[str] = field(default_factory=list)
    renamed: list[str] = field(default_factory=list)
    unchanged: int = 0

    def as_json(self) -> dict[str, Any]:
        """Lists and their lengths."""
        lists = ("new", "changed", "gone", "failing", "recovered", "renamed")
        return {**asdict(self), "counts": {name: len(getattr(self, name)) for name in lists}}


def which_harvest(store: ObjectStore, source: str, harvest_id: str | None) -> HarvestSummary:
    """That harvest, or the newest whole one; ``NotFound`` says how to make one, ``BadInput`` that it has no rows."""
    summary = read_summary(store, source, harvest_id) if harvest_id else latest_harvest(store, source)
    if summary is None:
        raise NotFound(f"{source} has no harvest yet: run 'sheaf job summon --source {source}'")
    if summary.stopped:
        raise BadInput(f"harvest {summary.harvest_id} of {source} has no manifest: {summary.stopped}")
    return summary


def findings(
    store: ObjectStore, summary: HarvestSummary, *, examples: int = 3, states: Sequence[str] = ()
) -> list[Finding]:
    """States and reasons of a harvest, the most frequent first; ``states`` restricts to some."""
    rows = read_manifest(store, summary.source, summary.harvest_id, ["url", "state", "reason", "detail"])
    if states:
        rows = rows.filter(pc.is_in(rows["state"], value_set=pa.array(list(states), pa.string())))
    groups = rows.group_by(["state", "reason"]).aggregate([([], "count_all")]).to_pylist()
    found = []
    for group in sorted(groups, key=lambda group: (-group["count_all"], group["state"], group["reason"])):
        mask = pc.and_(pc.equal(rows["state"], group["state"]), pc.equal(rows["reason"], group["reason"]))
        some = rows.filter(mask).slice(0, examples).to_pylist()
        shown = tuple((row["url"], row["detail"]) for row in some)
        found.append(Finding(group["state"], group["reason"], group["count_all"], shown))
    return found


def difference(store: ObjectStore, source: str, harvest_id: str | None = None, since: str | None = None) -> Difference:
    """What changed from ``since`` (default: the harvest that it carries on from) to ``harvest_id`` (the newest)."""
    after = which_harvest(store, source, harvest_id)
    earlier = since or after.previous
    if not earlier:
        raise NotFound(f"{after.harvest_id} is the first harvest of {source}: there is nothing to compare it with")
    before = which_harvest(store, source, earlier)
    old = _by_place(store, before)
    new = _by_place(store, after)
    result = Difference(source, before.harvest_id, after.harvest_id)
    for (url, position), (now_id, now_sha, now_state) in new.items():
        was_id, was_sha, was_state = old.get((url, position), ("", "", ""))
        if now_state == "failed" and was_state != "failed":
            _add(result.failing, url)
        elif was_state == "failed" and now_state not in ("failed", "gone"):
            _add(result.recovered, url)
        if now_sha and not was_sha:
            _add(result.new, url)
        elif was_sha and not now_sha:
            _add(result.gone, url)
        elif now_sha and was_sha != now_sha:
            _add(result.changed, url)
        elif now_sha and was_id != now_id:
            _add(result.renamed, url)
        else:
            result.unchanged += bool(now_sha)
    for (url, _), (_, was_sha, _) in sorted((place, row) for place, row in old.items() if place not in new):
        if was_sha:
            _add(result.gone, url)
    return result


def _by_place(store: ObjectStore, summary: HarvestSummary) -> dict[tuple[str, int], tuple[str, str, str]]:
    rows = read_manifest(store, summary.source, summary.harvest_id, _COMPARED)
    url, position, document_id, sha256, state = (rows[name].to_pylist() for name in _COMPARED[:5])
    return {(url[row], position[row]): (document_id[row], sha256[row], state[row]) for row in range(rows.num_rows)}


def _add(urls: list[str], url: str) -> None:
    if not urls or urls[-1] != url:
        urls.append(url)
