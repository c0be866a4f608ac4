"""Jobs as containers of a real engine: what they are given, how they end, and that nothing of them stays."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import docker
import pytest
from pydantic import SecretStr

from code_locations.common.launchers import DockerLauncher, JobEnd, JobLog, JobSpec
from sheaf.errors import BadInput, TemporaryFault
from sheaf.settings import Settings
from tests.parts import ROOT, DockerEngine, nginx

pytestmark = pytest.mark.part("docker")
SECRET = 'it\'s ${HOME} a \\ "very" secret # key'
OTHERS = {"graph_token": "graph-token-4711", "slack_token": "slack-token-4711", "portainer_apikey": "portainer-4711"}
RUN = "0123456789abcdef"


@pytest.fixture
def settings(docker_engine: DockerEngine, tmp_path: Path) -> Settings:
    """Settings with a bucket of its own, so that tests see their own containers alone."""
    return Settings(
        docker_url=docker_engine.url,
        job_image=docker_engine.image,
        job_memory_mb=256,
        minio_bucket=tmp_path.name,
        minio_access_key="job-access-4711",
        minio_secret_key=SECRET,
        **OTHERS,
    )


@pytest.fixture
def client(docker_engine: DockerEngine) -> Iterator[docker.DockerClient]:
    connected = docker_engine.client()
    yield connected
    connected.close()


def launcher(settings: Settings, script: str) -> DockerLauncher:
    return DockerLauncher(settings, ("python3", "-u", "-c", script))


def spec(source: str = "iris", run_id: str = RUN, attempt: int = 0, deadline: int = 60) -> JobSpec:
    return JobSpec("summon", source, run_id, attempt, (), deadline)


def run(settings: Settings, script: str, deadline: int = 60) -> tuple[JobEnd, str]:
    """How the script ended as a job, and what it said."""
    log = JobLog(lambda line: None)
    try:
        end = launcher(settings, script).run(spec(deadline=deadline), log)
    finally:
        log.close()
        said = log.path.read_text()
        log.discard()
    return end, said


def containers(client: docker.DockerClient, settings: Settings) -> list[Any]:
    bucket = f"sheaf.bucket={settings.minio_endpoint}/{settings.minio_bucket}"
    return list(client.containers.list(all=True, ignore_removed=True, filters={"label": bucket}))


def until(what: Callable[[], object], seconds: float = 30) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.1)
    return bool(what())


def worker(settings: Settings, script: str, source: str = "iris", run_id: str = RUN) -> subprocess.Popen[bytes]:
    """A process that waits for a job in a container, as the worker of a run does."""
    program = (
        "from sheaf.settings import Settings\n"
        "from tests.integration.test_docker_launcher import JobLog, launcher, spec\n"
        f"launcher(Settings(), {script!r}).run(spec({source!r}, {run_id!r}), JobLog(print))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, **settings.environment()},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def works(client: docker.DockerClient, settings: Settings) -> bool:
    """Whether a job has said that it is at work."""
    return any(b"at work" in container.logs() for container in containers(client, settings))


AT_WORK = "import time; print('at work'); time.sleep(120)"


def test_a_job_runs_to_its_end_with_each_line_shown_as_it_comes_and_its_exit_code_kept(
    settings: Settings, client: docker.DockerClient
) -> None:
    lines: list[tuple[str, float]] = []
    log = JobLog(lambda line: lines.append((line, time.monotonic())))
    script = "import sys, time; print('one'); time.sleep(2); print('two', file=sys.stderr); raise SystemExit(3)"
    end = launcher(settings, script).run(spec(), log)
    log.close()
    assert (end.exit_code, end.end, [line for line, _ in lines]) == (3, "exited", ["one", "two"])
    assert lines[1][1] - lines[0][1] > 1
    assert log.path.read_text() == "one\ntwo\n"
    assert containers(client, settings) == []
    log.discard()


def test_a_failing_job_of_the_image_says_why_and_leaves_nothing(
    settings: Settings, client: docker.DockerClient
) -> None:
    log = JobLog(lambda line: None)
    unknown = JobSpec("summon", "iris", RUN, 0, ("--mode", "sideways"), 60)
    end = DockerLauncher(settings).run(unknown, log)
    log.close()
    assert (end.exit_code, end.end) == (2, "exited")
    assert "'sideways' is not one of 'full', 'diff'" in log.path.read_text()
    assert containers(client, settings) == []
    log.discard()


def test_a_job_past_its_deadline_is_ended_and_removed(settings: Settings, client: docker.DockerClient) -> None:
    end, said = run(settings, AT_WORK, deadline=3)
    assert (end.exit_code, end.end, end.detail) == (None, "deadline", "the job ran for 3 s")
    assert said == "at work\n"
    assert containers(client, settings) == []


def test_a_job_that_needs_more_than_its_memory_is_named_as_one(settings: Settings, client: docker.DockerClient) -> None:
    small = settings.model_copy(update={"job_memory_mb": 64})
    end, said = run(small, "kept = []\nwhile True: kept.append(bytearray(b'x' * 4_000_000)); print(len(kept))")
    assert (end.end, end.detail) == ("out_of_memory", "the job needed more than 64 MB")
    assert 1 <= len(said.splitlines()) < 16
    assert containers(client, settings) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_cancelled_worker_takes_its_container_along(
    settings: Settings, client: docker.DockerClient, number: signal.Signals
) -> None:
    program = (
        "from dagster._utils.interrupts import capture_interrupts, raise_interrupts_as\n"
        "from sheaf.settings import Settings\n"
        "from tests.integration.test_docker_launcher import AT_WORK, JobLog, launcher, spec\n"
        "with capture_interrupts(), raise_interrupts_as(KeyboardInterrupt):\n"
        "    launcher(Settings(), AT_WORK).run(spec(), JobLog(print))"
    )
    environment = {**os.environ, **settings.environment()}
    process = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, env=environment, stderr=subprocess.PIPE)
    assert until(lambda: works(client, settings))
    process.send_signal(number)
    said = process.communicate(timeout=60)[1].decode()
    assert "KeyboardInterrupt" in said
    assert containers(client, settings) == []


def test_a_killed_workers_container_stays_until_the_reaper_removes_those_of_finished_runs(
    settings: Settings, client: docker.DockerClient
) -> None:
    over, active = "aaaaaaaa-over", "bbbbbbbb-active"
    workers = [worker(settings, AT_WORK, "iris", over), worker(settings, AT_WORK, "rose", active)]
    names = ["sheaf-summon-iris-aaaaaaaa-0", "sheaf-summon-rose-bbbbbbbb-0"]
    try:
        assert until(lambda: len(containers(client, settings)) == 2)
    finally:
        for process in workers:
            process.kill()
            process.wait(timeout=10)
    ours = DockerLauncher(settings)
    assert sorted(container.name for container in containers(client, settings)) == names
    assert ours.reap(lambda run_id: run_id == over) == names[:1]
    assert [container.name for container in containers(client, settings)] == names[1:]
    assert ours.reap(lambda run_id: False) == []
    assert ours.reap(lambda run_id: True) == names[1:]
    assert containers(client, settings) == []


def test_projects_that_share_an_engine_do_not_reap_one_anothers_containers(
    settings: Settings, client: docker.DockerClient
) -> None:
    process = worker(settings, AT_WORK)
    stranger = DockerLauncher(settings.model_copy(update={"minio_bucket": "of-another-project"}))
    try:
        assert until(lambda: works(client, settings))
        assert stranger.reap(lambda run_id: True) == []
        assert process.poll() is None
        assert [container.status for container in containers(client, settings)] == ["running"]
    finally:
        process.kill()
        process.wait(timeout=10)
        DockerLauncher(settings).reap(lambda run_id: True)


def test_a_source_is_never_harvested_twice_at_once_after_a_kill(
    settings: Settings, client: docker.DockerClient
) -> None:
    process = worker(settings, AT_WORK, "iris", "aaaaaaaa-killed")
    assert until(lambda: works(client, settings))
    process.kill()
    process.wait(timeout=10)
    seen: list[str] = []
    script = "import time; print('second'); time.sleep(1)"

    def look(line: str) -> None:
        seen.extend(container.name for container in containers(client, settings))

    log = JobLog(look)
    end = launcher(settings, script).run(spec(run_id="bbbbbbbb-next"), log)
    log.close()
    log.discard()
    assert (end.exit_code, seen) == (0, ["sheaf-summon-iris-bbbbbbbb-0"])
    assert containers(client, settings) == []


def test_a_missing_image_is_named_with_the_command_that_builds_it(
    settings: Settings, client: docker.DockerClient
) -> None:
    absent = settings.model_copy(update={"job_image": "sheaf-job:never-built"})
    with pytest.raises(BadInput, match=r"no image sheaf-job:never-built\. Build it with 'make image'"):
        run(absent, "print()")
    assert containers(client, settings) == []


def test_an_engine_that_is_gone_is_a_fault_worth_another_try(settings: Settings, tmp_path: Path) -> None:
    gone = settings.model_copy(update={"docker_url": f"unix://{tmp_path / 'docker.sock'}"})
    with pytest.raises(TemporaryFault, match="does not answer"):
        run(gone, "print()")
    with pytest.raises(TemporaryFault, match="GLEANERIO_DOCKER_URL"):
        DockerLauncher(gone).reap(lambda run_id: True)


def portainer(folder: Path, engine: str, key: str) -> AbstractContextManager[str]:
    """A gate before the engine's socket that asks for Portainer's key, at Portainer's path."""
    return nginx(
        folder,
        f"location /api/endpoints/2/docker/ {{ if ($http_x_api_key != '{key}') {{ return 401; }}\n"
        f"proxy_pass http://{engine.replace('unix://', 'unix:')}:/; proxy_http_version 1.1; proxy_buffering off; }}\n"
        "location /away/ { return 502; }",
    )


