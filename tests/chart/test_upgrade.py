"""Properties that must match estahn's chart for an upgrade in place, and the effects of upgrades of this chart."""

from __future__ import annotations

import pytest

from tests.chart.posted_values import posted
from tests.support.helm import FULLNAME, containers, render

SELECTOR = {
    "app.kubernetes.io/name": "k8s-image-swapper",
    "app.kubernetes.io/instance": "k8s-image-swapper",
    "app.kubernetes.io/component": "app",
}


@pytest.mark.parametrize(
    "kind", ["Deployment", "Service", "ServiceAccount", "ConfigMap", "MutatingWebhookConfiguration", "ClusterRole"]
)
def test_webhook_objects_keep_the_names_of_the_upstream_chart(kind: str) -> None:
    assert render({"secretReader": {"enabled": True}}).has(kind)


@pytest.mark.parametrize("kind", ["HorizontalPodAutoscaler", "PodDisruptionBudget"])
def test_optional_objects_keep_the_names_of_the_upstream_chart(kind: str) -> None:
    assert render({"autoscaling": {"enabled": True}, "pdb": {"enabled": True}}).has(kind)


@pytest.mark.parametrize(
    ("release", "values", "expected"),
    [
        ("k8s-image-swapper", {}, "k8s-image-swapper"),
        ("prod", {}, "prod-k8s-image-swapper"),
        ("prod", {"nameOverride": "mirror"}, "prod-mirror"),
        ("prod", {"fullnameOverride": "mirror"}, "mirror"),
        ("my-k8s-image-swapper-x", {}, "my-k8s-image-swapper-x"),
    ],
)
def test_the_fullname_follows_the_helm_naming_convention(release: str, values: dict[str, str], expected: str) -> None:
    assert render(values, release=release).has("MutatingWebhookConfiguration", expected)


def test_labels_in_values_do_not_change_the_deployment_selector() -> None:
    """Kubernetes refuses a change to the selector of an existing Deployment."""
    values = {"commonLabels": {"team": "a"}, "podLabels": {"app.kubernetes.io/component": "mine"}}
    for manifests in (render(), render(values), render(posted()["large-cluster"])):
        spec = manifests.deployment()["spec"]
        assert spec["selector"]["matchLabels"] == SELECTOR
        assert spec["template"]["metadata"]["labels"].items() >= SELECTOR.items()


def test_the_container_and_the_webhook_keep_their_names() -> None:
    assert [c["name"] for c in containers(render().deployment()["spec"]["template"])] == ["k8s-image-swapper"]
    assert render().hook["name"] == "k8s-image-swapper.github.io"


def test_the_cluster_role_binding_keeps_its_role_reference() -> None:
    """Kubernetes refuses a change to the roleRef of an existing binding."""
    binding = render({"secretReader": {"enabled": True}}).get("ClusterRoleBinding")

    assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": FULLNAME}


def test_no_secret_is_rendered() -> None:
    """Random values would change with each rendering, and Helm does not manage the Secret of estahn's chart."""
    for values in posted().values():
        assert render(values).all("Secret") == []


def test_the_webhook_service_selects_only_webhook_pods() -> None:
    selector = render().get("Service")["spec"]["selector"]
    behind = [
        name
        for name, pod in render({"test": {"enabled": True}}).pods()
        if pod["metadata"]["labels"].items() >= selector.items()
    ]

    assert behind == [f"Deployment/{FULLNAME}"]


def test_the_set_up_job_is_renamed_when_its_content_changes() -> None:
    """A Job is immutable, so an upgrade with a change must create another one."""
    (first,) = render().all("Job")
    (same,) = render({"replicaCount": 2}).all("Job")
    (other,) = render({"image": {"tag": "9.9.9"}}).all("Job")

    assert first["metadata"]["name"] == same["metadata"]["name"] != other["metadata"]["name"]


def test_a_configuration_change_restarts_web_but_not_webhooks_or_workers() -> None:
    """Webhooks reload the file. Web writes the rows of the configuration, and workers those of a new target."""
    before, after = render(), render({"config": {"imageSwapPolicy": "always"}})

    assert before.deployment() == after.deployment()
    assert before.deployment("worker") == after.deployment("worker")
    assert before.deployment("web") != after.deployment("web")


def test_a_startup_setting_change_restarts_webhook_web_and_worker() -> None:
    before, after = render(), render({"config": {"logLevel": "info"}})

    for role in ("", "web", "worker"):
        assert before.deployment(role) != after.deployment(role)


def test_a_new_target_restarts_web_and_worker_which_prepare_it() -> None:
    before, after = render(), render({"config": {"target": {"aws": {"region": "eu-west-1"}}}})

    assert before.deployment() == after.deployment()
    for role in ("web", "worker"):
        assert before.deployment(role) != after.deployment(role)
        spec = after.deployment(role)["spec"]["template"]["spec"]
        assert [c["args"] for c in spec["initContainers"]] == [["prepare"]]


def test_a_new_target_restarts_the_single_sqlite_pod() -> None:
    sqlite, target = {"sqlite": {"enabled": True}}, {"target": {"aws": {"region": "eu-west-1"}}}

    assert render(sqlite).deployment() != render({**sqlite, "config": target}).deployment()


@pytest.mark.parametrize("name", posted())
def test_rendering_is_deterministic(name: str) -> None:
    first = render(posted()[name], flags=("--description", "first")).text
    second = render(posted()[name], flags=("--description", "second")).text

    assert first == second


def test_only_test_hooks_are_rendered() -> None:
    """Hooks deadlock with --wait, and with Argo CD they run before ConfigMaps exist."""
    hooks = {
        found["metadata"]["annotations"]["helm.sh/hook"]
        for values in posted().values()
        for found in render(values).objects
        if "helm.sh/hook" in found["metadata"].get("annotations", {})
    }

    assert hooks == {"test"}
