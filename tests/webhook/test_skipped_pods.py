"""Pods that must never be changed: mirror pods, containers that never pull, and pods of operators that compare
images."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonpatch
import pytest

from mirrors.demo.registry import MemoryRegistry
from tests.support.databases import DatabaseTemplate
from tests.support.system import Webhook, pod_of, run_manage, running_webhook

SWAPS: dict[str, Any] = {"imageSwapPolicy": "always", "imageCopyPolicy": "none"}
FILTERS = [{"jmespath": "contains(container.image, 'internal')"}]
MOST_PODS = 10


@pytest.fixture(scope="module")
def indifferent(
    target: MemoryRegistry, database_template: DatabaseTemplate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Webhook]:
    """A webhook that also swaps pods of known operators."""
    directory = tmp_path_factory.mktemp("indifferent")
    keys = {**SWAPS, "skipKnownOperators": False}
    with running_webhook(directory, database_template, target=target.host, **keys) as webhook:
        yield webhook


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"annotations": {"kubernetes.io/config.mirror": "0f3c"}}, "mirror-pod"),
        ({"annotations": {"kubernetes.io/config.mirror": ""}}, "mirror-pod"),
        ({"annotations": {"kubernetes.io/config.source": "file"}}, "policy-always"),
        ({"labels": {"kubernetes.io/config.mirror": "0f3c"}}, "policy-always"),
        ({"labels": {"cnpg.io/cluster": "orders"}}, "known-operator"),
        ({"labels": {"cnpg.io/cluster": ""}}, "known-operator"),
        ({"annotations": {"cnpg.io/cluster": "orders"}}, "policy-always"),
        ({"labels": {"application": "spilo", "cluster-name": "acid"}}, "known-operator"),
        ({"labels": {"application": "web"}}, "policy-always"),
        ({"labels": {"olm.catalogSource": "community"}}, "known-operator"),
        ({"labels": {"nifi_cr": "flow"}}, "known-operator"),
        ({"labels": {"cnpg.io/cluster": "a", "k8s-image-swapper/skip": "true"}}, "opted-out"),
        (
            {"labels": {"cnpg.io/cluster": "a"}, "annotations": {"kubernetes.io/config.mirror": "0f3c"}},
            "mirror-pod",
        ),
        ({"labels": ["cnpg.io/cluster"], "annotations": "kubernetes.io/config.mirror"}, "policy-always"),
    ],
)
def test_mirror_pods_and_operator_pods_are_skipped_before_filters(
    always: Webhook, metadata: dict[str, Any], expected: str
) -> None:
    pod = pod_of("nginx:1", "internal.example.com/tool:1", **metadata)
    response = always.admit(pod)

    swapped = expected == "policy-always"
    # This is decided before filters are evaluated.
    assert always.reasons(response) == [expected, "filtered" if swapped else expected]
    assert bool(response.patch) is swapped


def test_only_containers_with_pull_policy_never_are_kept(always: Webhook) -> None:
    pod = pod_of("nginx:1", "redis:7", "busybox:1")
    pod["spec"]["containers"][1]["imagePullPolicy"] = "Never"
    pod["spec"]["containers"][2]["imagePullPolicy"] = "never"
    pod["spec"]["initContainers"] = [{"name": "init", "image": "alpine:3", "imagePullPolicy": "Never"}]
    pod["spec"]["volumes"] = [{"name": "data", "image": {"reference": "quay.io/a/b:1", "pullPolicy": "Never"}}]

    response = always.admit(pod)

    never = "pull-policy-never"
    assert always.reasons(response) == [never, "policy-always", never, "policy-always", never]
    assert list(response.images) == ["/spec/containers/0/image", "/spec/containers/2/image"]


def test_a_debug_container_with_pull_policy_never_is_kept(always: Webhook) -> None:
    old = pod_of("nginx:1")
    new = {**old, "spec": {**old["spec"], "ephemeralContainers": [
        {"name": "debug", "image": "busybox:1", "imagePullPolicy": "Never"}]}}  # fmt: skip

    response = always.admit(new, operation="UPDATE", sub_resource="ephemeralcontainers", old=old)

    assert always.reasons(response) == ["pull-policy-never"]


def test_pods_of_known_operators_are_swapped_if_configured(indifferent: Webhook) -> None:
    response = indifferent.admit(pod_of("nginx:1", labels={"cnpg.io/cluster": "orders"}))

    assert indifferent.reasons(response) == ["policy-always"]
    mirror = indifferent.admit(pod_of("nginx:1", annotations={"kubernetes.io/config.mirror": "0f3c"}))
    assert indifferent.reasons(mirror) == ["mirror-pod"]


def pods_until_content(webhook: Webhook, **metadata: Any) -> int:
    """Return how many pods are created by an operator that replaces any pod whose image differs from the one it
    specified."""
    wanted = pod_of("ghcr.io/cloudnative-pg/postgresql:17", **metadata)
    for made in range(1, MOST_PODS + 1):
        running = jsonpatch.apply_patch(wanted, webhook.admit(wanted).patch)
        if running["spec"] == wanted["spec"]:
            return made
    return MOST_PODS


def test_an_operator_that_compares_images_accepts_its_first_pod(always: Webhook, indifferent: Webhook) -> None:
    assert pods_until_content(always, labels={"cnpg.io/cluster": "orders"}) == 1
    assert pods_until_content(always, labels={"app": "orders"}) == MOST_PODS
    assert pods_until_content(indifferent, labels={"cnpg.io/cluster": "orders"}) == MOST_PODS


def test_explain_shows_why_a_pod_is_kept(always: Webhook, tmp_path: Path) -> None:
    pod = pod_of("nginx:1", labels={"cnpg.io/cluster": "orders"}, annotations={})
    pod["spec"]["containers"].append({"name": "never", "image": "redis:7", "imagePullPolicy": "Never"})
    mirror = pod_of("nginx:1", annotations={"kubernetes.io/config.mirror": "0f3c"})
    plain = pod_of("nginx:1")
    plain["spec"]["containers"][0]["imagePullPolicy"] = "Never"
    file = tmp_path / "pods.yaml"
    file.write_text("\n---\n".join(json.dumps(each) for each in (pod, mirror, plain)))

    reported = run_manage("explain", str(file), environment=always.environment).stdout

    for reason in ("known-operator", "mirror-pod", "pull-policy-never"):
        assert reason in reported


def test_images_of_mirror_pods_are_counted_by_reason(always: Webhook) -> None:
    name = 'swapper_images_total{decision="keep",reason="mirror-pod"}'
    before = always.metrics().get(name, 0)
    always.admit(pod_of("nginx:1", "redis:7", annotations={"kubernetes.io/config.mirror": "0f3c"}))

    assert always.metrics()[name] == before + 2
