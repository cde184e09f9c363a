"""Sources with mirrors, and sources with a password in a Secret."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mirrors.demo.gatekeeper import Gatekeeper
from mirrors.kubernetes.api_server.api_client import _client
from mirrors.models import Access, JobStatus, MirrorAttempt, MirrorJob
from tests.jobs.support import context, drain, load, queue_copy
from tests.support.controlplane import ControlPlane
from tests.support.faulty_registry import FaultyRegistry, reply
from tests.support.ports import free_port
from tests.support.system import write_config

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def mirror() -> Iterator[FaultyRegistry]:
    with FaultyRegistry() as registry:
        yield registry


def run(directory: Path, target: FaultyRegistry, *registries: dict[str, Any], image: str, **keys: Any) -> MirrorJob:
    entries = [{"type": "oci", "insecure": True, **entry} for entry in registries]
    config = write_config(directory / "config.yaml", target=target.host, source={"registries": entries}, **keys)
    job = queue_copy(image, target=target.host, namespace="web")
    with context(config) as made:
        drain(made)
    job.refresh_from_db()
    return job


def test_an_image_is_read_from_the_first_mirror_that_has_it(
    source: FaultyRegistry, mirror: FaultyRegistry, target: FaultyRegistry, tmp_path: Path
) -> None:
    """One mirror does not respond and one lacks the image. The registry itself receives no request."""
    load(mirror)
    away = f"127.0.0.1:{free_port()}"
    with FaultyRegistry() as empty:
        job = run(
            tmp_path,
            target,
            {"host": source.host, "mirrors": [away, empty.host, mirror.host]},
            *({"host": host} for host in (away, empty.host, mirror.host)),
            image=f"{source.host}/app:1.0",
        )
    assert (job.status, job.mapping.access) == (JobStatus.SUCCEEDED, Access.ANONYMOUS)
    assert source.requests == []
    assert f"from the mirror {mirror.host}" in MirrorAttempt.objects.get().log
    assert target.storage.manifest(f"{source.host.replace(':', '_')}/app", "1.0")


def test_the_registry_itself_is_read_if_its_mirror_responds_with_errors(
    source: FaultyRegistry, mirror: FaultyRegistry, target: FaultyRegistry, tmp_path: Path
) -> None:
    load(source)
    mirror.on(".*", reply(500), times=float("inf"))
    entry = {"host": source.host, "mirrors": [mirror.host]}
    job = run(tmp_path, target, entry, {"host": mirror.host}, image=f"{source.host}/app:1.0")
    assert job.status == JobStatus.SUCCEEDED


def test_a_private_mirror_is_read_only_if_both_entries_serve_the_namespace(
    source: FaultyRegistry, target: FaultyRegistry, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("p")
    with FaultyRegistry(gatekeeper=Gatekeeper("basic", "robot", "p")) as private:
        load(private)
        log_in = {"host": private.host, "username": "robot", "passwordFile": str(tmp_path / "password")}
        served, foreign = {"namespaces": ["web"]}, {"namespaces": ["other"]}
        for at_source, at_mirror, keys, status in (
            (served, served, {}, JobStatus.SUCCEEDED),
            (foreign, served, {}, JobStatus.FAILED),
            (served, foreign, {}, JobStatus.FAILED),
            (served, served, {"privateImages": "skip"}, JobStatus.FAILED),
        ):
            entry = {"host": source.host, "mirrors": [private.host], **at_source}
            job = run(tmp_path, target, entry, {**log_in, **at_mirror}, image=f"{source.host}/app:1.0", **keys)
            assert job.status == status
            MirrorJob.objects.all().delete()
            target.storage.tags.clear()


def test_a_public_image_read_from_a_mirror_with_credentials_stays_public(
    source: FaultyRegistry, target: FaultyRegistry, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("p")
    load(source)
    with FaultyRegistry(gatekeeper=Gatekeeper("basic", "robot", "p")) as private:
        load(private)
        log_in = {"host": private.host, "username": "robot", "passwordFile": str(tmp_path / "password")}
        entry = {"host": source.host, "mirrors": [private.host], "namespaces": ["web"]}
        job = run(tmp_path, target, entry, {**log_in, "namespaces": ["web"]}, image=f"{source.host}/app:1.0")
    assert (job.status, job.mapping.access) == (JobStatus.SUCCEEDED, Access.ANONYMOUS)
    assert f"from the mirror {private.host}" in MirrorAttempt.objects.get().log


def test_the_registry_itself_is_read_if_its_mirror_fails_during_the_copy(
    source: FaultyRegistry, mirror: FaultyRegistry, target: FaultyRegistry, tmp_path: Path
) -> None:
    load(source)
    load(mirror)
    mirror.on("GET .*/blobs/", reply(404), times=float("inf"))
    entry = {"host": source.host, "mirrors": [mirror.host]}
    job = run(tmp_path, target, entry, {"host": mirror.host}, image=f"{source.host}/app:1.0")
    assert job.status == JobStatus.SUCCEEDED
    assert f"the mirror {mirror.host} failed" in MirrorAttempt.objects.get().log


def test_a_password_is_read_from_a_labelled_secret(
    plane: ControlPlane, source: FaultyRegistry, target: FaultyRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plane.namespace("ours")
    plane.let_worker_read("ours", "secrets")
    plane.secret("ours", "hub", "Opaque", {"token": "p"}, labels={"k8s-image-swapper/credential": "true"})
    monkeypatch.setenv("KUBECONFIG", str(plane.kubeconfig(namespace="ours")))
    source.gatekeeper = Gatekeeper("basic", "robot", "p")
    load(source)
    entry = {"host": source.host, "username": "robot", "passwordSecret": "hub/token", "namespaces": ["web"]}
    job = run(tmp_path, target, entry, image=f"{source.host}/app:1.0")
    assert (job.status, job.mapping.access) == (JobStatus.SUCCEEDED, Access.CONFIGURED)

    plane.delete_secret("ours", "hub")
    MirrorJob.objects.all().delete()
    job = run(tmp_path, target, entry, image=f"{source.host}/app:1.0")
    assert job.error_class == "credential" and "Secret ours/hub does not exist" in job.error_message
    _client.cache_clear()


def test_the_image_is_read_with_pull_secrets_of_the_pod(
    plane: ControlPlane, source: FaultyRegistry, target: FaultyRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with ``privateImages: mirror``, the behaviour of the earlier tool."""
    plane.namespace("shop-of-jobs")
    plane.let_worker_read("shop-of-jobs", "secrets", "serviceaccounts")
    auths = {"auths": {source.host: {"username": "robot", "password": "p"}}}
    plane.secret("shop-of-jobs", "pull", "kubernetes.io/dockerconfigjson", {".dockerconfigjson": json.dumps(auths)})
    monkeypatch.setenv("KUBECONFIG", str(plane.kubeconfig()))
    source.gatekeeper = Gatekeeper("basic", "robot", "p")
    load(source)
    for policy in ("guard", "mirror"):
        config = write_config(
            tmp_path / "config.yaml",
            target=target.host,
            source={"registries": [{"type": "oci", "insecure": True, "host": source.host}]},
            privateImages=policy,
        )
        image = f"{source.host}/app:1.0"
        job = queue_copy(image, target=target.host, namespace="shop-of-jobs", secret_names=("pull",))
        with context(config) as made:
            drain(made)
        job.refresh_from_db()
        assert (job.status, job.mapping.access) == (JobStatus.SUCCEEDED, Access.SECRETS), policy
        assert "with a pull secret of shop-of-jobs" in MirrorAttempt.objects.latest("id").log
        MirrorJob.objects.all().delete()
    _client.cache_clear()


