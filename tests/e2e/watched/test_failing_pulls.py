"""Failing pulls in the states that kubelets write, with the installed chart: they are shown, and fixed if possible."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import requests

from mirrors.demo.handler import Handler
from mirrors.models import Priority
from tests.e2e.cluster.cluster import Cluster
from tests.e2e.cluster.installation import Installation
from tests.e2e.cluster.release import Release
from tests.e2e.watched.conftest import RACKS
from tests.support.ports import wait_until
from tests.support.readback import ACCEPT
from tests.watcher.objects import Objects

pytestmark = pytest.mark.timeout(400)

SEEN = 60
"""Seconds until rows for a new state exist: one turn of the watcher, which takes ten on an idle machine."""

PULL = 'failed to pull and unpack image "{image}": '
HEAD = PULL + 'failed to resolve reference "{image}": '
STATES = {
    # Cause, reason and message by the name of the image: first of containerd, then of CRI-O.
    "absent": ("not-found", "ErrImagePull", "rpc error: code = NotFound desc = " + HEAD + "{image}: not found"),
    "forbidden": (
        "denied",
        "ErrImagePull",
        HEAD + "unexpected status from HEAD request to https://{host}/v2/x/manifests/1: 403 Forbidden",
    ),
    "login": (
        "denied",
        "ImagePullBackOff",
        'Back-off pulling image "{image}": ErrImagePull: ' + HEAD + "failed to authorize: failed to fetch anonymous "
        "token: unexpected status from GET request to https://{host}/token: 401 Unauthorized",
    ),
    "unresolved": (
        "unreachable",
        "ErrImagePull",
        HEAD + 'failed to do request: Head "https://{host}/v2/x": dial tcp: lookup {host}: no such host',
    ),
    "untrusted": (
        "unreachable",
        "ErrImagePull",
        HEAD + 'failed to do request: Head "https://{host}/v2/x": tls: failed to verify certificate: x509: certificate '
        "signed by unknown authority",
    ),
    "limited": (
        "rate-limited",
        "ErrImagePull",
        PULL + "failed to copy: httpReadSeeker: failed open: unexpected status from GET request to "
        "https://{host}/v2/x/manifests/sha256:0: 429 Too Many Requests",
    ),
    "foreign": ("platform-missing", "ErrImagePull", PULL + "no match for platform in manifest: not found"),
    "full": ("other", "ErrImagePull", PULL + "failed to extract layer sha256:0: no space left on device"),
    "never": ("other", "ErrImageNeverPull", 'Container image "{image}" is not present with pull policy of Never'),
    "crio-absent": (
        "not-found",
        "ErrImagePull",
        "initializing source docker://{image}: reading manifest 1.0 in {repository}: manifest unknown",
    ),
    "crio-denied": (
        "denied",
        "ErrImagePull",
        "initializing source docker://{image}: reading manifest 1.0 in {repository}: requested access to the resource "
        "is denied",
    ),
    "crio-away": (
        "unreachable",
        "RegistryUnavailable",
        "image pull failed for {image} because the registry is unavailable: pinging container registry {host}: "
        'Get "https://{host}/v2/": dial tcp 10.0.0.1:443: connect: connection refused',
    ),
    "crio-unsigned": (
        "other",
        "SignatureValidationFailed",
        "image pull failed for {image} because the signature validation failed: Source image rejected: A signature was "
        "required, but no signature exists",
    ),
    "crio-limited": (
        "rate-limited",
        "ErrImagePull",
        "copying system image from manifest list: reading manifest sha256:0 in {repository}: toomanyrequests: You have "
        "reached your pull rate limit",
    ),
    "crio-foreign": (
        "platform-missing",
        "ErrImagePull",
        "choosing an image from manifest list docker://{image}: no image found in image index for architecture arm64, "
        'variant "v8", OS linux',
    ),
}


@pytest.fixture
def objects(cluster: Cluster) -> Objects:
    return Objects(cluster.api)


def state_of(name: str, image: str) -> tuple[str, str]:
    """Return the reason and the message of a state, with the names of this image."""
    _, reason, message = STATES[name]
    repository = image.rpartition(":")[0]
    return reason, message.format(image=image, host=image.partition("/")[0], repository=repository)


def failures(installation: Installation, namespace: str) -> dict[str, dict[str, Any]]:
    """Return the failing pulls of a namespace's pods by image."""
    rows = installation.get("pull-failures/?page_size=100")
    return {row["image"]: row for row in rows if namespace in row["namespaces"]}


def test_each_failing_pull_is_shown_with_its_cause_until_it_succeeds(
    installation: Installation, release: Release, objects: Objects, shop: str
) -> None:
    images = {name: f"{release.source.host}/fails/{name}:1.0" for name in STATES}
    for name, image in images.items():
        objects.pod(shop, name, image, node=RACKS[0], waiting=state_of(name, image))
    expected = {(image, STATES[name][0], "source") for name, image in images.items()}

    def shown() -> set[tuple[str, str, str]]:
        return {(image, row["cause"], row["at"]) for image, row in failures(installation, shop).items()}

    wait_until(lambda: len(shown()) == len(expected), timeout=SEEN, what="a row of each image")
    assert shown() == expected
    counts = {
        f'swapper_failing_pulls{{at="source",cluster="store",reason="{cause}"}}': float(
            sum(cause == known for known, *_ in STATES.values())
        )
        for cause in ("not-found", "denied", "unreachable", "rate-limited", "platform-missing")
    }
    # Metrics from the database may be some seconds old.
    wait_until(lambda: counts.items() <= installation.metrics().items(), timeout=SEEN, what=f"metrics: {counts}")
    row = failures(installation, shop)[images["untrusted"]]
    assert (row["pods"], row["nodes"], row["samples"][0]["node"]) == (1, 1, RACKS[0])
    assert "x509" in row["message"] and row["advice"]

    # On older clusters the kubelet alternates with a back-off that names no cause. The other images start.
    for name, image in images.items():
        back_off = ("ImagePullBackOff", f'Back-off pulling image "{image}"')
        objects.report(shop, name, image, waiting=back_off if name == "absent" else ("", ""))
    wait_until(lambda: len(shown()) == 1, timeout=SEEN, what="the end of the other rows")
    assert shown() == {(images["absent"], "not-found", "source")}


