"""All definitions as a snapshot: an accidental change of a key, group, partition, schedule or sensor shows in review.

After a change on purpose: ``python -m tests.unit.test_definitions`` writes the snapshot anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from code_locations.ingest.definitions import defs

SNAPSHOT = Path(__file__).with_name("definitions.json")


def shape() -> dict[str, Any]:
    repository = defs().get_repository_def()
    graph = repository.asset_graph
    return {
        "assets": {
            node.key.to_user_string(): {
                "group": node.group_name,
                "partitions": getattr(node.partitions_def, "name", None),
                "after": sorted(key.to_user_string() for key in node.parent_keys),
                "kinds": sorted(node.kinds),
                "checks": sorted(key.name for key in node.check_keys),
            }
            for node in graph.asset_nodes
        },
        "jobs": sorted(name for name in repository.job_names if not name.startswith("__")),
        "sensors": {
            sensor.name: {
                "asks_for": sorted(target.job_name for target in sensor.targets),
                "every": sensor.minimum_interval_seconds,
                "status": sensor.default_status.value,
            }
            for sensor in repository.sensor_defs
        },
        "schedules": {
            schedule.name: {
                "asks_for": schedule.job_name,
                "cron": schedule.cron_schedule,
                "zone": schedule.execution_timezone,
                "status": schedule.default_status.value,
            }
            for schedule in repository.schedule_defs
        },
    }


def test_the_definitions_are_those_of_the_snapshot() -> None:
    assert shape() == json.loads(SNAPSHOT.read_text())


def test_the_names_operators_know_are_there() -> None:
    found = shape()
    assert {
        "sources_config_updated_job",
        "tenant_config_updated_job",
        "summon_and_release_job",
        "tenant_namespaces_job",
        "tenant_release_job",
    } <= set(found["jobs"])
    assert {
        "s3_config_source_sensor",
        "s3_config_tenant_sensor",
        "sources_sensor",
        "tenant_names_sensor",
        "release_file_sensor",
        "slack_on_run_failure",
    } <= set(found["sensors"])
    assert "sources_schedule" in found["schedules"]


def test_every_asset_is_described_for_a_newcomer() -> None:
    graph = defs().get_repository_def().asset_graph
    assert [node.key for node in graph.asset_nodes if len(node.description or "") < 40] == []


if __name__ == "__main__":
    SNAPSHOT.write_text(json.dumps(shape(), indent=1, sort_keys=True) + "\n")
