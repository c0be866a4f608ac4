"""The driver suite against our own server, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sheaf.graph import GraphStore
from tests.graph_suite import DriverSuite
from tests.graphs import own_store


class TestSheafServer(DriverSuite):
    """One server for the whole class."""

    @pytest.fixture(scope="class")
    @classmethod
    def graphs(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GraphStore]:
        with own_store(tmp_path_factory.mktemp("graph")) as store:
            yield store
