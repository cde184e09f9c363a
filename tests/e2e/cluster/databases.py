"""The data directories of Postgres pods. The first one of a test run is empty, as in any new installation.

The others already contain the product's tables, because migrating an empty database takes several seconds of CPU each
time, and the tests are about later steps.
"""

from __future__ import annotations

import itertools
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.support.postgres import MIGRATED_USER, copy_migrated, postgres_bin

_numbers: Final = itertools.count()


def fill(place: Path, environment: Mapping[str, str], account: Mapping[str, Any]) -> None:
    """Create ``place / "data"`` with the user, password and database of the environment."""
    user, name, password = (environment[f"POSTGRES_{key}"] for key in ("USER", "DB", "PASSWORD"))
    is_first = next(_numbers) == 0
    if is_first or user != MIGRATED_USER:
        _initialise(place, user, password, account)
        _run(place, account, f'CREATE DATABASE "{name}";')
        return
    copy_migrated(place)
    escaped = password.replace("'", "''")
    _run(place, account, f"ALTER ROLE \"{user}\" PASSWORD '{escaped}';", f'CREATE DATABASE "{name}" TEMPLATE postgres;')
    access = place / "data/pg_hba.conf"
    access.write_text(access.read_text().replace("trust", "scram-sha-256"))


def _initialise(place: Path, user: str, password: str, account: Mapping[str, Any]) -> None:
    file = place / "password"
    file.write_text(password)
    if account:
        shutil.chown(file, account["user"])
    initdb = [str(postgres_bin() / "initdb"), "-D", str(place / "data"), "-U", user, "-A", "scram-sha-256", "--no-sync"]
    subprocess.run([*initdb, f"--pwfile={file}"], check=True, stdout=subprocess.DEVNULL, cwd=place, **account)


def _run(place: Path, account: Mapping[str, Any], *statements: str) -> None:
    """Run SQL statements with a single-user server, which accepts no connections."""
    single = [str(postgres_bin() / "postgres"), "--single", "-D", str(place / "data"), "template1"]
    given = "".join(f"{statement}\n" for statement in statements).encode()
    subprocess.run(single, input=given, check=True, stdout=subprocess.DEVNULL, cwd=place, **account)
