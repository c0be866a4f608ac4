"""Where requests compute: queries and writes in threads of their own, so that neither holds up the event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sheaf.graph.server.answers import Answer, timed_out
from sheaf.graph.server.limits import Limits, Refused
from sheaf.graph.server.namespaces import Namespace, Namespaces

T = TypeVar("T")


class Work:
    """The server's state: its namespaces, its limits, its threads, and what runs in them."""

    def __init__(self, namespaces: Namespaces, limits: Limits, token: str) -> None:
        self.namespaces = namespaces
        self.limits = limits
        self.token = token
        self.queries = 0
        self.runaways = 0
        self.bulk_loads = 0
        self._readers = ThreadPoolExecutor(limits.queries_at_once + limits.runaways, thread_name_prefix="query")
        self._writers = ThreadPoolExecutor(16, thread_name_prefix="write")
        self._places = asyncio.Semaphore(limits.queries_at_once)

    async def answer(self, compute: Callable[[Answer], T], limits: Limits | None = None) -> tuple[Answer, T]:
        """Run a query that writes into an Answer; 503 when it takes longer than the limit.

        Oxigraph cannot be interrupted while it computes without writing (a huge count). Such a query is given up and
        counted as a runaway until it ends; too many of them, and the server takes no new queries for the time being.
        """
        limits = limits or self.limits
        if self.runaways >= self.limits.runaways:
            raise Refused(
                503, f"{self.runaways} queries over their time still compute: try later", {"Retry-After": "60"}
            )
        async with self._places:
            self.queries += 1
            answer = Answer(limits)
            running = asyncio.get_running_loop().run_in_executor(self._readers, compute, answer)
            try:
                return answer, await asyncio.wait_for(asyncio.shield(running), limits.query_seconds)
            except TimeoutError:
                answer.give_up()
                self.runaways += 1
                running.add_done_callback(lambda ended: self._ended(ended, answer))
                raise Refused(503, timed_out(limits.query_seconds)) from None
            except BaseException:
                answer.file.close()
                raise

    def _ended(self, running: asyncio.Future[T], answer: Answer) -> None:
        self.runaways -= 1
        answer.file.close()
        with contextlib.suppress(BaseException):  # its error has nobody left to hear it
            running.result()

    async def write(self, namespace: Namespace, change: Callable[[], T]) -> T:
        """Run one change of a namespace, alone among its writers; 404 when it was dropped meanwhile."""

        def alone() -> T:
            with namespace.writing:
                if self.namespaces.get(namespace.name) is not namespace:
                    raise Refused(404, f"the namespace {namespace.name} was dropped and made again meanwhile")
                return change()

        return await asyncio.get_running_loop().run_in_executor(self._writers, alone)

    async def aside(self, call: Callable[[], T]) -> T:
        """Run something short that touches the disk."""
        return await asyncio.get_running_loop().run_in_executor(self._writers, call)

    def close(self) -> None:
        """Take no more work, and write everything to disk."""
        self._readers.shutdown(wait=False, cancel_futures=True)
        self._writers.shutdown(wait=True, cancel_futures=True)
        self.namespaces.close()
