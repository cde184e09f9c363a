"""The registered webhook: what is sent to it, where, and what never is."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.helm import FULLNAME, RenderError, notes, render, variables

OURS = [
    {"key": "k8s-image-swapper/component", "operator": "DoesNotExist"},
    {"key": "cnpg.io/cluster", "operator": "DoesNotExist"},
]
FAIL: dict[str, Any] = {"webhook": {"failurePolicy": "Fail", "exemptNamespaces": ["karpenter", "calico-system"]}}


def test_what_is_sent() -> None:
    hook = render().hook

    assert hook["admissionReviewVersions"] == ["v1", "v1beta1"]
    assert hook["sideEffects"] == "NoneOnDryRun"
    assert [(rule["operations"], rule["resources"]) for rule in hook["rules"]] == [
        (["CREATE", "UPDATE"], ["pods"]),
        (["UPDATE"], ["pods/ephemeralcontainers"]),
    ]
    assert (hook["failurePolicy"], hook["reinvocationPolicy"]) == ("Ignore", "IfNeeded")


def test_what_changes_no_image_is_not_sent() -> None:
    mirror_pods, same_spec = (condition["expression"] for condition in render().hook["matchConditions"])

    assert "kubernetes.io/config.mirror" in mirror_pods
    assert same_spec == (
        "request.operation != 'UPDATE' || request.subResource == 'ephemeralcontainers' || object.spec != oldObject.spec"
    )


def test_an_old_cluster_gets_no_conditions() -> None:
    assert "matchConditions" not in render(flags=("--kube-version", "1.27.3")).hook


def test_the_service_is_named_with_its_port() -> None:
    manifests = render({"service": {"port": 8443}, "tls": {"existingSecret": "mine", "caBundle": "Q0E="}})
    service = manifests.hook["clientConfig"]["service"]

    assert service == {"name": FULLNAME, "namespace": "swapper", "port": 8443, "path": "/webhook"}
    assert [port["port"] for port in manifests.get("Service")["spec"]["ports"]] == [8443]


def test_under_ignore_our_own_pods_alone_are_left_out() -> None:
    """By label, since other pods may run in the same namespace."""
    hook = render().hook

    assert hook["namespaceSelector"] == {}
    assert hook["objectSelector"] == {"matchExpressions": OURS}


@pytest.mark.parametrize("values", [{}, {"test": {"enabled": True}}])
def test_each_of_our_pods_has_that_label(values: dict[str, Any]) -> None:
    labels = {name: pod["metadata"]["labels"].get("k8s-image-swapper/component") for name, pod in render(values).pods()}

    assert len(labels) == 7
    assert None not in labels.values()


def test_under_fail_namespaces_that_must_start_without_us_are_left_out() -> None:
    hook = render(FAIL, namespace="tools").hook

    assert hook["failurePolicy"] == "Fail"
    (exempt,) = hook["namespaceSelector"]["matchExpressions"]
    assert exempt["key"] == "kubernetes.io/metadata.name"
    assert exempt["operator"] == "NotIn"
    assert exempt["values"] == ["tools", "kube-system", "karpenter", "calico-system"]
    assert hook["objectSelector"] == {"matchExpressions": OURS}
    assert "Under failurePolicy Fail" in notes(FAIL)


def test_fail_without_exemptions_is_refused_with_examples() -> None:
    with pytest.raises(RenderError, match=r"webhook\.exemptNamespaces.*Karpenter.*CNI.*CSI.*cert-manager"):
        render({"webhook": {"failurePolicy": "Fail"}})


def test_selectors_of_the_users_are_kept() -> None:
    expression = {"key": "swap", "operator": "Exists"}
    namespaces: dict[str, Any] = {"matchExpressions": [expression], "matchLabels": {"tier": "apps"}}
    objects = {"matchLabels": {"swap": "yes"}, "matchExpressions": [{"key": "a", "operator": "Exists"}]}
    selectors = {"namespaceSelector": namespaces, "objectSelector": objects}
    ignore = render({"webhook": selectors}).hook
    fail = render({"webhook": {**FAIL["webhook"], **selectors}}).hook

    assert ignore["namespaceSelector"] == namespaces
    assert fail["namespaceSelector"]["matchLabels"] == {"tier": "apps"}
    assert fail["namespaceSelector"]["matchExpressions"][0] == expression
    assert len(fail["namespaceSelector"]["matchExpressions"]) == 2
    assert ignore["objectSelector"] == {
        "matchLabels": {"swap": "yes"},
        "matchExpressions": [{"key": "a", "operator": "Exists"}, *OURS],
    }


@pytest.mark.parametrize(
    ("config", "seconds"),
    [
        ({}, 3),
        ({"imageCopyPolicy": "none"}, 3),
        ({"imageCopyPolicy": "immediate"}, 10),
        ({"imageCopyPolicy": "force", "imageCopyDeadline": "15s"}, 17),
        ({"ImageCopyPolicy": "force", "ImageCopyDeadline": "1m30s"}, 30),
        ({"imageCopyPolicy": "immediate", "imageCopyDeadline": "500ms"}, 3),
    ],
)
def test_the_timeout_is_that_of_the_application(config: dict[str, Any], seconds: int) -> None:
    manifests = render({"config": config})
    container = manifests.deployment()["spec"]["template"]["spec"]["containers"][0]

    assert manifests.hook["timeoutSeconds"] == seconds
    assert variables(container)["SWAPPER_WEBHOOK_TIMEOUT_SECONDS"] == str(seconds)


def test_a_timeout_of_the_users_is_kept() -> None:
    assert render({"webhook": {"timeoutSeconds": 25}}).hook["timeoutSeconds"] == 25


def test_swapping_is_switched_off_by_a_file() -> None:
    manifests = render({"webhook": {"swap": False}})
    container = manifests.deployment()["spec"]["template"]["spec"]["containers"][0]

    assert manifests.get("ConfigMap")["data"]["swap"] == "off"
    assert render().get("ConfigMap")["data"]["swap"] == "on"
    assert variables(container)["SWAPPER_SWAP_FILE"] == "/config/swap"
    assert render().deployment() == manifests.deployment()
    assert "webhook.swap is false" in notes({"webhook": {"swap": False}})
