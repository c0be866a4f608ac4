"""A harvest from the lease to the summary (architecture.md, 2): discovery streams, pages are read, parts are put.

Whatever ends it before its time leaves the last good state in force: without a summary there is no harvest.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import signal
import tempfile
import threading
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from sheaf import __version__
from sheaf.config import ProjectConfig, Source
from sheaf.errors import HarvestStopped, TemporaryFault
from sheaf.harvest.access import Access
from sheaf.harvest.addresses import Addresses
from sheaf.harvest.beginning import begin, utc_now
from sheaf.harvest.breaker import CircuitBreaker, SourceDown
from sheaf.harvest.discovery import DiscoveryReport, Found, discover
from sheaf.harvest.documents import DocumentRules
from sheaf.harvest.ending import Ending, stopped_summary, write_ending
from sheaf.harvest.faults import AGAIN
from sheaf.harvest.fetching import Fetcher
from sheaf.harvest.journal import Journal
from sheaf.harvest.lease import Lease
from sheaf.harvest.pages import Pages
from sheaf.harvest.politeness import Politeness
from sheaf.harvest.previous import Previous
from sheaf.harvest.progress import Progress
from sheaf.harvest.remote_contexts import context_cache
from sheaf.harvest.robots import PRODUCT_TOKEN
from sheaf.harvest.schema import READING_VERSION, HarvestStart, HarvestSummary
from sheaf.harvest.states import REASONS
from sheaf.settings import Settings
from sheaf.store import ObjectStore

log = logging.getLogger(__name__)

WAITING_PAGES = 1_000
TICK_SECONDS = 1.0


@dataclass(slots=True)
class _Run:
    """What the tasks of one harvest share."""

    source: Source
    start: HarvestStart
    journal: Journal
    breaker: CircuitBreaker
    report: DiscoveryReport
    progress: Progress
    lease: Lease
    stopping: bool = False
    queue: asyncio.Queue[Found | None] = field(default_factory=lambda: asyncio.Queue(WAITING_PAGES))

    @property
    def partial(self) -> bool:
        return bool(self.start.only) or self.start.limit is not None


def run_harvest(
    store: ObjectStore,
    project: ProjectConfig,
    source: Source,
    config_sha: str,
    *,
    settings: Settings,
    **options: Any,
) -> HarvestSummary:
    """``harvest`` for callers that are not asynchronous; in a main thread SIGTERM and SIGINT end it in good order."""

    # Arrow's own pool keeps what parts needed for a moment, and each thread has arenas: 50 MB at the peak of OBIS.
    pa.set_memory_pool(pa.system_memory_pool())
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)

    async def whole() -> HarvestSummary:
        task = asyncio.ensure_future(harvest(store, project, source, config_sha, settings=settings, **options))
        loop = asyncio.get_running_loop()
        signals = (signal.SIGTERM, signal.SIGINT) if threading.current_thread() is threading.main_thread() else ()
        for one in signals:
            loop.add_signal_handler(one, task.cancel)
        try:
            return await task
        except asyncio.CancelledError:
            raise TemporaryFault(
                f"the harvest of {source.name} was cancelled; the next one within a day goes on from where it was"
            ) from None
        finally:
            for one in signals:
                loop.remove_signal_handler(one)

    return asyncio.run(whole())


async def harvest(
    store: ObjectStore,
    project: ProjectConfig,
    source: Source,
    config_sha: str,
    *,
    settings: Settings,
    harvest_id: str | None = None,
    mode: str | None = None,
    limit: int | None = None,
    only: Sequence[str] = (),
    job_id: str = "",
    agree_to_shrink: bool = False,
    progress: Progress | None = None,
    politeness: Politeness | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> HarvestSummary:
    """Harvest one source into parts, manifest and summary; returns the summary.

    ``mode``: ``full`` asks for every page, ``diff`` conditionally; default: the config's. ``limit`` (pages) and
    ``only`` (URLs) make a partial harvest, which is never published. ``agree_to_shrink`` lets more pages go than the
    source's shrink_limit.
    Raises ``TemporaryFault`` (somebody else holds the source, the store does not answer), ``HarvestStopped`` (the
    source is down or lists nothing: the last good state stays), ``BadInput`` (settings that cannot work).
    """
    begun = time.monotonic()
    progress = progress or Progress()
    with tempfile.TemporaryDirectory(prefix="sheaf-harvest-") as name, Lease(store, source.name, job_id) as lease:
        folder = Path(name)
        previous = Previous.load(store, source.name, folder)
        start, resumed = begin(
            store, source.name, config_sha, source.fingerprint(project), mode or project.summoner.mode,
            limit=limit, only=only, previous=previous.harvest_id, harvest_id=harvest_id, clock=clock,
        )  # fmt: skip
        journal = Journal(store, source.name, start.harvest_id, folder)
        if resumed:
            progress.resumed = progress.done = journal.resume()
            log.info("taking up harvest %s: %d pages are done", start.harvest_id, progress.resumed)
        run = _Run(source, start, journal, CircuitBreaker(source.breaker), DiscoveryReport(), progress, lease)
        rules = DocumentRules.for_source(source, project, context_cache(store, project, source))
        reading = reading_digest(rules, source)
        conditional = start.mode == "diff" and previous.summary is not None and previous.summary.reading == reading
        if previous.summary is not None:
            previous.index()
        async with AsyncExitStack() as stack:
            agent = user_agent(settings, source)
            addresses = Addresses(source.host.rpartition(":")[0] or source.host, allow_private=source.allow_private)
            fetcher = await stack.enter_async_context(Fetcher(source, agent, addresses, politeness or Politeness()))
            access = Access(source, fetcher, project.summoner.delay)
            fetcher.allowed = access.refusal
            pages = Pages(source, rules, fetcher, access, previous, conditional, clock)
            try:
                await _fetch_all(run, pages, source.threads or project.summoner.threads)
            except BaseException as error:
                _let_go(run, error)
                if isinstance(error, HarvestStopped):
                    ending = Ending(start, reading, run.report, fetcher.requests, begun, run.partial)
                    stopped_summary(store, ending, str(error), clock())
                raise
        previous.forget()
        progress.step = "manifest"
        if lease.lost:
            raise TemporaryFault(f"another job has taken over the harvest of {source.name}")
        ending = Ending(start, reading, run.report, fetcher.requests, begun, run.partial, agree_to_shrink)
        last = asyncio.ensure_future(
            asyncio.to_thread(_end, store, source, ending, run.journal, previous, folder, clock)
        )
        try:
            return await asyncio.shield(last)
        except asyncio.CancelledError:
            # Seconds from its end, and a thread cannot be stopped: the lease and the files stay until it is through.
            await asyncio.wait([last])
            return last.result()


def _end(
    store: ObjectStore,
    source: Source,
    ending: Ending,
    journal: Journal,
    previous: Previous,
    folder: Path,
    clock: Callable[[], datetime],
) -> HarvestSummary:
    fresh = journal.close()
    return write_ending(store, source, ending, fresh, previous, journal.next_part, folder, clock)


def _let_go(run: _Run, error: BaseException) -> None:
    """Keep what was fetched: the next run takes it up, unless the harvest was stopped for good."""
    try:
        run.journal.drain()
    except Exception as second:
        log.warning("the journal of %s could not be written: %s (after: %s)", run.start.harvest_id, second, error)
    run.journal.abandon()


async def _fetch_all(run: _Run, pages: Pages, threads: int) -> None:
    """Discovery on one side of a queue, ``threads`` workers on the other, until both are through."""
    run.progress.step = "pages"
    verdict = await pages.access.own()
    if verdict is not None and verdict.basis == "unreachable":
        raise SourceDown("robots_unreachable", f"the robots.txt of {run.source.robots_base}: {verdict.detail}")
    ticker = asyncio.create_task(_tick(run))
    tasks = [ticker, asyncio.create_task(_discover(run, pages.fetcher, threads))]
    tasks += [asyncio.create_task(_work(run, pages)) for _ in range(threads)]
    try:
        waiting = set(tasks[1:])
        while waiting:
            done, _ = await asyncio.wait({ticker, *waiting}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            waiting -= done
    finally:
        await _end_all(run, tasks)
    _check_found(run)


async def _end_all(run: _Run, tasks: list[asyncio.Task[None]]) -> None:
    run.stopping = True
    pending = {task for task in tasks if not task.done()}
    while pending:
        # The HTTP client loses a cancellation that comes with an answer, so one is not enough.
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=0.5)


async def _discover(run: _Run, fetcher: Fetcher, workers: int) -> None:
    done = run.journal.urls_done
    async with aclosing(_pages_to_ask_for(run, fetcher)) as stream:
        async for found in stream:
            run.progress.listed += 1
            if not done or hash(found.url) not in done:
                await run.queue.put(found)
            if run.start.limit is not None and run.progress.listed >= run.start.limit:
                run.report.complete = False
                break
    run.progress.listing = False
    for _ in range(workers):
        await run.queue.put(None)


async def _pages_to_ask_for(run: _Run, fetcher: Fetcher) -> AsyncGenerator[Found, None]:
    if run.start.only:
        run.report.complete = False
        for url in dict.fromkeys(run.start.only):
            run.report.urls += 1
            yield Found(url)
        return
    async with aclosing(discover(run.source, fetcher.listing, run.report)) as stream:
        async for found in stream:
            yield found


async def _work(run: _Run, pages: Pages) -> None:
    queue, journal, progress, breaker = run.queue, run.journal, run.progress, run.breaker
    while (found := await queue.get()) is not None:
        rows = await pages.rows(found)
        if run.stopping:
            return
        await journal.add(rows)
        first = rows[0]
        failed = first["state"] == "failed"
        progress.done += 1
        progress.failed += failed
        progress.unchanged += first["state"] == "unchanged"
        progress.stored += first["state"] == "stored"
        breaker.count(failed, first.get("reason", ""))
        if failed and not run.partial and (why := breaker.verdict()):
            raise SourceDown("breaker_open", f"{run.source.name} is down: {why}; the last good state stays in force")


async def _tick(run: _Run) -> None:
    while True:
        await asyncio.sleep(TICK_SECONDS)
        await run.journal.tick()
        if run.lease.lost:
            raise TemporaryFault(f"another job has taken over the harvest of {run.source.name}")


def _check_found(run: _Run) -> None:
    """A harvest that found nothing is a failure, never a new state (architecture.md, 6)."""
    name, breaker = run.source.name, run.breaker
    if run.progress.listed == 0:
        errors = run.report.errors
        reason = errors[0][1] if errors else "sitemap_empty"
        said = "; ".join(dict.fromkeys(detail or url for url, _, detail in errors[:3])) or "no error was seen"
        passing = any(one in AGAIN or one.startswith("timeout") for _, one, _ in errors)
        fix = "Try again later." if passing else "Correct the source's url in the config, or ask its provider."
        raise SourceDown(
            reason,
            f"{name} lists no page at {run.source.url}: {REASONS.get(reason, reason)} ({said}). "
            f"The last good state stays in force. {fix}",
            passing=passing,
        )
    if breaker.tried and breaker.failed == breaker.tried and not run.journal.urls_done:
        raise SourceDown("breaker_open", f"all {breaker.tried} pages of {name} failed ({breaker.most()})")


def user_agent(settings: Settings, source: Source) -> str:
    """Who we are and where to complain: the product token of contracts.md, our version, the source's or our contact."""
    contact = source.contact or settings.contact
    return f"{PRODUCT_TOKEN}/{__version__} (Sheaf; {settings.org}{f'; +{contact}' if contact else ''})"


def reading_digest(rules: DocumentRules, source: Source) -> str:
    """What decides how a page becomes documents; another digest than before means that every page is read again."""
    parts = (
        READING_VERSION, rules.identifier_type, rules.identifier_paths, rules.fix_contexts, rules.schema_namespace,
        rules.repair, rules.json_sha, source.headless, source.acceptcontenttype,
    )  # fmt: skip
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
