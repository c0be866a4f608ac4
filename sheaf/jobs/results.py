"""What a job leaves behind: an exit code, and an object in the store that says what it did.

Exit codes (architecture.md, "Dagster, as measured"): 0 done; 3 done with losses; 75 try again; anything else permanent.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from sheaf.errors import NotFound
from sheaf.store import ObjectStore, layout

DONE = 0
FAILED = 1
BAD_INPUT = 2
DONE_WITH_LOSSES = 3
TRY_AGAIN = 75


class JobResult(BaseModel):
    """The result object of one job; ``numbers`` have stable names, counts, bytes and seconds."""

    model_config = ConfigDict(frozen=True)

    version: int = 1
    job: str
    job_id: str
    source: str
    exit_code: int
    message: str = Field("", description="for a person: what happened, and the fix; empty when all is well")
    reason: str = Field("", description="a short code of the failure")
    harvest_id: str = ""
    release_id: str = ""
    numbers: dict[str, int | float] = {}


def write_result(store: ObjectStore, result: JobResult) -> None:
    """Put the result where the launcher looks for it."""
    store.put(layout.job_result(result.job_id), result.model_dump_json().encode(), "application/json")


def read_result(store: ObjectStore, job_id: str) -> JobResult | None:
    """The result of a job; None when it died before it wrote one."""
    try:
        return JobResult.model_validate_json(store.get(layout.job_result(job_id)))
    except NotFound:
        return None
