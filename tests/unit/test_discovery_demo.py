"""The scripted sites' listings, read by discovery, against the pages that the scripts say they lead to."""

from __future__ import annotations

import pytest

from sheaf.config import Source
from sheaf.demo.configs import site_sources
from sheaf.demo.listings import discovery_complete, found_pages, listing_body, listing_type
from sheaf.demo.load import load_site
from sheaf.demo.script import Site as ScriptedSite
from sheaf.demo.script import SourceScript
from tests.unit.discovery_site import Answer, Site, run

BASE = "http://127.0.0.1:8321"
SITES = [load_site(name) for name in ("demo", "fieldnotes")]


@pytest.mark.parametrize("scripted", SITES, ids=lambda site: site.name)
def test_the_scripted_sites_lead_to_exactly_their_pages_on_every_day(scripted: ScriptedSite) -> None:
    settings = {entry["name"]: Source.model_validate(entry) for entry in site_sources(scripted, BASE)}
    checked = 0
    for script in scripted.sources:
        if script.sourcetype == "sitegraph":
            continue
        for day in range(scripted.day_count):
            where = _served(script, day, scripted.robots)
            found, report = run(where, settings[script.name])
            expected = {BASE + page.path for page in found_pages(script, day)}
            assert {page.url for page in found} == expected, (script.name, day)
            assert report.complete == discovery_complete(script, day), (script.name, day, report.errors)
            checked += len(found)
    assert checked > 10


def _served(script: SourceScript, day: int, robots: str) -> Site:
    answers: dict[str, Answer] = {}
    for listing in script.listings:
        here = listing.on(day)
        body = listing_body(script, listing, day, BASE)
        answers[BASE + listing.path] = Answer(body, here.answer.status, listing_type(listing, day), chunk=100)
    text = robots.replace("${base}", BASE)
    answers[f"{BASE}/robots.txt"] = Answer(text.encode(), content_type="text/plain")
    return Site(dict(answers))
