"""The settings: the only reader of the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from sheaf.settings import Settings, process_environment


def test_names_that_operators_have_in_their_env_files_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLEANERIO_MINIO_ADDRESS", "s3.example.org")
    monkeypatch.setenv("GLEANERIO_MINIO_PORT", "")
    monkeypatch.setenv("GLEANERIO_MINIO_USE_SSL", "true")
    settings = Settings.load()
    assert (settings.minio_endpoint, settings.minio_use_ssl) == ("s3.example.org", True)


def test_a_bare_port_in_the_environment_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "1")
    monkeypatch.setenv("BUCKET", "other")
    assert (Settings.load().minio_port, Settings.load().minio_bucket) == (9000, "sheaf")


def test_secrets_may_stand_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secrets = tmp_path / "secrets.env"
    secrets.write_text("GLEANERIO_MINIO_SECRET_KEY='it'\\''s # not a comment'\n".replace("'\\''", "\\'"))
    monkeypatch.setenv("GLEANERIO_SECRETS_FILE", str(secrets))
    assert Settings.load().minio_secret_key.get_secret_value() == "it's # not a comment"


def test_secrets_never_show_when_settings_are_printed() -> None:
    settings = Settings(minio_secret_key="hunter2hunter2", graph_token="hunter3hunter3")
    assert "hunter" not in repr(settings) + str(settings.model_dump())


def test_settings_survive_the_way_through_a_childs_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(minio_port=1234, minio_secret_key="key", org="eco", data_dir=Path("/somewhere"))
    for name, value in process_environment(settings).items():
        monkeypatch.setenv(name, value)
    assert Settings.load() == settings
