"""The repository of Artifact Registry: it is checked, created if configured, and rejected if it is not usable."""

from __future__ import annotations

import json
from typing import Any

import grpc
import pytest
from google.cloud.artifactregistry_v1 import Repository

from mirrors.oci import RegistryError
from tests.mirrors.registries.gcp.conftest import MakeDriver
from tests.support.google import LOCATION, NAME, PROJECT, ArtifactRegistry

IMAGE = f"{PROJECT}/main/docker.io/library/nginx"


def test_an_existing_repository_is_described_once_until_it_is_forgotten(
    make_driver: MakeDriver, gar: ArtifactRegistry
) -> None:
    gar.put(kms_key_name="k", labels={"team": "web"}, docker_config={"immutable_tags": True})
    driver = make_driver()
    state = driver.ensure_repository(IMAGE)
    assert (state.is_new, state.pulls_through, state.differences) == (False, False, ())
    assert state.facts["mode"] == "STANDARD_REPOSITORY" and state.facts["immutableTags"] is True
    assert state.facts["labels"] == {"team": "web"}
    driver.ensure_repository(IMAGE)
    assert gar.calls == ["GetRepository"]
    driver.forget(IMAGE)
    driver.ensure_repository(IMAGE)
    assert gar.calls == ["GetRepository"] * 2


def test_a_missing_repository_is_reported_with_the_command_to_create_it(
    make_driver: MakeDriver, gar: ArtifactRegistry
) -> None:
    with pytest.raises(RegistryError) as caught:
        make_driver().ensure_repository(IMAGE)
    assert caught.value.code == "not-found" and caught.value.permanent
    for part in (NAME, "gcloud artifacts repositories create main", LOCATION, "createRepository"):
        assert part in str(caught.value)
    assert gar.calls == ["GetRepository"]


def test_a_repository_is_created_if_configured(make_driver: MakeDriver, gar: ArtifactRegistry) -> None:
    key = f"projects/{PROJECT}/locations/{LOCATION}/keyRings/r/cryptoKeys/k"
    policies = {"old": {"id": "old", "action": "DELETE", "condition": {"tagState": "UNTAGGED", "olderThan": "86400s"}}}
    options = {"labels": [{"key": "team", "value": "web"}], "kmsKeyName": key, "cleanupPolicies": json.dumps(policies)}
    state = make_driver(createRepository=True, garOptions=options).ensure_repository(IMAGE)
    made = gar.repositories[NAME]
    assert made.format_ == Repository.Format.DOCKER
    assert (made.kms_key_name, dict(made.labels)) == (key, {"team": "web"})
    older_than: Any = made.cleanup_policies["old"].condition.older_than
    assert older_than.days == 1
    assert state.facts["cleanupPolicies"] == ["old"] and state.differences == ()


def test_an_unknown_field_of_a_cleanup_policy_is_rejected_by_name(
    make_driver: MakeDriver, gar: ArtifactRegistry
) -> None:
    driver = make_driver(createRepository=True, garOptions={"cleanupPolicies": '{"x": {"actoin": "DELETE"}}'})
    with pytest.raises(RegistryError, match="garOptions.cleanupPolicies.*actoin"):
        driver.ensure_repository(IMAGE)
    assert gar.repositories == {}


def test_a_repository_that_was_created_concurrently_is_used(make_driver: MakeDriver, gar: ArtifactRegistry) -> None:
    gar.refuse["CreateRepository"] = (grpc.StatusCode.ALREADY_EXISTS, "exists")
    gar.get = _appears(gar)  # type: ignore[method-assign]
    assert make_driver(createRepository=True).ensure_repository(IMAGE).facts["format"] == "DOCKER"


def _appears(gar: ArtifactRegistry) -> Any:
    """Return a ``get`` that finds no repository at first, and the repository from the second call on."""
    real = gar.get

    def get(request: Any, context: Any) -> Any:
        gar.put() if gar.calls.count("GetRepository") > 1 else None
        return real(request, context)

    return get


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"format_": Repository.Format.MAVEN}, "is not a Docker repository"),
        ({"mode": Repository.Mode.VIRTUAL_REPOSITORY}, "virtual repository"),
    ],
)
def test_a_repository_that_cannot_be_pushed_to_is_rejected(
    fields: dict[str, Any], words: str, make_driver: MakeDriver, gar: ArtifactRegistry
) -> None:
    gar.put(**fields)
    with pytest.raises(RegistryError, match=words):
        make_driver().ensure_repository(IMAGE)


def test_a_remote_repository_is_a_pull_through_cache(make_driver: MakeDriver, gar: ArtifactRegistry) -> None:
    gar.put(mode=Repository.Mode.REMOTE_REPOSITORY)
    driver = make_driver()
    assert driver.ensure_repository(IMAGE).pulls_through
    assert driver.ensure_repository(IMAGE).pulls_through, "remembered"


def test_labels_are_compared_and_applied(make_driver: MakeDriver, gar: ArtifactRegistry) -> None:
    gar.put(labels={"team": "db", "cost-center": "42"})
    driver = make_driver(createRepository=True, garOptions={"labels": [{"key": "team", "value": "web"}]})
    (difference,) = driver.ensure_repository(IMAGE).differences or ()
    assert (difference.setting, difference.wanted, difference.found) == ("labels.team", "web", "db")
    assert driver.apply_settings(IMAGE).differences == ()
    assert dict(gar.repositories[NAME].labels) == {"team": "web", "cost-center": "42"}, "labels of others are kept"


def test_a_domain_scoped_project_has_a_colon_in_the_api_and_a_slash_in_names(
    make_driver: MakeDriver, gar: ArtifactRegistry
) -> None:
    name = NAME.replace(PROJECT, f"example.com:{PROJECT}")
    gar.put(name)
    make_driver(projectId=f"example.com:{PROJECT}").ensure_repository(f"example.com/{IMAGE}")
    assert gar.calls == ["GetRepository"]


def test_denied_read_access_to_a_repository_is_not_an_error(make_driver: MakeDriver, gar: ArtifactRegistry) -> None:
    gar.refuse["GetRepository"] = (grpc.StatusCode.PERMISSION_DENIED, "no")
    assert make_driver().ensure_repository(IMAGE).differences is None


@pytest.mark.parametrize(
    ("method", "status", "code", "permanent", "words"),
    [
        ("GetRepository", grpc.StatusCode.PERMISSION_DENIED, "denied", True, "artifactregistry.repositories.get"),
        ("CreateRepository", grpc.StatusCode.PERMISSION_DENIED, "denied", True, "artifactregistry.repositories.create"),
        ("CreateRepository", grpc.StatusCode.UNAUTHENTICATED, "credential", False, "credentials"),
        ("CreateRepository", grpc.StatusCode.RESOURCE_EXHAUSTED, "rate-limited", False, "throttles"),
        ("CreateRepository", grpc.StatusCode.INTERNAL, "unavailable", False, "returned an error"),
        ("CreateRepository", grpc.StatusCode.INVALID_ARGUMENT, "invalid", True, "KMS key in another region"),
    ],
)
def test_each_api_error_is_reported_with_its_cause(
    method: str,
    status: grpc.StatusCode,
    code: str,
    permanent: bool,
    words: str,
    make_driver: MakeDriver,
    gar: ArtifactRegistry,
) -> None:
    gar.refuse[method] = (status, "KMS key in another region")
    with pytest.raises(RegistryError) as caught:
        make_driver(createRepository=True).ensure_repository(IMAGE)
    assert (caught.value.code, caught.value.permanent) == (code, permanent)
    assert words in str(caught.value) and NAME in str(caught.value)
