"""Is a port free, and if not, who has it?"""

from __future__ import annotations

import errno
import socket

import psutil

from sheaf.errors import BadInput
from sheaf.stack.processes import MARKER


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen there now. Raises BadInput for a port that this user may not or cannot have."""
    if not 0 < port < 65536:
        raise BadInput(f"{port} is no port: ports go from 1 to 65535. Mind the port offset.")
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As the servers do: a port in TIME_WAIT after a restart is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EACCES:
                raise BadInput(f"Port {port} needs rights that this user lacks: choose one above 1023.") from error
            return False
    return True


def owner_of_port(port: int) -> str:
    """The process that listens on a port as a person would name it, or why it cannot be named."""
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:  # macOS lets only root ask
        return "a process that only root may see"
    pids = [
        connection.pid
        for connection in connections
        if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN
    ]
    return _describe(pids[0]) if pids else "a process that is just ending"


def _describe(pid: int | None) -> str:
    if pid is None:
        return "a process of another user"
    try:
        process = psutil.Process(pid)
        name = f"{process.name()} (process {pid} of {process.username()})"
    except psutil.NoSuchProcess:
        return "a process that is just ending"
    stack = _stack_of(process)
    return f"{name}, part of the stack in {stack}" if stack else name


def _stack_of(process: psutil.Process) -> str:
    try:
        return process.environ().get(MARKER, "")
    except (psutil.Error, OSError):
        return ""


def require_free_ports(wanted: dict[str, tuple[int, str]]) -> None:
    """Check ``{part: (port, setting)}``. Raises BadInput that names each taken port, who has it, and what to change."""
    taken = [
        f"port {port} ({part}) is taken by {owner_of_port(port)}; stop it, or set {setting} to another port"
        for part, (port, setting) in wanted.items()
        if not port_is_free(port)
    ]
    if taken:
        raise BadInput("Cannot start:\n  " + ".\n  ".join(taken) + ".\n--port-offset N moves all ports at once.")
