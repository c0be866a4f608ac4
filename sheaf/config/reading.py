"""A config file becomes a validated model, or is refused with every error at its line."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from sheaf.config.marks import ConfigRefused, Marked, Path, Problem, near, read_marked, shown
from sheaf.config.sources import IDENTIFIER_TYPES, Breaker, ProjectConfig, Source, SourceType, Thresholds
from sheaf.config.tenants import ALL, Tenant, TenantGraph, TenantsConfig

C = TypeVar("C", bound=BaseModel)

# Keys that real files carry and other tools read; kept, and not worth a warning.
QUIET_TOP = {"minio", "gleaner", "millers", "shapefiles", "shaclservice", "sparql", "implementation_network"}
ALIASES = {"cron": "schedule", "runid": "runid"}


@dataclass(frozen=True, slots=True)
class Loaded(Generic[C]):
    """An accepted file: its model, its bytes' sha256 (hex) and what was worth a warning."""

    config: C
    sha256: str
    warnings: tuple[Problem, ...]


def load_sources(text: bytes, file: str = "gleanerconfig.yaml") -> Loaded[ProjectConfig]:
    """Read ``gleanerconfig.yaml``; raises ``ConfigRefused`` with every error of the file."""
    marked = read_marked(text, file)
    problems = marked.problems
    data = _without_empty(marked.data)
    sources = data.get("sources")
    if not isinstance(sources, list) or not sources:
        problems.append(
            marked.problem(("sources",), "there is no list of sources", "Add 'sources:' with at least one.")
        )
        raise ConfigRefused(file, problems)
    for index, source in enumerate(sources):
        if isinstance(source, dict) and "cron" in source:
            source.setdefault("schedule", source.pop("cron"))
            marked.places.setdefault(("sources", index, "schedule"), marked.place(("sources", index, "cron")))
    problems += _repeated(marked, sources, "sources", "name", "source")
    config = _validated(ProjectConfig, data, marked, problems)
    warnings = _unknown_keys(marked, data, set(ProjectConfig.model_fields) | QUIET_TOP, ())
    for index, source in enumerate(sources):
        path: Path = ("sources", index)
        warnings += _unknown_keys(marked, source, set(Source.model_fields), path, _who(marked, path))
        for name, model in (("breaker", Breaker), ("thresholds", Thresholds)):
            if isinstance(source.get(name), dict):
                warnings += _unknown_keys(
                    marked, source[name], set(model.model_fields), (*path, name), _who(marked, path)
                )
        kind = str(source.get("identifiertype", "identifiersha")).lower()
        if kind not in (*IDENTIFIER_TYPES, "jsonsha"):
            warnings.append(
                marked.problem(
                    (*path, "identifiertype"), f"identifiertype {kind!r} is not known and means filesha",
                    near(kind, list(IDENTIFIER_TYPES)), _who(marked, path),
                )
            )  # fmt: skip
    if config is None or problems:
        raise ConfigRefused(file, sorted(problems, key=lambda problem: (problem.line, problem.column)))
    return Loaded(config, hashlib.sha256(text).hexdigest(), tuple(warnings))


def load_tenants(text: bytes, known_sources: Sequence[str] | None, file: str = "tenant.yaml") -> Loaded[TenantsConfig]:
    """Read ``tenant.yaml`` against the known source names (None: not checked); raises ``ConfigRefused``."""
    marked = read_marked(text, file)
    problems = marked.problems
    data = _without_empty(marked.data)
    tenants = data.get("tenant")
    if not isinstance(tenants, list) or not tenants:
        problems.append(marked.problem(("tenant",), "there is no list of tenants", "Add 'tenant:' with at least one."))
        raise ConfigRefused(file, problems)
    problems += _repeated(marked, tenants, "tenant", "community", "tenant")
    problems += _shared_namespaces(marked, tenants)
    if known_sources is not None:
        problems += _unknown_sources(marked, tenants, known_sources)
    config = _validated(TenantsConfig, data, marked, problems)
    warnings = _unknown_keys(marked, data, set(TenantsConfig.model_fields), ())
    for index, tenant in enumerate(tenants):
        if isinstance(tenant, dict):
            path: Path = ("tenant", index)
            warnings += _unknown_keys(marked, tenant, set(Tenant.model_fields), path, _who(marked, path))
            if isinstance(tenant.get("graph"), dict):
                warnings += _unknown_keys(
                    marked, tenant["graph"], set(TenantGraph.model_fields), (*path, "graph"), _who(marked, path)
                )
    if config is None or problems:
        raise ConfigRefused(file, sorted(problems, key=lambda problem: (problem.line, problem.column)))
    return Loaded(config, hashlib.sha256(text).hexdigest(), tuple(warnings))


