"""What the harvest tests share: a small scripted site, its config, and a store that outlives a killed process."""

from __future__ import annotations

import urllib.parse
from pathlib import Path
from typing import Any

import yaml

from sheaf.config import ProjectConfig, load_sources
from sheaf.demo import RunningSite, Site, load_site
from sheaf.demo.configs import site_configs
from sheaf.harvest.engine import run_harvest
from sheaf.harvest.manifest import read_manifest
from sheaf.harvest.schema import HarvestSummary
from sheaf.settings import Settings
from sheaf.store import MemoryStore, ObjectStore
from sheaf.store.objects import ObjectInfo

NOTE = {
    "@context": "https://schema.org/",
    "@type": "Dataset",
    "@id": "https://doi.org/10.5072/small.${nnn}",
    "name": "Small note ${n}",
    "url": "${url}",
}


def small_site(folder: Path, pages: list[dict[str, Any]], **source: Any) -> Site:
    """A site with one source ``small`` of these page entries (docs/demo-site.md); ``source`` sets more of its keys."""
    folder.mkdir(parents=True, exist_ok=True)
    site = {"name": "small", "base": "http://127.0.0.1:8799", "day_count": 3, "sources": ["small"]}
    script = {
        "name": "small",
        "title": "Small",
        "url": "/small/sitemap.xml",
        "templates": {"note": NOTE},
        "listings": [{"path": "/small/sitemap.xml"}],
        "pages": pages,
        **source,
    }
    (folder / "site.yaml").write_text(yaml.safe_dump(site))
    (folder / "small.yaml").write_text(yaml.safe_dump(script))
    return load_site(str(folder))


def project_of(running: RunningSite, **settings: Any) -> ProjectConfig:
    """The config that harvests a running site; ``settings`` go into every source."""
    raw = yaml.safe_load(site_configs(running.site, running.url)[0])
    for source in raw["sources"]:
        source.update(settings)
    return load_sources(yaml.safe_dump(raw).encode()).config


def harvested(
    store: ObjectStore, running: RunningSite, name: str = "small", config: dict[str, Any] | None = None, **options: Any
) -> HarvestSummary:
    """Harvest one source of a running site; ``config`` are keys of the source, ``options`` of the harvest."""
    project = project_of(running, **(config or {}))
    source = project.source(name)
    assert source is not None
    return run_harvest(store, project, source, "sha", settings=Settings(), **options)


def rows_of(store: ObjectStore, summary: HarvestSummary) -> dict[tuple[str, int], dict[str, Any]]:
    """The manifest's rows by path and position."""
    rows = read_manifest(store, summary.source, summary.harvest_id).to_pylist()
    return {(urllib.parse.urlsplit(row["url"]).path, row["position"]): row for row in rows}


class FolderStore(MemoryStore):
    """A store whose objects are files too, written whole or not at all: it survives ``kill -9``."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            if not path.name.endswith(".part"):
                super().put(urllib.parse.unquote(path.name), path.read_bytes())

    def put(
        self,
        key: str,
        data: bytes,
        content_type: str = "application/octet-stream",
        metadata: dict[str, str] | None = None,
    ) -> ObjectInfo:
        path = self._folder / urllib.parse.quote(key, safe="")
        half = path.with_name(f"{path.name}.part")
        half.write_bytes(data)
        half.replace(path)
        return super().put(key, data, content_type, metadata)

    def delete(self, keys: Any) -> int:
        names = list(keys)
        for key in names:
            (self._folder / urllib.parse.quote(key, safe="")).unlink(missing_ok=True)
        return super().delete(names)
