"""The reports' file names, and how they are written: under ``latest`` and the day, and only where they differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from pydantic import BaseModel

from sheaf.errors import NotFound
from sheaf.store import ObjectStore

LATEST = "latest"
LOAD_S3, LOAD_GRAPH = "load_report_s3.json", "load_report_graph.json"
URLS, IDENTIFIERS, GRAPH_STATS = "bucketutil_urls.csv", "identifier_stats.json", "graph_stats.json"
ALL_STATS, SOURCE_LIST, TYPES, GRAPH_REPORT = "all_stats.csv", "source_list.json", "sos_types.csv", "graph_report.json"
REPORT_STATS = "report_stats.json"


def as_json(value: Any) -> bytes:
    """JSON as it is written: indented, keys in their own order, UTF-8."""
    return orjson.dumps(value, default=_model, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _model(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump()
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def write_reports(
    store: ObjectStore, key: Callable[[str, str], str], day: str, files: Mapping[str, bytes]
) -> list[str]:
    """Write each file under ``key(name, when)`` for ``latest`` and the day (``YYYYMMDD``).

    Gives the keys that were written: one whose content is the same already is left alone.
    """
    written = []
    for name, data in files.items():
        kind = "text/csv; charset=utf-8" if name.endswith(".csv") else "application/json"
        # The dated copy first: a reader of `latest` that follows its date finds it.
        for when in (day, LATEST):
            if _stored(store, key(name, when)) != data:
                store.put(key(name, when), data, kind)
                written.append(key(name, when))
    return written


def _stored(store: ObjectStore, key: str) -> bytes | None:
    try:
        return store.get(key)
    except NotFound:
        return None


def day_of(date: str) -> str:
    """The folder of a day: ``2026-11-20`` becomes ``20261120``."""
    return date.replace("-", "")
