"""The errors that cross Sheaf's borders. Each message says what happened, where, and what to do."""

from __future__ import annotations


class SheafError(Exception):
    """Base of all errors that a person may read; ``str(error)`` is the whole message."""


class BadInput(SheafError):
    """A file or an argument that has to be changed by a person; trying again changes nothing."""


class NotFound(SheafError):
    """An object, a source, a tenant or a release that does not exist."""


class TemporaryFault(SheafError):
    """Worth trying again later: a store that does not answer, a lease that somebody else holds."""


class HarvestStopped(SheafError):
    """A harvest that ended without a manifest; the last good state stays in force."""


class CheckFailed(SheafError):
    """A release that a check keeps from being published; ``sheaf release publish --force`` overrides it."""
