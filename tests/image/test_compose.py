"""compose.yaml follows the Compose Specification, and starts the product's processes with valid settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from swapper_project import config
from swapper_project.process import environment as env
from tests.image.compose import REQUIRED, document
from tests.support.databases import ROOT
from tests.support.system import run_manage

# The schema of the Compose Specification, Apache-2.0: github.com/compose-spec/compose-go v2.9.0,
# schema/compose-spec.json.
SCHEMA = Path(__file__).parent / "compose-spec.json"
OURS = ("prepare", "webhook", "web", "worker")
SERVICES = document()["services"]


def validate(compose: Any) -> None:
    jsonschema.Draft7Validator(json.loads(SCHEMA.read_text())).validate(compose)


def test_the_compose_file_follows_the_schema() -> None:
    validate(document())


def test_the_schema_check_detects_a_misspelled_key() -> None:
    mistaken = document()
    mistaken["services"]["web"]["healthcheck"]["retires"] = 3

    with pytest.raises(jsonschema.ValidationError):
        validate(mistaken)


def test_secrets_have_no_default_value() -> None:
    for name in REQUIRED:
        with pytest.raises(KeyError, match=name):
            document({key: value for key, value in REQUIRED.items() if key != name})


def test_each_long_running_service_has_a_health_check_and_a_volume() -> None:
    assert {"postgres", "registry", *OURS} == set(SERVICES)
    for name, service in SERVICES.items():
        assert service["volumes"], name
        assert ("healthcheck" in service) is (name != "prepare"), name
    declared = set(document()["volumes"])
    assert {volume.partition(":")[0] for service in SERVICES.values() for volume in service["volumes"]} == declared


@pytest.mark.parametrize("name", OURS)
def test_each_service_has_a_valid_environment_and_command(name: str) -> None:
    service = SERVICES[name]
    known = env.read({**service["environment"], "SWAPPER_DATA_DIR": "/data"})

    assert known.database_url == "postgres://swapper:0123456789@postgres:5432/swapper"
    assert str(known.config) == service["configs"][0]["target"]
    shown = run_manage(service["command"][0], "--help").stdout
    assert all(flag in shown for flag in service["command"] if flag.startswith("--"))


@pytest.mark.parametrize("name", OURS)
def test_our_containers_are_read_only_and_without_capabilities(name: str) -> None:
    service = SERVICES[name]

    assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
    assert "/tmp" in service["tmpfs"] and any(volume.endswith(":/data") for volume in service["volumes"])


def test_only_services_used_from_outside_publish_ports() -> None:
    ports = {name: service.get("ports") for name, service in SERVICES.items() if service.get("ports")}

    assert ports == {"registry": ["127.0.0.1:5000:5000"], "webhook": ["8443:8443"], "web": ["127.0.0.1:8000:8000"]}


def test_the_swapper_configuration_of_the_compose_file_is_valid() -> None:
    loaded = config.load(ROOT / document()["configs"]["swapper"]["file"], {})

    assert loaded.dry_run and loaded.target.name.endpoint == "registry:5000"
