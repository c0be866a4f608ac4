"""robots.txt by RFC 9309, and what the field notes say of real ones."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sheaf.harvest.robots import ALLOW_ALL, MAX_ROBOTS_BYTES, Robots, _path_of, judge_robots, parse_robots


def robots(text: str) -> Robots:
    return parse_robots(text.encode())


def for_all(*lines: str) -> Robots:
    return robots("User-agent: *\n" + "\n".join(lines))


def test_rules_apply_to_the_path_and_not_to_the_whole_url() -> None:
    rules = for_all("Disallow: /private/")
    assert not rules.allowed("https://h.example/private/x")
    assert not rules.allowed("/private/x")
    assert rules.allowed("https://h.example/public/private/x")
    assert rules.allowed("https://private.example/")
    assert rules.allowed("https://h.example/x?u=/private/")


def test_an_empty_or_missing_file_allows_everything() -> None:
    assert robots("").allowed("/x")
    assert for_all("Disallow:").allowed("/x")
    assert robots("\n\n# nothing\n").allowed("/x")


def test_a_group_for_our_product_token_wins_over_the_one_for_all() -> None:
    rules = robots("User-agent: *\nDisallow: /\n\nUser-Agent: earthcube_databot\nDisallow: /no\n")
    assert rules.allowed("/yes")
    assert not rules.allowed("/no")


@pytest.mark.parametrize("name", ["EarthCube_DataBot", "EARTHCUBE_DATABOT/1.0", "EarthCube_DataBot (+https://x)"])
def test_the_product_token_is_matched_without_case_or_version(name: str) -> None:
    assert not robots(f"User-agent: {name}\nDisallow: /").allowed("/x")


@pytest.mark.parametrize("name", ["EarthCube_DataBotX", "EarthCube", "Googlebot", "*bot", ""])
def test_another_product_s_group_does_not_concern_us(name: str) -> None:
    assert robots(f"User-agent: {name}\nDisallow: /").allowed("/x")


def test_groups_of_the_same_token_are_merged() -> None:
    rules = robots("User-agent: *\nDisallow: /a\n\nUser-agent: b\nDisallow: /b\n\nUser-agent: *\nDisallow: /c")
    assert [rules.allowed(path) for path in ("/a", "/b", "/c")] == [False, True, False]


def test_several_user_agents_share_one_group_of_rules() -> None:
    rules = robots("User-agent: x\nUser-agent: EarthCube_DataBot\nUser-agent: y\nDisallow: /a\n")
    assert not rules.allowed("/a")


def test_the_longest_match_wins_and_allow_wins_a_tie() -> None:
    rules = for_all("Disallow: /a", "Allow: /a/b", "Disallow: /a/b/c", "Disallow: /t", "Allow: /t")
    assert [rules.allowed(path) for path in ("/a/x", "/a/b/x", "/a/b/c", "/t")] == [False, True, False, True]


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("/*.pdf$", "/a/b.pdf", True),
        ("/*.pdf$", "/a/b.pdf?x", False),
        ("/*.pdf", "/a/b.pdf?x", True),
        ("/a$", "/a", True),
        ("/a$", "/ab", False),
        ("*/x", "/a/x/b", True),
        ("/a*b*c", "/a-b-c-d", True),
        ("/a*b*c$", "/a-b-c-d", False),
        ("/a*b*c$", "/a-c-b-c", True),
        ("/a*a$", "/a", False),
        ("/a**b", "/axxb", True),
        ("/$", "/", True),
        ("/$", "/a", False),
        ("/a$b", "/a$bc", True),
        ("/a%24", "/a$", True),
        ("/a%2A", "/a*b", True),
        ("/a%2A", "/axb", False),
        ("/fish*", "/fish.html", True),
        ("/Fish", "/fish", False),
    ],
)
def test_wildcards_and_anchors(pattern: str, path: str, matches: bool) -> None:
    assert for_all(f"Disallow: {pattern}").allowed(path) is not matches


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("/foo/bar?baz=quz", "/foo/bar?baz=quz", True),
        ("/foo/bar?baz=https://foo.bar", "/foo/bar?baz=https%3A%2F%2Ffoo.bar", True),
        ("/foo/bar/\u30c4", "/foo/bar/%E3%83%84", True),
        ("/foo/bar/%e3%83%84", "/foo/bar/\u30c4", True),
        ("/foo/bar/%62%61%7A", "/foo/bar/baz", True),
        ("/a%2fb", "/a/b", False),
        ("/a%2fb", "/a%2Fb", True),
        ("/a b", "/a%20b", True),
        ("/a%3cd", "/a%3Cd", True),
    ],
)
def test_percent_encoding_is_normalised_before_matching_as_in_the_rfc_s_table(
    pattern: str, path: str, matches: bool
) -> None:
    assert for_all(f"Disallow: {pattern}").allowed(f"https://h.example{path}") is not matches


def test_robots_txt_itself_is_always_allowed() -> None:
    assert for_all("Disallow: /").allowed("https://h.example/robots.txt")
    assert not for_all("Disallow: /").allowed("https://h.example/")
    assert not for_all("Disallow: /").allowed("https://h.example")


@pytest.mark.parametrize(
    ("line", "seconds"),
    [("Crawl-delay: 10", 10.0), ("crawl-delay:0.5", 0.5), ("Crawl-Delay: 3s", 3.0), ("Crawl-delay: .25 # x", 0.25)],
)
def test_crawl_delay_10_and_fractions_are_read(line: str, seconds: float) -> None:
    assert for_all(line, "Disallow: /x").crawl_delay == seconds


def test_crawl_delay_is_cut_at_the_source_s_cap_only_when_it_is_asked_for() -> None:
    rules = for_all("Crawl-delay: 10")
    assert (rules.crawl_delay, rules.delay(5.0), rules.delay(60.0)) == (10.0, 5.0, 10.0)
    assert for_all("Disallow: /x").crawl_delay is None
    assert ALLOW_ALL.delay(5.0) == 0.0


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "soon", ""])
def test_a_crawl_delay_that_is_no_number_is_ignored_and_noted(value: str) -> None:
    rules = for_all(f"Crawl-delay: {value}")
    assert rules.crawl_delay is None
    assert len(rules.notes) == 1


def test_the_crawl_delay_of_another_product_does_not_concern_us() -> None:
    rules = robots("User-agent: slow\nCrawl-delay: 30\n\nUser-agent: *\nDisallow: /x")
    assert rules.crawl_delay is None


def test_disallow_before_user_agent_is_ignored_and_noted_and_the_rest_counts() -> None:
    rules = robots("Disallow: /a\nUser-agent: *\nDisallow: /b\n")
    assert rules.allowed("/a")
    assert not rules.allowed("/b")
    assert "before the first User-agent" in rules.notes[0]


@pytest.mark.parametrize(
    "body", [b"<!DOCTYPE html><html>User-agent: *\nDisallow: /", b"\n <HTML>", b"<?xml version='1.0'?><x/>"]
)
def test_html_served_as_robots_txt_holds_no_rules_and_is_noted(body: bytes) -> None:
    rules = parse_robots(body, "text/html")
    assert rules.allowed("/x")
    assert "HTML" in rules.notes[0]


def test_rules_under_a_wrong_content_type_count() -> None:
    assert not parse_robots(b"User-agent: *\nDisallow: /", "text/html").allowed("/x")


def test_sitemap_lines_count_wherever_they_stand() -> None:
    rules = robots("Sitemap: https://h/1\nUser-agent: x\nSitemap: https://h/2 # c\nDisallow: /\nSITEMAP:https://h/1\n")
    assert rules.sitemaps == ("https://h/1", "https://h/2")
    assert rules.allowed("/x")


@pytest.mark.parametrize(
    "body",
    [
        b"\xef\xbb\xbfUser-agent: *\nDisallow: /a",
        b"User-agent: *\rDisallow: /a\r",
        b"User-agent: *\r\n\r\nDisallow: /a\r\n",
        b"USERAGENT : *\n  dissallow :  /a   # no",
        b"User-agent *\nDisallow /a",
        b"User-agent: *\nDisallow: https://h.example/a",
        "User-agent: *\nDisallow: /a".encode("utf-16"),
        b"User-agent: *\nNoindex: /x\nHost: x\nDisallow: /a",
    ],
)
def test_odd_spellings_of_the_same_rule_are_understood(body: bytes) -> None:
    rules = parse_robots(body)
    assert not rules.allowed("/a/b")
    assert rules.allowed("/b")


def test_only_the_first_500_kib_count_and_a_line_is_not_cut_in_two() -> None:
    filler = "# filler filler filler\n" * (MAX_ROBOTS_BYTES // 23 - 1)
    rules = robots(
        f"User-agent: *\nDisallow: /a\n{filler}Disallow: /bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\nDisallow: /c\n"
    )
    assert not rules.allowed("/a")
    assert rules.allowed("/b")
    assert rules.allowed("/c")
    assert "first 512000 bytes" in rules.notes[0]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451, 301])
def test_a_status_of_the_400s_allows_everything(status: int) -> None:
    verdict = judge_robots(status, b"User-agent: *\nDisallow: /")
    assert verdict.robots.allowed("/x")
    assert (verdict.basis, verdict.reachable) == ("none", True)


@pytest.mark.parametrize("status", [500, 503, 599, 429, None])
def test_a_server_error_or_no_answer_allows_nothing(status: int | None) -> None:
    verdict = judge_robots(status, detail="timeout")
    assert not verdict.robots.allowed("/x")
    assert (verdict.basis, verdict.reachable) == ("unreachable", False)


def test_the_rules_of_the_last_visit_stay_in_force_while_robots_txt_is_down() -> None:
    last_good = for_all("Disallow: /private")
    verdict = judge_robots(503, last_good=last_good)
    assert verdict.robots == last_good
    assert (verdict.basis, verdict.reachable) == ("last_good", False)


def test_an_answer_of_200_is_read() -> None:
    verdict = judge_robots(200, b"User-agent: *\nDisallow: /x\nCrawl-delay: 2")
    assert not verdict.robots.allowed("/x")
    assert verdict.robots.crawl_delay == 2.0
    assert verdict.basis == "rules"


def test_hostile_patterns_match_in_bounded_time() -> None:
    hostile = for_all(*(f"Disallow: /{'a*' * 1000}{n}b$" for n in range(50)))
    long_lines = robots("User-agent: *\nallow " + " " * 400_000 + "x\n" + "a" * 400_000 + "    " * 20_000)
    started = time.perf_counter()
    assert hostile.allowed("/" + "a" * 2000)
    assert long_lines.allowed("/x")
    assert time.perf_counter() - started < 5


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.text(max_size=60))
def test_any_bytes_are_parsed_and_any_path_is_answered(body: bytes, path: str) -> None:
    rules = parse_robots(body)
    assert rules.allowed(path) in (True, False)
    assert rules.crawl_delay is None or rules.crawl_delay >= 0


_line = st.tuples(
    st.sampled_from(["Allow", "Disallow", "User-agent", "Crawl-delay"]),
    st.text(alphabet="/ab*$%2f?c ", max_size=8) | st.sampled_from(["*", "EarthCube_DataBot", "x", "1"]),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_line, max_size=12), st.text(alphabet="/ab*$%2fc", max_size=8))
def test_the_verdict_is_that_of_a_naive_reading(lines: list[tuple[str, str]], tail: str) -> None:
    rules = robots("User-agent: *\n" + "\n".join(f"{key}: {value}" for key, value in lines))
    matching = [rule for rule in rules.rules if rule.matches(_path_of("/" + tail))]
    longest = max((rule.length for rule in matching), default=0)
    naive = not matching or any(rule.allow for rule in matching if rule.length == longest)
    assert rules.allowed("/" + tail) is naive
