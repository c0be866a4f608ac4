"""When is a part ready? A probe is given when the part was started (epoch seconds); it returns None when the part is
ready, and otherwise what it still waits for."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import httpx

Probe = Callable[[float], str | None]


@cache
def _client() -> httpx.Client:
    # One for all probes: making one costs more than asking, several times a second.
    return httpx.Client(timeout=10.0, trust_env=False, verify=False)  # noqa: S501  our own servers, on plain HTTP


_LOCATIONS = """
{ workspaceOrError { __typename
    ... on Workspace { locationEntries { name loadStatus
        locationOrLoadError { __typename ... on PythonError { message } } } }
    ... on PythonError { message } } }
"""
_DAEMONS = "{ instance { daemonHealth { allDaemonStatuses { daemonType required lastHeartbeatTime } } } }"


class PartFailed(Exception):
    """A part that answers, and says that it will not become ready."""


def answers_http(url: str, status: int | None = None) -> Probe:
    """Ready when the URL answers, with this status when one is given."""

    def probe(_: float) -> str | None:
        try:
            response = _client().get(url)
        except httpx.HTTPError as error:
            return f"{url} does not answer ({type(error).__name__})"
        if status is not None and response.status_code != status:
            return f"{url} answers {response.status_code}"
        return None

    return probe


def serves_grpc(port: int) -> Probe:
    """Ready when Dagster's gRPC health service on the port says it is serving."""
    # A Dagster code server is the only part that speaks gRPC, and grpc comes with Dagster: not for the job image.
    import grpc  # type: ignore[import-untyped]
    from grpc_health.v1 import health_pb2  # type: ignore[import-untyped]
    from grpc_health.v1.health_pb2_grpc import HealthStub  # type: ignore[import-untyped]

    def probe(_: float) -> str | None:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            try:
                reply = HealthStub(channel).Check(health_pb2.HealthCheckRequest(service="DagsterApi"), timeout=5)
            except grpc.RpcError as error:
                return f"the code server on port {port} answers {error.code().name}"
        serving = reply.status == health_pb2.HealthCheckResponse.SERVING
        return None if serving else f"the code server on port {port} is not serving yet"

    return probe


def _graphql(base: str, query: str) -> Any:
    response = _client().post(f"{base}/graphql", json={"query": query})
    response.raise_for_status()
    return response.json()["data"]


def serves_locations(base: str) -> Probe:
    """Ready when Dagster's webserver answers and has loaded every code location.

    The probe raises PartFailed with Dagster's own message when a location cannot be loaded.
    """
    alive = answers_http(f"{base}/server_info", 200)

    def probe(started: float) -> str | None:
        waiting = alive(started)
        if waiting:
            return waiting
        try:
            workspace = _graphql(base, _LOCATIONS)["workspaceOrError"]
        except (httpx.HTTPError, KeyError, TypeError, ValueError) as error:
            return f"{base}/graphql does not answer ({type(error).__name__})"
        if workspace["__typename"] != "Workspace":
            raise PartFailed(f"the workspace cannot be loaded: {workspace.get('message', workspace)}")
        for entry in workspace["locationEntries"]:
            loaded = entry["locationOrLoadError"]
            if entry["loadStatus"] != "LOADED" or loaded is None:
                return f"code location {entry['name']} is loading"
            if loaded["__typename"] == "PythonError":
                raise PartFailed(f"code location {entry['name']} cannot be loaded: {loaded['message'].strip()}")
        return None

    return probe


def daemons_beat(base: str) -> Probe:
    """Ready when every daemon that Dagster requires has given a sign of life since the start."""

    def probe(started: float) -> str | None:
        try:
            statuses = _graphql(base, _DAEMONS)["instance"]["daemonHealth"]["allDaemonStatuses"]
        except (httpx.HTTPError, KeyError, TypeError, ValueError) as error:
            return f"{base}/graphql does not answer ({type(error).__name__})"
        silent = [
            status["daemonType"]
            for status in statuses
            if status["required"] and (status["lastHeartbeatTime"] or 0) < started
        ]
        return f"no heartbeat yet of {', '.join(silent)}" if silent else None

    return probe
