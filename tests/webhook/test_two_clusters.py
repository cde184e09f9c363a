"""Two clusters, each with its own API server, webhook and worker, on one database: namespaces with the same name
differ."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mirrors.demo.gatekeeper import Gatekeeper
from mirrors.demo.images import sample_image
from mirrors.demo.registry import MemoryRegistry
from tests.support.controlplane import ControlPlane, control_plane
from tests.support.databases import DatabaseTemplate, query
from tests.support.faulty_registry import FaultyRegistry
from tests.support.ports import wait_until
from tests.support.system import Webhook, pod_of, write_config

JSON = "kubernetes.io/dockerconfigjson"
PASSWORD = "password-of-the-reader"

pytestmark = pytest.mark.timeout(240)


@dataclass(frozen=True)
class OneCluster:
    """One of the clusters, with its parts of the installation."""

    name: str
    plane: ControlPlane
    webhook: Webhook
    source: FaultyRegistry
    target: MemoryRegistry

    def namespace(self, name: str, *, password: str = "") -> None:
        """Create a namespace. With a password, its Secret ``pull`` has the credentials."""
        self.plane.namespace(name)
        self.plane.let_worker_read(name, "secrets", "serviceaccounts")
        if password:
            auths = {self.source.host: {"username": "reader", "password": password}}
            self.plane.secret(name, "pull", JSON, {".dockerconfigjson": json.dumps({"auths": auths})})

    def reason(self, namespace: str, image: str) -> str:
        pod = pod_of(image)
        pod["spec"]["imagePullSecrets"] = [{"name": "pull"}]
        return self.webhook.reasons(self.webhook.admit(pod, namespace=namespace))[0]

    def wait_for(self, namespace: str, image: str, reason: str) -> None:
        wait_until(lambda: self.reason(namespace, image) == reason, timeout=60, what=f"{reason} in {self.name}")


@dataclass(frozen=True)
class Installation:
    a: OneCluster
    b: OneCluster
    url: str

    @property
    def image(self) -> str:
        return f"{self.a.source.host}/team/secret:1.0"

    @property
    def mirror(self) -> str:
        return f"{self.a.target.host}/{self.a.source.host.replace(':', '_')}/team/secret:1.0"

    def select(self, sql: str) -> list[tuple[Any, ...]]:
        return sorted(tuple(row) for row in query(self.url, sql))

    def wait_for_grant(self, cluster: OneCluster, namespace: str) -> None:
        """Admit pods until the namespace's secrets were tried. A copy that is read with another cluster's secret does
        not try them."""

        def is_known() -> bool:
            assert cluster.reason(namespace, self.image) == "access-denied"
            return (cluster.name, namespace) in self.grants()

        wait_until(is_known, timeout=60, what=f"a look at the secrets of {cluster.name}/{namespace}")

    def grants(self) -> dict[tuple[str, str], bool]:
        """Return whether each namespace of each cluster has access, as recorded in the database."""
        rows = self.select("SELECT cluster, namespace, granted FROM mirrors_clusteraccess")
        return {(cluster, namespace): bool(granted) for cluster, namespace, granted in rows}


@pytest.fixture
def source() -> Iterator[FaultyRegistry]:
    """A registry that requires credentials for everything."""
    with FaultyRegistry(gatekeeper=Gatekeeper("token", "reader", PASSWORD)) as registry:
        sample_image(layers=1, layer_bytes=100).load(registry.storage, "team/secret", "1.0")
        yield registry


@pytest.fixture
def installation(
    plane: ControlPlane, source: FaultyRegistry, database_template: DatabaseTemplate, tmp_path: Path
) -> Iterator[Installation]:
    with ExitStack() as stack:
        target = stack.enter_context(MemoryRegistry())
        other_plane = stack.enter_context(control_plane())
        other_plane.namespace("swapper")
        url = stack.enter_context(database_template.copy(tmp_path))

        def start(name: str, its_plane: ControlPlane) -> OneCluster:
            directory = tmp_path / name
            directory.mkdir()
            sources = {
                "registries": [{"type": "oci", "host": source.host, "insecure": True}],
                "filters": [{"jmespath": f"obj.metadata.namespace == 'only-{name}'"}],
            }
            config = write_config(directory / "config.yaml", target=target.host, source=sources, clusterName=name)
            webhook = Webhook(config, url, directory, {})
            webhook.prepare()
            webhook.start()
            stack.callback(webhook.stop)
            worker = webhook.worker()
            worker.environment = {**worker.environment, "KUBECONFIG": str(its_plane.kubeconfig())}
            worker.start()
            stack.callback(worker.stop)
            return OneCluster(name, its_plane, webhook, source, target)

        yield Installation(start("a", plane), start("b", other_plane), url)


def test_namespaces_with_the_same_name_in_two_clusters_are_separate(installation: Installation) -> None:
    a, b, image = installation.a, installation.b, installation.image
    a.namespace("two-shop", password=PASSWORD)
    b.namespace("two-shop")
    a.namespace("two-pay")
    b.namespace("two-pay", password=PASSWORD)

    # The owner's secret reads the image. A namespace with the same name in the other cluster has no secret.
    a.wait_for("two-shop", image, "present")
    assert installation.grants()["a", "two-shop"] is True
    assert b.reason("two-shop", image) == "access-denied"
    assert b.reason("two-shop", installation.mirror) == "access-denied"
    installation.wait_for_grant(b, "two-shop")
    assert b.reason("two-shop", image) == "access-denied"

    # The reverse case: only a worker of b has the secret of b/two-pay.
    assert a.reason("two-pay", image) == "access-denied"
    b.wait_for("two-pay", image, "present")
    installation.wait_for_grant(a, "two-pay")
    assert a.reason("two-pay", image) == "access-denied"
    assert b.reason("two-pay", installation.mirror) == "already-at-target"
    assert installation.grants() == {
        ("a", "two-shop"): True,
        ("b", "two-shop"): False,
        ("a", "two-pay"): False,
        ("b", "two-pay"): True,
    }

    # Each cluster decides by its own file and has its own records.
    assert (a.reason("only-a", image), b.reason("only-a", image)) == ("filtered", "access-denied")
    a.webhook.stop()
    b.webhook.stop()
    uses = installation.select("SELECT DISTINCT cluster, namespace FROM mirrors_imageuse")
    assert {("a", "two-shop"), ("b", "two-shop"), ("a", "two-pay"), ("b", "two-pay")} <= set(uses)
    counts = dict(installation.select("SELECT cluster, SUM(images) FROM mirrors_decisioncount GROUP BY cluster"))
    assert counts.keys() == {"a", "b"}
    samples = installation.select("SELECT DISTINCT cluster FROM mirrors_admissionsample")
    requests = installation.select("SELECT DISTINCT cluster FROM mirrors_mirrorrequest")
    workers = installation.select("SELECT cluster, role FROM mirrors_instance WHERE role = 'worker'")
    assert samples == requests == [("a",), ("b",)]
    assert workers == [("a", "worker"), ("b", "worker")]
    filters = installation.select("SELECT cluster, jmespath FROM mirrors_filter")
    assert filters == [(name, f"obj.metadata.namespace == 'only-{name}'") for name in "ab"]
