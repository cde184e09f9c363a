"""Failing pulls, target health and restart loops by API."""

from __future__ import annotations

import pytest

from mirrors.accounts.roles import Role
from mirrors.models import OperatorAction
from tests.api.conftest import Clients
from tests.watcher.rows import failing_pull, restart_loop, unhealthy_target

pytestmark = pytest.mark.django_db


def test_failing_pulls_are_listed_with_advice(client_of: Clients) -> None:
    failing_pull(is_mirrored=True)
    failing_pull("m/redis:7", at="target", cause="denied", cluster="west")
    client = client_of(Role.VIEWER)

    (row,) = client.get("/api/v1/pull-failures/?cluster=default").json()["results"]
    assert (row["would_start"], row["commands"]) == (True, ["kubectl -n shop rollout restart deployment/web"])
    assert (row["pods"], row["nodes"], row["samples"][0]["pod"]) == (3, 2, "web-1")

    (row,) = client.get("/api/v1/pull-failures/?cause=denied&at=target").json()["results"]
    assert "IAM role" in row["advice"]


def test_a_target_is_declared_healthy_once(client_of: Clients) -> None:
    url = f"/api/v1/target-health/{unhealthy_target().pk}/"
    client = client_of(Role.OPERATOR)
    assert "IAM role" in client.get(url).json()["advice"]

    assert client.post(f"{url}declare-healthy/").json()["state"] == "healthy"

    again = client.post(f"{url}declare-healthy/")
    assert again.status_code == 409 and "already healthy" in again.json()["detail"]
    assert OperatorAction.objects.get().action == "declare-healthy"


def test_a_restart_loop_is_released_once(client_of: Clients) -> None:
    url = f"/api/v1/restart-loops/{restart_loop().pk}/"
    client = client_of(Role.OPERATOR)

    assert client.post(f"{url}release/").json()["released_at"]

    assert client.post(f"{url}release/").status_code == 409
    assert OperatorAction.objects.get().action == "release"
