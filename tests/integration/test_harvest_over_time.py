"""The OBIS corpus in its second reading: one page an @id, whose text is the one valid at a time T, behind nginx.

After each step in time the counts of new, changed, unchanged and gone documents, and the objects, are those that
follow from the corpus itself.
"""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from collections import defaultdict
from pathlib import Path

import pytest

from benchmarks.harvest import write_sitemap
from sheaf.config import ProjectConfig, Source
from sheaf.harvest.documents import Document, DocumentRules, read_json
from sheaf.harvest.engine import run_harvest
from sheaf.harvest.objects import reconcile_objects, verify_objects
from sheaf.settings import Settings
from sheaf.store import MemoryStore, layout
from tests import parts

pytestmark = pytest.mark.part("nginx")
CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "obis.tar.gz"
TIMES = ("2023-06-30", "2023-12-31", "2025-01-01")
Texts = dict[str, str]  # the text of each page, by the page's name


def corpus_over_time() -> list[Texts]:
    """The pages at each time, and at a last one when a third of them has gone."""
    texts: dict[str, dict[str, str]] = defaultdict(dict)
    with tarfile.open(CORPUS) as tar:
        for member in tar:
            file = tar.extractfile(member) if member.name.endswith(".jsonld") else None
            if file is not None:
                text = file.read().decode()
                value = json.loads(text)
                texts[value["@id"]][f"{value.get('version') or ''} {text}"] = text
    steps: list[Texts] = []
    for when in TIMES:
        step: Texts = {}
        for identifier, versions in texts.items():
            valid = [version for version in sorted(versions) if version[:10] <= when]
            if valid:
                step[hashlib.sha1(identifier.encode()).hexdigest()] = versions[valid[-1]]
        steps.append(step)
    return [*steps, {name: text for name, text in steps[-1].items() if int(name[0], 16) % 3}]


def in_html(text: str) -> str:
    """JSON that cannot end the script that it stands in."""
    return text.replace("</", "<\\/")


def write_step(folder: Path, url: str, step: Texts, number: int) -> None:
    """Make the pages those of one step; a changed page gets a later time, which is what nginx makes its ETag of."""
    pages = folder / "www" / "d"
    pages.mkdir(parents=True, exist_ok=True)
    for name, text in step.items():
        path = pages / f"{name}.html"
        body = f'<html><script type="application/ld+json">{in_html(text)}</script></html>'
        if not path.exists() or path.read_text() != body:
            path.write_text(body)
            os.utime(path, (1_700_000_000 + 60 * number,) * 2)
    write_sitemap(folder, [f"{url}/d/{name}.html" for name in step])


def stored(text: str, rules: DocumentRules) -> Document:
    """The document that a page's text becomes."""
    (document,) = read_json(in_html(text), "https://e.org/", rules)
    assert isinstance(document, Document)
    return document


def test_each_step_in_time_has_the_counts_and_the_objects_of_the_corpus(tmp_path: Path) -> None:
    store, before = MemoryStore(), dict[str, str]()
    objects: dict[str, str] = {}
    with parts.nginx(tmp_path, f"root {tmp_path}/www;") as url:
        # Two pairs of pages state one identifier under the default paths; by @id each page is one document.
        source = Source(name="obis", url=f"{url}/sitemap.xml", threads=20, identifierpath="$['@id']")
        project = ProjectConfig(sources=(source,))
        rules = DocumentRules.for_source(source, project)
        for number, step in enumerate(corpus_over_time()):
            write_step(tmp_path, url, step, number)
            done = run_harvest(store, project, source, "sha", settings=Settings())
            both = step.keys() & before.keys()
            same = sum(step[name] == before[name] for name in both)
            assert (done.new, done.changed, done.unchanged, done.gone) == (
                len(step.keys() - before.keys()), len(both) - same, same, len(before.keys() - step.keys()),
            )  # fmt: skip
            wanted = {one.id: one.text for one in (stored(text, rules) for text in step.values())}
            view = reconcile_objects(store, "obis")
            assert view.written == sum(objects.get(one) != text for one, text in wanted.items())
            assert view.deleted == len(objects.keys() - wanted.keys())
            prefix = layout.summoned_prefix("obis")
            assert {i.key[len(prefix) : -7]: store.get(i.key).decode() for i in store.list(prefix)} == wanted
            assert done.documents == len(wanted)
            before, objects = step, wanted
        assert len(before) > 3_000
        found = verify_objects(store, "obis")
    assert (found.missing, found.different, found.extra, found.unchanged) == (0, 0, 0, len(objects))
