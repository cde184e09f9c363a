"""The registered webhook: the requests that the API server sends to it, its address, and the excluded requests."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.helm import FULLNAME, Manifests, RenderError, containers, notes, render, template_of, variables

OURS = [
    {"key": "k8s-image-swapper/component", "operator": "DoesNotExist"},
    {"key": "cnpg.io/cluster", "operator": "DoesNotExist"},
]
FAIL: dict[str, Any] = {"webhook": {"failurePolicy": "Fail", "exemptNamespaces": ["karpenter", "calico-system"]}}


def test_the_webhook_registers_for_pods_with_the_expected_policies() -> None:
    hook = render().hook

    assert hook["admissionReviewVersions"] == ["v1", "v1beta1"]
    assert hook["sideEffects"] == "NoneOnDryRun"
    assert [(rule["operations"], rule["resources"]) for rule in hook["rules"]] == [
        (["CREATE", "UPDATE"], ["pods"]),
        (["UPDATE"], ["pods/ephemeralcontainers"]),
    ]
    assert (hook["failurePolicy"], hook["reinvocationPolicy"]) == ("Ignore", "IfNeeded")


def test_match_conditions_exclude_mirror_pods_and_unchanged_specs() -> None:
    mirror_pods, same_spec = (condition["expression"] for condition in render().hook["matchConditions"])

    assert "kubernetes.io/config.mirror" in mirror_pods
    assert same_spec == (
        "request.operation != 'UPDATE' || request.subResource == 'ephemeralcontainers' || object.spec != oldObject.spec"
    )


def test_old_kubernetes_versions_get_no_match_conditions() -> None:
    assert "matchConditions" not in render(flags=("--kube-version", "1.27.3")).hook


def test_the_client_config_refers_to_the_configured_service_port() -> None:
    manifests = render({"service": {"port": 8443}, "tls": {"existingSecret": "mine", "caBundle": "Q0E="}})
    service = manifests.hook["clientConfig"]["service"]

    assert service == {"name": FULLNAME, "namespace": "swapper", "port": 8443, "path": "/webhook"}
    assert [port["port"] for port in manifests.get("Service")["spec"]["ports"]] == [8443]


def test_ignore_policy_excludes_pods_only_by_label() -> None:
    """The product's pods are excluded by label, because other pods can run in the same namespace."""
    hook = render().hook

    assert hook["namespaceSelector"] == {}
    assert hook["objectSelector"] == {"matchExpressions": OURS}


@pytest.mark.parametrize("values", [{}, {"test": {"enabled": True}}])
def test_each_pod_of_the_chart_has_the_component_label(values: dict[str, Any]) -> None:
    labels = {name: pod["metadata"]["labels"].get("k8s-image-swapper/component") for name, pod in render(values).pods()}

    assert len(labels) == 8
    assert None not in labels.values()


def test_fail_policy_excludes_system_own_and_exempt_namespaces() -> None:
    hook = render(FAIL, namespace="tools").hook

    assert hook["failurePolicy"] == "Fail"
    (exempt,) = hook["namespaceSelector"]["matchExpressions"]
    assert exempt["key"] == "kubernetes.io/metadata.name"
    assert exempt["operator"] == "NotIn"
    assert exempt["values"] == ["tools", "kube-system", "karpenter", "calico-system"]
    assert hook["objectSelector"] == {"matchExpressions": OURS}


def condition(manifests: Manifests) -> str:
    """Return the match condition that waits for the webhook's first response, or an empty string without it."""
    found = {c["name"]: c["expression"] for c in manifests.hook.get("matchConditions", [])}
    return str(found.get("webhook-has-answered", ""))


def set_up(manifests: Manifests, kind: str) -> list[str]:
    """Return the commands of the set-up Job or CronJob, in order."""
    pods = [template_of(found) for found in manifests.all(kind)]
    return [container["args"][0] for pod in pods if pod for container in containers(pod)]


OWN_SECRETS: dict[str, Any] = {
    "secrets": {"existingSecret": "b"},
    "admin": {"existingSecret": "c"},
    "postgresql": {"existingSecret": "d"},
}


