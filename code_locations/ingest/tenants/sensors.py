"""What makes a tenant's graph follow: its config, and its sources' releases."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping, Sequence, Set

import dagster as dg

from code_locations.common.partitions import tenants
from code_locations.common.platform import PlatformParam, cursor_of
from code_locations.common.uploads import look_at_upload
from code_locations.ingest.release.assets import published_release
from code_locations.ingest.tenants.assets import tenants_config
from code_locations.ingest.tenants.jobs import tenant_config_updated_job, tenant_release_job
from sheaf.config import check_tenants

PAGE = 1_000
HOLD_SECONDS = 60.0
SUMMON_JOB = "summon_and_release_job"
QUEUED = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED]
WORKING = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


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
    due = [
        tenant.community
        for tenant in found[0].tenant
        if seen.get(tenant.community) != prints[tenant.community]
        # A new tenant without any release yet has nothing to load: its first release will ask for it.
        and (tenant.community in seen or any(platform.is_published(name) for name in tenant.members(known)))
    ]
    if not due and seen == prints:
        return dg.SensorResult(skip_reason=f"the tenants in force are unchanged ({found[1][:12]})")
    generation = int(cursor.get("generation", 0)) + 1
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(
                partition_key=name, run_key=f"{name}:{prints[name]}:{generation}", tags={"sheaf/cause": "config"}
            )
            for name in sorted(due)
        ],
        skip_reason=None if due else "the new tenants wait for their first release",
        dynamic_partitions_requests=[tenants.build_add_request(sorted(prints))],
        cursor=json.dumps({"asked": prints, "generation": generation}),
    )


def tenants_concerned(changed: Iterable[str], members: Mapping[str, Sequence[str]]) -> list[str]:
    """Tenants that have one of the changed sources."""
    changed = set(changed)
    return sorted(name for name, names in members.items() if changed & set(names))


def due_tenants(
    pending: Mapping[str, float],
    members: Mapping[str, Sequence[str]],
    tenant_runs: Iterable[str],
    busy: Set[str],
    now: float,
) -> list[str]:
    """Of the pending tenants (name to the time it was first asked for) those to ask for now.

    One whose run is at work waits for its end. One with more sources on their way waits for them, a minute at most:
    a hundred releases in a row are a few runs, not a hundred.
    """
    working = set(tenant_runs)
    return sorted(
        name
        for name, since in pending.items()
        if name in members and name not in working and (now - since >= HOLD_SECONDS or not busy & set(members[name]))
    )


@dg.sensor(job=tenant_release_job, default_status=dg.DefaultSensorStatus.RUNNING, minimum_interval_seconds=5)
def release_file_sensor(context: dg.SensorEvaluationContext, platform: PlatformParam) -> dg.SensorResult:
    """Asks for exactly the tenants whose sources have a new published release, once for all that moved."""
    cursor = cursor_of(context)
    after, pending = int(cursor.get("after", 0)), dict(cursor.get("pending", {}))
    wanted = dg.AssetRecordsFilter(asset_key=published_release.key, after_storage_id=after or None)
    records = context.instance.fetch_materializations(wanted, limit=PAGE, ascending=True).records
    if not records and not pending:
        return dg.SensorResult(skip_reason="no new releases")
    after = records[-1].storage_id if records else after
    found, project = platform.tenants(), platform.project()
    if found is None or project is None:
        return dg.SensorResult(skip_reason="no tenants are in force yet", cursor=json.dumps({"after": after}))
    known = [source.name for source in project[0].sources]
    members = {tenant.community: tenant.members(known) for tenant in found[0].tenant}
    now = time.time()
    changed = {record.partition_key for record in records if record.partition_key and moved(record)}
    for name in tenants_concerned(changed, members):
        pending.setdefault(name, now)
    # A run that still waits in the queue will read the newest releases anyway.
    queued = partitions_of_runs(context.instance, tenant_release_job.name, QUEUED)
    pending = {name: since for name, since in pending.items() if name in members and name not in queued}
    working = partitions_of_runs(context.instance, tenant_release_job.name, WORKING)
    busy = partitions_of_runs(context.instance, SUMMON_JOB, QUEUED + WORKING)
    due = due_tenants(pending, members, working, busy, now)
    requests = [
        dg.RunRequest(
            partition_key=name, run_key=f"{name}:{after}:{pending.pop(name)}", tags={"sheaf/cause": "release"}
        )
        for name in due
    ]
    waiting = (
        f"{', '.join(sorted(pending))} wait for the sources on their way" if pending else "the releases moved nothing"
    )
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=None if requests else waiting,
        dynamic_partitions_requests=[tenants.build_add_request(sorted(members))],
        cursor=json.dumps({"after": after, "pending": pending}),
    )


def partitions_of_runs(instance: dg.DagsterInstance, job: str, statuses: list[dg.DagsterRunStatus]) -> set[str]:
    """The partitions of a job's runs in some states."""
    runs = instance.get_runs(dg.RunsFilter(job_name=job, statuses=statuses))
    return {run.tags.get("dagster/partition", "") for run in runs}


def moved(record: dg.EventLogRecord) -> bool:
    """Whether a materialization of ``published_release`` moved the pointer."""
    materialization = record.asset_materialization
    value = materialization.metadata.get("moved") if materialization else None
    return value is None or bool(value.value)
