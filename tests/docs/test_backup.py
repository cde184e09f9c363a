"""The documented commands back up a running installation, and restore it to an empty directory or database."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirrors.demo.registry import MemoryRegistry
from tests.docs.markdown import script
from tests.support.databases import ROOT, query
from tests.support.postgres import PostgresServer, postgres_bin, require_postgres, running_server
from tests.support.system import Webhook
from tests.webhook.mirrored import NAMES, load_source, mirrored_webhook, reason

OPERATIONS = ROOT / "docs/operations.md"
MAPPINGS = "SELECT source, target, source_digest, existence FROM mirrors_imagemapping ORDER BY source"
JOBS = "SELECT status, finished_at FROM mirrors_mirrorjob ORDER BY id"


@pytest.fixture
def source() -> Iterator[MemoryRegistry]:
    with MemoryRegistry() as registry:
        load_source(registry)
        yield registry


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    require_postgres()
    with running_server() as server:
        yield server


def run(name: str, environment: dict[str, str]) -> None:
    """Run a block of the page as if it was pasted into a shell."""
    path = f"{postgres_bin()}:{os.environ['PATH']}" if "postgres" in name else os.environ["PATH"]
    subprocess.run(
        ["sh", "-euc", script(OPERATIONS, name)],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "swapper_project.settings", **environment, "PATH": path},
        timeout=100,
        check=True,
    )


def assert_served(before: Webhook, directory: Path, url: str, source: MemoryRegistry, **extra: str) -> None:
    """Check that a webhook with the restored data swaps known images, although the target no longer responds."""
    webhook = Webhook(before.config, url, directory, extra)
    webhook.start()
    try:
        assert reason(webhook, source, "known") in {"present", "present-stale"}
        assert reason(webhook, source, NAMES[-1]) not in {"present", "present-stale"}
    finally:
        webhook.stop()


def test_a_sqlite_backup_restores_to_an_empty_directory(source: MemoryRegistry, tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir(mode=0o700)
    (old / "secret-key").write_text("0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOPQRSTUVWXYZ-%\n")
    (old / "credentials").mkdir()
    (old / "credentials" / "target-password").write_text("secret")
    url, backup = f"sqlite:///{old}/swapper.sqlite3", str(tmp_path / "backup")
    with MemoryRegistry() as target, mirrored_webhook(url, old, source, target) as before:
        run("backup-sqlite", {"SWAPPER_DATA_DIR": str(old), "BACKUP": backup})
        known = query(url, MAPPINGS), query(url, JOBS)
    ours = {"SWAPPER_DATABASE_URL": "", "SWAPPER_CONFIG": str(before.config)}

    run("restore-sqlite", {**ours, "SWAPPER_DATA_DIR": str(new), "BACKUP": backup})

    url = f"sqlite:///{new}/swapper.sqlite3"
    assert (query(url, MAPPINGS), query(url, JOBS)) == known
    assert len(known[0]) == 2
    assert (new / "secret-key").read_bytes() == (old / "secret-key").read_bytes()
    assert (new / "credentials" / "target-password").read_text() == "secret"
    assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in (new, new / "secret-key", Path(backup))} == {0}
    assert_served(before, new, url, source, SWAPPER_SECRET_KEY="")


def test_a_postgres_backup_restores_to_an_empty_database(
    source: MemoryRegistry, postgres: PostgresServer, tmp_path: Path
) -> None:
    url, backup = f"{postgres.url}/postgres", str(tmp_path / "backup")
    with MemoryRegistry() as target, mirrored_webhook(url, tmp_path, source, target) as before:
        run("backup-postgres", {"SWAPPER_DATABASE_URL": url, "BACKUP": backup})
        known = query(url, MAPPINGS), query(url, JOBS)
    query(url, "CREATE DATABASE restored TEMPLATE template0")
    url = f"{postgres.url}/restored"

    run("restore-postgres", {"SWAPPER_DATABASE_URL": url, "BACKUP": backup, "SWAPPER_CONFIG": str(before.config)})

    assert (query(url, MAPPINGS), query(url, JOBS)) == known
    assert len(known[0]) == 2
    (tmp_path / "new").mkdir(mode=0o700)
    assert_served(before, tmp_path / "new", url, source)
