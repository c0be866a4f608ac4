"""Every key of the bucket is built here (contracts.md, section 3); one bucket a project.

A prefix always ends in a slash, so that ``summoned/nitrogen/`` never picks up ``summoned/nitrogen2/``.
"""

from __future__ import annotations

from datetime import datetime

# ---------------------------------------------------------------- configs


def sources_config(prefix: str = "scheduler/configs/", filename: str = "gleanerconfig.yaml") -> str:
    """What operators upload: the sources."""
    return f"{prefix.rstrip('/')}/{filename}"


def tenants_config(prefix: str = "scheduler/configs/", filename: str = "tenant.yaml") -> str:
    """What operators upload: the tenants."""
    return f"{prefix.rstrip('/')}/{filename}"


def config_history(sha256: str, prefix: str = "scheduler/configs/") -> str:
    """One accepted version of a config; jobs read this, never the live file."""
    return f"{prefix.rstrip('/')}/history/{sha256}.yaml"


def accepted_config(kind: str, prefix: str = "scheduler/configs/") -> str:
    """Which version of the ``sources`` or ``tenants`` is in force (ours: JSON with its sha256)."""
    return f"{prefix.rstrip('/')}/accepted/{kind}.json"


def shapes_prefix(prefix: str = "scheduler/configs/") -> str:
    """An operator's own SHACL shapes, Turtle, ``<name>.ttl``; checked beside ours (ours)."""
    return f"{prefix.rstrip('/')}/shapes/"


# ---------------------------------------------------------------- jobs


def job_log(source: str, mode: str, when: datetime, prefix: str = "scheduler/logs/") -> str:
    """Standard output and error of one job."""
    return f"{prefix.rstrip('/')}/sch_{source}_{mode}_{when:%Y_%m_%d_%H_%M_%S}.log"


def job_result(job_id: str) -> str:
    """What a job did, as JSON: how a launcher learns it, whatever launched the job (ours)."""
    return f"scheduler/results/{job_id}.json"


# ---------------------------------------------------------------- harvests


def harvests_prefix(source: str) -> str:
    """All harvests of a source, a folder each."""
    return f"harvests/{source}/"


def harvest_prefix(source: str, harvest_id: str) -> str:
    """One harvest's folder."""
    return f"harvests/{source}/{harvest_id}/"


def harvest_part(source: str, harvest_id: str, number: int) -> str:
    """One part: rows with the documents' text; the journal while the harvest runs."""
    return f"harvests/{source}/{harvest_id}/part-{number:05d}.parquet"


def harvest_manifest(source: str, harvest_id: str) -> str:
    """The rows of all parts without the text, written when the harvest is over."""
    return f"harvests/{source}/{harvest_id}/manifest.parquet"


def harvest_summary(source: str, harvest_id: str) -> str:
    """Counts and circumstances; written last: a harvest without it is not over."""
    return f"harvests/{source}/{harvest_id}/summary.json"


def harvest_start(source: str, harvest_id: str) -> str:
    """Written first: what the harvest was started with, so that a killed one is resumed as it began."""
    return f"harvests/{source}/{harvest_id}/start.json"


def harvest_lease(source: str) -> str:
    """Who harvests this source just now, so that two jobs never write one harvest (ours)."""
    return f"harvests/{source}/lease.json"


def object_view(source: str) -> str:
    """Which harvest the objects under ``summoned/`` correspond to, and which they are being brought to (ours)."""
    return f"harvests/{source}/view.json"


def summoned_prefix(source: str) -> str:
    """The object view of a source's current documents."""
    return f"summoned/{source}/"


def summoned_object(source: str, document_id: str) -> str:
    """One harvested document, ``application/ld+json``."""
    return f"summoned/{source}/{document_id}.jsonld"


def prov_object(source: str, document_id: str) -> str:
    """PROV record of one document; only with ``summoner.provobjects: true``."""
    return f"prov/{source}/{document_id}.jsonld"


def org(source: str) -> str:
    """The organization of a source, N-Quads."""
    return f"orgs/{source}.nq"


def orgs_prefix() -> str:
    """The organizations of all sources."""
    return "orgs/"


def context(sha256: str) -> str:
    """A remote JSON-LD context, kept so that a release never asks the network (ours)."""
    return f"contexts/{sha256}.jsonld"


# ---------------------------------------------------------------- releases


def latest_release(source: str) -> str:
    """The published release, N-Quads."""
    return f"graphs/latest/{source}_release.nq"


def latest_prov(source: str) -> str:
    """The published provenance, N-Quads."""
    return f"graphs/latest/{source}_prov.nq"


def latest_pointer(source: str) -> str:
    """``release.json`` of the published release: written last, it says what is published (ours)."""
    return f"graphs/latest/{source}_release.json"


def organizations() -> str:
    """The published organizations of all sources, N-Quads."""
    return "graphs/latest/organizations.nq"


def published_summary(source: str) -> str:
    """The published summary, Turtle."""
    return f"graphs/summary/{source}_release.ttl"


def archive_prefix(source: str) -> str:
    """All releases of a source, a folder each."""
    return f"graphs/archive/{source}/"


def release_prefix(source: str, release_id: str) -> str:
    """One release's folder."""
    return f"graphs/archive/{source}/{release_id}/"


def release_file(source: str, release_id: str, name: str) -> str:
    """One file of a release: release.nq.gz, summary.nq, prov.nq.gz, index.parquet, release.json."""
    return f"graphs/archive/{source}/{release_id}/{name}"


# ---------------------------------------------------------------- exports


def export_file(source: str, name: str, when: str = "latest") -> str:
    """A source's file for analysts; ``when`` is ``latest`` or the release's day, YYYYMMDD (ours)."""
    return f"exports/{source}/{when}/{name}"


def export_tenant(community: str, name: str, when: str = "latest") -> str:
    """A tenant's file for analysts, its sources together (ours)."""
    return f"exports/tenant/{community}/{when}/{name}"


# ---------------------------------------------------------------- reports


def report(source: str, name: str, when: str = "latest") -> str:
    """A source's report; ``when`` is ``latest`` or ``YYYYMMDD``."""
    return f"reports/{source}/{when}/{name}"


def reports_prefix(source: str) -> str:
    """All reports of a source: ``latest`` and a folder a day."""
    return f"reports/{source}/"


def report_all(name: str, when: str = "latest") -> str:
    """A report over all sources; ``when`` is ``latest`` or ``YYYYMMDD``."""
    return f"reports/all/{when}/{name}"


def report_tenant(community: str, name: str, when: str = "latest") -> str:
    """A tenant's report; ``when`` is ``latest`` or ``YYYYMMDD``."""
    return f"reports/tenant/{community}/{when}/{name}"
