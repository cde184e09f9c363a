"""The credential boundary: an image that was read with credentials is mirrored, and recorded, only for their
namespaces."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings

from mirrors.demo.gatekeeper import Gatekeeper
from mirrors.demo.handler import Handler
from mirrors.models import Access, ErrorClass, ImageMapping, JobStatus, MirrorJob, Registry, Trigger
from tests.jobs.support import config_file, context, drain, load, queue_copy
from tests.support.faulty_registry import FaultyRegistry
from tests.support.system import write_config

PASSWORD = "correct horse battery"


@pytest.fixture
def private(tmp_path: Path) -> Iterator[FaultyRegistry]:
    """A source that requires credentials for everything."""
    (tmp_path / "password").write_text(PASSWORD)
    with FaultyRegistry(gatekeeper=Gatekeeper("token", "reader", PASSWORD)) as registry:
        load(registry)
        yield registry


def run(
    source: FaultyRegistry, target: FaultyRegistry, directory: Path, *, namespaces: list[str] | None = None, **keys: Any
) -> MirrorJob:
    """Request a copy from namespace ``web`` and drain, with credentials that serve ``namespaces`` (None: no
    credentials)."""
    order_fields = keys.pop("order", {"namespace": "web"})
    entry: dict[str, Any] = {}
    if namespaces is not None:
        entry = {"username": "reader", "passwordFile": str(directory / "password"), "namespaces": namespaces}
    job = queue_copy(f"{source.host}/app:{keys.pop('tag', '1.0')}", target=target.host, **order_fields)
    with context(config_file(directory, source, target, entry=entry, **keys)) as made:
        drain(made)
    job.refresh_from_db()
    return job


pytestmark = pytest.mark.django_db(transaction=True)


def test_credentials_are_used_for_their_namespaces(
    private: FaultyRegistry, target: FaultyRegistry, tmp_path: Path
) -> None:
    job = run(private, target, tmp_path, namespaces=["web"])
    assert (job.status, job.mapping.access) == (JobStatus.SUCCEEDED, Access.CONFIGURED)


def test_credentials_are_not_used_for_other_namespaces(
    private: FaultyRegistry, target: FaultyRegistry, tmp_path: Path
) -> None:
    job = run(private, target, tmp_path, namespaces=["team-a"])
    assert (job.status, job.error_class, job.attempts) == (JobStatus.FAILED, ErrorClass.DENIED, 1)
    assert "add web to the namespaces of source.registries[0] in the configuration file" in job.error_message
    assert job.mapping.access == Access.UNREADABLE, "not public, and nobody's yet"
    assert target.storage.tags == {}


def test_a_namespace_that_requests_an_image_during_its_copy_is_considered(
    private: FaultyRegistry, target: FaultyRegistry, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text(PASSWORD)
    entry = {"username": "reader", "passwordFile": str(tmp_path / "password"), "namespaces": ["web"]}
    image = f"{private.host}/app:1.0"
    job = queue_copy(image, target=target.host, namespace="team-a")

    def join(handler: Handler) -> bool:
        assert queue_copy(image, target=target.host, namespace="web").pk == job.pk
        connection.close()
        return False

    private.on("(GET|HEAD) .*/manifests/1.0", join)
    with context(config_file(tmp_path, private, target, entry=entry)) as made:
        drain(made)
    job.refresh_from_db()
    assert (job.status, job.mapping.access) == (JobStatus.SUCCEEDED, Access.CONFIGURED)


def test_operator_jobs_use_configured_credentials_without_namespaces(
    private: FaultyRegistry, target: FaultyRegistry, tmp_path: Path
) -> None:
    operators = {"namespace": "", "trigger": Trigger.OPERATOR}
    job = run(private, target, tmp_path, namespaces=[], order=operators)
    assert (job.status, job.mapping.access) == (JobStatus.SUCCEEDED, Access.CONFIGURED)


def test_an_error_without_credentials_names_the_registry_and_the_setting(
    private: FaultyRegistry, target: FaultyRegistry, tmp_path: Path
) -> None:
    job = run(private, target, tmp_path)
    assert job.status == JobStatus.FAILED
    assert private.host in job.error_message and "source.registries" in job.error_message


def test_a_public_image_read_with_credentials_is_recorded_as_public(target: FaultyRegistry, tmp_path: Path) -> None:
    """Credentials have higher rate limits. For the boundary, it only matters that the image can be read without
    them."""
    (tmp_path / "password").write_text(PASSWORD)
    with FaultyRegistry(gatekeeper=Gatekeeper("token", "reader", PASSWORD, anonymous_pull=True)) as source:
        load(source)
        job = run(source, target, tmp_path, namespaces=["team-a"])
        assert (job.status, job.mapping.access) == (JobStatus.SUCCEEDED, Access.ANONYMOUS)
        tokens = [requested for requested in source.found("GET /token") if "Authorization" in requested.headers]
        assert tokens, "the copy was anonymous"


def test_a_job_without_credentials_fails_even_if_the_target_has_the_image(
    private: FaultyRegistry, target: FaultyRegistry, tmp_path: Path
) -> None:
    """A pinned image that the target already has is not copied, but its source must still deliver it."""
    image = load(private)
    ImageMapping.objects.all().delete()
    pinned = f"1.0@{image.root}"
    assert run(private, target, tmp_path, namespaces=["web"], tag=pinned).status == JobStatus.SUCCEEDED
    job = run(private, target, tmp_path, tag=pinned)
    assert job.status == JobStatus.FAILED


def test_an_image_that_became_private_is_not_treated_as_public(
    private: FaultyRegistry, target: FaultyRegistry, tmp_path: Path
) -> None:
    job = queue_copy(f"{private.host}/app:1.0", target=target.host, namespace="web")
    ImageMapping.objects.update(access=Access.ANONYMOUS)
    job = run(private, target, tmp_path, namespaces=["team-a"])
    assert job.status == JobStatus.FAILED


def test_the_skip_policy_denies_private_images(private: FaultyRegistry, target: FaultyRegistry, tmp_path: Path) -> None:
    job = run(private, target, tmp_path, namespaces=["web"], privateImages="skip")
    assert (job.status, job.error_class) == (JobStatus.FAILED, ErrorClass.DENIED)
    assert "skip" in job.error_message


@pytest.mark.parametrize("policy", ["guard", "enforce", "skip"])
def test_a_missing_image_is_not_recorded_as_private(
    source: FaultyRegistry, target: FaultyRegistry, tmp_path: Path, policy: str
) -> None:
    load(source)
    (tmp_path / "password").write_text(PASSWORD)
    for number, namespaces in enumerate((None, ["team-a"], ["web"])):
        job = run(source, target, tmp_path, namespaces=namespaces, privateImages=policy, tag=f"none-{number}")
        assert (job.error_class, job.mapping.access) == (ErrorClass.NOT_FOUND, Access.UNREADABLE)
        assert "check the image's name and tag" in job.error_message
        assert not list_of_private(), "nobody was seen to need credentials for it"


def list_of_private() -> list[str]:
    return [str(row) for row in ImageMapping.objects.private()]


def test_an_image_is_private_only_after_credentials_have_read_it(
    private: FaultyRegistry, target: FaultyRegistry, tmp_path: Path
) -> None:
    run(private, target, tmp_path, namespaces=["team-a"])
    assert list_of_private() == []
    # Pods wait ten minutes after a failure. Users do not.
    again = {"namespace": "web", "trigger": Trigger.OPERATOR}
    job = run(private, target, tmp_path, namespaces=["web"], order=again)
    assert (job.mapping.access, list_of_private()) == (Access.CONFIGURED, [job.mapping.source])


@pytest.fixture
def row(settings: Settings, tmp_path: Path, private: FaultyRegistry, transactional_db: None) -> Registry:
    """The source as an admin adds it, instead of an entry of the configuration file."""
    (tmp_path / "robot").write_text(PASSWORD)
    settings.ENVIRONMENT = dataclasses.replace(settings.ENVIRONMENT, credentials_dir=tmp_path)
    return Registry.objects.create(
        name="the harbour", endpoint=private.host, insecure=True, username="reader", credential_ref="file:robot"
    )


@pytest.mark.parametrize(
    ("namespaces", "is_served"), [([], False), (["team-a"], False), (["web"], True), (["*"], True)]
)
def test_credentials_of_a_registry_row_are_used_only_for_its_namespaces(
    row: Registry,
    private: FaultyRegistry,
    target: FaultyRegistry,
    tmp_path: Path,
    namespaces: list[str],
    is_served: bool,
) -> None:
    row.namespaces = namespaces
    row.save()
    job = queue_copy(f"{private.host}/app:1.0", target=target.host, namespace="web")
    with context(write_config(tmp_path / "config.yaml", target=target.host)) as made:
        drain(made)
    job.refresh_from_db()
    if is_served:
        assert (job.status, job.mapping.access) == (JobStatus.SUCCEEDED, Access.CONFIGURED)
    else:
        assert (job.status, job.error_class) == (JobStatus.FAILED, ErrorClass.DENIED)
        assert "add web to the namespaces of the registry the harbour in the admin" in job.error_message
        assert "source.registries" not in job.error_message


def test_the_error_names_the_registry_entry_that_needs_credentials(
    private: FaultyRegistry, target: FaultyRegistry, tmp_path: Path
) -> None:
    job = run(private, target, tmp_path)
    assert f"add credentials for {private.host} to source.registries[0] in the configuration" in job.error_message


def test_the_mirror_policy_uses_credentials_for_all_namespaces(
    private: FaultyRegistry, target: FaultyRegistry, tmp_path: Path
) -> None:
    job = run(private, target, tmp_path, namespaces=[], privateImages="mirror")
    assert job.status == JobStatus.SUCCEEDED


def test_no_password_is_written_to_the_log_or_the_error_message(
    private: FaultyRegistry, target: FaultyRegistry, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("wrong password")
    job = run(private, target, tmp_path, namespaces=["web"])
    assert job.status == JobStatus.FAILED
    log = job.attempt_rows.get().log
    assert "wrong password" not in log + job.error_message
