"""The chart on a real API server: installed, upgraded, rolled back, removed, and installed over an upstream release."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cluster.cluster import CHART, Cluster
from tests.e2e.cluster.release import WEBHOOKS, Release, installed, values_of
from tests.support.faulty_registry import FaultyRegistry
from tests.support.ports import wait_until
from tests.support.registries import distribution

pytestmark = pytest.mark.timeout(600)

KINDS = (
    "deployments,statefulsets,jobs,cronjobs,pods,services,configmaps,secrets,serviceaccounts,roles,rolebindings,"
    "poddisruptionbudgets,networkpolicies,horizontalpodautoscalers,persistentvolumeclaims"
)
EVERYWHERE = "clusterroles,clusterrolebindings,mutatingwebhookconfigurations,validatingwebhookconfigurations"


def upgrade(release: Release, directory: Path, **config: Any) -> None:
    release.values["config"] |= config
    file = directory / "upgraded.json"
    file.write_text(json.dumps(release.values))
    release.cluster.helm(
        "upgrade", release.name, str(CHART), "-n", release.namespace, "-f", str(file), "--wait", "--timeout", "180s"
    )


def names(cluster: Cluster, kinds: str, *arguments: str) -> set[str]:
    listed = cluster.kubectl("get", kinds, "-o", "name", "--ignore-not-found", *arguments)
    return {line for line in listed.splitlines() if "/" in line}


def test_upgrade_rollback_and_uninstall(cluster: Cluster, tmp_path: Path) -> None:
    before = names(cluster, EVERYWHERE)
    with installed(cluster, tmp_path) as release:
        shop = cluster.namespace("shop")
        image = release.load("team/app")
        release.wait_until_mirrored(shop, image)
        mirror = release.mirror_of(image)
        hook = release.webhook()

        # dryRun takes effect when the webhook next reads the file, and nothing else of the registration changes.
        upgrade(release, tmp_path, dryRun=True)
        wait_until(lambda: release.image_of_new_pod(shop, image) == image, timeout=60, what="the dry run")
        assert release.webhook() == hook, "certificate and path are those of the set-up Job"

        cluster.helm("rollback", release.name, "1", "-n", release.namespace, "--wait", "--timeout", "180s")
        wait_until(lambda: release.image_of_new_pod(shop, image) == mirror, timeout=60, what="the end of the dry run")
        assert release.webhook() == hook

        printed = cluster.helm("test", release.name, "-n", release.namespace, "--timeout", "120s")
        assert "Succeeded" in printed

        cluster.helm("uninstall", release.name, "-n", release.namespace, "--wait", "--timeout", "180s")
        assert release.image_of_new_pod(shop, image) == image, "nobody is asked any more"
        namespace = release.namespace
        left = names(cluster, KINDS, "-n", namespace)
        mine = {name for name in left if release.fullname in name}
        # The Secrets that the set-up Job created, so that a new release finds its password and its key.
        kept = {f"secret/{release.fullname}-{suffix}" for suffix in ("admin", "app", "postgresql", "tls")}
        assert {name for name in mine if not name.startswith("pod/")} == kept
        assert names(cluster, EVERYWHERE) == before


UPSTREAM = Path(__file__).parent / "upstream"
"""A chart with the objects that release 1.11 of estahn/k8s-image-swapper leaves in a cluster."""


def test_an_upstream_release_can_be_upgraded_to_this_chart(cluster: Cluster, tmp_path: Path) -> None:
    """The upgrade works with the same release name and values file, although some fields of Deployment and ClusterRole
    are immutable."""
    namespace = cluster.namespace("upstream")
    name = "k8s-image-swapper"
    with FaultyRegistry() as source, distribution(tmp_path / "target") as target:
        cluster.helm("install", name, str(UPSTREAM), "-n", namespace)
        values = tmp_path / "values.json"
        values.write_text(json.dumps(values_of(source.host, target.host)))
        cluster.helm("upgrade", name, str(CHART), "-n", namespace, "-f", str(values), "--wait", "--timeout", "180s")
        release = Release(cluster, name, namespace, source, target.host, {})
        try:
            found = cluster.api.get(f"{WEBHOOKS}/{name}")["webhooks"]
            assert [hook["name"] for hook in found] == ["k8s-image-swapper.github.io"]
            shop = cluster.namespace("shop")
            image = release.load("team/app")
            release.wait_until_mirrored(shop, image)
            secret = cluster.api.get(f"/api/v1/namespaces/{namespace}/secrets/{name}")
            assert secret is None or set(secret["data"]) == {"ca", "cert", "key"}, "upstream's own Secret"
        finally:
            cluster.helm("uninstall", name, "-n", namespace, "--wait", check=False)
