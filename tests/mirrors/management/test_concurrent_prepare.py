"""Several concurrent ``prepare`` commands all succeed, and leave the same result as a single one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.databases import ROOT, query
from tests.support.system import run_manage, write_config

AT_ONCE = 4
OLDER_ROWS = (
    "INSERT INTO mirrors_registry (id, name, role, kind, endpoint, prefix, managed_by, enabled, insecure, username,"
    " credential_ref, ca_file, settings, created_at, updated_at) VALUES (70, '', 'target', 'oci', 'mirror.example.com',"
    " '', 'config', true, false, '', '', '', '{}', '2026-01-01 00:00:00+00', '2026-01-01 00:00:00+00')",
    "INSERT INTO mirrors_imagemapping (id, source, target_registry_id, target, source_digest, target_digest, platforms,"
    " existence, access, paused) VALUES (70, 'quay.io:8443/org/app:1', 70, 'mirror.example.com/quay.io/org/app:1',"
    " '', '', '[]', 'unknown', 'unknown', false)",
    "INSERT INTO mirrors_mirrorjob (mapping_id, status, priority, trigger, requested_by, namespace, attempts,"
    " max_attempts, claims, available_at, error_class, error_message) VALUES (70, 'pending', 30, 'admission', '', '',"
    " 0, 5, 0, '2999-01-01 00:00:00+00', '', '')",
    "INSERT INTO mirrors_hostbudget (host, credential, operation, resting_until, updated_at) VALUES"
    " ('quay.io:8443', '', '', '2999-01-01 00:00:00+00', '2026-01-01 00:00:00+00')",
)


def prepare_at_once(url: str, directory: Path) -> list[tuple[int, str]]:
    """Return exit status and standard error of each process."""
    config = write_config(directory / "config.yaml", target="mirror.example.com")
    environment = {
        **os.environ,
        "SWAPPER_CONFIG": str(config),
        "SWAPPER_DATABASE_URL": url,
        "SWAPPER_DATA_DIR": str(directory),
        "DJANGO_SETTINGS_MODULE": "swapper_project.settings",
    }
    command = [sys.executable, "manage.py", "prepare", "--admin-password-file", str(directory / "admin-password")]
    started = [
        subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(AT_ONCE)
    ]
    return [(process.wait(180), process.communicate()[1]) for process in started]


def test_concurrent_prepare_commands_set_up_an_empty_database(empty: str, tmp_path: Path) -> None:
    result = prepare_at_once(empty, tmp_path)
    assert [status for status, _ in result] == [0] * AT_ONCE, result
    assert not [words for _, words in result if "Traceback" in words]
    assert query(empty, "SELECT count(*) FROM auth_user") == [(1,)]
    assert query(empty, "SELECT count(*) FROM mirrors_registry WHERE role = 'target'") == [(1,)]


def test_concurrent_prepare_commands_upgrade_a_database_of_an_older_release(database_url: str, tmp_path: Path) -> None:
    """The database has a job with the times and without the hosts of that release."""
    environment = {"SWAPPER_DATABASE_URL": database_url, "SWAPPER_DATA_DIR": str(tmp_path)}
    run_manage("migrate", "mirrors", "0010", "--verbosity", "0", environment=environment)
    for statement in OLDER_ROWS:
        query(database_url, statement)

    result = prepare_at_once(database_url, tmp_path)

    assert [status for status, _ in result] == [0] * AT_ONCE, result
    assert query(database_url, "SELECT source_host, target_host FROM mirrors_mirrorjob") == [
        ("quay.io:8443", "mirror.example.com")
    ]
    assert query(database_url, "SELECT count(*) FROM mirrors_mirrorjob WHERE available_at > '2200-01-01'") == [(0,)]
    assert query(database_url, "SELECT count(*) FROM mirrors_hostbudget WHERE resting_until > '2200-01-01'") == [(0,)]


def test_a_file_in_place_of_a_directory_is_reported_with_advice(tmp_path: Path) -> None:
    config = write_config(tmp_path / "config.yaml", target="mirror.example.com")
    blocked = tmp_path / "a file"
    blocked.touch()
    environment = {"SWAPPER_CONFIG": str(config), "SWAPPER_DATABASE_URL": f"sqlite:///{blocked}/db.sqlite3"}
    result = run_manage("prepare", environment=environment, check=False)
    assert result.returncode == 1 and "Traceback" not in result.stderr
    assert f"{blocked}: Not a directory. Move this file away, or name another directory" in result.stderr
    assert "SWAPPER_DATA_DIR" in result.stderr
