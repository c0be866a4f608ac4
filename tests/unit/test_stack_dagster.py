"""Dagster's instance: both YAML files are accepted, agree with one another, and dead runs are closed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import yaml

from code_locations.common.dead_runs import close_dead_runs

ROOT = Path(__file__).parents[2]


def test_the_embedded_instance_has_our_limits(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        queue = instance.get_concurrency_config().run_queue_config
        assert queue is not None
        assert queue.max_concurrent_runs == 4
        limits = {limit["key"]: (limit["value"], limit["limit"]) for limit in queue.tag_concurrency_limits or []}
        each = {"applyLimitPerUniqueValue": True}
        assert limits == {"dagster/partition": (each, 1), "sheaf/host": (each, 2)}
        assert instance.run_monitoring_enabled
        assert instance.run_retries_enabled
        assert not instance.run_retries_retry_on_asset_or_op_failure
        assert not instance.telemetry_enabled


def test_production_differs_from_embedded_in_the_storage_and_the_number_of_runs_only() -> None:
    embedded = yaml.safe_load((ROOT / "dagster.yaml").read_text())
    production = yaml.safe_load((ROOT / "deployment" / "dagster.yaml").read_text())
    storage = production.pop("storage")["postgres"]["postgres_db"]
    assert storage["scheme"] == "postgresql+psycopg2"
    assert production["concurrency"]["runs"].pop("max_concurrent_runs") == 8
    assert embedded["concurrency"]["runs"].pop("max_concurrent_runs") == 4
    assert production == embedded


@dg.op
def nothing() -> None:
    """An op that does nothing."""


@dg.job
def idle() -> None:
    """A job of it."""
    nothing()


def test_runs_under_way_are_closed_and_others_are_left_alone() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        runs = {
            status: instance.create_run_for_job(idle, status=status).run_id
            for status in (
                dg.DagsterRunStatus.STARTED,
                dg.DagsterRunStatus.STARTING,
                dg.DagsterRunStatus.CANCELING,
                dg.DagsterRunStatus.NOT_STARTED,
                dg.DagsterRunStatus.SUCCESS,
            )
        }

        def status_of(status: dg.DagsterRunStatus) -> dg.DagsterRunStatus:
            run = instance.get_run_by_id(runs[status])
            assert run is not None
            return run.status

        assert close_dead_runs(instance, before=datetime.now(UTC) - timedelta(hours=1)) == []
        assert len(close_dead_runs(instance)) == 3
        assert status_of(dg.DagsterRunStatus.STARTED) is dg.DagsterRunStatus.FAILURE
        assert status_of(dg.DagsterRunStatus.STARTING) is dg.DagsterRunStatus.FAILURE
        assert status_of(dg.DagsterRunStatus.CANCELING) is dg.DagsterRunStatus.CANCELED
        assert status_of(dg.DagsterRunStatus.NOT_STARTED) is dg.DagsterRunStatus.NOT_STARTED
        assert status_of(dg.DagsterRunStatus.SUCCESS) is dg.DagsterRunStatus.SUCCESS
        assert close_dead_runs(instance) == []
