"""``/api/v1/readiness/`` returns the same result for programs."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from mirrors.accounts.roles import Role
from mirrors.models import MirrorJob
from tests.api.conftest import user_of
from tests.readiness.cluster_rows import NEW, OLD, small_cluster

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("configured_web")]
URL = "/api/v1/readiness/"


@pytest.fixture
def client() -> APIClient:
    client = APIClient()
    client.force_login(user_of(Role.OPERATOR))
    return client


def test_the_response_has_totals_reasons_and_pages_of_missing_images(client: APIClient) -> None:
    small_cluster()
    found = client.get(URL).json()

    assert (found["workloads"], found["unprotected"], found["percent"], found["count"]) == (4, 3, 25.0, 3)
    assert found["reasons"] == {"not-mirrored": 1, "would-change": 1, "blocked": 1}
    assert {row["reason"] for row in found["missing"]} == set(found["reasons"])
    second = client.get(URL, {"page": 2, "page_size": 2}).json()
    assert (second["count"], second["missing"]) == (3, found["missing"][2:])


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"without": "docker.io"}, 2),
        ({"without": "ghcr.io"}, 1),
        ({"reason": "blocked"}, 1),
        ({"namespace": "site"}, 1),
        ({"allow_changes": "true"}, 2),
    ],
)
def test_query_parameters_filter_the_result(query: dict[str, str], count: int, client: APIClient) -> None:
    small_cluster()

    assert client.get(URL, query).json()["count"] == count


def test_drift_rows_have_running_source_and_target_digests(client: APIClient) -> None:
    small_cluster()
    found = client.get(URL, {"drift": "true"}).json()

    (row,) = found["drift"]
    assert (row["running_digest"], row["source_digest"], row["target_digest"]) == (OLD, NEW, NEW)
    assert found["missing"] == [] and found["count"] == 1


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"without": "a b"}, "without"),
        ({"reason": "moon"}, "reason"),
        ({"page": "0"}, "page"),
        ({"registry": "docker.io"}, "registry"),
    ],
)
def test_invalid_parameters_are_reported(query: dict[str, str], name: str, client: APIClient) -> None:
    small_cluster()
    response = client.get(URL, query)

    assert response.status_code == 400 and name in response.json()["errors"]


def test_a_cluster_that_was_never_listed_returns_409(client: APIClient) -> None:
    response = client.get(URL)

    assert response.status_code == 409
    assert response.json()["code"] == "not-listed" and "manage.py watch" in response.json()["detail"]


def test_missing_images_are_queued_once(client: APIClient) -> None:
    small_cluster()
    response = client.post(f"{URL}mirror/", {"without": "docker.io"}, format="json")

    assert response.json() == {"requested": 1, "active": 0, "left": 0, "refusals": []}
    assert MirrorJob.objects.get().mapping.source == "docker.io/library/redis:7"
    again = client.post(f"{URL}mirror/", {}, format="json")
    assert again.json()["requested"] == 0 and again.json()["active"] == 1
