"""Pods as Kubernetes creates them, with the installed chart: by controllers, kubectl, kubelets and operators."""

from __future__ import annotations

import time
import uuid
from typing import Any

import pytest

from tests.e2e.cluster.api import STRATEGIC, Api
from tests.e2e.cluster.cluster import Cluster
from tests.e2e.cluster.injector import injector
from tests.e2e.cluster.release import Release, pod_of
from tests.support.ports import wait_until

pytestmark = pytest.mark.timeout(400)

HOOK = "k8s-image-swapper.github.io"


@pytest.fixture(scope="module")
def shop(cluster: Cluster) -> str:
    return cluster.namespace("shop")


@pytest.fixture(scope="module")
def known(release: Release, shop: str) -> str:
    """An image that is mirrored and that webhooks know."""
    image = release.load("team/known")
    release.wait_until_mirrored(shop, image)
    return image


def template(image: str, labels: dict[str, str], **spec: Any) -> dict[str, Any]:
    return {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": image}], **spec}}


def workload(kind: str, name: str, image: str) -> tuple[str, dict[str, Any]]:
    """Return the API version and the object."""
    labels = {"app": name}
    selector = {"selector": {"matchLabels": labels}}
    pods = template(image, labels)
    once = template(image, labels, restartPolicy="Never")
    specs: dict[str, tuple[str, dict[str, Any]]] = {
        "Deployment": ("apps/v1", {**selector, "replicas": 2, "template": pods}),
        "StatefulSet": ("apps/v1", {**selector, "serviceName": name, "replicas": 2, "template": pods}),
        "Job": ("batch/v1", {"template": once}),
        "CronJob": ("batch/v1", {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": once}}}),
    }
    version, spec = specs[kind]
    return version, {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec}


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "Job", "CronJob"])
def test_pods_of_controllers_are_swapped(kind: str, cluster: Cluster, release: Release, known: str) -> None:
    namespace = cluster.namespace("workload")
    version, body = workload(kind, "web", known)
    cluster.api.create(f"/apis/{version}/namespaces/{namespace}/{kind.lower()}s", body)

    def images() -> list[str]:
        pods = cluster.api.get(f"/api/v1/namespaces/{namespace}/pods")["items"]
        return [pod["spec"]["containers"][0]["image"] for pod in pods]

    expected = 2 if kind in ("Deployment", "StatefulSet") else 1
    # A CronJob creates its first pod in the next minute.
    wait_until(lambda: len(images()) >= expected, timeout=100, what=f"the pods of the {kind}")
    assert set(images()) == {release.mirror_of(known)}
    stored = cluster.api.get(f"/apis/{version}/namespaces/{namespace}/{kind.lower()}s/web")
    assert known in str(stored), "what people wrote is not changed"


def test_a_server_side_dry_run_and_a_diff_copy_no_image(
    cluster: Cluster, release: Release, shop: str, known: str
) -> None:
    image = release.load("team/dry")
    pod = pod_of(image)
    applied = cluster.kubectl("apply", "--dry-run=server", "-n", shop, "-o", "json", "-f", "-", stdin=pod)
    assert f'"image": "{image}"' in applied
    cluster.kubectl("diff", "-n", shop, "-f", "-", stdin=pod, check=False)
    diff = cluster.kubectl("diff", "-n", shop, "-f", "-", stdin=pod_of(known), check=False)
    assert release.mirror_of(known) in diff, "a dry run shows the patch"

    # An image that a later, real pod requests is mirrored. The image of the dry run never is.
    other = release.load("team/asked")
    release.wait_until_mirrored(shop, other)
    assert release.source.count("GET .*/team/dry/") == 0


def test_a_label_update_does_not_change_the_image(cluster: Cluster, release: Release, shop: str) -> None:
    image = release.load("team/running")
    pod = release.pod(shop, image)
    release.wait_until_mirrored(shop, image)
    path = f"/api/v1/namespaces/{shop}/pods/{pod['metadata']['name']}"
    changed = cluster.api.patch(path, {"metadata": {"labels": {"team": "a"}}})

    assert changed["spec"]["containers"][0]["image"] == image
    assert changed["metadata"]["labels"] == {"team": "a"}


def test_a_debug_container_is_swapped(cluster: Cluster, release: Release, shop: str, known: str) -> None:
    image = release.load("team/debugged")
    name = release.pod(shop, image)["metadata"]["name"]
    cluster.kubectl("debug", name, "-n", shop, f"--image={known}", "--container=debugger", "--", "sh")
    containers = cluster.api.get(f"/api/v1/namespaces/{shop}/pods/{name}")["spec"]["ephemeralContainers"]

    assert [container["image"] for container in containers] == [release.mirror_of(known)]


def test_an_image_volume_is_swapped(release: Release, shop: str, known: str) -> None:
    volume = {"name": "model", "image": {"reference": known, "pullPolicy": "IfNotPresent"}}
    pod = release.pod(shop, known, volumes=[volume])
    found = next(volume for volume in pod["spec"]["volumes"] if volume["name"] == "model")

    assert found["image"]["reference"] == release.mirror_of(known)


def test_an_injected_sidecar_is_swapped_on_reinvocation(
    cluster: Cluster, release: Release, known: str, tmp_path: Any
) -> None:
    sidecar = release.load("team/sidecar")
    namespace = cluster.namespace("mesh")
    release.wait_until_mirrored(namespace, sidecar)
    with injector(cluster, tmp_path, namespace, sidecar):
        containers = release.pod(namespace, known)["spec"]["containers"]

    images = {container["name"]: container["image"] for container in containers}
    assert images == {"web": release.mirror_of(known), "proxy": release.mirror_of(sidecar)}


def test_the_image_of_a_mirror_pod_is_unchanged(cluster: Cluster, shop: str, known: str) -> None:
    body = pod_of(known)
    body["metadata"]["annotations"] = {"kubernetes.io/config.mirror": uuid.uuid4().hex}
    body["spec"]["nodeName"] = "node"
    stored = cluster.api.create(f"/api/v1/namespaces/{shop}/pods", body)

    assert stored["spec"]["containers"][0]["image"] == known


def test_an_operator_that_compares_images_creates_its_pod_once(cluster: Cluster, known: str) -> None:
    """The operator replaces each pod whose image differs from the one that it wrote."""
    namespace = cluster.namespace("database")
    path = f"/api/v1/namespaces/{namespace}/pods"
    body = pod_of(known)
    body["metadata"] |= {"name": "db-0", "labels": {"application": "spilo"}}
    made = 0

    def reconcile() -> bool:
        nonlocal made
        pod = cluster.api.get(f"{path}/db-0")
        if pod is None:
            made += 1
            cluster.api.call("POST", path, body)
            return False
        if pod["spec"]["containers"][0]["image"] != known:
            cluster.api.delete(f"{path}/db-0")
            return False
        return bool(pod["status"].get("phase") == "Running")

    wait_until(reconcile, what="a pod that the operator keeps")
    assert made == 1


def latency(api: Api, name: str) -> tuple[float, int]:
    """Return the total seconds and calls of a webhook, as measured by the API server."""
    metric = "apiserver_admission_webhook_admission_duration_seconds"
    _, text = api.call("GET", "/metrics")
    lines = [line for line in text.splitlines() if line.startswith(metric) and f'name="{name}"' in line]
    seconds = sum(float(line.rpartition(" ")[2]) for line in lines if f"{metric}_sum" in line)
    return seconds, int(sum(float(line.rpartition(" ")[2]) for line in lines if f"{metric}_count" in line))


@pytest.mark.parametrize("warmth", ["cold", "warm"])
def test_all_500_pods_of_a_deployment_are_created_and_swapped_if_mirrored(
    warmth: str, cluster: Cluster, release: Release, known: str, capsys: Any
) -> None:
    """One Deployment creates the pods: with an image that was never requested, and with one that is mirrored."""
    namespace = cluster.namespace("many")
    image = known if warmth == "warm" else release.load("team/many")
    before = latency(cluster.api, HOOK)
    _, body = workload("Deployment", "web", image)
    body["spec"]["replicas"] = 500
    started = time.monotonic()
    deployments = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    cluster.api.create(deployments, body)

    def pods() -> list[Any]:
        return list(cluster.api.get(f"/api/v1/namespaces/{namespace}/pods")["items"])

    # Wait for the Deployment's own count first, because listing hundreds of pods repeatedly slows the controllers down.
    wait_until(lambda: cluster.api.get(f"{deployments}/web")["status"].get("replicas") == 500, timeout=240)
    wait_until(lambda: len(pods()) == 500, what="500 pods")
    seconds, calls = (now - then for now, then in zip(latency(cluster.api, HOOK), before, strict=True))
    with capsys.disabled():
        each = 1_000 * seconds / max(1, calls)
        print(f"\n500 {warmth} pods in {time.monotonic() - started:.1f} s: {each:.1f} ms a call of the webhook")
    images = {pod["spec"]["containers"][0]["image"] for pod in pods()}
    assert images <= {image, release.mirror_of(image)}
    if warmth == "warm":
        assert images == {release.mirror_of(image)}
    cluster.api.delete(f"{deployments}/web?propagationPolicy=Background")


def test_all_pods_created_during_a_webhook_rollout_are_swapped(
    cluster: Cluster, release: Release, shop: str, known: str
) -> None:
    """In a rollout while pods are created, each pod receives a response and is swapped."""
    deployment = f"/apis/apps/v1/namespaces/{release.namespace}/deployments/{release.fullname}"
    mirror = release.mirror_of(known)
    before = {pod.name for pod in cluster.node.pods(release.namespace, "app")}
    cluster.api.patch(
        deployment,
        {"spec": {"template": {"metadata": {"annotations": {"restarted": uuid.uuid4().hex}}}}},
        STRATEGIC,
    )
    images: list[str] = []

    def is_rolled_out() -> bool:
        images.extend(release.image_of_new_pod(shop, known) for _ in range(5))
        pods = {pod.name: pod.is_ready for pod in cluster.node.pods(release.namespace, "app")}
        return not pods.keys() & before and all(pods.values()) and bool(pods)

    wait_until(is_rolled_out, timeout=120, what="the new webhook alone")
    assert set(images) == {mirror}
    assert len(images) > 20


def test_the_chart_service_account_has_no_secret_or_wildcard_permissions(cluster: Cluster, release: Release) -> None:
    account = f"system:serviceaccount:{release.namespace}:{release.fullname}"
    listed = cluster.kubectl("auth", "can-i", "--list", f"--as={account}", "-n", release.namespace)
    granted = [line for line in listed.splitlines()[1:] if not line.startswith(("selfsubject", " "))]

    assert [line for line in granted if "secrets" in line or "*" in line.split()[0]] == []
