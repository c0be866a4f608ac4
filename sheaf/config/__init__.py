"""Config files in, validated frozen models out; every accepted version is kept under its sha256.

It never changes what an operator uploaded, and never lets a bad file replace a good one.
"""

from sheaf.config.accepted import (
    accept_sources,
    accept_tenants,
    check_tenants,
    sha_in_force,
    source_in_force,
    sources_in_force,
    tenants_in_force,
)
from sheaf.config.marks import ConfigRefused, Problem, near
from sheaf.config.reading import Loaded, load_sources, load_tenants
from sheaf.config.sources import ProjectConfig, Source
from sheaf.config.tenants import Tenant, TenantsConfig

__all__ = [
    "ConfigRefused",
    "Loaded",
    "Problem",
    "ProjectConfig",
    "Source",
    "Tenant",
    "TenantsConfig",
    "accept_sources",
    "accept_tenants",
    "check_tenants",
    "load_sources",
    "load_tenants",
    "near",
    "sha_in_force",
    "source_in_force",
    "sources_in_force",
    "tenants_in_force",
]
