"""What people are told when a run fails, against a stand-in of Slack's API."""

from __future__ import annotations

import json
import logging
import threading
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import dagster as dg
import pytest

from code_locations.common.failures import slack_on_run_failure
from code_locations.common.notifications import notify
from code_locations.common.platform import Platform
from sheaf.settings import Settings
from sheaf.store import MemoryStore

LOG = logging.getLogger("test")


class Slack(ThreadingHTTPServer):
    """Takes ``chat.postMessage``; ``answer`` is what it says."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.posts: list[dict[str, str]] = []
        self.answer: dict[str, object] = {"ok": True}

    @property
    def settings(self) -> Settings:
        url = f"http://127.0.0.1:{self.server_address[1]}/api/"
        return Settings(slack_api_url=url, slack_channel="#harvests", slack_token="xoxb-secret")


class Handler(BaseHTTPRequestHandler):
    server: Slack

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = json.loads(body) if body.startswith("{") else dict(urllib.parse.parse_qsl(body))
        self.server.posts.append({"path": self.path, "token": self.headers["Authorization"], **form})
        answer = json.dumps(self.server.answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def slack() -> Iterator[Slack]:
    with Slack() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_a_message_reaches_the_channel(slack: Slack) -> None:
    assert notify(slack.settings, "hello", LOG)
    assert slack.posts[0]["path"] == "/api/chat.postMessage"
    assert (slack.posts[0]["channel"], slack.posts[0]["text"]) == ("#harvests", "hello")


def test_a_refusal_of_slack_fails_nothing(slack: Slack) -> None:
    slack.answer = {"ok": False, "error": "channel_not_found"}
    assert not notify(slack.settings, "hello", LOG)


def test_slack_being_down_fails_nothing() -> None:
    settings = Settings(slack_api_url="http://127.0.0.1:9/api/", slack_channel="#harvests", slack_token="xoxb-secret")
    assert not notify(settings, "hello", LOG)


def test_without_a_channel_nothing_is_sent(slack: Slack) -> None:
    assert not notify(slack.settings.model_copy(update={"slack_channel": ""}), "hello", LOG)
    assert slack.posts == []


def test_a_failed_run_tells_subject_step_reason_and_link(slack: Slack) -> None:
    @dg.op
    def summoned() -> None:
        raise dg.Failure("http_503: 20 of the first 20 pages failed", allow_retries=False)

    @dg.job
    def summon_and_release_job() -> None:
        summoned()

    with dg.DagsterInstance.ephemeral() as instance:
        tags = {"dagster/partition": "iris"}
        result = summon_and_release_job.execute_in_process(instance=instance, raise_on_error=False, tags=tags)
        context = dg.build_run_status_sensor_context(
            sensor_name="slack_on_run_failure",
            dagster_instance=instance,
            dagster_run=result.dagster_run,
            dagster_event=result.get_run_failure_event(),
        ).for_run_failure()
        slack_on_run_failure(context, platform=Platform(settings=slack.settings, store=MemoryStore()))
    text = slack.posts[0]["text"]
    assert "*iris (demo)* failed in `summoned`" in text
    assert "http_503: 20 of the first 20 pages failed" in text
    assert f"/runs/{result.run_id}|Look at the run>" in text