@pytest.mark.part("nginx")
def test_jobs_run_through_portainer_with_its_key_and_not_without(
    settings: Settings, client: docker.DockerClient, tmp_path: Path
) -> None:
    with portainer(tmp_path, settings.docker_url, OTHERS["portainer_apikey"]) as url:
        through = settings.model_copy(update={"docker_url": f"{url}/api/endpoints/2/docker"})
        end, said = run(through, "print('by way of Portainer'); raise SystemExit(3)")
        without = through.model_copy(update={"portainer_apikey": SecretStr("wrong")})
        with pytest.raises(BadInput, match="refused: 401"):
            run(without, "print()")
        with pytest.raises(TemporaryFault, match="502"):
            run(settings.model_copy(update={"docker_url": f"{url}/away"}), "print()")
    assert (end.exit_code, said) == (3, "by way of Portainer\n")
    assert containers(client, settings) == []


@pytest.mark.part("nginx")
def test_a_job_whose_engine_goes_away_is_a_fault_worth_another_try_which_removes_what_was_left(
    settings: Settings, client: docker.DockerClient, tmp_path: Path
) -> None:
    log = JobLog(lambda line: None)
    with ThreadPoolExecutor(1) as pool:
        with portainer(tmp_path, settings.docker_url, OTHERS["portainer_apikey"]) as url:
            away = settings.model_copy(update={"docker_url": f"{url}/api/endpoints/2/docker"})
            waiting = pool.submit(launcher(away, AT_WORK).run, spec(), log)
            assert until(lambda: works(client, settings))
        with pytest.raises(TemporaryFault, match="does not answer"):
            waiting.result(timeout=60)
    log.close()
    log.discard()
    assert [container.status for container in containers(client, settings)] == ["running"]
    log = JobLog(lambda line: None)
    end = launcher(settings, "print('again')").run(spec(attempt=1), log)
    log.close()
    log.discard()
    assert (end.exit_code, log.tail) == (0, "again")
    assert containers(client, settings) == []


