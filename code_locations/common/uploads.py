"""What both config sensors do: see an upload, refuse it with its reason, or have it put in force."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import dagster as dg

from code_locations.common.platform import Platform, cursor_of, stamp
from sheaf.config import ConfigRefused, Loaded

ASK_AGAIN_SECONDS = 120
VALID = "upload_is_valid"


def look_at_upload(
    context: dg.SensorEvaluationContext,
    platform: Platform,
    kind: str,
    asset: dg.AssetKey,
    validate: Callable[[bytes], Loaded[Any]],
    depends_on: str = "",
) -> dg.SensorResult:
    """One tick. ``depends_on``: what the verdict rests on besides the file; when it moves, the file is read again."""
    upload, key = platform.upload(kind), platform.upload_key(kind)
    if upload is None:
        return dg.SensorResult(
            skip_reason=f"nothing at {key} in bucket {platform.settings.minio_bucket} yet: upload it"
        )
    seen = cursor_of(context)
    state = {"etag": upload.etag, "depends_on": depends_on}
    again = 0
    if {name: seen.get(name) for name in state} == state:
        if "refused" in seen:
            return dg.SensorResult(skip_reason=seen["refused"])
        if platform.sha_in_force(kind) == seen["sha256"]:
            return dg.SensorResult(skip_reason=f"{key} is in force ({seen['sha256'][:12]})")
        if time.time() - seen["asked_at"] < ASK_AGAIN_SECONDS:
            return dg.SensorResult(skip_reason=f"{key} is being put in force")
        again = int(seen["again"]) + 1
    try:
        loaded = validate(platform.store.get(key))
    except ConfigRefused as refused:
        context.log.warning(str(refused))
        return dg.SensorResult(
            skip_reason=str(refused),
            cursor=json.dumps({**state, "refused": str(refused)}),
            asset_events=[refusal(asset, refused)],
        )
    cursor = json.dumps({**state, "sha256": loaded.sha256, "asked_at": time.time(), "again": again})
    run_key = f"{kind}:{upload.etag}:{stamp(upload.modified)}:{depends_on[:12]}:{again}"
    request = dg.RunRequest(run_key=run_key, tags={"sheaf/config_sha": loaded.sha256[:16]})
    return dg.SensorResult(run_requests=[request], cursor=cursor)


def refusal(asset: dg.AssetKey, refused: ConfigRefused) -> dg.AssetCheckEvaluation:
    """The check of a config asset that failed, so that the asset's page shows what the tick says."""
    return dg.AssetCheckEvaluation(
        asset_key=asset,
        check_name=VALID,
        passed=False,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={
            "problems": dg.MetadataValue.int(len(refused.problems)),
            "what_and_how_to_mend": dg.MetadataValue.md("\n".join(f"- {problem}" for problem in refused.problems)),
        },
    )


def accepted(loaded: Loaded[Any], **numbers: int) -> dg.MaterializeResult:
    """A config asset's result: counts, warnings with their lines, and the passed check."""
    return dg.MaterializeResult(
        metadata={
            **numbers,
            "warnings": len(loaded.warnings),
            "warning_list": dg.MetadataValue.md("\n".join(f"- {warning}" for warning in loaded.warnings) or "none"),
            "sha256": loaded.sha256,
        },
        check_results=[dg.AssetCheckResult(check_name=VALID, passed=True, metadata={"problems": 0})],
        data_version=dg.DataVersion(loaded.sha256),
    )