def test_rejected_credentials_are_distinguished_from_a_missing_image(target: FaultyRegistry, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("wrong")
    with FaultyRegistry(gatekeeper=Gatekeeper("basic", "mirror", "right")) as guarded:
        load(guarded)
        entry = {"host": guarded.host, "username": "mirror", "passwordFile": str(tmp_path / "password")}
        job = run(tmp_path, target, {**entry, "namespaces": ["web"]}, image=f"{guarded.host}/app:1.0")
    assert (job.status, job.error_class, job.error_host) == (JobStatus.FAILED, "unauthorized", guarded.host)
    assert (
        "rejected the credentials of source.registries[0] in the configuration file" in job.error_message
        and "Correct the username" in job.error_message
    )


def test_unreadable_credentials_are_reported_with_their_registry(
    source: FaultyRegistry, target: FaultyRegistry, tmp_path: Path
) -> None:
    load(source)
    entry = {"host": source.host, "username": "mirror", "passwordFile": str(tmp_path / "missing")}
    job = run(tmp_path, target, entry, image=f"{source.host}/app:1.0")
    assert (job.error_class, job.error_host) == ("credential", source.host)


def test_an_image_of_a_host_that_is_no_longer_allowed_is_not_copied(
    source: FaultyRegistry, target: FaultyRegistry, tmp_path: Path
) -> None:
    load(source)
    sources = {"registries": [{"type": "oci", "host": source.host, "insecure": True}], "allowedHosts": ["*.quay.io"]}
    config = write_config(tmp_path / "config.yaml", target=target.host, source=sources)
    job = queue_copy(f"{source.host}/app:1.0", target=target.host)
    with context(config) as made:
        drain(made)
    job.refresh_from_db()
    assert job.status == JobStatus.FAILED
    assert "source.allowedHosts" in job.error_message and "add it there first" in job.error_message
    assert source.requests == []