def test_a_job_reads_its_secrets_which_show_nowhere_in_the_engine(
    settings: Settings, client: docker.DockerClient
) -> None:
    script = (
        "import hashlib, time; from sheaf.settings import Settings; s = Settings.load()\n"
        "print(hashlib.sha256(s.minio_secret_key.get_secret_value().encode()).hexdigest(), s.minio_bucket)\n"
        "print([s.graph_token.get_secret_value(), s.slack_token.get_secret_value()]); time.sleep(3)"
    )
    shown: list[str] = []

    def look() -> None:
        until(lambda: containers(client, settings))
        for container in containers(client, settings):
            container.reload()
            shown.append(json.dumps(container.attrs))

    looking = threading.Thread(target=look)
    looking.start()
    _, said = run(settings, script)
    looking.join()
    digest = hashlib.sha256(SECRET.encode()).hexdigest()
    assert said.splitlines() == [f"{digest} {settings.minio_bucket}", "['', '']"]
    image = client.images.get(settings.job_image)
    everything = json.dumps([shown, image.attrs, image.history()])
    assert len(shown) == 1
    assert "GLEANERIO_MINIO_BUCKET" in everything
    assert [word for word in ("secret # key", "job-access-4711", "-4711") if word in everything] == []


def test_a_job_is_an_ordinary_user_without_capabilities_or_compiler(settings: Settings) -> None:
    script = (
        "import os, pathlib, shutil, stat\n"
        "status = dict(l.split(':\\t', 1) for l in pathlib.Path('/proc/self/status').read_text().splitlines())\n"
        "print(os.getuid(), os.getgid(), status['CapEff'], status['CapBnd'], status['NoNewPrivs'])\n"
        "print([name for name in ('cc', 'gcc', 'g++', 'clang', 'rustc', 'go', 'make') if shutil.which(name)])\n"
        "file = os.stat(os.environ['GLEANERIO_SECRETS_FILE']); print(oct(stat.S_IMODE(file.st_mode)), file.st_uid)\n"
        "print(pathlib.Path('/var/run/docker.sock').exists())"
    )
    end, said = run(settings, script)
    assert end.exit_code == 0
    nothing = "0" * 16
    assert said.splitlines() == [f"10001 10001 {nothing} {nothing} 1", "[]", "0o400 10001", "False"]


def test_jobs_of_two_runs_work_side_by_side(settings: Settings, client: docker.DockerClient) -> None:
    ends: dict[str, tuple[int | None, str]] = {}
    both = threading.Barrier(2, timeout=30)

    def one(source: str, run_id: str, code: int) -> None:
        # The barrier breaks unless both jobs speak while the other one works.
        log = JobLog(lambda line: both.wait() and None)
        end = launcher(settings, f"import time; print('at work'); time.sleep(1); raise SystemExit({code})").run(
            spec(source, run_id), log
        )
        log.close()
        ends[source] = (end.exit_code, log.tail)
        log.discard()

    threads = [
        threading.Thread(target=one, args=("iris", "aaaaaaaa-1", 0)),
        threading.Thread(target=one, args=("rose", "bbbbbbbb-2", 3)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert ends == {"iris": (0, "at work"), "rose": (3, "at work")}
    assert not both.broken
    assert containers(client, settings) == []
