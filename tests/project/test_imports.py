"""The webhook role imports only what it needs, without the modules of web, workers and commands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.databases import ROOT
from tests.support.system import PRODUCT, write_config

UNNEEDED = (
    "auditlog",
    "axes",
    "boto3",
    "botocore",
    "google.auth",
    "google.cloud",
    "grpc",
    "knox",
    "unfold",
    "drf_spectacular",
    "mirrors.accounts",
    "mirrors.kubernetes.api_server.api_client",
    "mirrors.kubernetes.objects.keyring",
    "mirrors.kubernetes.api_server.pull_secrets",
    "mirrors.registries.aws",
    "mirrors.registries.gcp",
    "lightkube",
    "whitenoise",
    "django.contrib.auth.models",
    "django.contrib.sessions",
    "mirrors.admin",
    "mirrors.jobs",
    "mirrors.demo",
    "mirrors.api",
)
PROGRAM = """
import sys
from swapper_project.wsgi import application
from webhook.runtime.runtime import runtime, stop
runtime()
import webhook.http.urls
stop()
print(" ".join(sorted(sys.modules)))
"""


def test_the_webhook_does_not_import_unneeded_modules(tmp_path: Path) -> None:
    config = write_config(tmp_path / "config.yaml", target="mirror.example.com:5000")
    environment = {"SWAPPER_ROLE": "webhook", "SWAPPER_CONFIG": str(config), "SWAPPER_DATA_DIR": str(tmp_path)}
    database = {"SWAPPER_DATABASE_URL": f"sqlite:///{tmp_path}/swapper.sqlite3"}

    result = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env={**os.environ, **PRODUCT, **environment, **database},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    loaded = set(result.stdout.splitlines()[-1].split())
    assert "webhook.http.views" in loaded
    assert [name for name in UNNEEDED if name in loaded] == []
