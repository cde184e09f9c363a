"""The API server accepts each object, according to its schemas and in a server-side dry run."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mirrors.filters.known_fields import CONTAINER, METADATA, SPEC
from tests.chart.posted_values import posted
from tests.support import kube_schemas
from tests.support.controlplane import ADMIN, ControlPlane
from tests.support.go_tools import require
from tests.support.helm import CHART, helm, render
from tests.support.kube_build import VERSION

FOREIGN = "Certificate,HTTPRoute,Issuer,PodMonitor,PrometheusRule,ScaledObject,ServiceMonitor"
"""Kinds of other projects, for which the API server has no schema."""

MONITORED: dict[str, Any] = {
    "metrics": {
        "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}, "interval": "30s"},
        "podMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "prometheusRule": {"enabled": True, "alertLabels": {"team": "platform"}},
        "dashboard": {"enabled": True, "annotations": {"grafana_folder": "Cluster"}},
    }
}
SCALED: dict[str, Any] = {
    "autoscaling": {"enabled": True, "targetMemoryUtilizationPercentage": 80},
    "web": {"replicaCount": 2, "pdb": {"minAvailable": "50%"}},
    "worker": {"autoscaling": {"enabled": True}, "pdb": {"enabled": True}},
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway"}
    ],
}
SETS: dict[str, dict[str, Any]] = {
    **posted(),
    "default": {},
    "sqlite": {"sqlite": {"enabled": True, "volume": {"persistentVolumeClaim": {"claimName": "data"}}}},
    "external": {"externalDatabase": {"host": "db", "existingSecret": "s", "caSecret": {"name": "ca"}}},
    "cloudnative-pg": {"externalDatabase": {"existingSecret": "s", "existingSecretUrlKey": "uri"}},
    "persistent": {"postgresql": {"persistence": {"enabled": True}, "resources": None}},
    "own-certificate": {"tls": {"existingSecret": "tls", "caBundle": "Q0E="}},
    "no-token": {"webhook": {"requireToken": False}},
    "fail": {"webhook": {"failurePolicy": "Fail", "exemptNamespaces": ["cert-manager"]}},
    "waiting": {"config": {"imageCopyPolicy": "force", "imageCopyDeadline": "20s"}, "webhook": {"swap": False}},
    "monitored": MONITORED,
    "monitored-sqlite": {**MONITORED, "sqlite": {"enabled": True}},
    "scaled": SCALED,
    "keda": {"worker": {"keda": {"enabled": True}}, "replicaCount": 2},
    "ingress": {
        "web": {
            "ingress": {
                "enabled": True,
                "className": "nginx",
                "hosts": ["a.example.com"],
                "tls": [{"secretName": "a", "hosts": ["a.example.com"]}],
            },
            "trustedProxies": ["10.0.0.0/8"],
        }
    },
    "gateway": {"web": {"httpRoute": {"enabled": True, "parentRefs": [{"name": "g"}], "hostnames": ["a.example.com"]}}},
    "readers": {"secretReader": {"enabled": True, "namespaces": ["shop", "billing"]}, "rbac": {"create": True}},
    "watched-namespaces": {"config": {"watcher": {"namespaces": ["shop", "billing"]}}, "watcher": {"replicaCount": 2}},
    "not-watched": {"watcher": {"enabled": False}, **MONITORED},
    "no-rbac": {"rbac": {"create": False}, "networkPolicy": {"enabled": False}, "web": {"replicaCount": 0}},
    "long-name": {"fullnameOverride": "a-name-that-is-as-long-as-names-of-kubernetes-may-be-at-most-63"},
}


@pytest.fixture(scope="session")
def schemas(request: pytest.FixtureRequest) -> Path:
    """The API server's schemas. The API server is started only if they do not exist yet."""
    return kube_schemas.directory(lambda: request.getfixturevalue("plane").request("GET", "/openapi/v2"))


def conforms(text: str, schemas: Path) -> tuple[int, str]:
    location = f"{schemas}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
    command = [require("kubeconform"), "-strict", "-skip", FOREIGN, "-schema-location", location, "-summary"]
    result = subprocess.run([*command, "-output", "json"], input=text, capture_output=True, text=True, timeout=60)
    return result.returncode, result.stdout + result.stderr