def _without_empty(value: Any) -> Any:
    """An empty value in YAML means the default, not null."""
    if isinstance(value, dict):
        return {key: _without_empty(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_empty(item) for item in value]
    return value


def _validated(model: type[C], data: Any, marked: Marked, problems: list[Problem]) -> C | None:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems += [_as_problem(detail, marked) for detail in error.errors()]
        return None


def _as_problem(detail: ErrorDetails, marked: Marked) -> Problem:
    path: Path = tuple(detail["loc"])
    name = str(path[-1]) if path else ""
    value = shown(name, detail["input"])
    who = _who(marked, path[:2])
    if detail["type"] == "missing":
        example = {"name": "name: iris", "url": "url: https://example.org/sitemap.xml"}.get(name, f"{name}: ...")
        return marked.problem(path, f"the field {name!r} is missing", f"Add a line '{example}'.", who)
    fixes = {
        "sourcetype": near(str(detail["input"]), list(get_args(SourceType))),
        "mode": "Use full or diff.",
        "fixcontextoption": "Use a number from 0 to 4.",
    }
    if detail["type"] == "value_error":
        message = str(detail["ctx"]["error"]) if "ctx" in detail else detail["msg"]
        shown_value = "" if isinstance(detail["input"], dict) else f"{name} {value}: "
        return marked.problem(path, f"{shown_value}{message}", "Change the value.", who)
    if detail["type"].startswith("bool"):
        return marked.problem(path, f"{name} {value} is neither true nor false", "Write true or false.", who)
    return marked.problem(path, f"{name} {value}: {detail['msg']}", fixes.get(name, "Change the value."), who)


def _who(marked: Marked, path: Path) -> str:
    """``source iris`` or ``tenant x`` for a path into one of the two lists."""
    if len(path) < 2 or path[0] not in ("sources", "tenant"):
        return ""
    index = path[1]
    items = marked.data.get(path[0])
    item = items[index] if isinstance(items, list) and isinstance(index, int) and index < len(items) else None
    key, word = ("name", "source") if path[0] == "sources" else ("community", "tenant")
    name = item.get(key) if isinstance(item, dict) else None
    return f"{word} {name}" if name else f"{word} number {int(index) + 1}"


def _unknown_keys(marked: Marked, data: Any, known: set[str], path: Path, who: str = "") -> list[Problem]:
    if not isinstance(data, dict):
        return []
    return [
        marked.problem(
            (*path, key),
            f"the key {key!r} is not known to Sheaf; it is kept and has no effect",
            near(key, sorted(known)),
            who,
        )
        for key in data
        if key not in known
    ]


def _repeated(marked: Marked, items: list[Any], top: str, key: str, word: str) -> list[Problem]:
    seen: dict[str, int] = {}
    problems = []
    for index, item in enumerate(items):
        name = str(item.get(key, "")) if isinstance(item, dict) else ""
        if name and name in seen:
            first = marked.place((top, seen[name], key))[0]
            problems.append(
                marked.problem(
                    (top, index, key),
                    f"the name {name!r} is used in line {first} already",
                    "Rename or remove one.",
                    f"{word} {name}",
                )
            )
        elif name:
            seen[name] = index
    return problems


def _shared_namespaces(marked: Marked, tenants: list[Any]) -> list[Problem]:
    used: Counter[str] = Counter()
    problems = []
    for index, tenant in enumerate(tenants):
        graph = tenant.get("graph") if isinstance(tenant, dict) else None
        for key in ("main_namespace", "summary_namespace"):
            name = str(graph.get(key, "")) if isinstance(graph, dict) else ""
            used[name] += bool(name)
            if used[name] > 1:
                path: Path = ("tenant", index, "graph", key)
                problems.append(
                    marked.problem(
                        path,
                        f"the namespace {name!r} is used already",
                        "Give each tenant namespaces of its own.",
                        _who(marked, path[:2]),
                    )
                )
    return problems


def _unknown_sources(marked: Marked, tenants: list[Any], known: Sequence[str]) -> list[Problem]:
    problems = []
    for index, tenant in enumerate(tenants):
        for key in ("sources", "exclude"):
            names = tenant.get(key) if isinstance(tenant, dict) else None
            for position, name in enumerate(names if isinstance(names, list) else []):
                if name != ALL and name not in known:
                    path: Path = ("tenant", index, key, position)
                    problems.append(
                        marked.problem(
                            path, f"there is no source {name!r}", near(str(name), list(known)), _who(marked, path[:2])
                        )
                    )
    return problems
