"""Where an answer is written while it is computed: in memory, then on disk, up to a deadline and a size."""

from __future__ import annotations

import tempfile
import threading
import time
from typing import IO, cast

from sheaf.graph.server.limits import Limits, Refused

IN_MEMORY = 1 << 20  # bytes; larger answers go through a temporary file, so that a reader costs no memory


class Answer:
    """A file that Oxigraph serializes into; gives up at the deadline, at the cap, or when told to.

    Oxigraph has no way to stop a query from outside, but every 8 KiB it writes come through here, and an error
    raised here ends the query.
    """

    def __init__(self, limits: Limits) -> None:
        # closed by whoever sends it: the answer outlives the function that computed it
        self.file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115
        self.size = 0
        self._cap = limits.answer_bytes
        self._seconds = limits.query_seconds
        self._deadline = time.monotonic() + limits.query_seconds
        self._given_up = threading.Event()

    @property
    def output(self) -> IO[bytes]:
        """Itself, for Oxigraph, which calls write and flush and nothing else."""
        return cast(IO[bytes], self)

    def write(self, data: bytes) -> int:
        if self._given_up.is_set() or time.monotonic() > self._deadline:
            raise Refused(503, timed_out(self._seconds))
        self.size += len(data)
        if self.size > self._cap:
            raise Refused(400, f"the answer is over {self._cap:,} bytes: narrow the query, or add LIMIT and OFFSET")
        return self.file.write(data)

    def flush(self) -> None:
        """Oxigraph flushes what it writes to; there is nothing to do here."""

    def give_up(self) -> None:
        """Make the next write end the query."""
        self._given_up.set()


def timed_out(seconds: float) -> str:
    """What a client is told whose query took too long."""
    return f"the query took longer than {seconds:g} s and was stopped: narrow it, or add LIMIT"
