"""``tenant.yaml``: the communities, what each loads and where (contracts.md, section 2)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator

from sheaf.config.sources import NAME, Model, Text

NAMESPACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
ALL = "all"


class TenantGraph(Model):
    """The two namespaces of a tenant in the triplestore."""

    main_namespace: str = Field(description="holds the documents' graphs")
    summary_namespace: str = Field(description="holds the flat view for search pages")

    @field_validator("main_namespace", "summary_namespace")
    @classmethod
    def _namespace(cls, value: str) -> str:
        if not NAMESPACE.fullmatch(value):
            raise ValueError("a namespace is made of letters, digits, _, - and .")
        return value


class Tenant(Model):
    """One community; ``community`` is its partition key."""

    community: str = Field(description="partition key: a-z, 0-9, _ and -; unique")
    hostname: Text = Field("", description="of its portal")
    name: Text = Field("", description="for people")
    description: Text = Field("", description="for people")
    url: Text = Field("", description="the community's own site")
    logo: Text = Field("", description="picture for its portal")
    graph: TenantGraph = Field(description="its namespaces in the triplestore; never shared")
    sources: Annotated[tuple[str, ...], BeforeValidator(lambda v: [v] if isinstance(v, str) else v)] = Field(
        min_length=1, description="names, or all"
    )
    exclude: tuple[str, ...] = Field((), description="names that are left out of all")
    visibility: Literal["public", "private"] = Field("public", description="who may read its namespaces")

    @field_validator("community")
    @classmethod
    def _community(cls, value: str) -> str:
        if not NAME.fullmatch(value):
            raise ValueError("a community is made of a-z, 0-9, _ and -, and starts with a letter or digit")
        return value

    def members(self, known: Iterable[str]) -> list[str]:
        """Its sources out of the known ones, sorted; ``all`` and a name in one list is one source."""
        names = set(known)
        wanted = names if ALL in self.sources else names & set(self.sources)
        return sorted(wanted - set(self.exclude))

    def fingerprint(self) -> str:
        """A digest of what changes the tenant's graphs; 16 hex digits."""
        relevant = self.model_dump(mode="json", include={"community", "graph", "sources", "exclude", "visibility"})
        return hashlib.sha256(json.dumps(relevant, sort_keys=True).encode()).hexdigest()[:16]


class TenantsConfig(Model):
    """The whole file."""

    tenant: tuple[Tenant, ...]

    def get(self, community: str) -> Tenant | None:
        """The tenant of that community."""
        return next((tenant for tenant in self.tenant if tenant.community == community), None)
