"""The one resource of all assets and sensors: settings, store, triplestore and launcher, made when asked for."""

from __future__ import annotations

import json
from datetime import datetime
from functools import cached_property
from typing import Any, TypeAlias

import dagster as dg

from code_locations.common.launchers import Launcher, launcher_for
from sheaf.config import ProjectConfig, Source, Tenant, TenantsConfig, sha_in_force, sources_in_force, tenants_in_force
from sheaf.errors import NotFound
from sheaf.graph import GraphStore, open_graph_store
from sheaf.settings import Settings
from sheaf.store import ObjectInfo, ObjectStore, layout, open_store


class Platform:
    """No ``ConfigurableResource``: it has no configuration, so no setting and no secret shows in a run's config.

    ``parts`` given beforehand (``settings``, ``store``, ``graphs``, ``launcher``) are used as they are, by tests.
    """

    def __init__(self, **parts: Any) -> None:
        self._parts = parts

    @cached_property
    def settings(self) -> Settings:
        """The environment, read once."""
        return self._parts.get("settings") or Settings.load()

    @cached_property
    def store(self) -> ObjectStore:
        """The project's bucket."""
        return self._parts.get("store") or open_store(self.settings)

    @cached_property
    def graphs(self) -> GraphStore:
        """The triplestore."""
        return self._parts.get("graphs") or open_graph_store(self.settings)

    @cached_property
    def launcher(self) -> Launcher:
        """Where jobs run."""
        return self._parts.get("launcher") or launcher_for(self.settings)

    def upload(self, kind: str) -> ObjectInfo | None:
        """The live config that operators upload, ``sources`` or ``tenants``; None when there is none."""
        return self.store.stat(self.upload_key(kind))

    def upload_key(self, kind: str) -> str:
        """Its key."""
        settings = self.settings
        if kind == "sources":
            return layout.sources_config(settings.config_path, settings.sources_filename)
        return layout.tenants_config(settings.config_path, settings.tenant_filename)

    def sha_in_force(self, kind: str) -> str | None:
        """The sha256 of the ``sources`` or ``tenants`` in force."""
        try:
            return sha_in_force(self.store, kind, self.settings)
        except NotFound:
            return None

    def project(self) -> tuple[ProjectConfig, str] | None:
        """The sources in force and their sha256."""
        try:
            return sources_in_force(self.store, self.settings)
        except NotFound:
            return None

    def tenants(self) -> tuple[TenantsConfig, str] | None:
        """The tenants in force and their sha256."""
        try:
            return tenants_in_force(self.store, self.settings)
        except NotFound:
            return None

    def source(self, name: str) -> tuple[ProjectConfig, Source, str]:
        """The project, one of its sources, and the config's sha256; ``dg.Failure`` when it is not in force."""
        found = self.project()
        source = found[0].source(name) if found else None
        if found is None or source is None:
            raise dg.Failure(
                f"There is no source {name!r} in the accepted {self.settings.sources_filename}: "
                "add it there, or delete its partition.",
                allow_retries=False,
            )
        return found[0], source, found[1]

    def is_published(self, source: str) -> bool:
        """Whether a source has a published release."""
        return self.store.stat(layout.latest_pointer(source)) is not None

    def tenant(self, community: str) -> tuple[Tenant, list[str]]:
        """A tenant and the names of all sources in force, from which its list picks; ``dg.Failure`` without it."""
        tenants, project = self.tenants(), self.project()
        tenant = tenants[0].get(community) if tenants else None
        if tenant is None or project is None:
            raise dg.Failure(
                f"There is no tenant {community!r} in the accepted {self.settings.tenant_filename}: "
                "add it there, or delete its partition.",
                allow_retries=False,
            )
        return tenant, [source.name for source in project[0].sources]


PlatformParam: TypeAlias = dg.ResourceParam[Platform]


def cursor_of(context: dg.SensorEvaluationContext) -> dict[str, Any]:
    """A sensor's cursor, kept as JSON; empty at the first tick."""
    return dict(json.loads(context.cursor)) if context.cursor else {}


def stamp(when: datetime | None) -> str:
    """A moment as run keys carry it."""
    return when.strftime("%Y%m%dT%H%M%S.%f") if when else "-"
