"""A manifest can name the layers of any image: private content at the target is not given to namespaces without
access."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mirrors.demo.gatekeeper import Gatekeeper
from mirrors.models import Access, BlobLocation, ImageMapping, JobStatus, MappingAccess, MirrorJob
from tests.jobs.support import context, drain, load, queue_copy
from tests.support.faulty_registry import FaultyRegistry, reply
from tests.support.system import write_config

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]


@pytest.fixture
def private() -> Iterator[FaultyRegistry]:
    with FaultyRegistry(gatekeeper=Gatekeeper("basic", "robot", "pass")) as registry:
        yield registry


class Mirroring:
    """One worker for two registries: a private one whose credentials serve ``team-a``, and another one."""

    def __init__(self, directory: Path, private: FaultyRegistry, other: FaultyRegistry, target: FaultyRegistry) -> None:
        self._target = target
        entries = [
            {
                "type": "oci",
                "host": private.host,
                "insecure": True,
                "username": "robot",
                "passwordEnv": "SWAPPER_CRED_ROBOT",
                "namespaces": ["team-a"],
            },
            {"type": "oci", "host": other.host, "insecure": True},
        ]
        self._file = directory / "config.yaml"
        self._registries = {"registries": entries}

    def run(self, image: str, *, namespace: str, policy: str = "guard") -> MirrorJob:
        config = write_config(self._file, target=self._target.host, source=self._registries, privateImages=policy)
        job = queue_copy(image, target=self._target.host, namespace=namespace)
        with context(config) as made:
            drain(made)
        job.refresh_from_db()
        return job


@pytest.fixture
def mirroring(
    tmp_path: Path,
    private: FaultyRegistry,
    source: FaultyRegistry,
    target: FaultyRegistry,
    monkeypatch: pytest.MonkeyPatch,
) -> Mirroring:
    monkeypatch.setenv("SWAPPER_CRED_ROBOT", "pass")
    return Mirroring(tmp_path, private, source, target)


@pytest.mark.parametrize("policy", ["guard", "enforce"])
def test_a_manifest_that_names_private_layers_does_not_give_access(
    mirroring: Mirroring, private: FaultyRegistry, source: FaultyRegistry, target: FaultyRegistry, policy: str
) -> None:
    image = load(private, "secret")
    assert mirroring.run(f"{private.host}/secret:1.0", namespace="team-a").mapping.access == Access.CONFIGURED
    image.load(source.storage, "stolen", "1.0")
    source.on("GET .*/blobs/", reply(404), times=float("inf"))

    job = mirroring.run(f"{source.host}/stolen:1.0", namespace="team-b", policy=policy)

    assert job.status == JobStatus.FAILED
    assert target.count("POST .*mount=") == 0
    assert not [key for key in target.storage.tags if key[0].endswith("/stolen")]


def test_layers_of_public_images_are_mounted(
    mirroring: Mirroring, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image = load(source, "base")
    image.load(source.storage, "app", "1.0")
    mirroring.run(f"{source.host}/base:1.0", namespace="team-a")

    job = mirroring.run(f"{source.host}/app:1.0", namespace="team-b")

    assert job.status == JobStatus.SUCCEEDED
    assert target.count("POST .*mount=") == len(image.blobs)


def test_layers_of_a_repository_with_a_private_image_are_not_mounted(
    mirroring: Mirroring, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image = load(source, "base")
    image.load(source.storage, "app", "1.0")
    public = mirroring.run(f"{source.host}/base:1.0", namespace="team-a").mapping
    twin = ImageMapping.objects.create(
        source=public.source.replace(":1.0", ":2.0"),
        target=public.target.replace(":1.0", ":2.0"),
        target_registry=public.target_registry,
        access=Access.SECRETS,
    )
    MappingAccess.objects.create(mapping=twin, namespace="team-a", granted=True)

    mirroring.run(f"{source.host}/app:1.0", namespace="team-b")

    assert target.count("POST .*mount=") == 0


def test_the_mirror_policy_mounts_layers_of_private_images(
    mirroring: Mirroring, private: FaultyRegistry, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image = load(private, "secret")
    mirroring.run(f"{private.host}/secret:1.0", namespace="team-a", policy="mirror")
    image.load(source.storage, "app", "1.0")

    mirroring.run(f"{source.host}/app:1.0", namespace="team-b", policy="mirror")

    assert target.count("POST .*mount=") == len(image.blobs)
    assert BlobLocation.objects.filter(repository__endswith="/app").exists()
