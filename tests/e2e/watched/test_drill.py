"""The fire drill of the installed chart, compared with a registry that is then really switched off."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import urllib3

from mirrors.demo.images import SampleImage, sample_image
from mirrors.images import ImageRef
from tests.e2e.cluster.cluster import Cluster
from tests.e2e.cluster.installation import Installation
from tests.e2e.cluster.release import Release
from tests.support.faulty_registry import reply
from tests.support.ports import wait_until
from tests.support.pushing import push
from tests.support.readback import read_back
from tests.support.registries import Registry, distribution

pytestmark = pytest.mark.timeout(400)

SKIPPED = {"k8s-image-swapper/skip": "true"}
MIRRORED = ("web", "db", "nightly", "paused")
WORKLOADS: dict[str, tuple[str, dict[str, Any]]] = {
    "web": ("Deployment", {"replicas": 2}),
    "db": ("StatefulSet", {"replicas": 1}),
    "nightly": ("CronJob", {"suspend": True}),
    "paused": ("Deployment", {"replicas": 1}),
    "forgotten": ("Deployment", {"replicas": 1}),
    "resting": ("Deployment", {"replicas": 0}),
}
"""All workloads run images of the registry that is switched off."""

PATHS = {
    "Deployment": ("apps/v1", "deployments"),
    "StatefulSet": ("apps/v1", "statefulsets"),
    "CronJob": ("batch/v1", "cronjobs"),
}


@pytest.fixture
def switch_off() -> Iterator[ExitStack]:
    """An ExitStack whose ``close`` switches the registry off."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def hub(installation: Installation, switch_off: ExitStack, tmp_path: Path) -> Registry:
    registry = switch_off.enter_context(distribution(tmp_path / "hub"))
    installation.post("registries/", name="hub", endpoint=registry.host, insecure=True)
    return registry


def workload(cluster: Cluster, namespace: str, name: str, image: str) -> dict[str, Any]:
    """Create a workload, and return its pod template."""
    kind, spec = WORKLOADS.get(name, ("Deployment", {"replicas": 1}))
    version, plural = PATHS[kind]
    labels = {"app": name}
    annotations = SKIPPED if name == "forgotten" else {}
    template: dict[str, Any] = {
        "metadata": {"labels": labels, "annotations": annotations},
        "spec": {"containers": [{"name": "app", "image": image}]},
    }
    if kind == "CronJob":
        template["spec"]["restartPolicy"] = "Never"
        fields = {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": template}}}
    else:
        fields = {"selector": {"matchLabels": labels}, "template": template}
    fields |= {"serviceName": name} if kind == "StatefulSet" else {}
    body = {"metadata": {"name": name}, "spec": {**fields, **spec}}
    cluster.api.create(f"/apis/{version}/namespaces/{namespace}/{plural}", body)
    return template


def unprotected(installation: Installation, namespace: str, *arguments: str) -> dict[str, str]:
    """Return the reasons of unprotected workloads by the name of the workload."""
    result = installation.manage("readiness", "--json", "--namespace", namespace, *arguments, check=False)
    found = {row["name"]: row["reason"] for row in json.loads(result.stdout)["missing"]}
    assert result.returncode == (1 if found else 0), result.stderr
    return found


def can_be_read(image: str, content: SampleImage) -> bool:
    """Return whether a node without any of the image's layers can read the whole image."""
    place = ImageRef.parse(image)
    try:
        found = read_back(place.registry, place.repository, place.manifest_reference)
    except (urllib3.exceptions.HTTPError, AssertionError):
        return False
    return found.keys() >= {*content.blobs, *content.manifests}


def test_the_drill_predicts_which_images_can_be_pulled_without_the_registry(
    cluster: Cluster, installation: Installation, release: Release, hub: Registry, switch_off: ExitStack, shop: str
) -> None:
    other = cluster.namespace("other")
    images, contents = {}, {}
    for seed, name in enumerate(WORKLOADS):
        images[name] = f"{hub.host}/team/{name}:1.0"
        contents[name] = sample_image(seed=seed, layers=2, layer_bytes=1_000)
        push(contents[name], hub.host, f"team/{name}", "1.0")
    for name in MIRRORED:
        release.wait_until_mirrored(other, images[name])
    (mapping,) = [row for row in installation.get("mappings/?page_size=100") if row["source"] == images["paused"]]
    installation.post(f"mappings/{mapping['id']}/pause/")
    templates = {name: workload(cluster, shop, name, image) for name, image in images.items()}
    elsewhere = release.load("team/elsewhere")
    release.source.on("(GET|HEAD) .*/team/elsewhere/", reply(503), times=1_000)
    workload(cluster, shop, "elsewhere", elsewhere)

    def is_listed() -> bool:
        rows = installation.rows("SELECT namespace, workload FROM mirrors_runningimage")
        return {workload for namespace, workload in rows if namespace == shop} == {*WORKLOADS, "elsewhere"}

    wait_until(is_listed, timeout=60, what="the rows")
    without_hub = {"forgotten": "not-swapped", "resting": "not-mirrored", "paused": "blocked"}
    # The watcher records an opt-out in its next turn.
    wait_until(
        lambda: unprotected(installation, shop, "--without", hub.host) == without_hub, what="the drill with opt-outs"
    )
    assert unprotected(installation, shop) == {**without_hub, "elsewhere": "not-mirrored"}
    response = installation.read(f"readiness/?without={hub.host}&namespace={shop}")
    assert (response["workloads"], response["unprotected"]) == (len(WORKLOADS) + 1, len(without_hub))

    page = installation.page(f"/admin/mirrors/readinesssample/?without={hub.host}&namespace={shop}")
    assert f"4 of 7 workloads in {shop}" in page

    switch_off.close()

    def new_pod(name: str) -> str:
        body = {**templates[name], "metadata": {**templates[name]["metadata"], "name": f"new-{name}"}}
        made = cluster.api.create(f"/api/v1/namespaces/{shop}/pods", body)
        return str(made["spec"]["containers"][0]["image"])

    unreadable = {name for name in WORKLOADS if not can_be_read(new_pod(name), contents[name])}
    assert unreadable == without_hub.keys()
    assert unprotected(installation, shop, "--without", hub.host).keys() >= without_hub.keys(), "it needs no source"
