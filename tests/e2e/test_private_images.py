"""Private images on a real API server: pull secrets are read with the rights of the chart, and with no others."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from mirrors.demo.gatekeeper import Gatekeeper
from mirrors.demo.images import sample_image
from tests.e2e.cluster.cluster import Cluster
from tests.e2e.cluster.release import Release, installed, pod_of
from tests.support.faulty_registry import FaultyRegistry
from tests.support.ports import wait_until

pytestmark = pytest.mark.timeout(600)


@contextmanager
def private_registry() -> Iterator[FaultyRegistry]:
    """A registry for one release. The webhooks of all releases review each pod, and any can swap an image it knows."""
    with FaultyRegistry(gatekeeper=Gatekeeper("basic", "robot", "pass")) as registry:
        sample_image(layers=1, layer_bytes=1_000).load(registry.storage, "team/secret", "1.0")
        yield registry


@pytest.fixture(scope="module")
def private() -> Iterator[FaultyRegistry]:
    with private_registry() as registry:
        yield registry


@pytest.fixture(scope="module")
def reading(cluster: Cluster, private: FaultyRegistry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    directory: Path = tmp_path_factory.mktemp("reading")
    entries = [{"type": "oci", "host": private.host, "insecure": True}]
    config = {"source": {"registries": entries, "filters": []}}
    with installed(cluster, directory, config=config, secretReader={"enabled": True}) as release:
        yield release


def namespace_with_secret(cluster: Cluster, host: str) -> str:
    name = cluster.namespace("team")
    auth = base64.b64encode(b"robot:pass").decode()
    document = json.dumps({"auths": {host: {"auth": auth}}})
    cluster.plane.secret(name, "pull", "kubernetes.io/dockerconfigjson", {".dockerconfigjson": document})
    return name


def image_of(release: Release, namespace: str, image: str, **spec: object) -> str:
    return str(release.pod(namespace, image, **spec)["spec"]["containers"][0]["image"])


def test_a_private_image_is_swapped_only_in_namespaces_with_credentials(
    cluster: Cluster, reading: Release, private: FaultyRegistry
) -> None:
    image = f"{private.host}/team/secret:1.0"
    mirror = reading.mirror_of(image)
    mine = namespace_with_secret(cluster, private.host)
    other = cluster.namespace("other")
    secrets = {"imagePullSecrets": [{"name": "pull"}]}

    wait_until(
        lambda: image_of(reading, mine, image, **secrets) == mirror, timeout=90, what="the swapped private image"
    )
    # Another namespace has presented no credentials: neither the image's name nor its mirror's gives it the image.
    for _ in range(3):
        assert image_of(reading, other, image) == image
        assert image_of(reading, other, image, **secrets) == image, "a secret that it does not have"


def test_only_one_account_can_get_secrets_and_it_cannot_list_or_write_them(cluster: Cluster, reading: Release) -> None:
    accounts = [
        item["metadata"]["name"]
        for item in cluster.api.get(f"/api/v1/namespaces/{reading.namespace}/serviceaccounts")["items"]
    ]

    def may(account: str, verb: str, resource: str) -> bool:
        user = f"system:serviceaccount:{reading.namespace}:{account}"
        response = cluster.kubectl("auth", "can-i", verb, resource, f"--as={user}", "-n", "default", check=False)
        return response.strip().splitlines()[-1] == "yes"

    readers = {account for account in accounts if may(account, "get", "secrets")}
    assert len(readers) == 1
    (reader,) = readers
    for verb in ("list", "create", "update", "patch", "delete"):
        assert not may(reader, verb, "secrets")
    assert not may(reader, "get", "pods")


def test_enforce_denies_the_mirror_of_a_private_image_without_credentials(cluster: Cluster, tmp_path: Path) -> None:
    secrets = {"imagePullSecrets": [{"name": "pull"}]}
    with ExitStack() as stack:
        private = stack.enter_context(private_registry())
        image = f"{private.host}/team/secret:1.0"
        entries = [{"type": "oci", "host": private.host, "insecure": True}]
        config = {"source": {"registries": entries, "filters": []}, "privateImages": "enforce"}
        release = stack.enter_context(installed(cluster, tmp_path, config=config, secretReader={"enabled": True}))
        mirror = release.mirror_of(image)
        mine, other = namespace_with_secret(cluster, private.host), cluster.namespace("other")
        wait_until(lambda: image_of(release, mine, image, **secrets) == mirror, timeout=90, what="the swapped image")

        status, response = cluster.api.call("POST", f"/api/v1/namespaces/{other}/pods", pod_of(mirror))
        assert (status, "private" in response["message"]) == (403, True), response
        # A namespace that can read the source can also name its mirror.
        assert image_of(release, mine, mirror, **secrets) == mirror
