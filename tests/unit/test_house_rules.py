"""The rules of the house that a program can see."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

TOP = Path(__file__).parents[2]
PREFIXES = ("summoned/", "graphs/", "harvests/", "prov/", "orgs/", "scheduler/", "reports/", "contexts/")


def modules(*folders: str) -> Iterator[tuple[Path, ast.Module]]:
    for folder in folders:
        for path in sorted((TOP / folder).rglob("*.py")):
            yield path.relative_to(TOP), ast.parse(path.read_text())


def test_the_library_imports_no_dagster() -> None:
    found = [
        f"{path}:{node.lineno}"
        for path, tree in modules("sheaf")
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        and any(name.split(".")[0].startswith(("dagster", "code_locations")) for name in _imported(node))
    ]
    assert found == []


def _imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]


def test_only_the_settings_read_the_environment() -> None:
    found = [
        f"{path}:{node.lineno}"
        for path, tree in modules("sheaf", "code_locations")
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.environ", "os.getenv")
        if path != Path("sheaf/settings.py")
    ]
    assert found == []


def test_every_key_of_the_bucket_is_built_in_the_layout() -> None:
    found = [
        f"{path}:{node.lineno} {node.value}"
        for path, tree in modules("sheaf", "code_locations")
        if path.name not in ("layout.py", "settings.py")
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if node.value.startswith(PREFIXES) and " " not in node.value and "\n" not in node.value
    ]
    assert found == []


def test_definitions_stay_under_fifty_lines_and_assets_under_twenty_five_of_code() -> None:
    for path in (TOP / "code_locations").rglob("definitions.py"):
        assert len(path.read_text().splitlines()) < 50, path
    for path, tree in modules("code_locations"):
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and any("asset" in ast.unparse(dec) for dec in node.decorator_list):
                body = [
                    item
                    for item in node.body
                    if not (isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant))
                ]
                lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
                assert lines <= 25, f"{path}: {node.name} has {lines} lines"


def test_style_and_types_are_clean() -> None:
    for command in (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]):
        done = subprocess.run([sys.executable, "-m", *command], cwd=TOP, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
