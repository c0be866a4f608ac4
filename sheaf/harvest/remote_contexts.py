"""How a harvest loads remote JSON-LD contexts: what the operator mapped, else the web, public addresses only."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import orjson

from sheaf.config import ProjectConfig, Source
from sheaf.errors import NotFound
from sheaf.harvest.contexts import ContextCache, http_fetch
from sheaf.store import ObjectStore

log = logging.getLogger(__name__)


def context_cache(store: ObjectStore, project: ProjectConfig, source: Source) -> ContextCache:
    """The contexts of one source's documents: mapped ones, those kept in the bucket, then the web."""
    fetch = partial(http_fetch, allow_private=source.allow_private)
    return ContextCache(fetch, store=store, maps=mapped_contexts(store, project))


def mapped_contexts(store: ObjectStore, project: ProjectConfig) -> dict[str, Any]:
    """``contextmaps``: documents of the bucket by context URL. schema.org is never one: it becomes ``@vocab``.

    A map whose file is not in the bucket, or is no JSON, is left out and logged.
    """
    maps: dict[str, Any] = {}
    for entry in project.contextmaps:
        if (urlsplit(entry.prefix).hostname or "").removeprefix("www.") == "schema.org":
            continue
        try:
            maps[entry.prefix] = orjson.loads(store.get(entry.file.removeprefix("./").lstrip("/")))
        except (NotFound, orjson.JSONDecodeError) as error:
            log.warning("contextmaps: %s for %s is not used: %s", entry.file, entry.prefix, error)
    return maps
