"""The configs that harvest a scripted site: the demo's commented files, or plain ones made from any script."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from sheaf.demo.script import Site
from sheaf.errors import BadInput

DEMO_CONFIGS = Path(__file__).parents[2] / "configs" / "demo"
DEMO_BASE = "http://127.0.0.1:8780"


def demo_configs(base_url: str) -> tuple[str, str]:
    """The texts of the demo's ``gleanerconfig.yaml`` and ``tenant.yaml``, for a site that runs at ``base_url``.

    ``BadInput`` when ``configs/demo`` is not beside the package: they belong to a checkout, not to a wheel.
    """
    try:
        texts = [(DEMO_CONFIGS / name).read_text(encoding="utf-8") for name in ("gleanerconfig.yaml", "tenant.yaml")]
    except OSError as error:
        raise BadInput(f"the demo's configs are missing: {error}; run from a checkout of the project") from error
    sources, tenants = (text.replace(DEMO_BASE, base_url.rstrip("/")) for text in texts)
    return sources, tenants


def site_sources(site: Site, base_url: str) -> list[dict[str, Any]]:
    """The entries of ``sources:`` (contracts.md, section 1) for a site that runs at ``base_url``."""
    base = base_url.rstrip("/")
    return [
        {"name": source.name, "sourcetype": source.sourcetype, "url": base + source.url, **source.config}
        for source in site.sources
    ]


def site_configs(site: Site, base_url: str) -> tuple[str, str]:
    """Texts of ``gleanerconfig.yaml`` and ``tenant.yaml`` made from the script; each tenant gets its own namespaces."""
    config = {"summoner": {"mode": "diff", "threads": 5, "delay": 0}, "sources": site_sources(site, base_url)}
    tenants = [
        {
            "name": tenant["community"],
            "graph": {"main_namespace": tenant["community"], "summary_namespace": f"{tenant['community']}_summary"},
            **tenant,
        }
        for tenant in site.tenants
    ]
    return yaml.safe_dump(config, sort_keys=False), yaml.safe_dump({"tenant": tenants}, sort_keys=False)
