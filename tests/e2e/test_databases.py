"""Databases other than the bundled one: a Postgres with a difficult password, and SQLite in one pod."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from tests.e2e.cluster.cluster import Cluster
from tests.e2e.cluster.release import Release, installed
from tests.support.databases import query
from tests.support.postgres import require_postgres, running_server

pytestmark = pytest.mark.timeout(600)

PASSWORD = "p@ss:w/rd#%41?&"
"""A password with characters that have a meaning in URLs, because it must never become a part of a URL."""


@pytest.fixture(scope="module")
def database_port() -> Iterator[int]:
    """The port of a Postgres that requires the password."""
    require_postgres()
    with running_server() as server:
        admin = f"{server.url}/postgres"
        query(admin, f"ALTER ROLE swapper PASSWORD '{PASSWORD}'")
        query(admin, "CREATE DATABASE images")
        rules = Path(query(admin, "SHOW hba_file")[0][0])
        rules.write_text("host all all 127.0.0.1/32 scram-sha-256\nlocal all all trust\n")
        query(admin, "SELECT pg_reload_conf()")
        yield server.port


def test_swapping_works_with_special_characters_in_the_database_password(
    cluster: Cluster, database_port: int, tmp_path: Path
) -> None:
    external = {"host": "127.0.0.1", "port": database_port, "database": "images", "existingSecret": "database"}
    secrets = {"database": {"password": PASSWORD}}
    with installed(cluster, tmp_path, secrets=secrets, externalDatabase=external) as release:
        assert_it_swaps(release)
        assert not cluster.node.pods(release.namespace, "postgresql")


def test_one_pod_runs_all_processes_with_sqlite(cluster: Cluster, tmp_path: Path) -> None:
    with installed(cluster, tmp_path, sqlite={"enabled": True}) as release:
        assert_it_swaps(release)
        (pod,) = cluster.node.pods(release.namespace, "app")
        pages = [f"http://{pod.address}:{port}/readyz" for port in (8000, 8001)]
        assert [urllib3.request("GET", page, timeout=10).status for page in pages] == [200, 200]
        for role in ("web", "worker", "postgresql"):
            assert not cluster.node.pods(release.namespace, role)
        printed = cluster.helm("test", release.name, "-n", release.namespace, "--timeout", "120s")
        assert "Succeeded" in printed


def assert_it_swaps(release: Release) -> None:
    image = release.load("team/app")
    release.wait_until_mirrored(release.cluster.namespace("shop"), image)
