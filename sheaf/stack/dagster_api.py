"""Dagster's GraphQL, as far as people who script need it: runs, and what a sensor's last tick said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from sheaf.errors import SheafError, TemporaryFault

TIMEOUT_SECONDS = 30.0
ACTIVE = frozenset({"QUEUED", "NOT_STARTED", "STARTING", "STARTED", "CANCELING"})

RUNS = """
query Runs($limit: Int!) {
  runsOrError(limit: $limit) {
    __typename
    ... on Runs { results { runId jobName status tags { key value } startTime endTime } }
    ... on Error { message }
  }
}
"""
TICK = """
query Tick($selector: SensorSelector!) {
  sensorOrError(sensorSelector: $selector) {
    __typename
    ... on Sensor { sensorState { ticks(limit: 1) { status skipReason error { message } } } }
    ... on Error { message }
  }
}
"""
FAILURES = """
query Failures($run: ID!) {
  logsForRun(runId: $run) {
    __typename
    ... on EventConnection {
      events { __typename ... on ExecutionStepFailureEvent { stepKey failureMetadata { description }
               error { message cause { message } } } }
    }
  }
}
"""

NUMBERS = """
query Numbers($path: [String!]!, $partitions: [String!]) {
  assetOrError(assetKey: {path: $path}) {
    __typename
    ... on Asset { assetMaterializations(limit: 1, partitions: $partitions) { metadataEntries {
      label ... on IntMetadataEntry { intValue } ... on FloatMetadataEntry { floatValue } } } }
  }
}
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One run: ``partition`` is its source or tenant, times are epoch seconds."""

    run_id: str
    job: str
    status: str
    partition: str
    started: float | None
    ended: float | None

    @property
    def active(self) -> bool:
        """Whether it waits or works."""
        return self.status in ACTIVE


class DagsterApi:
    """A Dagster webserver at a base URL."""

    def __init__(self, url: str, location: str = "ingest") -> None:
        self._url = f"{url.rstrip('/')}/graphql"
        self._location = location
        self._client = httpx.Client(timeout=TIMEOUT_SECONDS)

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def runs(self, limit: int = 500) -> list[Run]:
        """The newest runs, newest first."""
        found = self._ask(RUNS, {"limit": limit})["runsOrError"]
        return [
            Run(
                run["runId"],
                run["jobName"],
                run["status"],
                next((tag["value"] for tag in run["tags"] if tag["key"] == "dagster/partition"), ""),
                run["startTime"],
                run["endTime"],
            )
            for run in found["results"]
        ]

    def last_tick(self, sensor: str) -> tuple[str, str]:
        """Status of a sensor's newest tick and what it said; empty when it never ticked."""
        selector = {
            "repositoryName": "__repository__",
            "repositoryLocationName": self._location,
            "sensorName": sensor,
        }
        ticks = self._ask(TICK, {"selector": selector})["sensorOrError"]["sensorState"]["ticks"]
        if not ticks:
            return "", ""
        error = (ticks[0]["error"] or {}).get("message", "")
        return str(ticks[0]["status"]), str(ticks[0]["skipReason"] or error)

    def failure(self, run_id: str) -> str:
        """What a failed run says of its first failed step."""
        for event in self._ask(FAILURES, {"run": run_id})["logsForRun"].get("events", []):
            if event["__typename"] == "ExecutionStepFailureEvent":
                said = (event["failureMetadata"] or {}).get("description")
                error = event["error"] or {}
                return f"{event['stepKey']}: {said or (error.get('cause') or error).get('message', '')}".strip()
        return "no step failed; the run's log says more"

    def numbers(self, asset: str, partition: str) -> dict[str, float]:
        """The numeric metadata of an asset's newest materialization for one partition; empty without any."""
        found = self._ask(NUMBERS, {"path": [asset], "partitions": [partition]})["assetOrError"]
        values: dict[str, float] = {}
        for event in found.get("assetMaterializations", []):
            for entry in event["metadataEntries"]:
                value = entry.get("intValue", entry.get("floatValue"))
                if value is not None:
                    values[entry["label"]] = float(value)
        return values

    def _ask(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        try:
            answer = self._client.post(self._url, json={"query": query, "variables": variables})
        except httpx.HTTPError as error:
            raise TemporaryFault(f"Dagster at {self._url} does not answer: {error!r}") from error
        if answer.status_code != 200:
            raise SheafError(f"Dagster at {self._url} answered {answer.status_code}: {answer.text[:300]}")
        document = answer.json()
        if document.get("errors"):
            raise SheafError(f"Dagster did not take the query: {document['errors'][0]['message']}")
        return dict(document["data"])
