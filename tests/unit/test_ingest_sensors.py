"""What each sensor asks for, and when it leaves things alone."""

from __future__ import annotations

import json
from collections.abc import Iterator

import dagster as dg
import pytest

from code_locations.common.platform import Platform
from code_locations.ingest.release.assets import published_release
from code_locations.ingest.sources.sensors import s3_config_source_sensor, sources_sensor
from code_locations.ingest.tenants.sensors import (
    due_tenants,
    release_file_sensor,
    s3_config_tenant_sensor,
    tenant_names_sensor,
    tenants_concerned,
)
from sheaf.config import accept_sources, accept_tenants
from sheaf.settings import Settings
from sheaf.store import MemoryStore, layout

SOURCES = """\
sources:
- {name: nitrogen, url: https://a.example.org/sitemap.xml}
- {name: nitrogen2, url: https://a.example.org/sitemap2.xml}
"""
TENANTS = """\
tenant:
- {community: all, graph: {main_namespace: all, summary_namespace: all_s}, sources: [all]}
- {community: one, graph: {main_namespace: one, summary_namespace: one_s}, sources: [nitrogen]}
"""


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def platform() -> Platform:
    return Platform(settings=Settings(), store=MemoryStore())


def put(platform: Platform, kind: str, text: str) -> None:
    platform.store.put(platform.upload_key(kind), text.encode(), "application/yaml")


def tick(
    sensor: dg.SensorDefinition, instance: dg.DagsterInstance, platform: Platform, before: dg.SensorResult | None = None
) -> dg.SensorResult:
    context = dg.build_sensor_context(instance=instance, cursor=before.cursor if before else None)
    result = sensor(context, platform=platform)
    assert isinstance(result, dg.SensorResult)
    if result.cursor is None and before is not None:
        result = result._replace(cursor=before.cursor)
    return result


def keys(result: dg.SensorResult) -> list[str]:
    return [str(request.partition_key) for request in result.run_requests or []]


def reason(result: dg.SensorResult) -> str:
    return result.skip_reason.skip_message or "" if result.skip_reason else ""


def accept(platform: Platform, sources: str = SOURCES, tenants: str = TENANTS) -> None:
    accept_sources(platform.store, sources.encode(), platform.settings)
    accept_tenants(platform.store, tenants.encode(), platform.settings)


def test_without_an_upload_the_tick_says_where_to_put_it(instance: dg.DagsterInstance, platform: Platform) -> None:
    assert "scheduler/configs/gleanerconfig.yaml" in reason(tick(s3_config_source_sensor, instance, platform))


def test_an_upload_asks_for_the_config_job_once(instance: dg.DagsterInstance, platform: Platform) -> None:
    put(platform, "sources", SOURCES)
    first = tick(s3_config_source_sensor, instance, platform)
    second = tick(s3_config_source_sensor, instance, platform, first)
    assert len(first.run_requests or []) == 1
    assert not second.run_requests
    assert "being put in force" in reason(second)


def test_a_config_run_that_never_came_through_is_asked_for_again(
    instance: dg.DagsterInstance, platform: Platform
) -> None:
    put(platform, "sources", SOURCES)
    first = tick(s3_config_source_sensor, instance, platform)
    assert first.cursor is not None
    assert first.run_requests is not None
    older = first._replace(cursor=json.dumps({**json.loads(first.cursor), "asked_at": 0}))
    again = tick(s3_config_source_sensor, instance, platform, older)
    assert again.run_requests is not None
    assert again.run_requests[0].run_key != first.run_requests[0].run_key


def test_a_bad_upload_is_refused_in_the_tick_and_fails_the_configs_check(
    instance: dg.DagsterInstance, platform: Platform
) -> None:
    put(platform, "sources", SOURCES.replace("name: nitrogen2", "name: nitrogen"))
    result = tick(s3_config_source_sensor, instance, platform)
    assert not result.run_requests
    assert "line 3" in reason(result)
    assert "the name 'nitrogen' is used in line 2 already" in reason(result)
    assert [event.passed for event in result.asset_events if isinstance(event, dg.AssetCheckEvaluation)] == [False]
    assert reason(tick(s3_config_source_sensor, instance, platform, result)) == reason(result)


def test_tenants_wait_for_sources_and_are_looked_at_again_when_the_sources_change(
    instance: dg.DagsterInstance, platform: Platform
) -> None:
    put(platform, "tenants", TENANTS.replace("[nitrogen]", "[argon]"))
    waiting = tick(s3_config_tenant_sensor, instance, platform)
    assert "wait for the sources" in reason(waiting)
    accept_sources(platform.store, SOURCES.encode(), platform.settings)
    refused = tick(s3_config_tenant_sensor, instance, platform, waiting)
    assert "there is no source 'argon'" in reason(refused)
    more = SOURCES + "- {name: argon, url: https://b.example.org/sitemap.xml}\n"
    accept_sources(platform.store, more.encode(), platform.settings)
    assert len(tick(s3_config_tenant_sensor, instance, platform, refused).run_requests or []) == 1


def test_new_sources_become_partitions_and_are_harvested(instance: dg.DagsterInstance, platform: Platform) -> None:
    accept(platform)
    result = tick(sources_sensor, instance, platform)
    assert keys(result) == ["nitrogen", "nitrogen2"]
    assert [list(request.partition_keys) for request in result.dynamic_partitions_requests or []] == [
        ["nitrogen", "nitrogen2"]
    ]
    assert keys(tick(sources_sensor, instance, platform, result)) == []


