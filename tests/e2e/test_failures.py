"""How pods are affected by a webhook that is killed, slow, or has a wrong certificate, with both failure policies."""

from __future__ import annotations

import base64
import os
import signal
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.e2e.cluster.cluster import Cluster
from tests.e2e.cluster.release import WEBHOOKS, Release, installed, pod_of
from tests.support.authority import Authority
from tests.support.ports import wait_until

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module", params=["Ignore", "Fail"])
def policed(
    request: pytest.FixtureRequest, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Release]:
    webhook = {"failurePolicy": request.param}
    if request.param == "Fail":
        webhook["exemptNamespaces"] = ["monitoring"]
    with installed(cluster, tmp_path_factory.mktemp("policed"), webhook=webhook) as release:
        yield release


def is_refused(release: Release, namespace: str, image: str) -> bool:
    """Return whether the API server refuses a pod."""
    status, response = release.cluster.api.call("POST", f"/api/v1/namespaces/{namespace}/pods", pod_of(image))
    assert status in (201, 500, 504), response
    return status != 201


def test_the_webhook_recovers_after_it_hangs_and_is_killed(policed: Release) -> None:
    """The webhook's own pod starts again with either policy, and after it all other pods."""
    cluster, shop = policed.cluster, policed.cluster.namespace("shop")
    image = policed.load("team/app")
    policed.wait_until_mirrored(shop, image)
    mirror = policed.mirror_of(image)
    fails = policed.webhook()["failurePolicy"] == "Fail"

    # The pod is evicted, and the new one must be admitted while no webhook runs.
    (pod,) = cluster.node.pods(policed.namespace, "app")
    pod.is_in_services = False
    for process in pod.processes:
        os.killpg(process.pid, signal.SIGSTOP)
    started = time.monotonic()
    assert is_refused(policed, shop, image) == fails
    assert time.monotonic() - started < policed.webhook()["timeoutSeconds"] + 2
    for process in pod.processes:
        os.killpg(process.pid, signal.SIGCONT)
        os.killpg(process.pid, signal.SIGKILL)
    cluster.api.delete(f"/api/v1/namespaces/{policed.namespace}/pods/{pod.name}")

    def is_back() -> bool:
        status, stored = cluster.api.call("POST", f"/api/v1/namespaces/{shop}/pods", pod_of(image))
        return bool(status == 201 and stored["spec"]["containers"][0]["image"] == mirror)

    wait_until(is_back, timeout=90, what="a swapped pod")
    # Pods that the cluster needs for its recovery do not depend on the webhook.
    system = cluster.api.create("/api/v1/namespaces/kube-system/pods", pod_of(image))
    if fails:
        assert system["spec"]["containers"][0]["image"] == image


def test_the_certificate_job_repairs_a_wrong_ca_bundle(policed: Release) -> None:
    cluster, shop = policed.cluster, policed.cluster.namespace("shop")
    image = policed.load("team/other")
    policed.wait_until_mirrored(shop, image)
    name = policed.fullname
    authority = cluster.plane.ca_file.read_bytes()
    hooks = cluster.api.get(f"{WEBHOOKS}/{name}")
    hooks["webhooks"][0]["clientConfig"]["caBundle"] = base64.b64encode(authority).decode()
    status, response = cluster.api.call("PUT", f"{WEBHOOKS}/{name}", hooks)
    assert status == 200, response
    fails = policed.webhook()["failurePolicy"] == "Fail"

    def is_noticed() -> bool:
        status, stored = cluster.api.call("POST", f"/api/v1/namespaces/{shop}/pods", pod_of(image))
        if fails:
            return bool(status == 500)
        return bool(status == 201 and stored["spec"]["containers"][0]["image"] == image)

    wait_until(is_noticed, timeout=60, what="a call that does not trust the webhook")
    # The next run of the schedule, immediately.
    cluster.kubectl("create", "job", "repair", f"--from=cronjob/{name}-certificate", "-n", policed.namespace)
    mirror = policed.mirror_of(image)

    def is_swapped() -> bool:
        status, stored = cluster.api.call("POST", f"/api/v1/namespaces/{shop}/pods", pod_of(image))
        return bool(status == 201 and stored["spec"]["containers"][0]["image"] == mirror)

    wait_until(is_swapped, timeout=90, what="a swapped pod after the repair")


def test_an_expired_certificate_in_the_secret_is_not_loaded(policed: Release, tmp_path: Path) -> None:
    """An expired certificate is written to the Secret: the webhook keeps its valid one and logs that."""
    cluster, shop = policed.cluster, policed.cluster.namespace("shop")
    image = policed.load("team/expired")
    policed.wait_until_mirrored(shop, image)
    authority = Authority(tmp_path)
    names = [f"{policed.fullname}.{policed.namespace}.svc"]
    authority.issue(tmp_path / "tls.crt", tmp_path / "tls.key", valid_for=-timedelta(hours=1), names=names)
    path = f"/api/v1/namespaces/{policed.namespace}/secrets/{policed.fullname}-tls"
    before = cluster.api.get(path)["data"]
    old = {name: base64.b64encode((tmp_path / name).read_bytes()).decode() for name in ("tls.crt", "tls.key")}
    cluster.api.patch(path, {"data": old})
    try:
        (pod,) = cluster.node.pods(policed.namespace, "app")
        wait_until(lambda: "expired at" in pod.log.read_text(), timeout=60, what="a line about the expired pair")
        assert policed.image_of_new_pod(shop, image) == policed.mirror_of(image)
    finally:
        cluster.api.patch(path, {"data": {name: before[name] for name in old}})
