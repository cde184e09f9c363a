"""The credential boundary: an image that one namespace's pull secrets read does not run in other namespaces."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mirrors.demo.gatekeeper import Gatekeeper
from mirrors.demo.images import sample_image
from mirrors.demo.registry import MemoryRegistry
from tests.support.controlplane import ControlPlane
from tests.support.databases import DatabaseTemplate, query
from tests.support.faulty_registry import FaultyRegistry
from tests.support.ports import wait_until
from tests.support.system import Answer, Webhook, pod_of, run_manage, running_webhook, write_config

JSON = "kubernetes.io/dockerconfigjson"
PASSWORD = "password-of-the-reader"


@dataclass(frozen=True)
class System:
    """A webhook and its worker, which can read the Secrets of the namespaces that ``namespace`` creates."""

    webhook: Webhook
    plane: ControlPlane
    source: FaultyRegistry
    target: MemoryRegistry

    @property
    def image(self) -> str:
        return f"{self.source.host}/team/secret:1.0"

    @property
    def mirror(self) -> str:
        return f"{self.target.host}/{self.source.host.replace(':', '_')}/team/secret:1.0"

    def namespace(self, password: str = "") -> str:
        """Create a namespace and return its name. With a password, its Secret ``pull`` has the credentials."""
        name = f"team-{uuid.uuid4().hex[:8]}"
        self.plane.namespace(name)
        self.plane.let_worker_read(name, "secrets", "serviceaccounts")
        if password:
            self.give(name, password)
        return name

    def give(self, namespace: str, password: str) -> None:
        auths = {self.source.host: {"username": "reader", "password": password}}
        self.plane.secret(namespace, "pull", JSON, {".dockerconfigjson": json.dumps({"auths": auths})})

    def admit(self, namespace: str, image: str = "") -> Answer:
        pod = pod_of(image or self.image)
        pod["spec"]["imagePullSecrets"] = [{"name": "pull"}]
        return self.webhook.admit(pod, namespace=namespace)

    def reason(self, namespace: str, image: str = "") -> str:
        return self.webhook.reasons(self.admit(namespace, image))[0]

    def wait_for(self, namespace: str, reason: str) -> None:
        wait_until(lambda: self.reason(namespace) == reason, what=f"{reason} in {namespace}")

    def grants(self) -> dict[str, bool]:
        """Return whether each namespace has access, as recorded in the database."""
        rows = query(self.webhook.database_url, "SELECT namespace, granted FROM mirrors_clusteraccess")
        return {name: bool(granted) for name, granted in rows}

    def configure(self, **keys: Any) -> None:
        _configure(self.webhook.config, self.source, self.target, **keys)


def _configure(path: Path, source: FaultyRegistry, target: MemoryRegistry, **keys: Any) -> None:
    registries = [{"type": "oci", "host": source.host, "insecure": True}]
    write_config(path, target=target.host, source={"registries": registries}, **keys)


@contextmanager
def running_system(
    plane: ControlPlane,
    source: FaultyRegistry,
    target: MemoryRegistry,
    template: DatabaseTemplate,
    directory: Path,
    **keys: Any,
) -> Iterator[System]:
    registries = [{"type": "oci", "host": source.host, "insecure": True}]
    with running_webhook(directory, template, target=target.host, source={"registries": registries}, **keys) as webhook:
        worker = webhook.worker()
        worker.environment = {**worker.environment, "KUBECONFIG": str(plane.kubeconfig())}
        worker.start()
        try:
            yield System(webhook, plane, source, target)
        finally:
            worker.stop()


@pytest.fixture
def source() -> Iterator[FaultyRegistry]:
    """A registry that requires credentials for everything."""
    with FaultyRegistry(gatekeeper=Gatekeeper("token", "reader", PASSWORD)) as registry:
        sample_image(layers=1, layer_bytes=100).load(registry.storage, "team/secret", "1.0")
        yield registry


@pytest.fixture
def target() -> Iterator[MemoryRegistry]:
    with MemoryRegistry() as registry:
        yield registry


@pytest.fixture
def system(
    plane: ControlPlane,
    source: FaultyRegistry,
    target: MemoryRegistry,
    database_template: DatabaseTemplate,
    tmp_path: Path,
) -> Iterator[System]:
    with running_system(plane, source, target, database_template, tmp_path) as running:
        yield running


def test_a_private_mirror_is_used_only_by_namespaces_that_can_read_the_source(system: System) -> None:
    owner, stranger, friend = system.namespace(PASSWORD), system.namespace(), system.namespace(PASSWORD)
    assert system.reason(owner) == "absent"
    system.wait_for(owner, "present")

    # The image was mirrored with another namespace's secret, and is not swapped for a namespace without one.
    assert system.reason(stranger) == "access-denied"
    wait_until(lambda: system.grants().get(stranger) is False, what="a look at the stranger's secrets")
    assert system.reason(stranger) == "access-denied"
    why = query(system.webhook.database_url, "SELECT error_message FROM mirrors_mirrorjob WHERE status = 'failed'")
    assert f"Secret {stranger}/pull does not exist" in why[0][0] and "was not found at" in why[0][0]

    # A namespace whose own secret reads the source gets the swap from then on.
    assert system.reason(friend) == "access-denied"
    system.wait_for(friend, "present")
    assert system.grants() == {owner: True, stranger: False, friend: True}

    pod = {**pod_of(system.image), "apiVersion": "v1", "kind": "Pod"}
    reported = run_manage(
        "explain", "-", "--namespace", stranger, environment=system.webhook.environment, stdin=json.dumps(pod)
    ).stdout
    assert "access-denied" in reported and "this namespace has no access" in reported


def test_revoked_credentials_end_access_at_the_next_check(system: System) -> None:
    owner, other = system.namespace(PASSWORD), system.namespace(PASSWORD)
    for name in (owner, other):
        system.reason(name)
        system.wait_for(name, "present")
    system.configure(accessAge="2s")

    # The password is changed, and only one of the namespaces gets the new one.
    system.source.gatekeeper = Gatekeeper("token", "reader", "changed")
    system.plane.delete_secret(owner, "pull")
    system.give(owner, "changed")

    system.wait_for(other, "access-denied")
    assert system.grants()[other] is False
    system.wait_for(owner, "present")


def test_presence_at_the_target_does_not_grant_access_after_database_loss(
    plane: ControlPlane,
    source: FaultyRegistry,
    target: MemoryRegistry,
    database_template: DatabaseTemplate,
    tmp_path: Path,
) -> None:
    for name in ("before", "after"):
        (tmp_path / name).mkdir()
    with running_system(plane, source, target, database_template, tmp_path / "before") as system:
        owner = system.namespace(PASSWORD)
        system.reason(owner)
        system.wait_for(owner, "present")
    with running_system(plane, source, target, database_template, tmp_path / "after") as system:
        stranger = system.namespace()
        assert system.reason(stranger) == "access-unknown"
        assert system.reason(owner) == "access-unknown"
        system.wait_for(owner, "present")
        assert system.reason(stranger) == "access-denied"


def test_a_pod_that_references_a_private_mirror_gets_a_warning_or_is_denied(system: System) -> None:
    owner, stranger = system.namespace(PASSWORD), system.namespace()
    system.reason(owner)
    system.wait_for(owner, "present")
    digest = sample_image(layers=1, layer_bytes=100).root

    for image in (system.mirror, f"{system.mirror.removesuffix(':1.0')}@{digest}"):
        response = system.admit(stranger, image)
        assert response.allowed and response.patch == []
        assert "it is the mirror of a private image" in response.response["warnings"][0]
        assert system.webhook.reasons(response) == ["access-denied"]
        assert "warnings" not in system.admit(owner, image).response

    system.configure(privateImages="enforce")
    wait_until(lambda: not system.admit(stranger, system.mirror).allowed, what="a denial")
    denied = system.admit(stranger, system.mirror).response
    assert denied["status"]["code"] == 403 and "pull secret" in denied["status"]["message"]
    assert system.admit(owner, system.mirror).allowed
    pod = json.dumps({**pod_of(system.mirror), "apiVersion": "v1", "kind": "Pod"})
    explained = run_manage("explain", "-", "--namespace", stranger, environment=system.webhook.environment, stdin=pod)
    assert f"would be denied: {denied['status']['message']}" in " ".join(explained.stdout.split())
    # A pod of the owner that was already swapped is reviewed again.
    assert system.admit(owner).images
    system.configure(privateImages="enforce", dryRun=True)
    wait_until(lambda: system.admit(stranger, system.mirror).allowed, what="a dry run that denies nobody")


def test_missing_secret_access_is_reported_and_public_images_are_copied(
    plane: ControlPlane, target: MemoryRegistry, database_template: DatabaseTemplate, tmp_path: Path
) -> None:
    with FaultyRegistry() as public:
        sample_image(layers=1, layer_bytes=100).load(public.storage, "team/secret", "1.0")
        with running_system(plane, public, target, database_template, tmp_path) as system:
            # The worker has no role in this namespace.
            plane.namespace("without-role")
            system.reason("without-role")
            system.wait_for("without-role", "present")
            public.gatekeeper = Gatekeeper("token", "reader", PASSWORD)
            sample_image(layers=1, layer_bytes=100).load(public.storage, "team/other", "1.0")
            system.reason("without-role", f"{public.host}/team/other:1.0")
            failed = "SELECT error_message FROM mirrors_mirrorjob WHERE status = 'failed'"
            wait_until(lambda: query(system.webhook.database_url, failed), what="a failed job")
            assert "secretReader.enabled" in query(system.webhook.database_url, failed)[0][0]


def test_an_invalid_pull_secret_does_not_block_other_namespaces(system: System) -> None:
    owner, broken = system.namespace(PASSWORD), system.namespace()
    auths = {system.source.host: {"username": "\ud800", "password": "x"}}
    system.plane.secret(broken, "pull", JSON, {".dockerconfigjson": json.dumps({"auths": auths})})
    system.reason(broken)
    system.reason(owner)
    system.wait_for(owner, "present")


def test_policy_always_does_not_swap_private_images_for_other_namespaces(system: System) -> None:
    owner, stranger = system.namespace(PASSWORD), system.namespace()
    system.reason(owner)
    system.wait_for(owner, "present")
    system.configure(imageSwapPolicy="always", privateImages="enforce")
    wait_until(lambda: system.reason(owner) == "policy-always", what="the changed policy")
    digest = sample_image(layers=1, layer_bytes=100).root
    name = system.image.removesuffix(":1.0")
    for image in (system.image, f"{name}@{digest}", f"{system.image}@{digest}"):
        response = system.admit(stranger, image)
        assert response.allowed and response.patch == [], image

    # This image is not mirrored yet: it is swapped first, as the policy requires, and no longer after it was checked.
    sample_image(seed=9, layers=1, layer_bytes=100).load(system.source.storage, "team/other", "1.0")
    other = f"{system.source.host}/team/other:1.0"
    assert system.reason(stranger, other) == "policy-always"
    wait_until(lambda: system.reason(stranger, other) == "access-denied", what="the check's answer")
