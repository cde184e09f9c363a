"""A cluster that ran for a year without the product: after the installation its images are mirrored, with no
restart."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mirrors.demo.images import SampleImage, sample_image
from mirrors.images import ImageRef, TargetName
from tests.e2e.cluster.cluster import Cluster, running_cluster
from tests.e2e.cluster.installation import Installation
from tests.e2e.cluster.release import installed
from tests.support.ports import wait_until
from tests.support.pushing import push
from tests.support.readback import read_back
from tests.support.registries import distribution
from tests.watcher.objects import Objects

pytestmark = pytest.mark.timeout(600)

WORKLOADS = 300
RUNNING, RESTING = 24, 6
"""The numbers of images of workloads that have pods, and of workloads that are suspended or scaled to zero."""

OPTED_OUT = {"k8s-image-swapper/skip": "true"}


@dataclass
class OldCluster:
    """A cluster with workloads. ``contents`` has the images that an admission would mirror."""

    cluster: Cluster
    hub: str
    namespaces: list[str]
    contents: dict[str, SampleImage]

    def pods(self) -> list[dict[str, Any]]:
        """Return the pods of the workloads according to kubectl."""
        found = json.loads(self.cluster.kubectl("get", "pods", "-A", "-o", "json"))["items"]
        return [pod for pod in found if pod["metadata"]["namespace"] in self.namespaces]

    def lives(self) -> dict[str, tuple[str, str]]:
        """Return image and start time of each pod by UID, which do not change unless the pod is touched."""
        return {
            pod["metadata"]["uid"]: (pod["spec"]["containers"][0]["image"], pod["status"]["startTime"])
            for pod in self.pods()
        }


@pytest.fixture
def old(tmp_path: Path) -> Iterator[OldCluster]:
    with distribution(tmp_path / "hub") as hub, running_cluster(tmp_path / "cluster") as cluster:
        names = [f"team/app-{number}" for number in range(RUNNING + RESTING)] + ["team/opted-out"]
        contents = {
            f"{hub.host}/{name}:1.0": sample_image(seed=seed, layers=1, layer_bytes=500 + seed)
            for seed, name in enumerate(names)
        }
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda name: push(contents[f"{hub.host}/{name}:1.0"], hub.host, name, "1.0"), names))
        namespaces = [cluster.namespace(prefix) for prefix in ("shop", "blog", "data")]
        old = OldCluster(cluster, hub.host, namespaces, contents)
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda number: deploy(old, number), range(WORKLOADS)))
        contents.pop(f"{hub.host}/team/opted-out:1.0")
        expected = sum(replicas(number) for number in range(WORKLOADS))
        wait_until(
            lambda: [pod["status"]["phase"] for pod in old.pods()].count("Running") == expected,
            timeout=180,
            what=f"{expected} pods that run",
        )
        yield old


def replicas(number: int) -> int:
    """Return the replicas of a workload. The first workloads are suspended, the next are scaled to zero."""
    return 0 if number < 40 else 1 + number % 2


def deploy(old: OldCluster, number: int) -> None:
    image = RUNNING + number % RESTING if number < 40 else number % RUNNING
    reference = f"{old.hub}/team/app-{image}:1.0"
    namespace, name = old.namespaces[number % 3], f"app-{number}"
    kind = "Deployment"
    spec: dict[str, Any] = {"replicas": replicas(number)}
    if number < 20:
        kind, spec = "CronJob", {"suspend": True}
    elif number >= WORKLOADS - 30:
        kind = "StatefulSet"
    objects = Objects(old.cluster.api)
    if number == WORKLOADS - 31:
        reference = f"{old.hub}/team/opted-out:1.0"
        labels = {"labels": {"app": name}, "annotations": OPTED_OUT}
        template = {"metadata": labels, "spec": {"containers": [{"name": "app", "image": reference}]}}
        spec |= {"template": template}
    objects.workload(namespace, kind, name, [reference], **spec)


def counted(installation: Installation, namespaces: list[str]) -> Counter[tuple[str, ...]]:
    """Return the number of pods by namespace, kind, workload and image, according to the rows."""
    rows = installation.rows(
        "SELECT namespace, workload_kind, workload, image, pods FROM mirrors_runningimage WHERE state = 'running'"
    )
    return Counter({tuple(place): pods for *place, pods in rows if place[0] in namespaces})


def images_of_pods(installation: Installation) -> set[tuple[str, str]]:
    """Return namespace and image of each row that has not ended."""
    found = installation.rows("SELECT namespace, image FROM mirrors_runningimage WHERE state <> 'ended'")
    return {(namespace, image) for namespace, image in found}


def in_cluster(old: OldCluster) -> Counter[tuple[str, ...]]:
    """Return the same numbers according to kubectl."""
    kinds = {"ReplicaSet": "Deployment"}
    return Counter(
        (
            pod["metadata"]["namespace"],
            kinds.get(owner["kind"], owner["kind"]),
            pod["metadata"]["labels"]["app"],
            pod["spec"]["containers"][0]["image"],
        )
        for pod in old.pods()
        for owner in pod["metadata"]["ownerReferences"]
    )


def is_complete(target: str, image: str, content: SampleImage) -> bool:
    """Return whether the target has the complete image."""
    place = TargetName(target).retarget(ImageRef.parse(image))
    try:
        found = read_back(place.registry, place.repository, place.manifest_reference)
    except AssertionError:
        return False
    return found.keys() >= {*content.blobs, *content.manifests}


def test_a_backfill_mirrors_all_images_of_an_existing_cluster_without_restarts(old: OldCluster, tmp_path: Path) -> None:
    source = {
        "registries": [{"type": "oci", "host": old.hub, "insecure": True}],
        "filters": [{"jmespath": "starts_with(obj.metadata.namespace, 'swapper-')"}],
    }
    before = old.lives()
    with installed(old.cluster, tmp_path, config={"source": source}) as release:
        installation = Installation(release, tmp_path)
        wait_until(lambda: counted(installation, old.namespaces).total() == len(before), timeout=90, what="the rows")
        assert counted(installation, old.namespaces) == in_cluster(old)

        shown = installation.manage("backfill", "--dry-run").stdout
        (preview,) = installation.get("backfill/")
        own = {image for namespace, image in images_of_pods(installation) if namespace == release.namespace}
        assert (preview["images"], preview["excluded"]) == (len(old.contents), len(own) + 1), shown
        assert preview["bytes_total"] == sum(image.blob_bytes for image in old.contents.values())
        assert (preview["unmeasured"], preview["counted_pulls"]) == (0, 0)
        assert "opted-out" in shown and "filtered" in shown
        assert not installation.get("jobs/"), "nothing is copied"

        installation.configure(backfill="on")
        wait_until(
            lambda: installation.get("backfill/")[0]["state"] == "finished", timeout=180, what="the end of the backfill"
        )
        missing = {image for image, content in old.contents.items() if not is_complete(release.target, image, content)}
        assert not missing
        assert old.lives() == before, "no pod was touched"
        assert counted(installation, old.namespaces) == in_cluster(old)

        shop = old.namespaces[0]
        kept = {image for image in old.contents if release.image_of_new_pod(shop, image) == image}
        assert not kept, "the first new pod of each is swapped"
