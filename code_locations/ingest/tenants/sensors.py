"""What makes a tenant's graph follow: its config, and its sources' releases."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence

import dagster as dg

from code_locations.common.partitions import tenants
from code_locations.common.platform import PlatformParam, cursor_of
from code_locations.common.uploads import look_at_upload
from code_locations.ingest.release.assets import published_release
from code_locations.ingest.tenants.assets import tenants_config
from code_locations.ingest.tenants.jobs import tenant_config_updated_job, tenant_release_job
from sheaf.config import check_tenants

PAGE = 1_000
WAITING = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED]


@dg.sensor(job=tenant_config_updated_job, default_status=dg.DefaultSensorStatus.RUNNING, minimum_interval_seconds=5)
def s3_config_tenant_sensor(context: dg.SensorEvaluationContext, platform: PlatformParam) -> dg.SensorResult:
    """Sees a new `tenant.yaml` in S3; a bad one is refused here, with file, line and fix, and changes nothing."""
    sources = platform.sha_in_force("sources")
    if sources is None:
        return dg.SensorResult(skip_reason="tenants wait for the sources: no gleanerconfig.yaml is in force yet")
    return look_at_upload(
        context,
        platform,
        "tenants",
        tenants_config.key,
        lambda text: check_tenants(platform.store, text, platform.settings),
        depends_on=sources,
    )


@dg.sensor(job=tenant_release_job, default_status=dg.DefaultSensorStatus.RUNNING, minimum_interval_seconds=5)
def tenant_names_sensor(context: dg.SensorEvaluationContext, platform: PlatformParam) -> dg.SensorResult:
    """Lets the partitions follow the tenants in force, and reconciles each one that is new, or whose list changed."""
    found, project = platform.tenants(), platform.project()
    if found is None or project is None:
        return dg.SensorResult(skip_reason="no tenants are in force yet")
    known = [source.name for source in project[0].sources]
    prints = {
        tenant.community: hashlib.sha256(f"{tenant.fingerprint()} {tenant.members(known)}".encode()).hexdigest()[:16]
        for tenant in found[0].tenant
    }
    cursor = cursor_of(context)
    seen = cursor.get("asked", {})
    due = sorted(name for name in prints if seen.get(name) != prints[name])
    if not due and set(seen) == set(prints):
        return dg.SensorResult(skip_reason=f"the tenants in force are unchanged ({found[1][:12]})")
    generation = int(cursor.get("generation", 0)) + 1
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(
                partition_key=name, run_key=f"{name}:{prints[name]}:{generation}", tags={"sheaf/cause": "config"}
            )
            for name in due
        ],
        dynamic_partitions_requests=[tenants.build_add_request(sorted(prints))],
        cursor=json.dumps({"asked": prints, "generation": generation}),
    )


def tenants_concerned(
    changed: Iterable[str], members: Mapping[str, Sequence[str]], waiting: Iterable[str]
) -> list[str]:
    """Tenants with a changed source, less those whose run still waits in the queue: it will read the newest anyway."""
    changed, waiting = set(changed), set(waiting)
    return sorted(name for name, names in members.items() if name not in waiting and changed & set(names))


@dg.sensor(job=tenant_release_job, default_status=dg.DefaultSensorStatus.RUNNING, minimum_interval_seconds=5)
def release_file_sensor(context: dg.SensorEvaluationContext, platform: PlatformParam) -> dg.SensorResult:
    """Asks for exactly the tenants whose sources have a new published release, each once however many moved."""
    after = int(cursor_of(context).get("after", 0)) or None
    wanted = dg.AssetRecordsFilter(asset_key=published_release.key, after_storage_id=after)
    records = context.instance.fetch_materializations(wanted, limit=PAGE, ascending=True).records
    if not records:
        return dg.SensorResult(skip_reason="no new releases")
    last = records[-1].storage_id
    cursor = json.dumps({"after": last})
    changed = {record.partition_key for record in records if record.partition_key and moved(record)}
    found, project = platform.tenants(), platform.project()
    if not changed or found is None or project is None:
        reason = "the releases moved nothing" if found else "no tenants are in force yet"
        return dg.SensorResult(skip_reason=reason, cursor=cursor)
    known = [source.name for source in project[0].sources]
    members = {tenant.community: tenant.members(known) for tenant in found[0].tenant}
    queued = context.instance.get_runs(dg.RunsFilter(job_name=tenant_release_job.name, statuses=WAITING))
    waiting = [run.tags.get("dagster/partition", "") for run in queued]
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(partition_key=name, run_key=f"{name}:{last}", tags={"sheaf/cause": "release"})
            for name in tenants_concerned(changed, members, waiting)
        ],
        dynamic_partitions_requests=[tenants.build_add_request(sorted(members))],
        cursor=cursor,
    )


def moved(record: dg.EventLogRecord) -> bool:
    """Whether a materialization of ``published_release`` moved the pointer."""
    materialization = record.asset_materialization
    value = materialization.metadata.get("moved") if materialization else None
    return value is None or bool(value.value)
