"""From YAML to the model of ``script``: templates are filled in, repeats are written out, days are overlaid.

A folder ``sites/<name>/`` holds ``site.yaml`` and files of sources, one a YAML document; docs/demo-site.md explains
how to write them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from sheaf.demo.script import Answer, Listing, ListingDay, Page, PageDay, Site, SourceScript
from sheaf.errors import BadInput

SITES = Path(__file__).parent / "sites"
PLACEHOLDER = re.compile(r"\$\{([a-z][\w.]*)\}")
PAGE_KEYS = ("present", "listed", "lastmod", "expect", "rendered")
WRITING_KEYS = ("path", "case", "repeat", "start", "dataset", "vary", "days", "set", "script", "scripts", "visits")
ANSWER_KEYS = tuple(Answer.model_fields)


def site_names() -> list[str]:
    """The sites that come with the package."""
    return sorted(path.parent.name for path in SITES.glob("*/site.yaml"))


@cache
def load_site(name: str = "demo") -> Site:
    """The site of that name among those of the package, or at that path (a folder with a ``site.yaml``)."""
    folder = SITES / name if (SITES / name).is_dir() else Path(name)
    if not (folder / "site.yaml").is_file():
        raise BadInput(
            f"there is no site {name!r}: take one of {', '.join(site_names())}, or a folder with a site.yaml"
        )
    (raw,) = _read(folder / "site.yaml")
    files = [folder / f"{file}.yaml" for file in raw.pop("sources", [])]
    common = {key: raw.pop(key, {}) for key in ("config", "templates", "vary")}
    days = raw.get("day_count", 1)
    sources = tuple(_source(overlay(common, one), file, days) for file in files for one in _read(file))
    try:
        site = Site.model_validate({**raw, "sources": sources})
    except ValidationError as error:
        raise BadInput(f"{folder / 'site.yaml'}: {_first(error)}") from error
    _check_paths(site, folder)
    return site


def _read(file: Path) -> list[dict[str, Any]]:
    try:
        documents = list(yaml.safe_load_all(file.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError) as error:
        raise BadInput(f"{file}: {error}") from error
    if wrong := [document for document in documents if not isinstance(document, dict)]:
        raise BadInput(f"{file}: a mapping is wanted, this is a {type(wrong[0]).__name__}")
    return documents


def _source(raw: dict[str, Any], file: Path, day_count: int) -> SourceScript:
    templates, vary = raw.pop("templates"), raw.pop("vary")
    name = str(raw.get("name", ""))
    pages: list[Page] = []
    listings: list[Listing] = []
    where = "its head"
    try:
        for position, spec in enumerate(raw.pop("pages", [])):
            where = f"page entry {position + 1} ({spec.get('path', 'no path')})"
            for n in range(spec.get("start", 1), spec.get("start", 1) + spec.get("repeat", 1)):
                given = {"source": name, "n": n, "nnn": f"{n:03d}"}
                options = {**vary, **spec.get("vary", {})}
                given |= {key: listed[(n - 1) % len(listed)] for key, listed in options.items()}
                pages.append(_page(spec, given, templates, day_count))
        for position, spec in enumerate(raw.pop("listings", [])):
            where = f"listing entry {position + 1} ({spec.get('path', 'no path')})"
            listings.append(_listing(spec, day_count))
        where = "its head"
        return SourceScript.model_validate({**raw, "listings": tuple(listings), "pages": tuple(pages)})
    except ValidationError as error:
        raise BadInput(f"{file}: source {name}: {where}: {_first(error)}") from error
    except ValueError as error:
        raise BadInput(f"{file}: source {name}: {where}: {error}") from error


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"


def _check_paths(site: Site, folder: Path) -> None:
    seen: set[str] = set()
    for source in site.sources:
        for path in [page.path for page in source.pages] + [listing.path for listing in source.listings]:
            if path in seen:
                raise BadInput(f"{folder}: source {source.name}: the path {path} is written twice")
            seen.add(path)


def overlay(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``over`` laid on it: mappings key by key, everything else replaced."""
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        merged[key] = overlay(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def fill(value: Any, values: Mapping[str, Any]) -> Any:
    """``value`` with each ``${name}`` replaced; a text that is one placeholder takes the value with its type.

    ``${base}`` stays: only the running server knows it. An unknown name is a ``ValueError``.
    """
    if isinstance(value, Mapping):
        return {fill(key, values): fill(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [fill(item, values) for item in value]
    if not isinstance(value, str):
        return value
    whole = PLACEHOLDER.fullmatch(value)
    if whole and whole[1] != "base":
        return fill(_look_up(whole[1], values), values)
    return PLACEHOLDER.sub(lambda match: match[0] if match[1] == "base" else str(_look_up(match[1], values)), value)


def _look_up(name: str, values: Mapping[str, Any]) -> Any:
    found: Any = values
    for part in name.split("."):
        if not isinstance(found, Mapping) or part not in found:
            raise ValueError(f"${{{name}}} names nothing; known are {', '.join(sorted(values))}")
        found = found[part]
    return found


def _overlaid_days(spec: Mapping[str, Any], day_count: int) -> list[dict[str, Any]]:
    changes = {int(day): change for day, change in (spec.get("days") or {}).items()}
    if unknown := [day for day in changes if not 0 < day < day_count]:
        raise ValueError(f"day {unknown[0]} is outside of the site's days 1 to {day_count - 1}")
    merged = {key: value for key, value in spec.items() if key != "days"}
    days = [merged]
    for day in range(1, day_count):
        merged = overlay(merged, changes.get(day, {}))
        days.append(merged)
    return days


def _page(spec: Mapping[str, Any], given: Mapping[str, Any], templates: Mapping[str, Any], day_count: int) -> Page:
    values = {**given, "path": fill(spec["path"], given)}
    values["url"] = "${base}" + values["path"]
    filled = fill({key: value for key, value in spec.items() if key not in ("vary", "repeat", "start")}, values)
    days = []
    for merged in _overlaid_days(filled, day_count):
        if unknown := [key for key in merged if key not in (*PAGE_KEYS, *WRITING_KEYS, *ANSWER_KEYS)]:
            raise ValueError(f"unknown key {unknown[0]!r}")
        name = merged.get("dataset", "")
        if name and name not in templates:
            raise ValueError(f"no template {name!r}; there are {', '.join(templates)}")
        dataset = overlay(fill(templates[name], values), merged.get("set", {})) if name else {}
        visits = merged.get("visits") or [{}]
        answers = tuple(_answer(overlay(merged, visit), dataset) for visit in visits)
        own = {key: merged[key] for key in PAGE_KEYS if key in merged}
        for key in ("expect", "rendered"):
            if isinstance(own.get(key), Mapping):
                own[key] = [own[key]]
        days.append(PageDay.model_validate({**own, "answers": answers}))
    return Page(path=values["path"], case=filled.get("case", ""), days=tuple(days))


def _answer(spec: Mapping[str, Any], dataset: Mapping[str, Any]) -> Answer:
    raw = {key: value for key, value in spec.items() if key in ANSWER_KEYS and key != "scripts"}
    written = spec.get("scripts")
    if written is None:
        written = [spec.get("script", {})] if dataset and "body" not in spec else []
    scripts = []
    for script in written:
        # A script without documents of its own holds the page's; `sets` makes one document an overlay from it.
        sets = script.get("sets", [{}])
        documents = script.get("documents") or [overlay(dataset, over) for over in sets]
        scripts.append({**{k: v for k, v in script.items() if k != "sets"}, "documents": documents})
    title = raw.get("title") or str(dataset.get("name", ""))
    text = raw.get("text") or str(dataset.get("description", ""))
    return Answer.model_validate({**raw, "title": title, "text": text, "scripts": scripts})


def _listing(spec: Mapping[str, Any], day_count: int) -> Listing:
    days = []
    for merged in _overlaid_days(spec, day_count):
        own = {key: value for key, value in merged.items() if key != "path"}
        own["answer"] = {"etag": "none", **own.get("answer", {})}
        days.append(ListingDay.model_validate(own))
    return Listing(path=spec["path"], days=tuple(days))
