"""Config files: what loads, and how what does not is refused."""

from __future__ import annotations

import pytest

from sheaf.config import ConfigRefused, accept_sources, accept_tenants, load_sources, load_tenants, sources_in_force
from sheaf.errors import NotFound
from sheaf.settings import Settings
from sheaf.store import MemoryStore, layout

GOOD = b"""\
summoner: {mode: full, threads: 5, delay: }
sources:
- name: iris
  sourcetype: Sitemap
  active: 'true'
  url: https://example.org/sitemap.xml
"""
TENANTS = b"""\
tenant:
- community: all
  graph: {main_namespace: all, summary_namespace: all_summary}
  sources: [all, iris]
"""


def refused(text: bytes) -> ConfigRefused:
    with pytest.raises(ConfigRefused) as caught:
        load_sources(text)
    return caught.value


def test_strings_stand_for_booleans_and_a_missing_active_means_active() -> None:
    config = load_sources(
        b"sources:\n- {name: a, url: 'https://x.org/s', headless: 'false', active: 'false'}\n- {name: b, url: 'https://x.org/s'}\n"
    ).config
    assert [(source.name, source.active, source.headless) for source in config.sources] == [
        ("a", False, False),
        ("b", True, False),
    ]


def test_keys_are_case_insensitive_and_empty_values_mean_the_default() -> None:
    config = load_sources(b"Sources:\n- Name: a\n  URL: https://x.org/s\n  ApiPageLimit: '7'\n  Delay:\n").config
    assert (config.sources[0].apipagelimit, config.sources[0].delay) == (7, 0)


def test_unknown_keys_are_kept_and_warned_about_with_line_and_source() -> None:
    loaded = load_sources(GOOD + b"  backend: CKAN\n")
    assert [
        str(warning).startswith("gleanerconfig.yaml, line 7, column 12: source iris: the key 'backend'")
        for warning in loaded.warnings
    ] == [True]
    assert (loaded.config.sources[0].model_extra or {})["backend"] == "CKAN"


def test_a_file_that_is_no_yaml_is_refused_with_line_and_the_source_before_it() -> None:
    error = refused(b"sources:\n- name: iris\n  url: https://x.org/s\n name: neoncontext:\n")
    assert "gleanerconfig.yaml, line 4, column 2: at or after name: iris: this is no YAML" in str(error)


def test_a_missing_field_is_refused_with_line_source_and_an_example() -> None:
    assert "line 2, column 3: source iris: the field 'url' is missing. Add a line 'url: https://" in str(
        refused(b"sources:\n- name: iris\n")
    )


def test_a_repeated_name_is_refused_and_both_lines_are_named() -> None:
    error = refused(GOOD + b"- name: iris\n  url: https://x.org/other\n")
    assert "line 7, column 9: source iris: the name 'iris' is used in line 3 already" in str(error)


def test_a_repeated_key_is_refused_and_both_lines_are_named() -> None:
    assert "line 7, column 3: the key 'url' stands here and in line 6 already" in str(
        refused(GOOD + b"  url: https://b.org/\n")
    )


def test_a_typo_in_the_source_type_is_answered_with_the_near_names() -> None:
    error = refused(GOOD.replace(b"Sitemap", b"sitmap"))
    assert "source iris: sourcetype 'sitmap'" in str(error)
    assert "Did you mean sitemap" in str(error)


def test_every_error_of_a_file_is_reported_at_once() -> None:
    error = refused(
        b"sources:\n- {name: A b, url: 'https://x.org/s'}\n- {name: c, url: 'ftp://x.org/s', active: maybe}\n"
    )
    assert [problem.line for problem in error.problems] == [2, 3, 3]
    assert "use a_b" in str(error)


def test_a_secret_never_shows_in_a_refusal() -> None:
    error = refused(b"minio:\n  secretkey: hunter2: hunter2\nsources: []\n")
    assert "line 2" in str(error)
    assert "hunter2" not in str(error)


def test_latin_1_bytes_are_refused_with_their_line() -> None:
    assert "line 2, column 1: byte 0xe9 is not UTF-8" in str(refused("sources:\n- name: é\n".encode("latin-1")))


def test_the_cron_of_older_files_is_the_schedule() -> None:
    assert load_sources(GOOD + b'  cron: "0 6 * * 0"\n').config.sources[0].schedule == "0 6 * * 0"


def test_identifier_paths_are_tried_with_the_last_listed_first() -> None:
    config = load_sources(GOOD + b'  identifierpath: "$.a, $.b"\n').config
    assert config.sources[0].identifier_paths == ("$.b", "$.a")


def test_only_what_changes_a_harvest_changes_a_sources_fingerprint() -> None:
    before, schedule, url = (
        load_sources(text).config
        for text in (GOOD, GOOD + b"  schedule: '@daily'\n", GOOD.replace(b"sitemap.xml", b"s.xml"))
    )
    prints = [config.sources[0].fingerprint(config) for config in (before, schedule, url)]
    assert prints[0] == prints[1] != prints[2]


def test_all_and_a_name_in_one_list_is_one_source() -> None:
    tenant = load_tenants(TENANTS, ["iris"]).config.tenant[0]
    assert tenant.members(["iris", "bcodmo"]) == ["bcodmo", "iris"]


def test_excluded_sources_are_no_members() -> None:
    tenant = load_tenants(TENANTS + b"  exclude: [iris]\n", ["iris", "bcodmo"]).config.tenant[0]
    assert tenant.members(["iris", "bcodmo"]) == ["bcodmo"]


def test_an_unknown_source_of_a_tenant_is_refused_with_near_names() -> None:
    with pytest.raises(
        ConfigRefused, match=r"line 4, column 18: tenant all: there is no source 'irs'\. Did you mean iris\?"
    ):
        load_tenants(TENANTS.replace(b"[all, iris]", b"[all, irs]"), ["iris", "bcodmo"])


def test_two_tenants_may_not_share_a_namespace() -> None:
    second = TENANTS.split(b"\n", 1)[1].replace(b"community: all", b"community: other")
    with pytest.raises(ConfigRefused, match="tenant other: the namespace 'all' is used already"):
        load_tenants(TENANTS + second, ["iris"])


def test_an_accepted_config_is_kept_under_its_sha_and_a_refused_one_changes_nothing() -> None:
    store, settings = MemoryStore(), Settings()
    accepted = accept_sources(store, GOOD, settings)
    assert store.get(layout.config_history(accepted.sha256)) == GOOD
    keys = [info.key for info in store.list("")]
    with pytest.raises(ConfigRefused):
        accept_sources(store, b"sources: []\n", settings)
    assert [info.key for info in store.list("")] == keys
    assert sources_in_force(store, settings) == (accepted.config, accepted.sha256)


def test_accepting_the_same_config_twice_writes_nothing_the_second_time() -> None:
    store, settings = MemoryStore(), Settings()
    accept_sources(store, GOOD, settings)
    writes = store.puts
    accept_sources(store, GOOD, settings)
    assert store.puts == writes


def test_tenants_are_checked_against_the_sources_in_force() -> None:
    store, settings = MemoryStore(), Settings()
    accept_sources(store, GOOD, settings)
    with pytest.raises(ConfigRefused, match="there is no source 'bcodmo'"):
        accept_tenants(store, TENANTS.replace(b"all, iris", b"bcodmo"), settings)
    assert accept_tenants(store, TENANTS, settings).config.tenant[0].community == "all"


def test_nothing_in_force_says_what_to_upload() -> None:
    with pytest.raises(NotFound, match=r"upload scheduler/configs/gleanerconfig\.yaml"):
        sources_in_force(MemoryStore(), Settings())
