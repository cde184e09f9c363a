"""Commands that are forked from an initialised project behave like commands that are started separately."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.commands import PRODUCT, run_manage
from tests.support.databases import ROOT, DatabaseTemplate, query
from tests.support.system import Webhook, write_config
from tests.support.warm_project import can_start

SETTINGS = """
import json
from django.conf import settings
from django.db import connections
connections.settings  # Completes DATABASES.
print(json.dumps({name: getattr(settings, name) for name in dir(settings) if name.isupper()}, default=str))
"""


def test_a_forked_command_has_the_settings_of_its_environment(tmp_path: Path, database_url: str) -> None:
    environment = {
        "SWAPPER_CONFIG": str(tmp_path / "config.yaml"),
        "SWAPPER_DATABASE_URL": database_url,
        "SWAPPER_DATA_DIR": str(tmp_path / "data"),
        "SWAPPER_WEBHOOK_TIMEOUT_SECONDS": "7",
    }
    command = ["shell", "-v0", "-c", SETTINGS]
    fresh = subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=ROOT,
        env={**os.environ, **PRODUCT, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert can_start(["manage.py", *command], {**PRODUCT, **environment})
    forked = run_manage(*command, environment=environment)
    assert json.loads(forked.stdout) == json.loads(fresh.stdout)
    assert forked.stderr == fresh.stderr


@pytest.mark.parametrize(
    ("script", "status", "error"),
    [
        ("raise SystemExit", 0, ""),
        ("raise SystemExit(3)", 3, ""),
        ("raise SystemExit('no such thing')", 1, "no such thing\n"),
        ("raise ValueError('broken')", 1, "ValueError: broken\n"),
        ("import atexit; atexit.register(print, 'closing')", 0, ""),
    ],
)
def test_a_forked_command_keeps_its_exit_status_and_output(script: str, status: int, error: str) -> None:
    result = run_manage("shell", "-v0", "-c", f"print('said'); {script}", check=False)
    assert (result.returncode, result.stdout.splitlines()[0]) == (status, "said")
    assert result.stderr.endswith(error)
    assert ("closing" in result.stdout) == ("closing" in script)


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        (["manage.py", "prepare"], {"SWAPPER_CONFIG": "/a.yaml"}, True),
        (["manage.py", "mirror", "nginx:1"], {"SWAPPER_CRED_HUB": "robot:secret"}, True),
        (["-m", "tests.support.configured_rows"], {}, True),
        (["-m", "gunicorn"], {}, False),
        (["manage.py", "worker"], {}, False),
        (["manage.py", "check"], {}, False),
        (["manage.py"], {}, False),
        (["manage.py", "prepare"], {"SWAPPER_ROLE": "web"}, False),
        (["manage.py", "prepare"], {"SWAPPER_EXTERNAL_URL": "https://swapper.example.com"}, False),
        (["manage.py", "prepare"], {"SWAPPER_SECRET_KEY_FILE": "/key"}, False),
        (["manage.py", "prepare"], {"PROMETHEUS_MULTIPROC_DIR": "/metrics"}, False),
        (["manage.py", "prepare"], {"DJANGO_SETTINGS_MODULE": "tests.settings"}, False),
        (["manage.py", "prepare", "--data-dir", "/data"], {}, False),
        (["manage.py", "prepare", "--config=/a.yaml"], {}, False),
        (["manage.py", "mirror", "--help"], {}, False),
    ],
)
def test_only_short_commands_with_compatible_settings_are_forked(
    arguments: list[str], environment: Mapping[str, str], expected: bool
) -> None:
    assert can_start(arguments, {**PRODUCT, **environment}) is expected


def test_write_rows_and_prepare_create_the_same_rows(tmp_path: Path, database_template: DatabaseTemplate) -> None:
    found = []
    for name in ("prepare", "write_rows"):
        directory = tmp_path / name
        directory.mkdir()
        with database_template.copy(directory) as url:
            filters = {"filters": [{"jmespath": "obj.metadata.namespace == 'kube-system'"}]}
            config = write_config(directory / "config.yaml", target="registry.example:5000", source=filters)
            webhook = Webhook(config, url, directory)
            getattr(webhook, name)()
            found.append(
                (
                    query(url, "SELECT role, kind, endpoint, cluster, enabled, managed_by FROM mirrors_registry"),
                    query(url, "SELECT name, jmespath, position, cluster FROM mirrors_filter"),
                    query(url, "SELECT name FROM auth_group ORDER BY name"),
                )
            )
    assert found[0] == found[1]
    assert all(found[0])
