"""The check that the previous release runs on this release's schema, with this code as the previous release."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.databases import ROOT

PRODUCT = ("manage.py", "mirrors", "swapper_project", "templates", "webhook")
"""The files that a release runs."""

IDENTITY = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com", "GIT_CONFIG_GLOBAL": "/dev/null"}
IDENTITY |= {"GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.com"}

pytestmark = pytest.mark.timeout(200)


def git(repository: Path, *arguments: str) -> None:
    environment = {**os.environ, **IDENTITY}
    subprocess.run(["git", "-C", str(repository), *arguments], env=environment, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with this checkout's product, not committed yet."""
    git(tmp_path, "init", "--quiet")
    for name in PRODUCT:
        place = tmp_path / name
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, place)
    return tmp_path


def commit(repository: Path, *, tag: str = "") -> None:
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "A release")
    if tag:
        git(repository, "tag", tag)


def check(repository: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools.previous_release", "--repository", str(repository), "--sqlite-only"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180, check=False)


def test_a_release_that_runs_on_the_schema_passes(repository: Path) -> None:
    commit(repository, tag="v0.0.9")

    result = check(repository)

    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "v0.0.9 on SQLite: this release continues with what it has written"
    assert len(result.stdout.splitlines()) == 4


def test_a_column_removed_by_this_release_is_reported(repository: Path) -> None:
    """Simulate a migration that drops a column to which the previous release writes."""
    model = repository / "mirrors/models/jobs/jobs.py"
    text = model.read_text()
    assert "    attempts = " in text
    model.write_text(text.replace("    attempts = ", '    dropped = models.TextField(default="")\n    attempts = ', 1))
    commit(repository, tag="v0.0.9")

    result = check(repository)

    assert result.returncode == 1
    assert "v0.0.9 does not run on the schema of this release: manage.py mirror" in result.stderr
    assert "dropped" in result.stderr


def test_without_a_tag_there_is_no_previous_release(repository: Path) -> None:
    commit(repository)

    result = check(repository)

    assert (result.returncode, result.stdout) == (
        0,
        "There is no previous release: nothing has to run on the schema of this one.\n",
    )
