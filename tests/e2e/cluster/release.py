"""The chart as installed by Helm, with a source and a target registry on this machine."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mirrors.demo.images import sample_image
from tests.e2e.cluster.cluster import CHART, Cluster
from tests.support.faulty_registry import FaultyRegistry
from tests.support.ports import wait_until
from tests.support.registries import distribution

WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"


@dataclass
class Release:
    """An installed release. ``values`` are the values that it was installed with."""

    cluster: Cluster
    name: str
    namespace: str
    source: FaultyRegistry
    target: str
    values: dict[str, Any]

    @property
    def fullname(self) -> str:
        return f"{self.name}-k8s-image-swapper"

    def webhook(self) -> Any:
        """The registered webhook."""
        return self.cluster.api.get(f"{WEBHOOKS}/{self.fullname}")["webhooks"][0]

    def activation(self) -> Any:
        """The RoleBinding that activates the webhook under ``failurePolicy: Fail``, or None if it does not exist."""
        roles = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{self.namespace}/rolebindings"
        return self.cluster.api.get(f"{roles}/{self.fullname}-active")

    def load(self, repository: str, tag: str = "1.0") -> str:
        """Add a new image to the source, and return its reference."""
        sample_image(seed=uuid.uuid4().int % 10_000, layers=1, layer_bytes=1_000).load(
            self.source.storage, repository, tag
        )
        return f"{self.source.host}/{repository}:{tag}"

    def mirror_of(self, image: str) -> str:
        host, _, path = image.partition("/")
        return f"{self.target}/{host.replace(':', '_')}/{path}"

    def pod(self, namespace: str, image: str, **spec: Any) -> dict[str, Any]:
        """Create a pod, and return it as the API server has stored it."""
        body = pod_of(image, **spec)
        made: dict[str, Any] = self.cluster.api.create(f"/api/v1/namespaces/{namespace}/pods", body)
        return made

    def image_of_new_pod(self, namespace: str, image: str) -> str:
        return str(self.pod(namespace, image)["spec"]["containers"][0]["image"])

    def wait_until_mirrored(self, namespace: str, image: str) -> None:
        """Create pods until one of them is swapped."""
        mirror = self.mirror_of(image)
        wait_until(lambda: self.image_of_new_pod(namespace, image) == mirror, timeout=60, what=f"a pod of {mirror}")


def pod_of(image: str, **spec: Any) -> dict[str, Any]:
    metadata = {"name": f"web-{uuid.uuid4().hex[:8]}"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"containers": [{"name": "web", "image": image}], **spec},
    }


def values_of(source: str, target: str, **more: Any) -> dict[str, Any]:
    """Return the values that an operator writes for two plain registries."""
    config = {
        "dryRun": False,
        "logFormat": "json",
        "source": {"registries": [{"type": "oci", "host": source, "insecure": True}], "filters": []},
        "target": {"type": "oci", "oci": {"endpoint": target, "insecure": True}},
        **more.pop("config", {}),
    }
    return {"config": config, **more}


@contextmanager
def installed(
    cluster: Cluster, directory: Path, *, secrets: Mapping[str, Mapping[str, str]] | None = None, **more: Any
) -> Iterator[Release]:
    """Run ``helm install --wait``, and ``helm uninstall`` on exit. ``secrets``, as plain text, are created before."""
    with FaultyRegistry() as source, distribution(directory / "target") as target:
        namespace = cluster.namespace("swapper")
        for secret, data in (secrets or {}).items():
            cluster.plane.secret(namespace, secret, "Opaque", dict(data))
        name = f"r{uuid.uuid4().hex[:5]}"
        values = values_of(source.host, target.host, **more)
        file = directory / "values.json"
        file.write_text(json.dumps(values))
        try:
            cluster.helm("install", name, str(CHART), "-n", namespace, "-f", str(file), "--wait", "--timeout", "180s")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{cluster.logs()}") from None
        release = Release(cluster, name, namespace, source, target.host, values)
        try:
            wait_until(lambda: "caBundle" in release.webhook()["clientConfig"], timeout=60, what="the certificate")
            if release.webhook()["failurePolicy"] == "Fail":
                wait_until(release.activation, timeout=60, what="the activation of the webhook")
            yield release
        except BaseException:
            print(cluster.logs(f"{namespace}."))  # noqa: T201  (shown with a failed story)
            raise
        finally:
            cluster.helm("uninstall", name, "-n", namespace, "--wait", check=False)
