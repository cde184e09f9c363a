"""Our tables in an empty database, by the command that operators run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.made_once import made_once

ROOT = Path(__file__).resolve().parents[2]


def migrate(url: str) -> None:
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
        cwd=ROOT,
        env={**os.environ, "SWAPPER_DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "swapper_project.settings"},
        check=True,
    )


def migrated_sqlite() -> Path:
    """A migrated, empty database file, to be copied."""
    made = made_once("migrated-sqlite", _migrate_sqlite, by_all_suites=True)
    return made / "template.sqlite3"


def _migrate_sqlite(directory: Path) -> None:
    migrate(f"sqlite:///{directory}/template.sqlite3")
