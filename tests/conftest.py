"""Which tests run: those that need a production part are selected by ``PARTS`` (``all``, or a list of names)."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests import parts


def _asked_for(config: pytest.Config) -> frozenset[str]:
    words = (config.getoption("--parts") or os.environ.get("PARTS", "")).replace(",", " ").split()
    unknown = sorted(set(words) - {*parts.NAMES, "all"})
    if unknown:
        raise pytest.UsageError(f"PARTS: there is no part {', '.join(unknown)}; there are {', '.join(parts.NAMES)}")
    return frozenset(parts.NAMES if "all" in words else words)


def _needed(item: pytest.Item) -> frozenset[str]:
    names = frozenset(name for mark in item.iter_markers("part") for name in mark.args)
    if names - set(parts.NAMES):
        raise pytest.UsageError(f"{item.nodeid}: there is no part {', '.join(sorted(names - set(parts.NAMES)))}")
    return names


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--parts``, which goes before the environment variable."""
    parser.addoption("--parts", default="", help="production parts to test with: all, or a list (also: PARTS)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs a part that was not asked for."""
    asked = _asked_for(config)
    out = [item for item in items if not _needed(item) <= asked]
    if out:
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if _needed(item) <= asked]
    config.stash[_LEFT_OUT] = len(out)


_LEFT_OUT = pytest.StashKey[int]()


def pytest_report_collectionfinish(config: pytest.Config) -> str:
    """Say what was asked for, and how many tests that leaves out."""
    asked = ", ".join(sorted(_asked_for(config))) or "none"
    return f"parts asked for: {asked}; {config.stash.get(_LEFT_OUT, 0)} tests need others (make test PARTS=all)"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A part that was asked for and is missing is a failure, by name."""
    for part in sorted(_needed(item)):
        try:
            parts.require(part)
        except parts.PartMissing as error:
            pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[parts.DockerEngine]:
    """One engine, and one build of the job image, for all tests."""
    with parts.docker_engine() as engine:
        yield engine
