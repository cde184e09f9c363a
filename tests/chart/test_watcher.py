"""The watcher: its permissions and their namespaces, its service account, when it is installed, and its monitoring."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.support.helm import FULLNAME, Manifests, Object, RenderError, containers, render, variables

WATCHER = f"{FULLNAME}-watcher"
SQLITE: dict[str, Any] = {"sqlite": {"enabled": True}}
MONITORED: dict[str, Any] = {"metrics": {"podMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}}}
OFF: list[dict[str, Any]] = [
    {"watcher": {"enabled": False}},
    {"config": {"watcher": {"enabled": False}}},
    {"config": {"Watcher": {"ENABLED": False}}},
    {"watcher": {"enabled": False}, "config": {"watcher": {"enabled": True}}},
    {"watcher": {"enabled": False}, "config": {"WATCHER": {"Enabled": True, "namespaces": ["shop"]}}},
]

READ = ("get", "list", "watch")
NODES = {
    ("", "nodes"): READ,
    # The watcher decides with these which pods the API server sends to the webhook.
    ("", "namespaces"): ("get",),
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"): ("get",),
}
WORKLOADS = {
    ("", "pods"): READ,
    **{("apps", kind): READ for kind in ("deployments", "statefulsets", "daemonsets", "replicasets")},
    **{("batch", kind): READ for kind in ("jobs", "cronjobs")},
}


def permissions(role: Object) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return verbs by group and resource."""
    return {
        (group, resource): tuple(rule["verbs"])
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


def configured(manifests: Manifests) -> dict[str, Any]:
    """Return the section ``watcher`` of the configuration file, with keys in lower case."""
    config = {key.lower(): value for key, value in yaml.safe_load(manifests.config_text).items()}
    return {key.lower(): value for key, value in (config.get("watcher") or {}).items()}


def named(manifests: Manifests, kind: str) -> list[Object]:
    return [found for found in manifests.all(kind) if found["metadata"]["name"] == WATCHER]


def subjects(manifests: Manifests) -> set[tuple[str, str]]:
    bindings = [*named(manifests, "ClusterRoleBinding"), *named(manifests, "RoleBinding")]
    return {(subject["name"], subject["namespace"]) for binding in bindings for subject in binding["subjects"]}


def test_the_watcher_cluster_role_has_only_the_expected_permissions() -> None:
    manifests = render({"secretReader": {"enabled": True}})

    assert permissions(manifests.get("ClusterRole", WATCHER)) == NODES | WORKLOADS
    assert not named(manifests, "Role")


def test_the_watcher_account_is_bound_only_to_the_watcher_role() -> None:
    """Workers can read pull secrets. The watcher's account cannot."""
    manifests = render({"secretReader": {"enabled": True}})
    bound = [
        binding["roleRef"]["name"]
        for binding in [*manifests.all("ClusterRoleBinding"), *manifests.all("RoleBinding")]
        if WATCHER in [subject["name"] for subject in binding["subjects"]]
    ]

    assert bound == [WATCHER]
    assert manifests.has("ServiceAccount", WATCHER)
    pod = manifests.deployment("watcher")["spec"]["template"]["spec"]
    assert (pod["serviceAccountName"], pod["automountServiceAccountToken"]) == (WATCHER, True)


@pytest.mark.parametrize("section", ["watcher", "Watcher"])
@pytest.mark.parametrize("key", ["namespaces", "NameSpaces"])
def test_configured_namespaces_limit_the_watcher_permissions(section: str, key: str) -> None:
    manifests = render({"config": {section: {key: ["shop", "billing", "shop"]}}})
    roles = {role["metadata"]["namespace"]: permissions(role) for role in named(manifests, "Role")}

    assert roles == {"shop": WORKLOADS, "billing": WORKLOADS}
    assert permissions(manifests.get("ClusterRole", WATCHER)) == NODES
    assert [found["metadata"]["namespace"] for found in named(manifests, "RoleBinding")] == ["shop", "billing"]
    assert subjects(manifests) == {(WATCHER, "swapper")}


def test_an_empty_namespace_list_creates_no_namespaced_roles() -> None:
    assert not named(render({"config": {"watcher": {"namespaces": []}}}), "Role")
    assert not named(render({"config": {"watcher": {"namespaces": None}}}), "Role")


def test_the_watcher_can_use_an_existing_service_account() -> None:
    manifests = render({"watcher": {"serviceAccount": {"name": "reader"}}})

    assert manifests.deployment("watcher")["spec"]["template"]["spec"]["serviceAccountName"] == "reader"
    assert subjects(manifests) == {("reader", "swapper")}
    assert not manifests.has("ServiceAccount", "reader")
    assert not manifests.has("ServiceAccount", WATCHER)


def test_annotations_are_set_on_the_watcher_account() -> None:
    annotations = {"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/read"}
    manifests = render({"watcher": {"serviceAccount": {"annotations": annotations}}})

    assert manifests.get("ServiceAccount", WATCHER)["metadata"]["annotations"] == annotations


def test_the_watcher_deployment_has_its_own_command_port_and_resources() -> None:
    manifests = render({"watcher": {"replicaCount": 2}})
    deployment = manifests.deployment("watcher")["spec"]
    (container,) = containers(deployment["template"])

    assert deployment["replicas"] == 2
    assert container["args"] == ["watch", f"--webhook-configuration={FULLNAME}"]
    assert variables(container)["SWAPPER_ROLE"] == "watcher"
    assert variables(container)["SWAPPER_BIND"] == ":8002"
    assert container["ports"] == [{"name": "watcher", "containerPort": 8002, "protocol": "TCP"}]
    assert container["resources"] == {"requests": {"cpu": "50m", "memory": "192Mi"}}


def test_only_startup_settings_restart_the_watcher() -> None:
    def checksum(**config: Any) -> str:
        template = render({"config": config}).deployment("watcher")["spec"]["template"]
        return str(template["metadata"]["annotations"]["checksum/start"])

    assert checksum() == checksum(clusterName="b")
    assert checksum() != checksum(LogLevel="info")


@pytest.mark.parametrize("values", OFF)
@pytest.mark.parametrize("more", [{}, SQLITE])
def test_disabling_the_watcher_in_either_section_removes_its_objects(
    values: dict[str, Any], more: dict[str, Any]
) -> None:
    """The configuration file also disables it for the other processes."""
    manifests = render({**values, **more, **MONITORED})

    assert configured(manifests)["enabled"] is False
    assert not [found for found in manifests.objects if found["metadata"]["name"] == WATCHER]
    assert "swapper_watcher" not in manifests.text
    ports = [port["name"] for port in containers(manifests.deployment()["spec"]["template"])[-1]["ports"]]
    assert "watcher" not in ports


def test_disabling_the_watcher_keeps_its_other_configuration_keys() -> None:
    values = {"watcher": {"enabled": False}, "config": {"Watcher": {"Namespaces": ["shop"]}}}

    assert configured(render(values)) == {"enabled": False, "namespaces": ["shop"]}


def test_an_enabled_watcher_adds_no_configuration_keys() -> None:
    assert configured(render()) == {}


def test_in_the_sqlite_pod_the_watcher_uses_the_account_of_the_pod() -> None:
    manifests = render(SQLITE)
    pod = manifests.deployment()["spec"]["template"]["spec"]

    assert not manifests.has("Deployment", WATCHER)
    assert not manifests.has("ServiceAccount", WATCHER)
    assert permissions(manifests.get("ClusterRole", WATCHER)) == NODES | WORKLOADS
    assert subjects(manifests) == {(pod["serviceAccountName"], "swapper")}
    assert pod["automountServiceAccountToken"] is True
    assert {"name": "watcher", "containerPort": 8002, "protocol": "TCP"} in pod["containers"][0]["ports"]


def test_multiple_watchers_are_rejected_with_sqlite() -> None:
    with pytest.raises(RenderError, match=r"watcher\.replicaCount to 1"):
        render({**SQLITE, "watcher": {"replicaCount": 2}})


def test_disabling_rbac_creates_no_watcher_roles_or_bindings() -> None:
    manifests = render({"rbac": {"create": False}})

    assert manifests.has("Deployment", WATCHER)
    for kind in ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"):
        assert not named(manifests, kind)


@pytest.mark.parametrize("more", [{}, SQLITE])
def test_the_pod_monitor_selects_the_pod_with_the_watcher_port(more: dict[str, Any]) -> None:
    manifests = render({**MONITORED, **more})
    monitor = manifests.get("PodMonitor", WATCHER)["spec"]
    selected = [
        {port["name"] for port in containers(pod)[-1]["ports"]}
        for _, pod in manifests.pods()
        if pod["metadata"]["labels"].items() >= monitor["selector"]["matchLabels"].items()
    ]

    (endpoint,) = monitor["podMetricsEndpoints"]
    assert endpoint["port"] == "watcher"
    assert len(selected) == 1
    assert "watcher" in selected[0]


@pytest.mark.parametrize(("more", "policy"), [({}, WATCHER), (SQLITE, FULLNAME)])
def test_the_network_policy_lets_only_prometheus_reach_the_watcher(more: dict[str, Any], policy: str) -> None:
    def readers(values: dict[str, Any]) -> list[Any]:
        rules = render({**values, **more}).get("NetworkPolicy", policy)["spec"].get("ingress", [])
        return [rule["from"] for rule in rules if rule["ports"][0]["port"] == "watcher"]

    assert readers({}) == []
    ((peer,),) = readers(MONITORED)
    assert peer["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "prometheus"}