@pytest.mark.parametrize(
    ("values", "job", "cron"),
    [
        ({}, ["setup_secrets", "webhook_certs", "activate_webhook"], ["webhook_certs", "activate_webhook"]),
        ({"certmanager": {"enabled": True}}, ["setup_secrets", "activate_webhook"], ["activate_webhook"]),
        (
            {"tls": {"existingSecret": "a", "caBundle": "Q0E="}, **OWN_SECRETS},
            ["activate_webhook"],
            ["activate_webhook"],
        ),
    ],
    ids=["job", "certmanager", "secret"],
)
def test_with_fail_policy_the_set_up_job_activates_the_webhook(
    values: dict[str, Any], job: list[str], cron: list[str]
) -> None:
    manifests = render({**FAIL, **values}, namespace="tools")
    role = manifests.get("Role", f"{FULLNAME}-active")
    (rule,) = role["rules"]
    (pod,) = [template_of(found) for found in manifests.all("Job")]
    assert pod is not None

    assert condition(manifests) == (
        f"authorizer.serviceAccount('tools', '{FULLNAME}') "
        f".group('{rule['apiGroups'][0]}').resource('{rule['resources'][0]}').namespace('tools') "
        f".check('{rule['verbs'][0]}').allowed()"
    )
    assert (set_up(manifests, "Job"), set_up(manifests, "CronJob")) == (job, cron)
    assert containers(pod)[-1]["args"][1:] == [
        "--namespace=tools",
        f"--webhook-configuration={FULLNAME}",
        f"--role={FULLNAME}-active",
        f"--service-account={FULLNAME}",
    ]


@pytest.mark.parametrize(
    ("values", "flags"),
    [
        ({}, ()),
        ({**FAIL, "rbac": {"create": False}}, ()),
        ({**FAIL, "dev": {"enabled": True}}, ()),
        (FAIL, ("--kube-version", "1.27.3")),
    ],
    ids=["ignore", "own-roles", "dev", "old"],
)
def test_without_the_activation_condition_there_is_no_activation_step(
    values: dict[str, Any], flags: tuple[str, ...]
) -> None:
    manifests = render(values, flags=flags)

    assert condition(manifests) == ""
    assert "activate_webhook" not in set_up(manifests, "Job") + set_up(manifests, "CronJob")
    assert not manifests.has("Role", f"{FULLNAME}-active")


def test_notes_report_when_the_fail_policy_takes_effect() -> None:
    old = notes(FAIL, flags=("--kube-version", "1.27.3"))

    assert "API servers call the webhook once it has answered the set-up Job" in notes(FAIL)
    assert "also until the first one is ready" in old
    assert "failurePolicy Fail" not in notes()


def test_fail_policy_without_exempt_namespaces_is_rejected_with_examples() -> None:
    with pytest.raises(RenderError, match=r"webhook\.exemptNamespaces.*Karpenter.*CNI.*CSI.*cert-manager"):
        render({"webhook": {"failurePolicy": "Fail"}})


def test_custom_selectors_are_merged_with_the_exclusions() -> None:
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
def test_the_webhook_timeout_follows_the_copy_policy_and_deadline(config: dict[str, Any], seconds: int) -> None:
    manifests = render({"config": config})
    container = manifests.deployment()["spec"]["template"]["spec"]["containers"][0]

    assert manifests.hook["timeoutSeconds"] == seconds
    assert variables(container)["SWAPPER_WEBHOOK_TIMEOUT_SECONDS"] == str(seconds)


def test_a_custom_webhook_timeout_is_used() -> None:
    assert render({"webhook": {"timeoutSeconds": 25}}).hook["timeoutSeconds"] == 25


def test_swapping_is_disabled_by_a_file_without_a_restart() -> None:
    manifests = render({"webhook": {"swap": False}})
    container = manifests.deployment()["spec"]["template"]["spec"]["containers"][0]

    assert manifests.get("ConfigMap")["data"]["swap"] == "off"
    assert render().get("ConfigMap")["data"]["swap"] == "on"
    assert variables(container)["SWAPPER_SWAP_FILE"] == "/config/swap"
    assert render().deployment() == manifests.deployment()
    assert "webhook.swap is false" in notes({"webhook": {"swap": False}})
