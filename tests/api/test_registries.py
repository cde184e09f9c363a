"""Registries in the API: names that become the same, credentials that belong to their host, namespaces."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection
from rest_framework.test import APIClient

from mirrors.accounts.roles import Role
from mirrors.models import Filter, Registry
from tests.api.conftest import Clients

URL = "/api/v1/registries/"
CREDENTIALS = {"username": "robot", "credential_ref": "file:robot"}
OTHERS = {"username": "puller", "credential_ref": "env:SWAPPER_CRED_OTHER"}

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client_of: Clients) -> APIClient:
    return client_of(Role.ADMIN)


def create(client: APIClient, **fields: Any) -> Any:
    return client.post(URL, {"name": "a registry", **fields}, format="json")


@pytest.mark.parametrize(
    ("there", "other"),
    [
        ("docker.io", "docker.io"),
        ("docker.io", "index.docker.io"),
        ("docker.io", "registry-1.docker.io"),
        ("docker.io", "registry.hub.docker.com"),
        ("quay.io", "quay.io"),
        ("registry.example.com:5000", "registry.example.com:05000"),
        ("*.example.com", "*.example.com"),
        ("[2001:db8::1]:5000", "[2001:db8:0:0::1]:5000"),
    ],
)
def test_another_name_of_an_existing_registry_is_rejected(admin: APIClient, there: str, other: str) -> None:
    assert create(admin, endpoint=there).status_code == 201
    second = create(admin, endpoint="ghcr.io").json()["id"]

    responses = [create(admin, endpoint=other), admin.patch(f"{URL}{second}/", {"endpoint": other}, format="json")]

    for response in responses:
        assert response.status_code == 400, response.content
        assert "already" in response.json()["errors"]["endpoint"][0]
    assert Registry.objects.count() == 2


@pytest.mark.parametrize("host", ["QUAY.IO", "quay.io.", "https://quay.io", "quay.io/", "", "quay", "a b.io", "q.io:0"])
def test_an_invalid_host_is_rejected_with_an_error_for_the_endpoint(admin: APIClient, host: str) -> None:
    response = create(admin, endpoint=host)
    assert response.status_code == 400 and response.json()["errors"]["endpoint"]


def test_another_name_of_a_cloud_registry_is_rejected(admin: APIClient) -> None:
    alias = "123456789012.dkr-ecr.eu-west-1.on.aws"
    aliases = {"aliases": [alias]}
    Registry.objects.create(
        name="ecr", endpoint="123456789012.dkr.ecr.eu-west-1.amazonaws.com", settings=aliases, managed_by="config"
    )
    response = create(admin, endpoint=alias)
    assert response.status_code == 400 and "another of its names" in response.json()["errors"]["endpoint"][0]


def test_a_filter_with_an_existing_name_is_rejected(admin: APIClient) -> None:
    fields = {"name": "ours", "jmespath": "`true`"}
    assert admin.post("/api/v1/filters/", fields, format="json").status_code == 201
    response = admin.post("/api/v1/filters/", fields, format="json")
    assert response.status_code == 400 and "already" in response.json()["errors"]["name"][0]
    assert Filter.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_concurrent_requests_create_a_registry_once(admin: APIClient) -> None:
    start = threading.Barrier(6)
    codes: list[int] = []

    def run() -> None:
        start.wait()
        codes.append(create(admin, endpoint="quay.io").status_code)
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(codes) == [201, *[400] * 5]


def stored(client: APIClient, fields: dict[str, Any]) -> tuple[dict[str, Any], Registry]:
    """Create a registry with credentials and change it with PATCH. Return the response and the stored row."""
    key = create(client, endpoint="old.example.com", **CREDENTIALS).json()["id"]
    response = client.patch(f"{URL}{key}/", fields, format="json")
    assert response.status_code == 200, response.content
    return response.json(), Registry.objects.get(pk=key)


def test_a_changed_host_uses_the_credentials_sent_with_it(admin: APIClient) -> None:
    response, row = stored(admin, {"endpoint": "new.example.com", **OTHERS})
    assert (row.username, row.credential_ref) == (response["username"], response["credential_ref"])
    assert (row.username, row.credential_ref, response["notice"]) == (*OTHERS.values(), "")


def test_a_changed_host_does_not_get_the_previous_credentials(admin: APIClient) -> None:
    response, row = stored(admin, {"endpoint": "new.example.com"})
    assert (row.username, row.credential_ref, response["credential_ref"]) == ("", "", "")
    assert "credentials of the former host were removed" in response["notice"]


def test_incomplete_new_credentials_are_rejected(admin: APIClient) -> None:
    key = create(admin, endpoint="old.example.com", **CREDENTIALS).json()["id"]
    half = {"endpoint": "new.example.com", "credential_ref": "file:other"}
    assert admin.patch(f"{URL}{key}/", half, format="json").status_code == 400
    assert Registry.objects.get(pk=key).endpoint == "old.example.com"


@pytest.mark.parametrize("fields", [{"name": "renamed"}, {"endpoint": "old.example.com"}, {"insecure": True}])
def test_an_unchanged_host_keeps_its_credentials(admin: APIClient, fields: dict[str, Any]) -> None:
    response, row = stored(admin, fields)
    assert (row.username, row.credential_ref, response["notice"]) == (*CREDENTIALS.values(), "")


def test_another_name_of_the_same_host_keeps_the_credentials(admin: APIClient) -> None:
    key = create(admin, endpoint="docker.io", **CREDENTIALS).json()["id"]
    response = admin.patch(f"{URL}{key}/", {"endpoint": "index.docker.io"}, format="json").json()
    assert (response["endpoint"], response["username"], response["notice"]) == ("docker.io", "robot", "")


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["shop", "billing"], 201),
        (["*"], 201),
        ([], 201),
        (["Shop"], 400),
        (["a b"], 400),
        (["shop/*"], 400),
        (["-shop"], 400),
        (["x" * 64], 400),
        ("shop", 400),
        ([["shop"]], 400),
        ({"shop": 1}, 400),
        (None, 400),
        ([f"n{number}" for number in range(501)], 400),
    ],
)
def test_the_namespaces_of_credentials_are_validated(admin: APIClient, names: Any, code: int) -> None:
    response = create(admin, endpoint="quay.io", namespaces=names, **CREDENTIALS)
    assert response.status_code == code, response.content
    if code == 201:
        assert response.json()["namespaces"] == names == Registry.objects.get().namespaces
    else:
        assert "namespaces" in response.json()["errors"]
