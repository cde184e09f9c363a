"""Secrets with random values are created once, on a real API server, and never changed."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from swapper_project.process import environment as env
from tests.installation.support import ADMIN, APP, DATABASE, Site
from tests.support.controlplane import ADMIN as ADMIN_TOKEN
from tests.support.controlplane import OTHER, ControlPlane
from tests.support.databases import ROOT
from tests.support.ports import free_port
from tests.support.system import PRODUCT, run_manage


def test_missing_secrets_are_created_and_unchanged_by_a_second_run(site: Site) -> None:
    first = site.setup_secrets()
    values = {name: site.values(name) for name in (APP, DATABASE, ADMIN)}
    versions = site.secrets()

    second = site.setup_secrets()

    assert site.secrets() == versions
    assert {name: set(keys) for name, keys in values.items()} == {
        APP: {"secret-key", "webhook-token"},
        DATABASE: {"password"},
        ADMIN: {"username", "password"},
    }
    shown = first.stdout + first.stderr + second.stdout + second.stderr
    secret = [value.decode() for keys in values.values() for key, value in keys.items() if key != "username"]
    assert len(set(secret)) == 4 and not any(value in shown for value in secret)


def test_the_generated_values_are_valid_settings(site: Site) -> None:
    site.setup_secrets()
    app, admin = site.values(APP), site.values(ADMIN)

    read = env.read(
        {
            "SWAPPER_DATA_DIR": "/data",
            "SWAPPER_SECRET_KEY": app["secret-key"].decode(),
            "SWAPPER_WEBHOOK_TOKEN": app["webhook-token"].decode(),
        }
    )

    assert read.webhook_token and read.secret_key and len(read.secret_key) >= 50
    assert admin["username"] == b"admin" and len(admin["password"]) >= 20


def test_concurrent_runs_create_one_secret_and_all_succeed(site: Site) -> None:
    command = [sys.executable, "manage.py", "setup_secrets", "--namespace", site.namespace, "--app-secret", APP]
    environment = {**os.environ, **PRODUCT, **site.environment}
    running = [
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    outputs = [process.communicate(timeout=60) for process in running]

    assert [process.returncode for process in running] == [0, 0, 0, 0], outputs
    assert sum(b"created" in out for out, _ in outputs) == 1


def test_an_existing_secret_without_a_key_is_unchanged_and_reported(site: Site, plane: ControlPlane) -> None:
    plane.secret(site.namespace, APP, "Opaque", {"secret-key": "mine" * 20})
    before = site.secrets()[APP]

    result = site.setup_secrets(check=False)

    assert result.returncode == 1
    assert f"{site.namespace}/{APP} has no webhook-token" in result.stderr and "kubectl edit" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert site.secrets()[APP] == before
    assert {DATABASE, ADMIN} <= set(site.secrets()), "the others are created all the same"


def test_one_secret_can_contain_all_keys(site: Site, plane: ControlPlane) -> None:
    plane.secret(site.namespace, "all", "Opaque", {"secret-key": "a", "webhook-token": "b", "password": "c"})

    names = ["--app-secret", "all", "--database-secret", "all"]
    result = run_manage(
        "setup_secrets", "--namespace", site.namespace, *names, environment=admin_of(plane), check=False
    )

    assert result.returncode == 0, result.stderr


def admin_of(plane: ControlPlane) -> dict[str, str]:
    return {"KUBECONFIG": str(plane.kubeconfig(token=ADMIN_TOKEN))}


def test_a_missing_permission_is_reported_on_one_line(plane: ControlPlane) -> None:
    unprivileged = Site(plane)

    result = run_manage(
        *("setup_secrets", "--namespace", unprivileged.namespace, "--app-secret", APP),
        environment=unprivileged.environment,
        check=False,
    )

    assert result.returncode == 1
    assert "forbidden" in result.stderr and "docs/cluster-setup.md" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("cluster", ["away", "none"])
def test_an_unavailable_or_unconfigured_api_server_is_reported_on_one_line(plane: ControlPlane, cluster: str) -> None:
    path = plane.kubeconfig(token=OTHER, namespace=f"away-{cluster}")
    path.write_text(path.read_text().replace(plane.url, f"https://127.0.0.1:{free_port()}"))
    environment = {"KUBECONFIG": str(path) if cluster == "away" else ""}

    result = run_manage("setup_secrets", "--namespace", "x", "--app-secret", APP, environment=environment, check=False)

    assert result.returncode == 1
    assert ("did not respond" if cluster == "away" else "KUBECONFIG is not set") in result.stderr
    assert len(result.stderr.splitlines()) == 1
