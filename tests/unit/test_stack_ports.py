"""A port that is taken is reported with who has it and what to change."""

from __future__ import annotations

import os
import socket

import pytest

from sheaf.errors import BadInput
from sheaf.stack.ports import port_is_free, require_free_ports


def test_a_taken_port_is_named_with_its_process_and_its_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not port_is_free(port)
        with pytest.raises(BadInput) as refused:
            require_free_ports({"S3": (port, "GLEANERIO_S3_PORT")})
    message = str(refused.value)
    assert f"port {port} (S3)" in message
    assert f"process {os.getpid()}" in message
    assert "GLEANERIO_S3_PORT" in message
    assert "--port-offset" in message


def test_a_port_is_free_again_once_its_server_is_gone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert port_is_free(port)
    require_free_ports({"S3": (port, "GLEANERIO_S3_PORT")})


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_number_that_is_no_port_is_refused(port: int) -> None:
    with pytest.raises(BadInput, match="is no port"):
        port_is_free(port)
