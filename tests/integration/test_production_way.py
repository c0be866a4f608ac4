"""The whole way on the production parts: MinIO, Postgres, Docker and Fuseki; same configs and counts as embedded."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3
from minio import Minio

from sheaf.demo import RunningSite, demo_configs, load_site, serve
from sheaf.demo.report import answer_table, sources_table, tenants_table
from sheaf.demo.way import Goal, Stack, external_stack, upload, wait_until_followed
from sheaf.settings import Settings
from sheaf.store import layout
from tests import parts
from tests.integration import servers

pytestmark = pytest.mark.part("minio", "postgres", "docker", "fuseki")
OFFSET = 20_700
FOLLOW_SECONDS = 400.0
API_KEY = "portainer-key-4711"


@dataclass
class Seen:
    """Each job container as the engine described it when it started."""

    containers: list[dict[str, Any]] = field(default_factory=list)

    def jobs(self) -> set[tuple[str, str]]:
        labels = [container["Config"]["Labels"] for container in self.containers]
        return {(label["sheaf.source"], label["sheaf.job"]) for label in labels}


@dataclass
class Way:
    """The whole way once, and what it was made of."""

    stack: Stack
    site: RunningSite
    goal: Goal
    postgres: parts.Postgres
    engine: parts.DockerEngine
    seen: Seen
    secrets: list[str]

    @property
    def bucket(self) -> str:
        return f"{self.stack.settings.minio_endpoint}/{self.stack.settings.minio_bucket}"


@contextmanager
def watching(engine: parts.DockerEngine, bucket: str) -> Iterator[Seen]:
    """Every container of this bucket's jobs, from the engine's own events."""
    client, seen = engine.client(), Seen()
    filters = {"type": "container", "event": "start", "label": f"sheaf.bucket={bucket}"}
    events = client.events(filters=filters, decode=True)

    def watch() -> None:
        with suppress(requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError):
            for event in events:
                seen.containers.append(client.api.inspect_container(event["id"]))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        events.close()
        thread.join(10)
        client.close()


@pytest.fixture(scope="module")
def way(docker_engine: parts.DockerEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    """All parts started, the demo's configs uploaded, and everything followed."""
    folder = tmp_path_factory.mktemp("production")
    with (
        pytest.MonkeyPatch.context() as environment,
        parts.minio(folder) as store,
        parts.postgres() as database,
        servers.fuseki(folder / "fuseki") as graph_url,
        serve(load_site("demo")) as site,
    ):
        for name, value in (store.environment() | database.environment()).items():
            environment.setenv(name, value)
        settings = Settings(
            data_dir=folder / "data",
            port_offset=OFFSET,
            graph_type="fuseki",
            graph_url=graph_url,
            launcher="docker",
            docker_url=docker_engine.url,
            portainer_apikey=API_KEY,
            job_image=docker_engine.image,
            job_network="host",
            job_memory_mb=1024,
        )
        bucket = f"{settings.minio_endpoint}/{settings.minio_bucket}"
        secrets = [store.access_key, store.secret_key, database.password, API_KEY]
        instance = parts.ROOT / "deployment" / "dagster.yaml"
        with watching(docker_engine, bucket) as seen, external_stack(settings, instance) as stack:
            goal = upload(stack, *demo_configs(site.url))
            wait_until_followed(stack, goal, FOLLOW_SECONDS, print)
            yield Way(stack, site, goal, database, docker_engine, seen, secrets)


def dumped(database: parts.Postgres) -> str:
    """All that Dagster keeps: runs with config and tags, events, ticks, cursors."""
    program = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_dump"))[-1]
    argv = [str(program), "-h", database.host, "-p", str(database.port), "-U", database.user, database.database]
    env = {**os.environ, "PGPASSWORD": database.password}
    done = subprocess.run(argv, env=env, capture_output=True, timeout=120, check=True)
    return done.stdout.decode(errors="replace")


def test_the_counts_per_source_and_per_tenant_are_those_of_the_embedded_stack(way: Way) -> None:
    assert sources_table(way.stack, way.site.site, way.goal, way.site.day)[1] == []
    assert tenants_table(way.stack, way.goal)[1] == []
    coastal = {graph.split(":")[3] for graph in way.stack.graphs.graphs("coastal") if ":data:" in graph}
    assert coastal == {"nitrogen", "brackish", "tidewatch"}
    assert answer_table(way.stack, way.goal.tenants.tenant[0].graph.summary_namespace).row_count > 0


def test_each_source_was_harvested_and_released_by_containers_of_the_job_image(way: Way) -> None:
    names = [source.name for source in way.goal.project.sources if source.active]
    assert way.seen.jobs() == {(name, job) for name in names for job in ("summon", "release")}
    assert {container["Image"] for container in way.seen.containers} == {way.engine.image_id}
    assert {container["HostConfig"]["NetworkMode"] for container in way.seen.containers} == {"host"}
    for container in way.seen.containers:
        job_id = container["Config"]["Labels"]["sheaf.job_id"]
        assert way.stack.store.stat(layout.job_result(job_id)) is not None, job_id


def test_each_jobs_log_is_kept_in_the_bucket(way: Way) -> None:
    logs = [info for info in way.stack.store.list(way.stack.settings.log_prefix) if info.size]
    for source, job in way.seen.jobs():
        assert [info.key for info in logs if f"sch_{source}_{job}_" in info.key], (source, job)


def test_nothing_of_the_jobs_is_left_in_the_engine(way: Way) -> None:
    client = way.engine.client()
    left = client.containers.list(all=True, ignore_removed=True, filters={"label": f"sheaf.bucket={way.bucket}"})
    client.close()
    assert left == []
    assert len(way.seen.containers) >= 2


def test_dagster_keeps_its_runs_in_postgres_and_no_file_of_sqlite(way: Way) -> None:
    text = dumped(way.postgres)
    for run in way.stack.dagster.runs():
        assert run.run_id in text
    assert "summon_and_release_job" in text
    assert list(Path(way.stack.settings.data_dir).rglob("*.db")) == []


def test_no_secret_stands_in_dagsters_database_the_engine_the_bucket_or_the_files(way: Way) -> None:
    settings, folder = way.stack.settings, Path(way.stack.settings.data_dir)
    bucket = Minio(settings.minio_endpoint, way.secrets[0], way.secrets[1], secure=False)
    keys = [str(item.object_name) for item in bucket.list_objects(settings.minio_bucket, recursive=True)]
    places = {"Dagster's database": dumped(way.postgres), "the containers": json.dumps(way.seen.containers)}
    places |= {key: way.stack.store.get(key).decode(errors="replace") for key in keys}
    files = [path for path in folder.rglob("*") if path.is_file()]
    places |= {str(path): path.read_bytes().decode(errors="replace") for path in files}
    assert any(key.startswith(settings.log_prefix) for key in keys)
    assert any(path.parent.name == "logs" for path in files)
    found = [place for place, text in places.items() if any(secret in text for secret in way.secrets)]
    assert found == []
