"""The docs say what the code says."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

TOP = Path(__file__).parents[2]


def test_the_generated_pages_are_those_of_the_code() -> None:
    spec = importlib.util.spec_from_file_location("generate", TOP / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    for name, page in generate.PAGES.items():
        assert (TOP / "docs" / name).read_text(encoding="utf-8") == page(), f"docs/{name} is old: run `make docs`"


def test_every_link_of_the_docs_leads_to_a_file() -> None:
    for path in [TOP / "README.md", *(TOP / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), f"{path.relative_to(TOP)}: {target}"


def test_every_make_target_that_the_readme_names_is_in_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z]+):", (TOP / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", (TOP / "README.md").read_text(), re.MULTILINE))
    assert named <= targets
