"""``manage.py policies``: image names that policies have to admit, derived from mirrored and configured images."""

from __future__ import annotations

import json
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command

from mirrors.models import ImageMapping, ManagedBy, Registry, RegistryRole
from tests.jobs.support import queue_copy
from tests.support.system import write_config

pytestmark = pytest.mark.django_db

TARGET = "registry.example.com:5000"
Print = Callable[..., str]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    hosts = ("registry.internal:5000", "*.lab.internal")
    return write_config(
        tmp_path / "config.yaml",
        target=TARGET,
        source={"registries": [{"type": "oci", "host": host} for host in hosts]},
    )


@pytest.fixture
def policies(config: Path, capsys: pytest.CaptureFixture[str]) -> Print:
    """A function that runs the command with the configuration file of this test."""

    def run(*arguments: str) -> str:
        call_command("policies", "--config", str(config), *arguments)
        return capsys.readouterr().out

    return run


def patterns_of(policy: dict[str, Any]) -> dict[str, list[str]]:
    """Return the image patterns that a policy admits, by kind of container."""
    (rule,) = policy["spec"]["rules"]
    spec = rule["validate"]["pattern"]["spec"]
    return {kind: images[0]["image"].split(" | ") for kind, images in spec.items()}


def test_prefixes_are_listed_for_mirrored_and_configured_sources(policies: Print) -> None:
    for image in ("nginx:1.27", "ghcr.io/org/app:1", "ghcr.io/org/other@sha256:" + "a" * 64):
        queue_copy(image, target=TARGET)

    assert policies("--format", "prefixes").split() == [
        f"{TARGET}/docker.io/",
        f"{TARGET}/ghcr.io/",
        f"{TARGET}/registry.internal_5000/",
    ]


def test_prefixes_include_registries_added_by_operators(policies: Print) -> None:
    Registry.objects.create(role=RegistryRole.SOURCE, managed_by=ManagedBy.OPERATOR, endpoint="quay.io", kind="oci")

    assert f"{TARGET}/quay.io/" in policies("--format", "prefixes").split()


def test_the_policy_admits_mirrored_images_and_rejects_others(policies: Print) -> None:
    for image in (
        "nginx:1.27",
        "ghcr.io/org/app:1",
        "registry.internal:5000/team/app:2",
        "docker.io/" + "a/" * 99 + "b",
    ):
        queue_copy(image, target=TARGET)
    patterns = patterns_of(yaml.safe_load(policies("--format", "kyverno")))

    assert list(patterns) == ["containers", "=(initContainers)", "=(ephemeralContainers)"]
    for admitted in patterns.values():
        for mapping in ImageMapping.objects.all():
            assert any(fnmatchcase(mapping.target, pattern) for pattern in admitted)
            assert any(fnmatchcase(mapping.source, pattern) for pattern in admitted)
        assert not any(fnmatchcase(f"{TARGET}/quay.io/app:1", pattern) for pattern in admitted)
        assert not any(fnmatchcase("evil.example/app:1", pattern) for pattern in admitted)


def test_the_default_output_parses_as_the_kyverno_policy(policies: Print) -> None:
    printed = policies()

    assert f"#   {TARGET}/registry.internal_5000/" in printed.splitlines()
    assert yaml.safe_load(printed) == yaml.safe_load(policies("--format", "kyverno"))


def test_json_output_lists_mirror_and_source_prefixes(policies: Print) -> None:
    assert json.loads(policies("--format", "json")) == {
        "mirror": [f"{TARGET}/registry.internal_5000/"],
        "sources": ["registry.internal:5000/"],
    }


def test_without_sources_the_prefix_of_the_whole_mirror_is_listed(config: Path, policies: Print) -> None:
    write_config(config, target=TARGET, prefix="mirror")

    assert policies("--format", "prefixes").split() == [f"{TARGET}/mirror/"]
