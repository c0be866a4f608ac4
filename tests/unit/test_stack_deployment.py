"""What is deployed agrees with the code."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import yaml

from sheaf.settings import Settings
from tests import parts

ROOT = Path(__file__).parents[2]


def test_every_name_in_the_environment_template_is_a_setting_or_dagsters() -> None:
    lines = (ROOT / "deployment" / "production.env.example").read_text().splitlines()
    values = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    instance = yaml.safe_load((ROOT / "deployment" / "dagster.yaml").read_text())
    storage = instance["storage"]["postgres"]["postgres_db"]
    of_dagster = {value["env"] for value in storage.values() if isinstance(value, dict)}
    assert len(of_dagster) == 5
    assert set(values) - of_dagster <= set(Settings().environment())
    assert of_dagster <= set(values)
    assert [name for name in Settings().secret_names() if values.get(name)] == []


def test_the_environment_template_is_accepted_by_the_settings() -> None:
    settings = Settings(_env_file=ROOT / "deployment" / "production.env.example")
    assert settings.graph_type == "fuseki"
    assert settings.launcher == "docker"


def test_the_installer_of_parts_and_the_tests_know_the_same_parts() -> None:
    script = (ROOT / "deployment" / "parts.sh").read_text()
    line = next(line for line in script.splitlines() if line.startswith("ALL="))
    assert line.partition("=")[2].strip('"').split() == list(parts.NAMES)


def test_the_installer_refuses_a_part_that_does_not_exist_by_name() -> None:
    done = subprocess.run(
        ["bash", "deployment/parts.sh", "minoi"], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 2
    assert "no part named 'minoi'" in done.stderr


def test_what_a_job_needs_has_no_dagster_in_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert [name for name in project["dependencies"] if "dagster" in name] == []
