"""Routes about clusters, for which rows exist, respond to invalid input with 400 and name the input."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from mirrors.accounts.roles import Role
from mirrors.models import BackfillImage, BackfillRun
from tests.api.conftest import Clients
from tests.readiness.cluster_rows import small_cluster, target
from tests.readiness.conftest import configured_web
from tests.watcher.rows import failing_pull, restart_loop, unhealthy_target

__all__ = ["configured_web"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("configured_web")]
ROUTES = (
    "running-images",
    "clusters",
    "backfill",
    "backfill-images",
    "pull-failures",
    "target-health",
    "restart-loops",
    "readiness",
)


@pytest.fixture
def operator(client_of: Clients) -> APIClient:
    target()
    small_cluster()
    for row in (failing_pull, unhealthy_target, restart_loop):
        row()
    run = BackfillRun.objects.create(cluster="default", state="paused", images=1)
    BackfillImage.objects.create(run=run, source="docker.io/library/redis:7", rank=0, state="ready")
    return client_of(Role.OPERATOR)


@pytest.mark.parametrize("route", ROUTES)
def test_a_list_rejects_unknown_and_invalid_parameters(route: str, operator: APIClient) -> None:
    url = f"/api/v1/{route}/"
    assert operator.get(url).status_code == 200
    for query in ({"page_size": "x"}, {"no_such": "1"}, {"cluster": "\x00"}):
        assert operator.get(url, query).status_code == 400, query


BODIES: list[Any] = [[], "x", {"cluster": []}, {"cluster": "x" * 300}, {"cluster": "\x00"}, {"no_such": 1}]


@pytest.mark.parametrize("route", ["backfill/", "readiness/mirror/"])
def test_a_request_with_an_invalid_body_is_rejected(route: str, operator: APIClient) -> None:
    for body in BODIES:
        assert operator.post(f"/api/v1/{route}", body, format="json").status_code == 400, body


@pytest.mark.parametrize("route", ["backfill/0/start/", "restart-loops/0/release/", "target-health/0/declare-healthy/"])
def test_an_action_on_a_missing_row_returns_404(route: str, operator: APIClient) -> None:
    assert operator.post(f"/api/v1/{route}").status_code == 404
