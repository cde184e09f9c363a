"""Pages and API of the web process use the current configuration file, also after an edit without ``prepare``."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client
from pytest_django import Settings

from mirrors.models import Filter, Registry
from mirrors.services.configuration.config_rows import sync_config
from swapper_project.config import load
from tests.support.system import write_config

pytestmark = pytest.mark.django_db
POD = """
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: kube-system}
spec: {containers: [{name: app, image: quay.io/team/app:1}]}
"""
KUBE_SYSTEM = "obj.metadata.namespace == 'kube-system'"
FIRST = "contains(container.image, 'first')"
HARBOR = {"type": "oci", "host": "harbor.example.com", "username": "robot", "passwordEnv": "SWAPPER_CRED_HARBOR"}


class File:
    """The configuration file, edited as an operator does."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, *filters: str, registries: tuple[dict[str, Any], ...] = (), **keys: Any) -> None:
        source = {"filters": [{"jmespath": text} for text in filters], "registries": list(registries)}
        write_config(self.path, target="mirror.example.com", source=source, **keys)

    def prepare(self) -> None:
        sync_config(config=load(self.path))


@pytest.fixture
def file(tmp_path: Path, settings: Settings) -> File:
    made = File(tmp_path / "config.yaml")
    made.write(FIRST)
    made.prepare()
    settings.ENVIRONMENT = dataclasses.replace(settings.ENVIRONMENT, config=made.path)
    return made


def answers(client: Client, text: str = "") -> str:
    form = {"jmespath": text, "pod": POD, "admission": ""}
    return client.post("/admin/mirrors/filter/try/answers/", form).content.decode()


def test_the_filter_trial_uses_the_current_configuration_file(admin_client: Client, file: File) -> None:
    assert "mirrored and swapped" in answers(admin_client)
    file.write(FIRST, KUBE_SYSTEM)
    assert "source.filters[1]" in answers(admin_client) and "mirrored and swapped" not in answers(admin_client)
    file.write()
    assert "mirrored and swapped" in answers(admin_client)


def test_an_invalid_file_is_reported_and_the_last_valid_one_stays_active(admin_client: Client, file: File) -> None:
    file.write(KUBE_SYSTEM)
    assert "source.filters[0]" in answers(admin_client)
    file.path.write_text("source: {filters: [{jmespath: 'obj.['}]}")
    assert "source.filters[0]" in answers(admin_client)
    assert "The configuration file is not applied" in admin_client.get("/admin/").content.decode()


def test_active_filters_of_the_current_file_are_shown(admin_client: Client, file: File) -> None:
    file.write(FIRST, "container.name == 'old'")
    file.prepare()
    Filter.objects.create(name="ours", jmespath="`false`")
    file.write(KUBE_SYSTEM)

    page = admin_client.get("/admin/mirrors/filter/").content.decode()
    assert "kube-system" in page and "&#x27;first&#x27;" not in page and "Also active" not in page
    removed = Filter.objects.get(name="source.filters[1]")
    assert "it is not active" in admin_client.get(f"/admin/mirrors/filter/{removed.pk}/change/").content.decode()
    rows = {row["name"]: row for row in admin_client.get("/api/v1/filters/").json()["results"]}
    assert rows["source.filters[0]"]["jmespath"] == KUBE_SYSTEM
    assert [rows[name]["enabled"] for name in ("source.filters[0]", "source.filters[1]", "ours")] == [True, False, True]

    file.write(KUBE_SYSTEM, "`false`", "container.name == 'new'")
    page = admin_client.get("/admin/mirrors/filter/").content.decode()
    assert "Also active" in page and "source.filters[2]" in page and "container.name == &#x27;new&#x27;" in page
    chain = [row["name"] for row in admin_client.get("/api/v1/filters/in-force/").json()]
    assert chain == ["source.filters[0]", "source.filters[1]", "source.filters[2]", "ours"]
    assert Filter.objects.get(name="source.filters[0]").jmespath == FIRST, "prepare alone writes the file's rows"


def test_active_registries_of_the_current_file_are_shown(admin_client: Client, file: File) -> None:
    file.write(registries=({"type": "oci", "host": "quay.io"}, HARBOR))
    file.prepare()
    Registry.objects.create(name="ours", endpoint="ghcr.io")
    file.write(registries=({**HARBOR, "username": "other", "namespaces": ["shop"]}, {"type": "oci", "host": "new.io"}))

    page = admin_client.get("/admin/mirrors/registry/").content.decode()
    assert "Also active" in page and "new.io" in page
    shown = {row["endpoint"]: row for row in admin_client.get("/api/v1/registries/").json()["results"]}
    assert (shown["harbor.example.com"]["username"], shown["harbor.example.com"]["namespaces"]) == ("other", ["shop"])
    assert (shown["quay.io"]["enabled"], shown["ghcr.io"]["enabled"]) == (False, True)
    in_force = [row["endpoint"] for row in admin_client.get("/api/v1/registries/in-force/").json()]
    assert in_force == ["mirror.example.com", "harbor.example.com", "new.io", "ghcr.io"]
    row = Registry.objects.get(endpoint="harbor.example.com")
    page = admin_client.get(f"/admin/mirrors/registry/{row.pk}/change/").content.decode()
    assert "other" in page and "env:SWAPPER_CRED_HARBOR" in page and "shop" in page
    assert row.username == "robot", "prepare alone writes the file's rows"


def test_a_registry_that_was_added_to_the_file_becomes_read_only(admin_client: Client, file: File) -> None:
    row = Registry.objects.create(name="ours", endpoint="harbor.example.com", username="a", credential_ref="file:a")
    assert admin_client.patch(f"/api/v1/registries/{row.pk}/", {"name": "x"}, "application/json").status_code == 200
    file.write(registries=(HARBOR,))
    response = admin_client.patch(f"/api/v1/registries/{row.pk}/", {"name": "y"}, "application/json")
    assert response.status_code == 403 and "configuration file" in response.json()["detail"]


def test_the_target_shows_its_connection_settings(admin_client: Client, file: File) -> None:
    oci = {
        "endpoint": "harbor.example.com:8443",
        "prefix": "mirror",
        "username": "robot",
        "passwordFile": "harbor",
        "insecure": True,
    }
    file.path.write_text(yaml.safe_dump({"target": {"type": "oci", "oci": oci}}))
    file.prepare()
    row = Registry.objects.get(endpoint="harbor.example.com:8443")
    page = admin_client.get(f"/admin/mirrors/registry/{row.pk}/change/").content.decode()
    for words in ("harbor.example.com:8443", "mirror", "robot", "file:harbor"):
        assert re.search(rf">\s*{re.escape(words)}\s*<", page), words
    shown = admin_client.get(f"/api/v1/registries/{row.pk}/").json()
    assert {name: shown[name] for name in ("username", "credential_ref", "insecure", "prefix")} == {
        "username": "robot",
        "credential_ref": "file:harbor",
        "insecure": True,
        "prefix": "mirror",
    }


def test_stored_filters_are_used_without_a_configuration_file(
    admin_client: Client, file: File, settings: Settings, tmp_path: Path
) -> None:
    settings.ENVIRONMENT = dataclasses.replace(settings.ENVIRONMENT, config=tmp_path / "none.yaml")
    assert "source.filters[0]" in admin_client.get("/admin/mirrors/filter/").content.decode()
    assert [row["jmespath"] for row in admin_client.get("/api/v1/filters/in-force/").json()] == [FIRST]
