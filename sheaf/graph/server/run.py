"""The server as a process: uvicorn on one port, closed in order on SIGTERM and Ctrl-C."""

from __future__ import annotations

import os
from pathlib import Path

import uvicorn

from sheaf.graph.server.app import create_app
from sheaf.graph.server.limits import Limits


def serve(location: Path, host: str, port: int, token: str, limits: Limits | None = None) -> None:
    """Serve until told to stop. Raises ``SheafError`` when another server uses the folder."""
    app = create_app(location, token, limits)
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=10,
    )
    server = uvicorn.Server(config)
    server.run()
    work = getattr(app.state, "work", None)
    if work is not None and work.runaways:
        # A query that cannot be interrupted would keep its thread, and so the process; everything is on disk by now.
        os._exit(0)
    if not server.started:
        raise SystemExit(1)
