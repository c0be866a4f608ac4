"""An upload is validated, put in force, and followed by partitions and harvests of what is new or changed."""

from __future__ import annotations

import json
from collections.abc import Mapping

import dagster as dg

from code_locations.common.partitions import sources
from code_locations.common.platform import PlatformParam, cursor_of
from code_locations.common.uploads import look_at_upload
from code_locations.ingest.harvest.jobs import summon_and_release_job
from code_locations.ingest.sources.assets import sources_config
from code_locations.ingest.sources.jobs import sources_config_updated_job
from sheaf.config import Source, load_sources

MOST_RUNS_A_TICK = 100


@dg.sensor(job=sources_config_updated_job, default_status=dg.DefaultSensorStatus.RUNNING, minimum_interval_seconds=5)
def s3_config_source_sensor(context: dg.SensorEvaluationContext, platform: PlatformParam) -> dg.SensorResult:
    """Sees a new `gleanerconfig.yaml` in S3. A bad one is refused with file, line and fix, and changes nothing."""
    name = platform.settings.sources_filename
    return look_at_upload(context, platform, "sources", sources_config.key, lambda text: load_sources(text, name))


def due_sources(active: Mapping[str, Source], prints: Mapping[str, str], seen: Mapping[str, str]) -> list[str]:
    """Names of active sources that are new, came back, or whose settings changed since they were last asked for."""
    return sorted(name for name in active if seen.get(name) != prints[name])


@dg.sensor(job=summon_and_release_job, default_status=dg.DefaultSensorStatus.RUNNING, minimum_interval_seconds=5)
def sources_sensor(context: dg.SensorEvaluationContext, platform: PlatformParam) -> dg.SensorResult:
    """Lets the partitions follow the sources in force, and harvests each source that is new, back, or changed."""
    found = platform.project()
    if found is None:
        return dg.SensorResult(skip_reason="no sources are in force yet")
    project, sha = found
    cursor = cursor_of(context)
    if cursor.get("sha") == sha:
        return dg.SensorResult(skip_reason=f"the sources in force are unchanged ({sha[:12]})")
    active = {source.name: source for source in project.sources if source.active}
    prints = {name: source.fingerprint(project) for name, source in active.items()}
    seen = {name: value for name, value in cursor.get("asked", {}).items() if name in active}
    due = due_sources(active, prints, seen)
    now = due[:MOST_RUNS_A_TICK]
    # The count of configs seen makes the key new when a source comes back with its old settings.
    generation = int(cursor.get("generation", 0)) + (cursor.get("at") != sha)
    requests = [
        dg.RunRequest(
            partition_key=name,
            run_key=f"{name}:{prints[name]}:{generation}",
            tags={"sheaf/host": active[name].host, "sheaf/cause": "config"},
        )
        for name in now
    ]
    done = len(now) == len(due)
    new_cursor = {
        "sha": sha if done else "",
        "at": sha,
        "generation": generation,
        "asked": {**seen, **{name: prints[name] for name in now}},
    }
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=None if requests else f"no source changed in {sha[:12]}",
        dynamic_partitions_requests=[sources.build_add_request(sorted(active))],
        cursor=json.dumps(new_cursor),
    )
