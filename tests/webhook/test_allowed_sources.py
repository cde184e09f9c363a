"""Permitted sources: all public ones, or those on the list. Private ones only if they are configured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.databases import DatabaseTemplate
from tests.support.system import Webhook, pod_of, running_webhook

ALWAYS: dict[str, Any] = {"imageSwapPolicy": "always", "imageCopyPolicy": "none"}
TARGET = "mirror.example.com:5000"


@pytest.fixture(scope="module")
def open_(database_template: DatabaseTemplate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Webhook]:
    """The default configuration, with one private registry."""
    source = {"registries": [{"type": "oci", "host": "10.1.2.3:5000"}, {"type": "oci", "host": "*.corp.internal"}]}
    directory = tmp_path_factory.mktemp("open")
    with running_webhook(directory, database_template, target=TARGET, source=source, **ALWAYS) as webhook:
        yield webhook


@pytest.fixture(scope="module")
def listed(database_template: DatabaseTemplate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Webhook]:
    source = {"allowedHosts": ["docker.io", "*.example.com", "10.9.9.9"]}
    directory = tmp_path_factory.mktemp("listed")
    with running_webhook(directory, database_template, target=TARGET, source=source, **ALWAYS) as webhook:
        yield webhook


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ("nginx", "policy-always"),
        ("registry.example.com:5000/app", "policy-always"),
        ("8.8.8.8/app/x:1", "policy-always"),
        ("10.1.2.3:5000/app:1", "policy-always"),
        ("registry.corp.internal/app:1", "policy-always"),
        ("10.1.2.4:5000/app:1", "source-not-allowed"),
        ("127.0.0.1:8000/app", "source-not-allowed"),
        ("[::1]:5000/app", "source-not-allowed"),
        ("169.254.169.254/latest/meta-data", "source-not-allowed"),
        ("localhost/app", "source-not-allowed"),
        ("postgres:5432/app", "source-not-allowed"),
        ("registry.default.svc:5000/app", "source-not-allowed"),
        ("registry.default.svc.cluster.local/app", "source-not-allowed"),
    ],
)
def test_public_and_configured_private_sources_are_allowed_by_default(open_: Webhook, image: str, reason: str) -> None:
    response = open_.admit(pod_of(image))

    assert response.allowed
    assert open_.reasons(response) == [reason]


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ("nginx", "policy-always"),
        ("index.docker.io/library/nginx", "policy-always"),
        ("a.example.com/app", "policy-always"),
        ("example.com/app", "source-not-allowed"),
        ("ghcr.io/org/app", "source-not-allowed"),
        ("10.9.9.9/app:1", "source-not-allowed"),
    ],
)
def test_only_listed_public_sources_are_allowed(listed: Webhook, image: str, reason: str) -> None:
    assert listed.reasons(listed.admit(pod_of(image))) == [reason]
