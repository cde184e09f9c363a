"""An existing data directory gets the documented modes, or a warning with the command to run."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.migrating import migrated_sqlite
from tests.support.system import run_manage, write_config

SECRETS = ("secret-key", "admin-password", "webhook.key")
KEY = "0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOPQRSTUVWXYZ-%\n"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory that was copied or restored without its modes: all users can read it."""
    made = tmp_path / "data"
    made.mkdir()
    made.chmod(0o755)
    for name in (*SECRETS, "webhook.crt", "worker-heartbeat"):
        (made / name).write_text(KEY)
        (made / name).chmod(0o644)
    (made / "credentials").mkdir()
    (made / "credentials").chmod(0o755)
    return made


def run(directory: Path, *command: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    config = write_config(tmp_path / "config.yaml", target="mirror.example.com")
    # The database is in the data directory.
    return run_manage(
        *command, "--config", str(config), "--data-dir", str(directory), environment={"SWAPPER_DATABASE_URL": ""}
    )


def warnings(ended: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in ended.stderr.splitlines() if line.startswith("{")]
    return [line for line in lines if "data directory" in line["message"]]


def modes(directory: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in [directory, *directory.iterdir()]}


@pytest.mark.parametrize("command", [["prepare"], ["config", "check"], ["mirror", "--queue", "nginx:1"]])
def test_commands_restrict_the_modes_of_the_data_directory(command: list[str], directory: Path, tmp_path: Path) -> None:
    if command[0] == "mirror":
        shutil.copy(migrated_sqlite(), directory / "swapper.sqlite3")
        for path in directory.glob("*"):
            path.chmod(path.stat().st_mode | 0o044)
        directory.chmod(0o755)

    result = run(directory, *command, tmp_path=tmp_path)

    found = modes(directory)
    assert found["data"] == found["credentials"] == 0o700
    assert {name: found[name] for name in SECRETS} == dict.fromkeys(SECRETS, 0o600)
    assert warnings(result) == []
    databases = [mode for name, mode in found.items() if name.startswith("swapper.sqlite3")]
    assert databases == [0o600] * len(databases)
    assert bool(databases) == (command[0] != "config")


def test_the_group_of_a_kubernetes_volume_keeps_its_access(directory: Path, tmp_path: Path) -> None:
    directory.chmod(0o2775)
    (directory / "secret-key").chmod(0o664)

    result = run(directory, "prepare", tmp_path=tmp_path)

    found = modes(directory)
    assert found["data"] == 0o2770
    assert found["secret-key"] == 0o660
    assert found["swapper.sqlite3"] == 0o640
    assert warnings(result) == []


def test_a_mode_that_cannot_be_changed_is_reported_with_a_command(directory: Path, tmp_path: Path) -> None:
    (directory / "secret-key").unlink()
    # Not even root can change the mode of a process's file in /proc.
    (directory / "secret-key").symlink_to("/proc/self/status")

    (warning,) = warnings(run(directory, "config", "check", tmp_path=tmp_path))

    assert warning["run"] == f"chmod go-rwx {directory}/secret-key"
    assert modes(directory)["webhook.key"] == 0o600


def test_a_directory_with_unrelated_files_keeps_its_mode_with_a_warning(directory: Path, tmp_path: Path) -> None:
    (directory / "notes.txt").write_text("not ours")

    (warning,) = warnings(run(directory, "config", "check", tmp_path=tmp_path))

    assert warning["directory"] == str(directory)
    assert "--data-dir" in warning["message"]
    assert modes(directory) == {**modes(directory), "data": 0o755, "secret-key": 0o600, "notes.txt": 0o644}


def test_a_database_outside_the_data_directory_gets_mode_0600(tmp_path: Path) -> None:
    config = write_config(tmp_path / "config.yaml", target="mirror.example.com")
    (tmp_path / "elsewhere").mkdir(mode=0o755)
    database = tmp_path / "elsewhere" / "own.sqlite3"

    run_manage("prepare", "--config", str(config), environment={"SWAPPER_DATABASE_URL": f"sqlite:///{database}"})

    assert stat.S_IMODE(os.stat(database).st_mode) == 0o600
