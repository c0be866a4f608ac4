"""One interface, several places to run a job: assets never know which one they have."""

from code_locations.common.launchers.base import JobEnd, JobLog, JobSpec, Launcher, level_of
from code_locations.common.launchers.docker import DockerLauncher
from code_locations.common.launchers.process import ProcessLauncher
from sheaf.settings import Settings

__all__ = ["DockerLauncher", "JobEnd", "JobLog", "JobSpec", "Launcher", "ProcessLauncher", "launcher_for", "level_of"]


def launcher_for(settings: Settings) -> Launcher:
    """The launcher that ``GLEANERIO_LAUNCHER`` names."""
    return DockerLauncher(settings) if settings.launcher == "docker" else ProcessLauncher(settings)
