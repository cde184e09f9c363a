"""All pods: Pod Security "restricted", API tokens only where needed, writable directories, probes and termination."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.chart.posted_values import posted
from tests.support.helm import FULLNAME, Object, containers, render

EVERYTHING = {"test": {"enabled": True}}
SQLITE = {"sqlite": {"enabled": True}}
SETS: dict[str, dict[str, Any]] = {
    "default": EVERYTHING,
    "sqlite": SQLITE,
    **{name: values for name, values in posted().items() if name != "host-network"},
}


def pods(values: dict[str, Any]) -> Iterator[tuple[str, Object]]:
    yield from render(values).pods()


@pytest.mark.parametrize("name", SETS)
def test_pods_meet_the_restricted_pod_security_standard(name: str) -> None:
    for where, pod in pods(SETS[name]):
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True, where
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, where
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec), where
        for container in containers(pod):
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False, where
            assert context["capabilities"] == {"drop": ["ALL"]}, where
            assert context["readOnlyRootFilesystem"] is True, where
            assert not any("hostPort" in port for port in container.get("ports", []))
        kinds = {kind for volume in spec.get("volumes", []) for kind in volume if kind != "name"}
        assert kinds <= {"configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret"}, where


def test_pods_except_postgresql_set_no_user_or_group() -> None:
    """OpenShift assigns a user to each namespace."""
    for where, pod in pods(EVERYTHING):
        if where != f"StatefulSet/{FULLNAME}-postgresql":
            assert not {"runAsUser", "runAsGroup", "fsGroup"} & set(pod["spec"]["securityContext"]), where


def test_the_postgresql_user_and_group_can_be_unset() -> None:
    context = {"runAsUser": None, "runAsGroup": None, "fsGroup": None}
    manifests = render({"postgresql": {"podSecurityContext": context}})
    pod = manifests.get("StatefulSet", f"{FULLNAME}-postgresql")["spec"]["template"]

    assert not {"runAsUser", "runAsGroup", "fsGroup"} & set(pod["spec"]["securityContext"])


def test_all_pods_except_webhook_web_and_postgresql_mount_an_api_token() -> None:
    """Workers read pull secrets, the watcher reads pods, the set-up writes Secrets, the test reads the registration."""
    tokens = {where: pod["spec"]["automountServiceAccountToken"] for where, pod in pods(EVERYTHING)}

    assert {where.split("-")[-1] for where, has_token in tokens.items() if not has_token} == {
        "swapper",
        "web",
        "postgresql",
    }


def test_only_webhook_web_and_worker_use_the_main_service_account() -> None:
    accounts = {where: pod["spec"].get("serviceAccountName") for where, pod in pods(EVERYTHING)}

    assert {accounts[f"Deployment/{FULLNAME}{suffix}"] for suffix in ("", "-web", "-worker")} == {FULLNAME}
    assert accounts[f"StatefulSet/{FULLNAME}-postgresql"] is None
    assert list(accounts.values()).count(FULLNAME) == 3


@pytest.mark.parametrize(
    ("account", "name"),
    [
        ({"name": "other"}, "other"),
        ({"create": False}, "default"),
        ({"create": False, "name": "existing"}, "existing"),
    ],
)
def test_a_custom_service_account_is_used_and_bound(account: dict[str, Any], name: str) -> None:
    manifests = render({"serviceAccount": account, "secretReader": {"enabled": True}})

    for role in ("", "web", "worker"):
        assert manifests.deployment(role)["spec"]["template"]["spec"]["serviceAccountName"] == name
    (subject,) = manifests.get("ClusterRoleBinding")["subjects"]
    assert (subject["name"], subject["namespace"]) == (name, "swapper")
    assert manifests.has("ServiceAccount", f"{FULLNAME}-setup")
    assert manifests.has("ServiceAccount", name) == account.get("create", True)


@pytest.mark.parametrize("name", SETS)
def test_our_containers_can_write_only_to_data_and_tmp(name: str) -> None:
    for where, pod in pods(SETS[name]):
        volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes", [])}
        for container in containers(pod):
            if container["name"] in ("postgresql", "test"):
                continue
            mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
            writable = {path for path, mount in mounts.items() if not mount.get("readOnly")}
            assert writable == {"/data", "/tmp"}, where
            assert {volumes[mounts[path]["name"]]["name"] for path in writable} == {"data", "tmp"}


@pytest.mark.parametrize("name", SETS)
def test_mounts_refer_to_existing_volumes_with_unique_names(name: str) -> None:
    for where, pod in pods(SETS[name]):
        names = [volume["name"] for volume in pod["spec"].get("volumes", [])]
        assert len(names) == len(set(names)), where
        for container in containers(pod):
            assert {mount["name"] for mount in container.get("volumeMounts", [])} <= set(names), where


def test_pods_select_linux_nodes_and_disable_service_links() -> None:
    """With links of Services, a Service named `swapper` would set SWAPPER_PORT."""
    for where, pod in pods(EVERYTHING):
        assert pod["spec"]["nodeSelector"]["kubernetes.io/os"] == "linux", where
        assert pod["spec"]["enableServiceLinks"] is False, where


def test_service_mesh_injection_is_disabled() -> None:
    for where, pod in pods(EVERYTHING):
        assert pod["metadata"]["labels"]["sidecar.istio.io/inject"] == "false", where
        assert pod["metadata"]["annotations"]["linkerd.io/inject"] == "disabled", where


def test_image_pull_secrets_are_set_on_all_pods() -> None:
    secrets = [{"name": "one"}, {"name": "two"}]
    for where, pod in pods({**EVERYTHING, "imagePullSecrets": secrets}):
        assert pod["spec"]["imagePullSecrets"] == secrets, where


def test_pods_inherit_scheduling_values_unless_they_override_them() -> None:
    tolerations = [{"key": "infra", "operator": "Exists"}]
    values = {"nodeSelector": {"a": "b"}, "tolerations": tolerations, "web": {"nodeSelector": {"c": "d"}}}
    selectors = {where: pod["spec"]["nodeSelector"] for where, pod in pods({**EVERYTHING, **values})}

    assert selectors.pop(f"Deployment/{FULLNAME}-web") == {"c": "d", "kubernetes.io/os": "linux"}
    assert all(selector == {"a": "b", "kubernetes.io/os": "linux"} for selector in selectors.values())
    assert all(pod["spec"]["tolerations"] == tolerations for _, pod in pods({**EVERYTHING, **values}))


@pytest.mark.parametrize(
    ("role", "port", "scheme"),
    [
        ("", "https", "HTTPS"),
        ("web", "web", "HTTP"),
        ("worker", "metrics", "HTTP"),
        ("watcher", "watcher", "HTTP"),
    ],
)
def test_probes_request_readyz_and_livez_on_the_port_of_the_process(role: str, port: str, scheme: str) -> None:
    container = render().deployment(role)["spec"]["template"]["spec"]["containers"][0]
    probes = {kind: container[kind]["httpGet"] for kind in ("startupProbe", "livenessProbe", "readinessProbe")}

    assert probes["readinessProbe"] == {"path": "/readyz", "port": port, "scheme": scheme}
    assert probes["livenessProbe"] == probes["startupProbe"] == {"path": "/livez", "port": port, "scheme": scheme}
    assert port in [found["name"] for found in container["ports"]]


def test_resource_limits_can_be_set_on_each_container() -> None:
    """A quota of the namespace can require limits."""
    limits = {"resources": {"limits": {"cpu": "1", "memory": "512Mi"}}}
    values = {**limits, **dict.fromkeys(("web", "worker", "watcher", "patch", "postgresql", "test"), limits)}

    for where, pod in pods(values):
        assert all("limits" in container["resources"] for container in containers(pod)), where


def test_the_test_pod_can_be_scheduled_or_disabled_but_its_image_is_fixed() -> None:
    test = {
        "nodeSelector": {"a": "b"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": {"x": []}},
        "image": {"repository": "busybox"},
    }
    pod = render({"test": test}).get("Pod", f"{FULLNAME}-test")

    assert pod["spec"]["nodeSelector"]["a"] == "b"
    assert pod["spec"]["tolerations"] == test["tolerations"]
    assert pod["spec"]["affinity"] == test["affinity"]
    assert "busybox" not in pod["spec"]["containers"][0]["image"]
    assert not render({"test": {"enabled": False}}).all("Pod")


def test_custom_probe_settings_are_merged_with_the_defaults() -> None:
    container = render({"probes": {"livenessProbe": {"periodSeconds": 33}}}).deployment()["spec"]["template"]["spec"]
    probe = container["containers"][0]["livenessProbe"]

    assert probe["periodSeconds"] == 33
    assert probe["httpGet"]["path"] == "/livez"


@pytest.mark.parametrize("role", ["", "web"])
def test_rolling_updates_keep_capacity_and_drain_requests(role: str) -> None:
    spec = render().deployment(role)["spec"]
    pod = spec["template"]["spec"]
    command, seconds = pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]

    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert command == "sleep"
    assert pod["terminationGracePeriodSeconds"] >= int(seconds) + 20


def test_the_worker_grace_period_is_longer_than_30_seconds() -> None:
    assert render().deployment("worker")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > 30


def test_each_deployment_has_the_credentials_volume_and_variable() -> None:
    manifests = render({"credentials": {"existingSecret": "registry-passwords"}})

    for role in ("", "web", "worker", "watcher"):
        spec = manifests.deployment(role)["spec"]["template"]["spec"]
        assert {"name": "credentials", "secret": {"secretName": "registry-passwords"}} in spec["volumes"]
        assert {"name": "SWAPPER_CREDENTIALS_DIR", "value": "/credentials"} in spec["containers"][0]["env"]


def test_extra_mounts_env_sources_and_labels_apply_to_all_deployments() -> None:
    mount = {"name": "ca", "mountPath": "/etc/company"}
    values = {
        "extraVolumes": [{"name": "ca", "configMap": {"name": "company-ca"}}],
        "extraVolumeMounts": [mount],
        "extraEnvFrom": [{"secretRef": {"name": "registry"}}],
        "podLabels": {"azure.workload.identity/use": True},
    }
    manifests = render(values)

    for role in ("", "web", "worker", "watcher"):
        pod = manifests.deployment(role)["spec"]["template"]
        assert pod["metadata"]["labels"]["azure.workload.identity/use"] == "true"
        for container in containers(pod):
            assert mount in container["volumeMounts"]
            assert container["envFrom"] == values["extraEnvFrom"]


def test_an_image_digest_replaces_the_tag() -> None:
    digest = f"sha256:{'b' * 64}"
    values = {"image": {"repository": "registry.example.com/swapper", "digest": digest}}
    images = {c["image"] for where, pod in pods({**EVERYTHING, **values}) for c in containers(pod)}

    assert images == {f"registry.example.com/swapper@{digest}", "docker.io/library/postgres:17"}
