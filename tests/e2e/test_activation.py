"""With ``failurePolicy: Fail``, pods are sent to the webhook only after the webhook has responded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cluster.cluster import CHART, Cluster
from tests.e2e.cluster.release import WEBHOOKS, Release, installed, pod_of, values_of
from tests.support.faulty_registry import FaultyRegistry
from tests.support.ports import wait_until
from tests.support.registries import distribution

pytestmark = pytest.mark.timeout(600)

FAIL = {"failurePolicy": "Fail", "exemptNamespaces": ["monitoring"]}
BROKEN = [{"jmespath": "obj.metadata.namespace == ("}]
"""A filter that makes the webhook exit immediately after its start."""


@contextmanager
def without_webhook(release: Release) -> Iterator[None]:
    """Scale the webhook down to no pods, and up again on exit."""
    deployment = f"deployment/{release.fullname}"

    def scale(replicas: int) -> None:
        release.cluster.kubectl("scale", deployment, "-n", release.namespace, f"--replicas={replicas}")

    scale(0)
    wait_until(lambda: not release.cluster.node.pods(release.namespace, "app"), timeout=60, what="no webhook")
    try:
        yield
    finally:
        scale(1)
        command = ("rollout", "status", deployment, "-n", release.namespace, "--timeout=60s")
        release.cluster.kubectl(*command)


def status_of_new_pod(release: Release, namespace: str) -> int:
    body = pod_of("docker.io/library/app:1.0")
    return release.cluster.api.call("POST", f"/api/v1/namespaces/{namespace}/pods", body)[0]


def helm(release: Release, directory: Path, *arguments: str, check: bool = True, **changes: Any) -> str:
    """Run ``helm install`` or ``upgrade`` with the release's values and changes to its configuration."""
    release.values["config"] |= changes
    file = directory / "values.json"
    file.write_text(json.dumps(release.values))
    command, *options = arguments
    return release.cluster.helm(
        command, release.name, str(CHART), "-n", release.namespace, "-f", str(file), *options, check=check
    )


def test_fail_policy_takes_effect_only_after_the_webhook_has_responded(cluster: Cluster, tmp_path: Path) -> None:
    with FaultyRegistry() as source, distribution(tmp_path / "target") as target:
        values = values_of(source.host, target.host, webhook=FAIL)
        values["config"]["source"]["filters"] = BROKEN
        release = Release(cluster, "broken", cluster.namespace("swapper"), source, target.host, values)
        shop = cluster.namespace("shop")
        try:
            output = helm(release, tmp_path, "install", "--wait", "--timeout", "20s", check=False)
            assert "Error" in output, "helm install reports that nothing became ready"
            wait_until(lambda: "caBundle" in release.webhook()["clientConfig"], timeout=60, what="the certificate")
            assert release.webhook()["failurePolicy"] == "Fail"
            wait_until(lambda: "does not respond" in cluster.logs(f"{release.namespace}.broken"), what="a log line")
            assert status_of_new_pod(release, shop) == 201
            assert release.activation() is None

            repaired = {**values["config"]["source"], "filters": []}
            helm(release, tmp_path, "upgrade", "--wait", "--timeout", "180s", source=repaired)
            wait_until(release.activation, timeout=60, what="the activation")
            with without_webhook(release):
                wait_until(lambda: status_of_new_pod(release, shop) == 500, what="a pod that is refused")
        except BaseException:
            print(cluster.logs(f"{release.namespace}."))  # noqa: T201  (shown with a failed story)
            raise
        finally:
            cluster.helm("uninstall", release.name, "-n", release.namespace, "--wait", check=False)


def test_an_active_webhook_stays_active_until_it_is_removed(cluster: Cluster, tmp_path: Path) -> None:
    with installed(cluster, tmp_path, webhook=FAIL) as release:
        shop = cluster.namespace("shop")
        first = release.activation()
        assert first["metadata"]["ownerReferences"][0]["name"] == release.fullname

        # The comparison of GitOps tools: no object of the release differs from its manifests.
        manifests = tmp_path / "manifests.yaml"
        manifests.write_text(cluster.helm("get", "manifest", release.name, "-n", release.namespace))
        diff = ("diff", "--server-side", "--force-conflicts", "-f", str(manifests), "-n", release.namespace)
        # The status of the set-up Job may be in the process of being written.
        wait_until(lambda: cluster.kubectl(*diff, check=False) == "", what="a release without differences")

        helm(release, tmp_path, "upgrade", "--wait", "--timeout", "180s", dryRun=True)
        with without_webhook(release):
            wait_until(lambda: status_of_new_pod(release, shop) == 500, what="a pod that is refused")
            assert status_of_new_pod(release, "kube-system") == 201

        cluster.helm("rollback", release.name, "1", "-n", release.namespace, "--wait", "--timeout", "180s")
        assert release.activation()["metadata"]["uid"] == first["metadata"]["uid"]

        with without_webhook(release):
            release.cluster.helm("test", release.name, "-n", release.namespace, "--timeout", "150s", check=False)
            output = cluster.logs(f"{release.namespace}.{release.fullname}-test")
            assert "cannot be reached at its registered address" in output

        # In an outage, one command lets pods start without the webhook. The next run of the set-up reverts that.
        with without_webhook(release):
            cluster.kubectl("delete", "rolebinding", f"{release.fullname}-active", "-n", release.namespace)
            wait_until(lambda: status_of_new_pod(release, shop) == 201, what="a pod that starts without the webhook")
        cron = f"--from=cronjob/{release.fullname}-certificate"
        cluster.kubectl("create", "job", "again", cron, "-n", release.namespace)
        wait_until(release.activation, timeout=60, what="the activation by the schedule's run")

        cluster.helm("uninstall", release.name, "-n", release.namespace, "--wait", "--timeout", "180s")
        assert cluster.api.get(f"{WEBHOOKS}/{release.fullname}") is None
        assert status_of_new_pod(release, shop) == 201
        wait_until(lambda: release.activation() is None, timeout=60, what="the end of the RoleBinding")
