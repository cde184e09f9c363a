"""From an empty cluster to the first swapped pod, through a real API server, as docs/getting-started.md shows it."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from mirrors.demo.images import sample_image
from tests.support import aws as amazon
from tests.support import google
from tests.support.authority import Authority
from tests.support.aws import ecr_registry, running_aws
from tests.support.controlplane import ControlPlane
from tests.support.databases import DatabaseTemplate
from tests.support.faulty_registry import FaultyRegistry
from tests.support.ports import wait_until
from tests.support.registries import distribution
from tests.support.system import Webhook

HOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"


def any_registry(stack: ExitStack, directory: Path) -> tuple[dict[str, Any], Mapping[str, str], str]:
    """Return ``target``, the environment of the product's processes, and the registry's name in pods."""
    registry = stack.enter_context(distribution(directory / "registry"))
    return {"type": "oci", "oci": {"endpoint": registry.host, "insecure": True}}, {}, registry.host


def amazon_ecr(stack: ExitStack, directory: Path) -> tuple[dict[str, Any], Mapping[str, str], str]:
    """Return the same for a registry of another account, with static keys and a role."""
    aws = stack.enter_context(running_aws(directory))
    registry = stack.enter_context(ecr_registry(directory / "registry"))
    role = f"arn:aws:iam::{amazon.ACCOUNT}:role/mirror"
    return amazon.target_keys(registry, role=role), aws.environment, amazon.HOST


def artifact_registry(stack: ExitStack, directory: Path) -> tuple[dict[str, Any], Mapping[str, str], str]:
    (directory / "api").mkdir()
    registry = stack.enter_context(google.gar_registry(directory / "registry"))
    api = stack.enter_context(google.artifact_registry(directory / "api"))
    tokens = stack.enter_context(google.token_server())
    target = google.target_keys(registry, api, createRepository=True)
    environment = {**tokens.environment, "SWAPPER_CONFIG_OVERRIDES": f'{{"trustedCA": "{api.ca_file}"}}'}
    return target, environment, f"{google.HOST}/{google.PROJECT}/main"


@contextmanager
def registered(plane: ControlPlane, webhook: Webhook, authority: Authority, namespace: str) -> Iterator[None]:
    """Register the webhook with the API server, for one namespace."""
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["pods"]}
    hook = {
        "name": "k8s-image-swapper.github.io",
        "admissionReviewVersions": ["v1"],
        "clientConfig": {
            "url": f"{webhook.url}/webhook",
            "caBundle": base64.b64encode(authority.file.read_bytes()).decode(),
        },
        "rules": [rule],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "failurePolicy": "Fail",
        "reinvocationPolicy": "IfNeeded",
        "sideEffects": "NoneOnDryRun",
        "timeoutSeconds": 10,
    }
    plane.create(HOOKS, namespace, "MutatingWebhookConfiguration", webhooks=[hook])
    try:
        yield
    finally:
        plane.request("DELETE", f"{HOOKS}/{namespace}")


def pod_image(plane: ControlPlane, namespace: str, image: str) -> str:
    """Create a pod, and return its image as the API server has stored it."""
    name = f"web-{uuid.uuid4().hex[:8]}"
    path = f"/api/v1/namespaces/{namespace}/pods"
    plane.create(path, name, "Pod", spec={"containers": [{"name": "web", "image": image}]})
    stored: str = plane.request("GET", f"{path}/{name}")["spec"]["containers"][0]["image"]
    return stored


@pytest.mark.parametrize("kind", [any_registry, amazon_ecr, artifact_registry])
def test_a_new_pod_is_swapped_after_its_image_is_mirrored(
    kind: Any, plane: ControlPlane, database_template: DatabaseTemplate, tmp_path: Path
) -> None:
    namespace = f"shop-{uuid.uuid4().hex[:8]}"
    plane.namespace(namespace)
    plane.create(f"/api/v1/namespaces/{namespace}/serviceaccounts", "default", "ServiceAccount")
    with ExitStack() as stack:
        source = stack.enter_context(FaultyRegistry())
        sample_image(layers=1, layer_bytes=1_000).load(source.storage, "team/app", "1.0")
        target, environment, place = kind(stack, tmp_path)
        registries = [{"type": "oci", "host": source.host, "insecure": True}]
        config = tmp_path / "config.yaml"
        document = {"dryRun": False, "target": target, "source": {"registries": registries}}
        config.write_text(yaml.safe_dump(document))
        authority = Authority(tmp_path)
        authority.issue(tmp_path / "tls.crt", tmp_path / "tls.key")
        files = {"SWAPPER_TLS_CERT_FILE": f"{tmp_path}/tls.crt", "SWAPPER_TLS_KEY_FILE": f"{tmp_path}/tls.key"}
        url = stack.enter_context(database_template.copy(tmp_path))
        webhook = Webhook(config, url, tmp_path, {**environment, **files})
        webhook.prepare()
        webhook.start()
        stack.callback(webhook.stop)
        worker = webhook.worker()
        worker.start()
        stack.callback(worker.stop)
        stack.enter_context(registered(plane, webhook, authority, namespace))

        image = f"{source.host}/team/app:1.0"
        assert pod_image(plane, namespace, image) == image, "not mirrored yet"
        swapped = f"{place}/{source.host.replace(':', '_')}/team/app:1.0"
        wait_until(lambda: pod_image(plane, namespace, image) == swapped, timeout=60, what="the first swapped pod")
