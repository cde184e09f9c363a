"""A path that the user cannot read or write: the error names the path, the missing permission and what to do."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from swapper_project.process.commands.command_line import explain_error, explain_write

NOBODY = 65_534
STEP = "or name another path: --data-dir for the data directory, --config for the configuration file."


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory of a user other than root, as whom the test runs, because root can read and write everything."""
    is_root = os.geteuid() == 0
    with tempfile.TemporaryDirectory() as made:
        if is_root:
            os.chown(made, NOBODY, -1)
            os.seteuid(NOBODY)
        try:
            yield Path(made)
        finally:
            os.chmod(made, 0o700)
            if is_root:
                os.seteuid(0)


@pytest.mark.parametrize(("mode", "missing"), [(0o500, "no write (w)"), (0o600, "no search (x)")])
def test_the_error_names_the_missing_permission_on_the_directory(directory: Path, mode: int, missing: str) -> None:
    directory.chmod(mode)
    with pytest.raises(PermissionError) as failed:
        (directory / "secret-key").write_text("x")
    lacks = f"User {os.geteuid()} has {missing} permission on {directory}"
    assert explain_error(failed.value) == (
        f"Cannot read or write {directory}/secret-key: Permission denied. {lacks}. Change the owner or the mode of it, "
        f"{STEP}"
    )


def test_the_error_names_the_missing_permission_on_the_file(directory: Path) -> None:
    file = directory / "secret-key"
    file.touch(0o200)
    with pytest.raises(PermissionError) as failed:
        file.read_text()
    assert f"User {os.geteuid()} has no read (r) permission on {file}. " in explain_error(failed.value)


def test_the_error_names_the_directory_that_does_not_exist(directory: Path) -> None:
    data_dir = directory / "missing" / "data"
    with pytest.raises(FileNotFoundError) as failed:
        os.open(data_dir, os.O_RDONLY)
    assert explain_write(failed.value).endswith(f" {directory}/missing does not exist. Create it, {STEP}")
