"""Permissions: the roles of workers, set-up and test, and the clients that can connect to each port."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.helm import FULLNAME, Manifests, Object, render

SETUP, TEST, OWN = f"{FULLNAME}-setup", f"{FULLNAME}-test", f"{FULLNAME}-postgresql"
WATCHER = f"{FULLNAME}-watcher"
MADE = [f"{FULLNAME}-{name}" for name in ("app", "admin", "postgresql", "tls")]


def rules(found: Object) -> list[tuple[str, str, tuple[str, ...], tuple[str, ...]]]:
    """Return each rule by resource: group, resource, names and verbs."""
    return [
        (rule["apiGroups"][0], resource, tuple(rule.get("resourceNames", [])), tuple(rule["verbs"]))
        for rule in found["rules"]
        for resource in rule["resources"]
    ]


def test_workers_have_no_roles_by_default() -> None:
    roles = [found["metadata"]["name"] for kind in ("Role", "ClusterRole") for found in render().all(kind)]

    assert set(roles) == {SETUP, TEST, WATCHER}


def test_the_secret_reader_can_get_secrets_and_service_accounts() -> None:
    manifests = render({"secretReader": {"enabled": True, "secretNames": ["regcred"]}})

    assert rules(manifests.get("ClusterRole")) == [
        ("", "secrets", ("regcred",), ("get",)),
        ("", "serviceaccounts", (), ("get",)),
    ]
    (subject,) = manifests.get("ClusterRoleBinding")["subjects"]
    assert subject == {"kind": "ServiceAccount", "name": FULLNAME, "namespace": "swapper"}


def test_the_secret_reader_can_be_limited_to_namespaces() -> None:
    manifests = render({"secretReader": {"enabled": True, "namespaces": ["shop", "billing"]}})
    roles = [found for found in manifests.all("Role") if found["metadata"]["name"] == FULLNAME]
    bindings = [found for found in manifests.all("RoleBinding") if found["metadata"]["name"] == FULLNAME]

    assert not manifests.has("ClusterRole")
    for found in (roles, bindings):
        assert [role["metadata"]["namespace"] for role in found] == ["shop", "billing"]
    assert {subject["namespace"] for binding in bindings for subject in binding["subjects"]} == {"swapper"}


def test_a_role_allows_get_of_the_secrets_named_in_the_configuration() -> None:
    registry = {"type": "oci", "host": "quay.io", "username": "me", "passwordSecret": "quay/password"}
    manifests = render({"config": {"Source": {"Registries": [registry, {"type": "oci", "host": "ghcr.io"}]}}})

    assert rules(manifests.get("Role", f"{FULLNAME}-credentials")) == [("", "secrets", ("quay",), ("get",))]


def test_setup_has_only_the_required_permissions() -> None:
    manifests = render()

    assert rules(manifests.get("Role", SETUP)) == [
        ("", "secrets", (), ("create",)),
        ("", "secrets", tuple(MADE), ("get",)),
        ("", "secrets", (f"{FULLNAME}-tls",), ("patch",)),
    ]
    assert rules(manifests.get("ClusterRole", SETUP)) == [
        ("admissionregistration.k8s.io", "mutatingwebhookconfigurations", (FULLNAME,), ("get", "patch"))
    ]


def test_setup_can_bind_only_the_active_role_with_failure_policy_fail() -> None:
    """Resource names cannot limit `create`. The permission to `bind` limits it to this Role."""
    webhook = {"failurePolicy": "Fail", "exemptNamespaces": ["karpenter"]}
    manifests = render({"webhook": webhook, "certmanager": {"enabled": True}})
    more = [rule for rule in rules(manifests.get("Role", SETUP)) if rule[0]]

    assert more == [
        ("rbac.authorization.k8s.io", "roles", (f"{FULLNAME}-active",), ("bind",)),
        ("rbac.authorization.k8s.io", "rolebindings", (f"{FULLNAME}-active",), ("get",)),
        ("rbac.authorization.k8s.io", "rolebindings", (), ("create",)),
    ]
    assert rules(manifests.get("Role", f"{FULLNAME}-active")) == [
        ("k8s-image-swapper.github.io", "admissions", (), ("review",))
    ]
    assert rules(manifests.get("ClusterRole", SETUP)) == [
        ("admissionregistration.k8s.io", "mutatingwebhookconfigurations", (FULLNAME,), ("get",))
    ]


def test_setup_has_no_webhook_permissions_with_cert_manager() -> None:
    manifests = render({"certmanager": {"enabled": True}})

    assert not manifests.has("ClusterRole", SETUP)
    assert ("", "secrets", (f"{FULLNAME}-tls",), ("patch",)) not in rules(manifests.get("Role", SETUP))


def test_the_helm_test_can_get_only_the_webhook_configuration() -> None:
    assert rules(render().get("ClusterRole", TEST)) == [
        ("admissionregistration.k8s.io", "mutatingwebhookconfigurations", (FULLNAME,), ("get",))
    ]


def test_each_binding_refers_to_an_existing_role_and_service_account() -> None:
    manifests = render({"secretReader": {"enabled": True, "namespaces": ["shop"]}})
    accounts = {found["metadata"]["name"] for found in manifests.all("ServiceAccount")}

    for binding in [*manifests.all("RoleBinding"), *manifests.all("ClusterRoleBinding")]:
        assert manifests.has(binding["roleRef"]["kind"], binding["roleRef"]["name"])
        assert {subject["name"] for subject in binding["subjects"]} <= accounts


def test_service_account_annotations_are_set_only_on_the_service_account() -> None:
    annotations = {"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/mirror"}
    manifests = render({"serviceAccount": {"annotations": annotations}, "secretReader": {"enabled": True}})
    annotated = [
        f"{found['kind']}/{found['metadata']['name']}"
        for found in manifests.objects
        if found["metadata"].get("annotations", {}).items() >= annotations.items()
    ]

    assert annotated == [f"ServiceAccount/{FULLNAME}"]


def test_rbac_creation_can_be_disabled() -> None:
    manifests = render({"rbac": {"create": False}, "secretReader": {"enabled": True}})

    for kind in ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"):
        assert manifests.all(kind) == []


def allowed(manifests: Manifests, name: str = FULLNAME) -> dict[str, Any]:
    """Return the permitted clients by port. None means all clients."""
    policy = manifests.get("NetworkPolicy", name)["spec"]
    assert policy["policyTypes"] == ["Ingress"]
    return {port["port"]: rule.get("from") for rule in policy.get("ingress", []) for port in rule["ports"]}


def test_network_policies_contain_no_empty_ingress_list() -> None:
    """API servers do not store an empty list, so GitOps tools would always show a difference."""
    for policy in render().all("NetworkPolicy"):
        assert policy["spec"].get("ingress") != []


def test_only_the_webhook_accepts_connections_from_all_clients() -> None:
    """API servers have no labels that a policy could select."""
    manifests = render()

    assert allowed(manifests) == {"https": None}
    assert allowed(manifests, f"{FULLNAME}-web") == {}
    assert allowed(manifests, f"{FULLNAME}-worker") == {}
    assert allowed(manifests, WATCHER) == {}
    (peer,) = allowed(manifests, OWN)["postgresql"]
    assert peer["podSelector"]["matchExpressions"][0]["values"] == ["app", "web", "worker", "watcher"]
    assert "namespaceSelector" not in peer


@pytest.mark.parametrize(
    "values",
    [
        {"web": {"ingress": {"enabled": True, "hosts": ["swapper.example.com"]}}},
        {"web": {"httpRoute": {"enabled": True, "parentRefs": [{"name": "gateway"}]}}},
    ],
)
def test_web_accepts_connections_if_an_ingress_or_route_is_enabled(values: dict[str, Any]) -> None:
    assert allowed(render(values), f"{FULLNAME}-web") == {"web": [{"namespaceSelector": {}}]}


def test_web_accepts_connections_only_from_the_configured_peers() -> None:
    peers = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}}]
    values = {
        "web": {"ingress": {"enabled": True, "hosts": ["a.example.com"]}},
        "networkPolicy": {"web": {"from": peers}},
    }

    assert allowed(render(values), f"{FULLNAME}-web") == {"web": peers}


def test_prometheus_can_connect_if_a_pod_monitor_is_enabled() -> None:
    manifests = render({"metrics": {"podMonitor": {"enabled": True}}})
    prometheus = [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app.kubernetes.io/name": "prometheus"}}}]

    assert allowed(manifests, f"{FULLNAME}-worker") == {"metrics": prometheus}
    assert allowed(manifests, f"{FULLNAME}-web") == {"web": prometheus}


def test_keda_can_connect_to_the_database_if_it_scales_workers() -> None:
    peers = allowed(render({"worker": {"keda": {"enabled": True}}}), OWN)["postgresql"]

    assert peers[1]["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "keda-operator"}


def test_network_policies_can_be_disabled() -> None:
    assert not render({"networkPolicy": {"enabled": False}}).all("NetworkPolicy")


def test_network_policies_use_only_ports_of_their_pods() -> None:
    for values in ({}, {"sqlite": {"enabled": True}, "metrics": {"podMonitor": {"enabled": True}}}):
        manifests = render(values)
        for policy in manifests.all("NetworkPolicy"):
            selector = policy["spec"]["podSelector"]["matchLabels"]
            ports = {
                port["name"]
                for _, pod in manifests.pods()
                if pod["metadata"]["labels"].items() >= selector.items()
                for container in pod["spec"]["containers"]
                for port in container["ports"]
            }
            assert {port["port"] for rule in policy["spec"].get("ingress", []) for port in rule["ports"]} <= ports
