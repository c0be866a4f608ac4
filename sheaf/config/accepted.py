"""Which version of each config is in force: kept in the bucket, moved only to a validated file."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from sheaf.config.marks import near
from sheaf.config.reading import Loaded, load_sources, load_tenants
from sheaf.config.sources import ProjectConfig, Source
from sheaf.config.tenants import TenantsConfig
from sheaf.errors import BadInput, NotFound
from sheaf.settings import Settings
from sheaf.store import ObjectStore, layout


def accept_sources(store: ObjectStore, text: bytes, settings: Settings) -> Loaded[ProjectConfig]:
    """Validate ``gleanerconfig.yaml`` and put it in force; ``ConfigRefused`` leaves everything as it was."""
    loaded = load_sources(text, settings.sources_filename)
    _put_in_force(store, "sources", text, loaded.sha256, settings)
    return loaded


def accept_tenants(store: ObjectStore, text: bytes, settings: Settings) -> Loaded[TenantsConfig]:
    """Validate ``tenant.yaml`` against the sources in force and put it in force."""
    loaded = load_tenants(text, _known_sources(store, settings), settings.tenant_filename)
    _put_in_force(store, "tenants", text, loaded.sha256, settings)
    return loaded


def check_tenants(store: ObjectStore, text: bytes, settings: Settings) -> Loaded[TenantsConfig]:
    """Validate ``tenant.yaml`` as ``accept_tenants`` does, and write nothing."""
    return load_tenants(text, _known_sources(store, settings), settings.tenant_filename)


def sources_in_force(store: ObjectStore, settings: Settings, sha256: str | None = None) -> tuple[ProjectConfig, str]:
    """The sources in force (or the accepted version ``sha256``) and their sha256; ``NotFound`` when there are none."""
    sha = sha256 or sha_in_force(store, "sources", settings)
    text = store.get(layout.config_history(sha, settings.config_path))
    return load_sources(text, settings.sources_filename).config, sha


def tenants_in_force(store: ObjectStore, settings: Settings) -> tuple[TenantsConfig, str]:
    """The tenants in force and their sha256; ``NotFound`` when there are none."""
    sha = sha_in_force(store, "tenants", settings)
    text = store.get(layout.config_history(sha, settings.config_path))
    return load_tenants(text, None, settings.tenant_filename).config, sha


def source_in_force(
    store: ObjectStore, settings: Settings, name: str, sha256: str | None = None
) -> tuple[ProjectConfig, Source, str]:
    """The project, the source of that name and the config's sha256; ``BadInput`` with near names when unknown."""
    project, sha = sources_in_force(store, settings, sha256)
    source = project.source(name)
    if source is None:
        known = [each.name for each in project.sources]
        raise BadInput(f"there is no source {name!r} in the accepted config {sha[:12]}. {near(name, known)}")
    return project, source, sha


def _known_sources(store: ObjectStore, settings: Settings) -> list[str] | None:
    try:
        project, _ = sources_in_force(store, settings)
    except NotFound:
        return None
    return [source.name for source in project.sources]


def sha_in_force(store: ObjectStore, kind: str, settings: Settings) -> str:
    """The sha256 of the ``sources`` or ``tenants`` in force; ``NotFound`` when there are none."""
    key = layout.accepted_config(kind, settings.config_path)
    try:
        return str(json.loads(store.get(key))["sha256"])
    except NotFound:
        upload = settings.sources_filename if kind == "sources" else settings.tenant_filename
        raise NotFound(f"no {kind} are in force yet: upload {settings.config_path}{upload}") from None


def _put_in_force(store: ObjectStore, kind: str, text: bytes, sha256: str, settings: Settings) -> None:
    history = layout.config_history(sha256, settings.config_path)
    if store.stat(history) is None:
        store.put(history, text, "application/yaml")
    pointer = {"sha256": sha256, "accepted_at": datetime.now(UTC).isoformat(timespec="seconds")}
    key = layout.accepted_config(kind, settings.config_path)
    try:
        if json.loads(store.get(key))["sha256"] == sha256:
            return
    except NotFound:
        pass
    store.put(key, json.dumps(pointer).encode(), "application/json")
