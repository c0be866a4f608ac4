"""The driver suite against the real triplestores."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sheaf.graph import GraphStore
from sheaf.graph.drivers import BlazegraphStore, FusekiStore, OxigraphStore, Rdf4jStore
from tests.graph_suite import NAMESPACES, DriverSuite
from tests.integration import servers


@pytest.mark.part("fuseki")
class TestFuseki(DriverSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def graphs(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GraphStore]:
        with servers.fuseki(tmp_path_factory.mktemp("fuseki")) as url:
            yield FusekiStore(url)


@pytest.mark.part("blazegraph")
class TestBlazegraph(DriverSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def graphs(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GraphStore]:
        with servers.blazegraph(tmp_path_factory.mktemp("blazegraph")) as url:
            yield BlazegraphStore(url)


@pytest.mark.part("rdf4j")
class TestRdf4j(DriverSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def graphs(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GraphStore]:
        with servers.rdf4j(tmp_path_factory.mktemp("rdf4j")) as url:
            yield Rdf4jStore(url)


@pytest.mark.part("oxigraph")
class TestOxigraph(DriverSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def graphs(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GraphStore]:
        with servers.oxigraph_server(tmp_path_factory.mktemp("oxigraph"), NAMESPACES) as url:
            yield OxigraphStore(url)
