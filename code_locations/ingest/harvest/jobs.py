"""One run does a source's whole way, from the website to the published release."""

import dagster as dg

from code_locations.ingest.harvest.assets import summoned, summoned_objects
from code_locations.ingest.release.assets import published_release, release_and_summary

summon_and_release_job = dg.define_asset_job(
    "summon_and_release_job",
    selection=[summoned, summoned_objects, release_and_summary, published_release],
    description="Harvests one source, makes its release and, when the checks pass, publishes it.",
    tags={"ingest": "harvest"},
)
