"""Releases: a finished harvest in; N-Quads, summary, provenance and a record out, checked and then published.

It never asks the network, never reads an object a document, and never moves the pointer to a release that is not whole.
"""

from sheaf.release.archive import diff, find_release, published, read_release, releases
from sheaf.release.building import build_release
from sheaf.release.checks import run_checks
from sheaf.release.publishing import publish_release, rollback
from sheaf.release.record import Changes, Check, LeftOut, Pointer, Published, ReleaseRecord

__all__ = [
    "Changes",
    "Check",
    "LeftOut",
    "Pointer",
    "Published",
    "ReleaseRecord",
    "build_release",
    "diff",
    "find_release",
    "publish_release",
    "published",
    "read_release",
    "releases",
    "rollback",
    "run_checks",
]