def test_only_the_source_whose_settings_changed_is_harvested_again(
    instance: dg.DagsterInstance, platform: Platform
) -> None:
    accept(platform)
    before = tick(sources_sensor, instance, platform)
    accept(platform, SOURCES.replace("sitemap2.xml", "sitemap3.xml"))
    assert keys(tick(sources_sensor, instance, platform, before)) == ["nitrogen2"]


def test_a_source_that_comes_back_is_harvested_again_under_a_new_run_key(
    instance: dg.DagsterInstance, platform: Platform
) -> None:
    accept(platform)
    first = tick(sources_sensor, instance, platform)
    tenants = TENANTS.replace("[nitrogen]", "[nitrogen2]")
    accept(platform, SOURCES.replace("- {name: nitrogen,", "- {active: false, name: nitrogen,"), tenants)
    without = tick(sources_sensor, instance, platform, first)
    accept(platform)
    back = tick(sources_sensor, instance, platform, without)
    assert (keys(without), keys(back)) == ([], ["nitrogen"])
    assert first.run_requests is not None
    assert back.run_requests is not None
    assert back.run_requests[0].run_key not in {request.run_key for request in first.run_requests}


def test_a_sources_host_is_a_run_tag_so_that_hosts_can_be_limited(
    instance: dg.DagsterInstance, platform: Platform
) -> None:
    accept(platform)
    requests = tick(sources_sensor, instance, platform).run_requests or []
    assert {request.tags["sheaf/host"] for request in requests} == {"a.example.org"}


def test_a_changed_list_asks_for_that_tenant_alone(instance: dg.DagsterInstance, platform: Platform) -> None:
    accept(platform)
    publish(platform, "nitrogen")
    first = tick(tenant_names_sensor, instance, platform)
    assert keys(first) == ["all", "one"]
    accept(platform, tenants=TENANTS.replace("[nitrogen]", "[nitrogen2]"))
    second = tick(tenant_names_sensor, instance, platform, first)
    assert keys(second) == ["one"]
    assert keys(tick(tenant_names_sensor, instance, platform, second)) == []


def test_a_new_source_asks_for_the_tenants_that_take_all(instance: dg.DagsterInstance, platform: Platform) -> None:
    accept(platform)
    first = tick(tenant_names_sensor, instance, platform)
    accept(platform, SOURCES + "- {name: argon, url: https://b.example.org/sitemap.xml}\n")
    assert keys(tick(tenant_names_sensor, instance, platform, first)) == ["all"]


def publish(platform: Platform, source: str) -> None:
    platform.store.put(layout.latest_pointer(source), b"{}")


def test_a_new_tenant_without_any_release_waits_for_the_first_one(
    instance: dg.DagsterInstance, platform: Platform
) -> None:
    accept(platform)
    first = tick(tenant_names_sensor, instance, platform)
    assert keys(first) == []
    assert "wait for their first release" in reason(first)


def report(instance: dg.DagsterInstance, source: str, moved: int) -> None:
    instance.report_runless_asset_event(
        dg.AssetMaterialization(published_release.key, partition=source, metadata={"moved": moved})
    )


def test_a_release_asks_for_the_tenants_concerned_once_however_many_moved(
    instance: dg.DagsterInstance, platform: Platform
) -> None:
    accept(platform)
    report(instance, "nitrogen2", 1)
    first = tick(release_file_sensor, instance, platform)
    assert keys(first) == ["all"]
    report(instance, "nitrogen", 1)
    report(instance, "nitrogen2", 1)
    second = tick(release_file_sensor, instance, platform, first)
    assert keys(second) == ["all", "one"]
    assert keys(tick(release_file_sensor, instance, platform, second)) == []


def test_a_release_that_moved_nothing_asks_for_nobody(instance: dg.DagsterInstance, platform: Platform) -> None:
    accept(platform)
    report(instance, "nitrogen", 0)
    result = tick(release_file_sensor, instance, platform)
    assert keys(result) == []
    assert "moved nothing" in reason(result)


def test_a_tenant_waits_for_its_other_sources_on_their_way_but_a_minute_at_most() -> None:
    members, pending = {"all": ["a", "b"], "one": ["a"]}, {"all": 1_000.0, "one": 1_000.0}
    assert due_tenants(pending, members, [], {"b"}, 1_005.0) == ["one"]
    assert due_tenants(pending, members, [], {"b"}, 1_061.0) == ["all", "one"]


def test_a_tenant_whose_run_is_at_work_is_asked_for_after_it() -> None:
    members, pending = {"one": ["a"]}, {"one": 1_000.0}
    assert due_tenants(pending, members, ["one"], set(), 1_100.0) == []
    assert due_tenants(pending, members, [], set(), 1_100.0) == ["one"]


def test_tenants_concerned_are_those_that_have_the_source() -> None:
    assert tenants_concerned(["a"], {"all": ["a", "b"], "one": ["a"], "other": ["aa"]}) == ["all", "one"]


def test_the_keys_the_sensors_watch_are_those_of_the_layout(platform: Platform) -> None:
    assert platform.upload_key("sources") == layout.sources_config()
    assert platform.upload_key("tenants") == layout.tenants_config()