def test_a_swapped_image_that_was_deleted_from_the_target_is_copied_again(
    installation: Installation, release: Release, objects: Objects, shop: str
) -> None:
    image = release.load("team/lost")
    mirror = release.mirror_of(image)
    release.wait_until_mirrored(shop, image)
    objects.pod(shop, "waits", image, node=RACKS[0])
    delete_manifest(mirror)
    is_let_through = hold(release, "team/lost")
    try:
        objects.report(shop, "waits", image, waiting=state_of("absent", mirror))
        # Webhooks regard the image as present until the watcher has seen the pod. After that, every pod keeps its
        # source.
        wait_until(lambda: release.image_of_new_pod(shop, image) == image, timeout=SEEN, what="a kept source")
        assert {release.image_of_new_pod(shop, image) for _ in range(5)} == {image}
        row = failures(installation, shop)[mirror]
        assert (row["at"], row["cause"], row["source"]) == ("target", "not-found", image)
        newest = max((job for job in installation.get("jobs/") if job["source"] == image), key=lambda job: job["id"])
        assert (newest["priority"], newest["finished_at"]) == (Priority.FORCE, None), "before all other jobs"
    finally:
        is_let_through.set()
    wait_until(lambda: has_manifest(mirror), timeout=60, what="the image at the target again")
    wait_until(lambda: release.image_of_new_pod(shop, image) == mirror, timeout=60, what="a swapped pod again")
    objects.report(shop, "waits", image)
    wait_until(lambda: not failures(installation, shop), timeout=SEEN, what="the end of the row")


def test_a_restart_is_suggested_if_the_image_of_a_failing_pull_is_mirrored(
    cluster: Cluster, installation: Installation, release: Release, objects: Objects, shop: str
) -> None:
    image = release.load("team/early")
    objects.workload(shop, "Deployment", "early", [image])
    path = f"/api/v1/namespaces/{shop}/pods?labelSelector=app%3Dearly"
    wait_until(lambda: cluster.api.get(path)["items"], what="the pod of the Deployment")
    (pod,) = cluster.api.get(path)["items"]
    assert pod["spec"]["containers"][0]["image"] == image, "not mirrored yet"
    release.wait_until_mirrored(shop, image)
    wait_until(lambda: phase(cluster, shop, pod) == "Running", what="the kubelet's own report")

    reason, message = state_of("unresolved", image)
    waiting = {"waiting": {"reason": reason, "message": message}}
    status = {"name": "c0", "image": image, "imageID": "", "ready": False, "restartCount": 0, "state": waiting}
    objects.api.patch(
        f"/api/v1/namespaces/{shop}/pods/{pod['metadata']['name']}/status", {"status": {"containerStatuses": [status]}}
    )
    wait_until(lambda: failures(installation, shop), timeout=SEEN, what="the row")
    row = failures(installation, shop)[image]
    assert (row["at"], row["cause"], row["would_start"]) == ("source", "unreachable", True)
    (command,) = row["commands"]
    assert command == f"kubectl -n {shop} rollout restart deployment/early"
    cluster.kubectl(*command.split()[1:])

    def images() -> set[str]:
        return {found["spec"]["containers"][0]["image"] for found in cluster.api.get(path)["items"]}

    wait_until(lambda: images() == {release.mirror_of(image)}, timeout=60, what="the pod from the mirror alone")
    wait_until(lambda: not failures(installation, shop), timeout=SEEN, what="the end of the row")


def phase(cluster: Cluster, namespace: str, pod: dict[str, Any]) -> str:
    found = cluster.api.get(f"/api/v1/namespaces/{namespace}/pods/{pod['metadata']['name']}")
    return str(found["status"]["phase"])


def hold(release: Release, repository: str) -> threading.Event:
    """Delay the source's responses for a repository, and thus the copy, until the event is set."""
    event = threading.Event()

    def waits(handler: Handler) -> bool:
        event.wait(60)
        return False

    release.source.on(f"(GET|HEAD) .*/{repository}/", waits, times=1_000)
    return event


def delete_manifest(mirror: str) -> None:
    """Delete the manifest, as a lifecycle rule of the registry does."""
    response = requests.head(manifest_url(mirror), headers={"Accept": ACCEPT}, timeout=20)
    digest = response.headers["Docker-Content-Digest"]
    url = manifest_url(mirror).rpartition("/")[0]
    assert requests.delete(f"{url}/{digest}", timeout=20).status_code == 202
    assert not has_manifest(mirror)


def has_manifest(mirror: str) -> bool:
    return requests.head(manifest_url(mirror), headers={"Accept": ACCEPT}, timeout=20).status_code == 200


def manifest_url(image: str) -> str:
    host, _, path = image.partition("/")
    repository, _, tag = path.rpartition(":")
    return f"http://{host}/v2/{repository}/manifests/{tag}"
