"""One harvest of a source at a time: a lease object with a heartbeat, taken over when its holder is dead."""

from __future__ import annotations

import json
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sheaf.errors import NotFound, SheafError, TemporaryFault
from sheaf.store import ObjectStore, layout

HEARTBEAT_SECONDS = 15.0
EXPIRY_SECONDS = 90.0

log = logging.getLogger(__name__)


class Lease:
    """Holds ``harvests/<source>/lease.json`` while the block runs. Raises ``TemporaryFault`` when somebody else does.

    An object store without conditional writes cannot lock. Writing, waiting a moment and reading back leaves a gap of
    milliseconds; whoever loses it sees the other's mark at the next heartbeat, and ``lost`` stops that harvest.
    """

    def __init__(self, store: ObjectStore, source: str, job_id: str, clock: Callable[[], float] = time.time) -> None:
        self._store, self._key, self._clock = store, layout.harvest_lease(source), clock
        self._mark = {
            "job": job_id,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "born": _born(os.getpid()),
            "nonce": secrets.token_hex(8),
        }
        self._source = source
        self._over = threading.Event()
        self._beat = threading.Thread(target=self._keep, name=f"lease-{source}", daemon=True)
        self.lost = False

    def __enter__(self) -> Lease:
        held = self._read()
        if held and not self._free(held):
            raise TemporaryFault(
                f"{self._source} is being harvested by job {held.get('job')} on {held.get('host')} "
                f"(process {held.get('pid')}); try again when it is over"
            )
        self._write()
        found = self._read()
        if found is None or found.get("nonce") != self._mark["nonce"]:
            raise TemporaryFault(f"another job began to harvest {self._source} at the same moment; try again later")
        self._beat.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._beat.join(timeout=10)
        found = self._read()
        if found and found.get("nonce") == self._mark["nonce"]:
            self._store.delete([self._key])

    def _read(self) -> dict[str, Any] | None:
        try:
            found = json.loads(self._store.get(self._key))
        except NotFound:
            return None
        except ValueError:
            return None
        return found if isinstance(found, dict) else None

    def _write(self) -> None:
        self._store.put(self._key, json.dumps({**self._mark, "heartbeat": self._clock()}).encode(), "application/json")

    def _free(self, held: dict[str, Any]) -> bool:
        if self._clock() - float(held.get("heartbeat", 0)) > EXPIRY_SECONDS:
            return True
        if held.get("host") != self._mark["host"]:
            return False
        return _born(int(held.get("pid", 0))) != held.get("born")

    def _keep(self) -> None:
        while not self._over.wait(HEARTBEAT_SECONDS):
            try:
                found = self._read()
                if found is None or found.get("nonce") != self._mark["nonce"]:
                    self.lost = True
                    return
                self._write()
            except SheafError as error:
                log.warning("the lease of %s could not be renewed: %s", self._source, error)


def _born(pid: int) -> str:
    """When a process was started, in clock ticks since boot: tells it from a later one with its number. "" if dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        pass
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return ""
    except OSError:
        return "alive"
    return "alive"
