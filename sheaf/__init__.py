"""Sheaf: config -> harvest -> release -> graph -> reports and portals; the library knows nothing of Dagster."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("sheaf")
except PackageNotFoundError:
    __version__ = "0.0.0"
