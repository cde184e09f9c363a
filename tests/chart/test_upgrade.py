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
def test_the_webhook_s_objects_keep_their_names(kind: str) -> None:
    assert render({"secretReader": {"enabled": True}}).has(kind)


@pytest.mark.parametrize("kind", ["HorizontalPodAutoscaler", "PodDisruptionBudget"])
def test_so_do_those_that_are_asked_for(kind: str) -> None:
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
def test_the_fullname(release: str, values: dict[str, str], expected: str) -> None:
    assert render(values, release=release).has("MutatingWebhookConfiguration", expected)


def test_the_selector_does_not_change() -> None:
    """Kubernetes refuses a change to the selector of an existing Deployment."""
    values = {"commonLabels": {"team": "a"}, "podLabels": {"app.kubernetes.io/component": "mine"}}
    for manifests in (render(), render(values), render(posted()["large-cluster"])):
        spec = manifests.deployment()["spec"]
        assert spec["selector"]["matchLabels"] == SELECTOR
        assert spec["template"]["metadata"]["labels"].items() >= SELECTOR.items()


def test_the_container_and_the_webhook_keep_their_names() -> None:
    assert [c["name"] for c in containers(render().deployment()["spec"]["template"])] == ["k8s-image-swapper"]
    assert render().hook["name"] == "k8s-image-swapper.github.io"


def test_the_role_of_the_binding_does_not_change() -> None:
    """Kubernetes refuses a change to the roleRef of an existing binding."""
    binding = render({"secretReader": {"enabled": True}}).get("ClusterRoleBinding")

    assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": FULLNAME}


def test_no_secret_is_rendered() -> None:
    """Random values would change with each rendering, and Helm does not manage the Secret of estahn's chart."""
    for values in posted().values():
        assert render(values).all("Secret") == []


def test_only_webhooks_are_behind_the_webhook_s_service() -> None:
    selector = render().get("Service")["spec"]["selector"]
    behind = [
        name
        for name, pod in render({"test": {"enabled": True}}).pods()
        if pod["metadata"]["labels"].items() >= selector.items()
    ]

    assert behind == [f"Deployment/{FULLNAME}"]


def test_the_set_up_job_has_a_name_for_each_content() -> None:
    """A Job is immutable, so an upgrade with a change must create another one."""
    (first,) = render().all("Job")
    (same,) = render({"replicaCount": 2}).all("Job")
    (other,) = render({"image": {"tag": "9.9.9"}}).all("Job")

    assert first["metadata"]["name"] == same["metadata"]["name"] != other["metadata"]["name"]


def test_a_change_of_the_configuration_leaves_running_webhooks_alone() -> None:
    """Webhooks reload the file. Web writes the rows of the configuration, and workers those of a new target."""
    before, after = render(), render({"config": {"imageSwapPolicy": "always"}})

    assert before.deployment() == after.deployment()
    assert before.deployment("worker") == after.deployment("worker")
    assert before.deployment("web") != after.deployment("web")


def test_what_is_read_at_the_start_only_starts_pods_again() -> None:
    before, after = render(), render({"config": {"logLevel": "info"}})

    for role in ("", "web", "worker"):
        assert before.deployment(role) != after.deployment(role)


def test_a_new_target_is_prepared() -> None:
    before, after = render(), render({"config": {"target": {"aws": {"region": "eu-west-1"}}}})

    assert before.deployment() == after.deployment()
    for role in ("web", "worker"):
        assert before.deployment(role) != after.deployment(role)
        spec = after.deployment(role)["spec"]["template"]["spec"]
        assert [c["args"] for c in spec["initContainers"]] == [["prepare"]]


def test_so_is_it_in_one_pod() -> None:
    sqlite, target = {"sqlite": {"enabled": True}}, {"target": {"aws": {"region": "eu-west-1"}}}

    assert render(sqlite).deployment() != render({**sqlite, "config": target}).deployment()


@pytest.mark.parametrize("name", posted())
def test_two_renderings_are_alike(name: str) -> None:
    first = render(posted()[name], flags=("--description", "first")).text
    second = render(posted()[name], flags=("--description", "second")).text

    assert first == second


def test_nothing_is_a_hook_but_the_test() -> None:
    """Hooks deadlock with --wait, and with Argo CD they run before ConfigMaps exist."""
    hooks = {
        found["metadata"]["annotations"]["helm.sh/hook"]
        for values in posted().values()
        for found in render(values).objects
        if "helm.sh/hook" in found["metadata"].get("annotations", {})
    }

    assert hooks == {"test"}
