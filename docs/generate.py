"""Writes the pages of docs/ that are made from the code: settings, configs, manifest. ``make docs`` calls it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from sheaf.config.sources import Breaker, ContextSettings, Model, Source, SummonerSettings, Thresholds
from sheaf.config.tenants import Tenant, TenantGraph
from sheaf.harvest.schema import DOCUMENT_COLUMNS, PAGE_COLUMNS
from sheaf.harvest.states import REASONS, STATES
from sheaf.settings import Settings

HERE = Path(__file__).parent
MADE = "<!-- Made by `make docs` from the code; change it there. -->\n"


def kind(annotation: Any) -> str:
    """A type as the docs name it."""
    names = {bool: "true, false", int: "number", float: "number", str: "text", SecretStr: "text, secret"}
    if annotation in names:
        return names[annotation]
    choices = [str(choice) for choice in get_args(annotation) if isinstance(choice, str)]
    return ", ".join(choices) if choices else "text"


def default(field: FieldInfo) -> str:
    """A default as the docs show it."""
    if field.is_required():
        return "required"
    value = field.default
    if isinstance(value, SecretStr):
        return ""
    if isinstance(value, Model):
        return "see below"
    if value in ("", None, (), "None"):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def rows(model: type[Model]) -> Iterator[str]:
    """A table of a model's keys."""
    yield "| key | default | values | meaning |"
    yield "|---|---|---|---|"
    for name, field in model.model_fields.items():
        yield f"| `{name}` | {default(field)} | {kind(field.annotation)} | {field.description or ''} |"


def settings_page() -> str:
    """docs/settings.md"""
    lines = [
        "# Settings",
        "",
        MADE,
        "One typed object reads the environment; these are its variables. Secrets may also stand in a file of\n"
        + "`NAME=value` lines that `GLEANERIO_SECRETS_FILE` names. The embedded stack sets addresses and keys itself.",
        "",
        "| variable | default | values | meaning |",
        "|---|---|---|---|",
    ]
    for field in Settings.model_fields.values():
        variable = field.validation_alias.choices[0]  # type: ignore[union-attr]
        lines.append(f"| `{variable}` | {default(field)} | {kind(field.annotation)} | {field.description} |")
    return "\n".join(lines) + "\n"


def configs_page() -> str:
    """docs/configs.md"""
    lines = [
        "# The configs",
        "",
        MADE,
        "Two files, uploaded to `scheduler/configs/` in the bucket. Keys are case-insensitive, an empty value means\n"
        + "the default, an unknown key is kept and warned about. `sheaf config check` says what is wrong, and the fix.",
        "",
        "## gleanerconfig.yaml: `sources`, a list",
        "",
        *rows(Source),
        "",
        "## ... `breaker` of a source: when it counts as down",
        "",
        *rows(Breaker),
        "",
        "## ... `thresholds` of a source: what a release must keep",
        "",
        *rows(Thresholds),
        "",
        "## gleanerconfig.yaml: `summoner`",
        "",
        *rows(SummonerSettings),
        "",
        "## gleanerconfig.yaml: `context`",
        "",
        *rows(ContextSettings),
        "",
        "## tenant.yaml: `tenant`, a list",
        "",
        *rows(Tenant),
        "",
        "## ... `graph` of a tenant",
        "",
        *rows(TenantGraph),
    ]
    return "\n".join(lines) + "\n"


def manifest_page() -> str:
    """docs/manifest.md"""
    columns = [*PAGE_COLUMNS, *DOCUMENT_COLUMNS]
    lines = [
        "# The manifest",
        "",
        MADE,
        "`harvests/<source>/<harvest_id>/manifest.parquet` holds a row for each document of each page, and one for\n"
        + "each page without any. Every report is computed from it. `part-NNNNN.parquet` beside it hold the texts.",
        "",
        "| column | type | meaning |",
        "|---|---|---|",
        *(f"| `{c.name}` | {c.type} | {(c.metadata or {}).get(b'about', b'').decode()} |" for c in columns),
        "",
        "## States",
        "",
        *(f"- `{state}`" for state in STATES),
        "",
        "## Reasons",
        "",
        "| code | meaning |",
        "|---|---|",
        *(f"| `{code}` | {meaning} |" for code, meaning in REASONS.items()),
    ]
    return "\n".join(lines) + "\n"


PAGES = {"settings.md": settings_page, "configs.md": configs_page, "manifest.md": manifest_page}


def main() -> None:
    """Write all pages."""
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
