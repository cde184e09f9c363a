"""``prepare`` can be killed at any moment, for example by the kubelet. The next one runs the same migration again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.databases import ROOT, query

REPEATED = """
import django
django.setup()
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

repeated = 0
for key in MigrationExecutor(connection).loader.graph.leaf_nodes():
    for migration, _ in MigrationExecutor(connection).migration_plan([key]):
        this = (migration.app_label, migration.name)
        MigrationExecutor(connection).migrate([this])
        if not migration.atomic and migration.app_label == "mirrors":
            MigrationExecutor(connection).recorder.record_unapplied(*this)
            MigrationExecutor(connection).migrate([this])
            repeated += 1
print(repeated)
"""
"""Runs each migration that is not atomic twice. The first run is not recorded, as if it had been killed at its end."""


def test_a_non_atomic_migration_that_was_not_recorded_can_run_again(empty: str, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "SWAPPER_DATABASE_URL": empty,
        "SWAPPER_DATA_DIR": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "swapper_project.settings",
    }
    done = subprocess.run([sys.executable, "-c", REPEATED], cwd=ROOT, env=environment, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 5
    if not empty.startswith("sqlite"):
        assert query(empty, "SELECT count(*) FROM pg_index WHERE NOT indisvalid") == [(0,)]
