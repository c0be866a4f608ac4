"""The data folder: keys, addresses, and the lock that makes a stack the only one of its folder."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from sheaf.errors import BadInput
from sheaf.settings import Settings
from sheaf.stack.folder import DataFolder, embedded_settings, load_keys, write_addresses
from sheaf.stack.parts import Location, embedded_parts, prepare_dagster, read_workspace
from sheaf.stack.state import PartState, StackState, read_state, running_state, stack_lock

ROOT = Path(__file__).parents[2]


def folder_of(tmp_path: Path) -> DataFolder:
    folder = DataFolder(tmp_path / "data")
    folder.create("sheaf")
    return folder


def settings_of(folder: DataFolder, **changes: object) -> Settings:
    return Settings().model_copy(update={"data_dir": folder.root, **changes})


def test_the_first_start_makes_keys_that_only_their_owner_reads_and_later_ones_keep_them(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    keys = load_keys(folder)
    assert stat.S_IMODE(folder.secrets_file.stat().st_mode) == 0o600
    assert len(set(keys.values())) == 3
    assert min(len(value) for value in keys.values()) >= 20
    assert load_keys(folder) == keys


@pytest.mark.parametrize(
    ("text", "expected"),
    [("GLEANERIO_MINIO_ACCESS_KEY=a\nnonsense\n", "line 2"), ("# mine\nGLEANERIO_MINIO_ACCESS_KEY=a\n", "lacks")],
)
def test_a_broken_file_of_keys_is_refused_with_its_name_and_the_line(tmp_path: Path, text: str, expected: str) -> None:
    folder = folder_of(tmp_path)
    folder.secrets_file.write_text(text)
    with pytest.raises(BadInput, match=expected) as refused:
        load_keys(folder)
    assert str(folder.secrets_file) in str(refused.value)


def test_a_data_folder_that_cannot_be_made_is_refused_with_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="GLEANERIO_DATA_DIR"):
        DataFolder(tmp_path / "file" / "data").create("sheaf")


def test_an_offset_moves_every_address_of_the_stack(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    settings = embedded_settings(settings_of(folder, port_offset=50, minio_address="s3.example.org"))
    assert settings.minio_endpoint == "127.0.0.1:9050"
    assert settings.graph_url == "http://127.0.0.1:10049/blazegraph"
    assert settings.dagster_url == "http://127.0.0.1:3050"


def test_a_command_beside_a_running_stack_finds_its_addresses_and_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_of(tmp_path)
    settings = embedded_settings(settings_of(folder, port_offset=7))
    write_addresses(folder, settings)
    for name in [name for name in os.environ if name.startswith("GLEANERIO_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GLEANERIO_DATA_DIR", str(folder.root))
    found = Settings.load()
    assert (found.minio_port, found.dagster_url) == (9007, "http://127.0.0.1:3007")
    assert found.minio_secret_key == settings.minio_secret_key
    monkeypatch.setenv("GLEANERIO_MINIO_PORT", "1234")
    assert Settings.load().minio_port == 1234
    folder.addresses_file.unlink()
    monkeypatch.delenv("GLEANERIO_MINIO_PORT")
    assert Settings.load().minio_secret_key.get_secret_value() == ""


def test_no_secret_is_in_a_command_line_or_in_a_part_that_does_not_need_it(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    settings = embedded_settings(settings_of(folder))
    parts = {part.name: part for part in embedded_parts(settings, folder, ROOT, [Location("ingest", "m", 4000)])}
    keys = load_keys(folder)
    for part in parts.values():
        assert not any(secret in word for word in part.argv for secret in keys.values())
        assert not any(secret in repr(part) for secret in keys.values())

    def told(name: str) -> set[str]:
        seen = "\n".join(parts[name].env.values())
        return {key for key, secret in keys.items() if secret in seen}

    assert told("webserver") == told("daemon") == told("prepare") == set()
    assert told("s3") == {"GLEANERIO_MINIO_ACCESS_KEY", "GLEANERIO_MINIO_SECRET_KEY"}
    assert told("graph") == {"GLEANERIO_GRAPH_TOKEN"}
    assert told("code-ingest") == set(keys)


def test_children_write_bytecode_even_when_we_were_told_not_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    folder = folder_of(tmp_path)
    parts = embedded_parts(embedded_settings(settings_of(folder)), folder, ROOT, [Location("ingest", "m", 4000)])
    assert [part.name for part in parts if "PYTHONDONTWRITEBYTECODE" in part.env] == []


def test_the_projects_workspace_is_served_over_grpc_at_the_offset(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    locations = read_workspace(ROOT / "workspace.yaml", 10)
    assert Location("ingest", "code_locations.ingest.definitions", 4010) in locations
    prepare_dagster(ROOT / "dagster.yaml", folder, locations)
    assert [place.port for place in read_workspace(folder.dagster / "workspace.yaml", 0)] == [p.port for p in locations]


@pytest.mark.parametrize("text", ["load_from: [{python_module: x}]", "load_from: 3", "load_from: [", "{}"])
def test_a_workspace_of_another_form_is_refused_by_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "workspace.yaml").write_text(text)
    with pytest.raises(BadInput, match=r"workspace\.yaml.*grpc_server"):
        read_workspace(tmp_path / "workspace.yaml", 0)


def test_only_one_stack_holds_the_lock_and_its_death_frees_it(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    program = (
        "import sys, time, pathlib\n"
        "from sheaf.stack.folder import DataFolder\nfrom sheaf.stack.state import StackState, stack_lock\n"
        "from sheaf.stack.processes import started_at\nimport os\n"
        "folder = DataFolder(pathlib.Path(sys.argv[1]))\n"
        "with stack_lock(folder) as alone:\n"
        "    StackState(pid=os.getpid(), started=started_at(os.getpid()), phase='ready').write(folder)\n"
        "    print(alone, flush=True)\n    time.sleep(60)\n"
    )
    assert running_state(folder) is None
    with subprocess.Popen(
        [sys.executable, "-c", program, str(folder.root)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        with stack_lock(folder) as alone:
            assert not alone
        state = running_state(folder)
        assert state is not None
        assert (state.pid, state.phase) == (holder.pid, "ready")
        holder.kill()
    assert running_state(folder) is None
    with stack_lock(folder) as alone:
        assert alone


def test_a_state_is_read_back_as_it_was_written_and_garbage_is_no_state(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    state = StackState(pid=5, started=1.5, phase="ready", parts=[PartState("s3", "S3", "http://x", "log", pid=6)])
    state.write(folder)
    assert read_state(folder) == state
    folder.state_file.write_text('{"pid": 5}')
    assert read_state(folder) is None
