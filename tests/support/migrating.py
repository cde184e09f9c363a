"""Create the tables in an empty database with the command that operators run."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.support.cache_directory import cache_directory
from tests.support.shared_artifacts import create_once

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE: Final = "template.sqlite3"
MADE_FROM: Final = (
    "mirrors/migrations/*.py",
    "mirrors/models/**/*.py",
    "mirrors/accounts/**/*.py",
    "mirrors/apps.py",
    "swapper_project/**/*.py",
)
MOST_KEPT: Final = 4
"""The most migrated databases of other versions of the code that stay in the cache, about 1 MiB each."""


def migrate(url: str) -> None:
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
        cwd=ROOT,
        env={**os.environ, "SWAPPER_DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "swapper_project.settings"},
        check=True,
    )


def migrated_sqlite() -> Path:
    """Return a migrated, empty database file to copy."""
    made = create_once("migrated-sqlite", _put_template, by_all_suites=True)
    return made / TEMPLATE


def _put_template(directory: Path) -> None:
    """Put a migrated file into the directory. A migration takes eight seconds, so a file is cached until its inputs
    change."""
    kept = cache_directory() / "migrated" / f"{_state_of_schema()}.sqlite3"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        for old in sorted(kept.parent.glob("*.sqlite3"), key=lambda file: file.stat().st_mtime)[:-MOST_KEPT]:
            old.unlink(missing_ok=True)
        migrate(f"sqlite:///{directory}/new.sqlite3")
        shutil.copy(directory / "new.sqlite3", unfinished := kept.with_suffix(f".{os.getpid()}"))
        unfinished.rename(kept)
    shutil.copy(kept, directory / TEMPLATE)


def _state_of_schema() -> str:
    """Return a hash of everything that a migrated database depends on: migrations, models, roles, settings and
    packages."""
    found = hashlib.sha256(f"{sys.version} {sqlite3.sqlite_version}".encode())
    files = [ROOT / "requirements/dev.txt", *(file for place in MADE_FROM for file in sorted(ROOT.glob(place)))]
    for file in files:
        found.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes())
    return found.hexdigest()[:20]