@pytest.mark.parametrize("name", SETS)
def test_each_object_matches_the_api_server_schema(name: str, schemas: Path) -> None:
    manifests = render(SETS[name])
    status, report = conforms(manifests.text, schemas)

    assert status == 0, report
    foreign = [found for found in manifests.objects if found["kind"] in FOREIGN.split(",")]
    assert json.loads(report)["summary"]["valid"] == len(manifests.objects) - len(foreign)


def test_known_filter_fields_match_the_pod_schema(schemas: Path) -> None:
    kinds = json.loads((schemas / "pod-v1.json").read_text())["definitions"]
    known = {"PodSpec": SPEC, "ObjectMeta": METADATA, "EphemeralContainer": CONTAINER}
    properties = {kind.rpartition(".")[2]: set(found.get("properties", ())) for kind, found in kinds.items()}

    assert {kind: set(shape.fields) for kind, shape in known.items()} == {kind: properties[kind] for kind in known}
    assert properties["Container"] <= set(CONTAINER.fields)


def test_schema_validation_rejects_an_unknown_field(schemas: Path) -> None:
    text = render().text.replace("enableServiceLinks:", "enableServiceLink:")

    assert conforms(text, schemas)[0] != 0


@pytest.mark.parametrize("name", SETS)
def test_names_and_labels_are_within_the_length_limits(name: str) -> None:
    for found in render(SETS[name]).objects:
        assert len(found["metadata"]["name"]) <= (52 if found["kind"] == "CronJob" else 63)
        assert all(len(value) <= 63 for value in found["metadata"].get("labels", {}).values())


@pytest.mark.parametrize("name", SETS)
def test_object_names_are_unique_per_kind_and_namespace(name: str) -> None:
    names = [(o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"]) for o in render(SETS[name]).objects]

    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", SETS)
def test_each_namespaced_object_sets_its_namespace(name: str) -> None:
    """The namespace must be in each object for users who apply the output of `helm template`."""
    cluster_wide = {"ClusterRole", "ClusterRoleBinding", "MutatingWebhookConfiguration"}
    for found in render({**SETS[name], "extraManifests": [], "extraManifestsTemplated": []}, namespace="ops").objects:
        allowed: list[str | None] = [None] if found["kind"] in cluster_wide else ["ops", "shop", "billing"]
        assert found["metadata"].get("namespace") in allowed


def test_helm_lint_reports_nothing() -> None:
    result = helm("lint", "--strict", "--quiet", str(CHART))

    assert (result.stdout.strip(), result.stderr.strip()) == ("", "")


@pytest.fixture
def namespace(plane: ControlPlane) -> Iterator[str]:
    """A namespace that refuses pods that violate Pod Security "restricted", and warns of them."""
    name = f"restricted-{uuid.uuid4().hex[:8]}"
    labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    plane.request("POST", "/api/v1/namespaces", body)
    yield name
    plane.request("DELETE", f"/api/v1/namespaces/{name}")


def apply(plane: ControlPlane, objects: list[dict[str, Any]], *flags: str) -> subprocess.CompletedProcess[str]:
    command = ["kubectl", "apply", "--server-side", "--force-conflicts", "--filename", "-", *flags]
    environment = {**os.environ, "KUBECONFIG": str(plane.kubeconfig(ADMIN))}
    text = yaml.safe_dump_all(objects)
    return subprocess.run(command, input=text, env=environment, capture_output=True, text=True, timeout=60)


@pytest.mark.timeout(300)
def test_server_side_dry_run_accepts_all_objects_without_warnings(plane: ControlPlane, namespace: str) -> None:
    """Expressions compile, and no pod violates Pod Security "restricted"."""
    for name in ("default", "terraform", "large-cluster", "sqlite", "monitored", "fail", "persistent"):
        objects = [o for o in render(SETS[name], namespace=namespace).objects if o["kind"] not in FOREIGN.split(",")]
        # A pod is refused without its service account. Only service accounts are really created.
        apply(plane, [found for found in objects if found["kind"] == "ServiceAccount"]).check_returncode()
        result = apply(plane, objects, "--dry-run=server")

        assert (result.returncode, result.stderr) == (0, ""), name
        assert len(result.stdout.splitlines()) == len(objects)


def test_helm_renders_the_same_for_the_tested_kubernetes_version() -> None:
    """With another version, conditions would be omitted where tests expect them."""
    assert (
        helm("template", str(CHART), "--debug", "--kube-version", VERSION).stdout == helm("template", str(CHART)).stdout
    )
