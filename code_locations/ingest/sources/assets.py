"""The sources in force."""

import dagster as dg

from code_locations.common.platform import PlatformParam
from code_locations.common.uploads import VALID, accepted
from sheaf.config import ConfigRefused, accept_sources


@dg.asset(
    group_name="configs",
    kinds={"s3", "yaml"},
    check_specs=[
        dg.AssetCheckSpec(VALID, asset="sources_config", description="The uploaded file can be put in force.")
    ],
    retry_policy=dg.RetryPolicy(max_retries=2, delay=5),
)
def sources_config(platform: PlatformParam) -> dg.MaterializeResult:
    """The uploaded `gleanerconfig.yaml`, validated as a whole and put in force.

    Every accepted version is kept under `history/<sha256>.yaml`; jobs read that one, never the live file.
    """
    try:
        loaded = accept_sources(platform.store, platform.store.get(platform.upload_key("sources")), platform.settings)
    except ConfigRefused as refused:
        raise dg.Failure(str(refused), allow_retries=False) from refused
    return accepted(loaded, sources=len(loaded.config.sources), active_sources=len(loaded.config.active_names()))
