"""The form of a registry: names that become the same, credentials that belong to their host, namespaces."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection
from django.test import Client
from django.urls import reverse

from mirrors.models import Filter, Registry

pytestmark = pytest.mark.django_db
ADD = "/admin/mirrors/registry/add/"
CREDENTIALS = {"username": "robot", "credential_ref": "file:robot"}


def form(**fields: Any) -> dict[str, Any]:
    empty = {"name": "ours", "username": "", "credential_ref": "", "namespaces": "", "ca_file": "", "enabled": "on"}
    return {**empty, **fields}


@pytest.mark.parametrize("other", ["docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"])
def test_an_alias_of_an_existing_registry_is_rejected(admin_client: Client, other: str) -> None:
    Registry.objects.create(name="hub", endpoint="docker.io")
    response = admin_client.post(ADD, form(endpoint=other, name="what I typed"))
    assert response.status_code == 200
    page = response.content.decode()
    assert "A registry with this host already exists" in page and "what I typed" in page
    assert Registry.objects.count() == 1


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        ("", "This field is required."),
        ("https://quay.io/team", "Write a registry host"),
        ("quay.io:99999", "the port must be from 1 to 65535"),
    ],
)
def test_an_invalid_host_is_reported_once(admin_client: Client, endpoint: str, words: str) -> None:
    form_errors = admin_client.post(ADD, form(endpoint=endpoint)).context["adminform"].form.errors
    (error,) = form_errors["endpoint"]
    assert list(form_errors) == ["endpoint"] and words in error


@pytest.mark.django_db(transaction=True)
def test_concurrent_saves_of_one_registry_create_it_once(admin_user: User) -> None:
    start = threading.Barrier(6)
    pages: list[str] = []

    def run() -> None:
        client = Client()
        client.force_login(admin_user)
        start.wait()
        pages.append(client.post(ADD, form(endpoint="quay.io")).content.decode())
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted("A registry with this host already exists" in page for page in pages) == [False, *[True] * 5]
    assert Registry.objects.count() == 1


def changed(client: Client, **fields: Any) -> tuple[Registry, str]:
    row = Registry.objects.create(name="ours", endpoint="old.example.com", namespaces=["shop"], **CREDENTIALS)
    sent = form(**{"endpoint": "old.example.com", "namespaces": "shop", **CREDENTIALS, **fields})
    response = client.post(reverse("admin:mirrors_registry_change", args=[row.pk]), sent, follow=True)
    assert response.redirect_chain, response.content.decode()
    row.refresh_from_db()
    return row, " ".join(str(message) for message in response.context["messages"])


def test_a_new_host_keeps_credentials_that_are_entered_with_it(admin_client: Client) -> None:
    row, output = changed(admin_client, endpoint="new.example.com", username="robot", credential_ref="file:new")
    assert (row.endpoint, row.username, row.credential_ref) == ("new.example.com", "robot", "file:new")
    assert "removed" not in output


def test_a_new_host_does_not_keep_the_previous_credentials(admin_client: Client) -> None:
    row, output = changed(admin_client, endpoint="new.example.com")
    assert (row.endpoint, row.username, row.credential_ref) == ("new.example.com", "", "")
    assert "credentials of the former host were removed" in output


def test_an_unchanged_host_keeps_its_credentials(admin_client: Client) -> None:
    row, output = changed(admin_client, name="renamed", namespaces="shop, billing")
    assert (row.name, row.username, row.credential_ref) == ("renamed", *CREDENTIALS.values())
    assert row.namespaces == ["shop", "billing"] and "removed" not in output


@pytest.mark.parametrize(
    ("text", "names"), [("", []), ("shop", ["shop"]), (" shop,billing  web ", ["shop", "billing", "web"]), ("*", ["*"])]
)
def test_namespaces_are_entered_on_one_line(admin_client: Client, text: str, names: list[str]) -> None:
    response = admin_client.post(ADD, form(endpoint="quay.io", namespaces=text, **CREDENTIALS))
    assert response.status_code == 302
    row = Registry.objects.get()
    assert row.namespaces == names
    page = admin_client.get(reverse("admin:mirrors_registry_change", args=[row.pk])).content.decode()
    assert f'value="{", ".join(names)}"' in page or not names


@pytest.mark.parametrize("text", ["Shop", "shop;billing", "x" * 64, "team/*"])
def test_an_invalid_namespace_is_rejected_and_kept_in_the_form(admin_client: Client, text: str) -> None:
    response = admin_client.post(ADD, form(endpoint="quay.io", namespaces=text))
    assert response.status_code == 200 and not Registry.objects.exists()
    page = response.content.decode()
    assert "is not the name of a namespace" in page and f'value="{text}"' in page


def test_a_second_filter_with_the_same_name_is_rejected(admin_client: Client) -> None:
    fields = {"name": "ours", "jmespath": "`true`", "position": 0}
    assert admin_client.post("/admin/mirrors/filter/add/", fields).status_code == 302
    assert "A filter with this name already exists" in (
        admin_client.post("/admin/mirrors/filter/add/", fields).content.decode()
    )
    assert Filter.objects.count() == 1


def test_the_database_rejects_a_second_registry_with_the_same_host() -> None:
    Registry.objects.create(name="a", endpoint="quay.io")
    with pytest.raises(IntegrityError):
        Registry.objects.create(name="b", endpoint="quay.io")
