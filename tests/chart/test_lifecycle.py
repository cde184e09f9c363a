"""The life of a release by real helm on a real API server: installed, over estahn's, upgraded, rolled back, removed."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.posted_values import FOLDER
from tests.support.controlplane import ADMIN, ControlPlane
from tests.support.go_tools import require
from tests.support.helm import CHART

KINDS = (
    "configmaps,cronjobs.batch,deployments.apps,horizontalpodautoscalers.autoscaling,jobs.batch,"
    "networkpolicies.networking.k8s.io,persistentvolumeclaims,poddisruptionbudgets.policy,"
    "roles.rbac.authorization.k8s.io,rolebindings.rbac.authorization.k8s.io,secrets,serviceaccounts,services,"
    "statefulsets.apps"
)
CLUSTER_KINDS = (
    "clusterroles.rbac.authorization.k8s.io,clusterrolebindings.rbac.authorization.k8s.io,"
    "mutatingwebhookconfigurations.admissionregistration.k8s.io"
)


@dataclass
class Release:
    """A namespace of its own, and a name that nothing else in the cluster has."""

    plane: ControlPlane
    name: str

    def helm(self, *arguments: str) -> str:
        command = [require("helm"), "--namespace", self.name, *arguments]
        environment = {**os.environ, "KUBECONFIG": str(self.plane.kubeconfig(ADMIN))}
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def objects(self) -> set[str]:
        """What is there of it."""
        return self._list("--namespace", self.name, KINDS) | self._list(CLUSTER_KINDS)

    def get(self, kind: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._kubectl("get", kind, name, "--namespace", self.name, "-o", "json"))
        return found

    def _list(self, *arguments: str) -> set[str]:
        names = self._kubectl("get", "--output", "name", *arguments).split()
        return {name for name in names if self.name in name and "helm.release" not in name}

    def _kubectl(self, *arguments: str) -> str:
        environment = {**os.environ, "KUBECONFIG": str(self.plane.kubeconfig(ADMIN))}
        command = ["kubectl", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.fixture
def release(plane: ControlPlane) -> Iterator[Release]:
    name = f"release-{uuid.uuid4().hex[:8]}"
    plane.namespace(name)
    found = Release(plane, name)
    yield found
    if found.name in found.helm("list", "--all", "--short"):
        found.helm("uninstall", name)


def names_of(release: Release) -> str:
    return f"fullnameOverride={release.name}"


def test_installed_upgraded_rolled_back_and_removed(release: Release) -> None:
    printed = release.helm("install", release.name, str(CHART), "--set", names_of(release))
    first = release.objects()
    assert "NOTHING IS SWAPPED" in printed
    assert f"mutatingwebhookconfiguration.admissionregistration.k8s.io/{release.name}" in first

    more = "replicaCount=2,image.tag=9.9.9,postgresql.persistence.enabled=true,secretReader.enabled=true"
    release.helm("upgrade", release.name, str(CHART), "--reuse-values", "--set", more)
    second = release.objects()
    jobs = [{name for name in found if name.startswith("job.batch/")} for found in (first, second)]
    assert len(jobs[0]) == len(jobs[1]) == 1 and jobs[0] != jobs[1]
    assert f"poddisruptionbudget.policy/{release.name}" in second

    release.helm("rollback", release.name, "1")
    assert release.objects() - {f"persistentvolumeclaim/{release.name}-postgresql"} == first

    release.helm("uninstall", release.name)
    assert release.objects() == {f"persistentvolumeclaim/{release.name}-postgresql"}


def test_an_upgrade_leaves_what_the_set_up_job_has_written(release: Release) -> None:
    """Helm merges by the webhook's name: what neither manifest has stays."""
    release.helm("install", release.name, str(CHART), "--set", names_of(release))
    path = f"/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/{release.name}"
    found = release.plane.request("GET", path)
    found["webhooks"][0]["clientConfig"]["caBundle"] = "Q0E="
    found["webhooks"][0]["clientConfig"]["service"]["path"] = "/webhook/token"
    release.plane.request("PUT", path, found)

    more = "webhook.timeoutSeconds=7,service.port=8443"
    release.helm("upgrade", release.name, str(CHART), "--reuse-values", "--set", more)

    (hook,) = release.plane.request("GET", path)["webhooks"]
    assert (hook["timeoutSeconds"], hook["clientConfig"]["service"]["port"]) == (7, 8443)
    assert hook["clientConfig"]["caBundle"] == "Q0E="
    assert hook["clientConfig"]["service"]["path"] == "/webhook/token"


ESTAHN = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME, labels: {app.kubernetes.io/name: k8s-image-swapper}}
spec:
  replicas: 1
  selector:
    matchLabels:
      app.kubernetes.io/name: k8s-image-swapper
      app.kubernetes.io/instance: NAME
      app.kubernetes.io/component: app
  template:
    metadata:
      labels:
        app.kubernetes.io/name: k8s-image-swapper
        app.kubernetes.io/instance: NAME
        app.kubernetes.io/component: app
    spec:
      serviceAccountName: NAME
      containers:
        - name: k8s-image-swapper
          image: ghcr.io/estahn/k8s-image-swapper:1.5.10
          args: ["--config=/.k8s-image-swapper.yaml", "--tls-cert-file=/usr/local/certificates/cert"]
          ports: [{name: https, containerPort: 8443, protocol: TCP}]
          livenessProbe: {httpGet: {path: /, port: https, scheme: HTTPS}}
          volumeMounts:
            - {name: config, mountPath: /.k8s-image-swapper.yaml, subPath: .k8s-image-swapper.yaml}
            - {name: webhook-cert, mountPath: /usr/local/certificates/, readOnly: true}
      volumes:
        - {name: config, configMap: {name: NAME}}
        - {name: webhook-cert, secret: {secretName: NAME}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: NAME}
data: {.k8s-image-swapper.yaml: "dryRun: true"}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: NAME}
---
apiVersion: v1
kind: Service
metadata: {name: NAME}
spec:
  type: ClusterIP
  ports: [{port: 443, targetPort: https, protocol: TCP, name: https}]
  selector: {app.kubernetes.io/name: k8s-image-swapper, app.kubernetes.io/instance: NAME}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: NAME}
rules: [{apiGroups: [""], resources: [secrets, serviceaccounts], verbs: [get, watch, list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: NAME}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: NAME}
subjects: [{kind: ServiceAccount, name: NAME, namespace: NAME}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: NAME}
webhooks:
  - name: k8s-image-swapper.github.io
    admissionReviewVersions: [v1beta1]
    sideEffects: None
    failurePolicy: Ignore
    clientConfig: {service: {name: NAME, namespace: NAME, path: /webhook}}
    rules: [{operations: [CREATE, UPDATE], apiGroups: [""], apiVersions: [v1], resources: [pods]}]
"""
"""What a release of estahn's chart has in a cluster, as far as Kubernetes lets it be changed or not."""


def former_chart(directory: Path, name: str) -> Path:
    place = directory / "k8s-image-swapper"
    (place / "templates").mkdir(parents=True)
    chart = {"apiVersion": "v2", "name": "k8s-image-swapper", "version": "1.11.0", "appVersion": "1.5.10"}
    (place / "Chart.yaml").write_text(yaml.safe_dump(chart))
    (place / "templates/all.yaml").write_text(ESTAHN.replace("NAME", name))
    return place


def test_over_a_release_of_estahn_s(release: Release, tmp_path: Path) -> None:
    release.helm("install", release.name, str(former_chart(tmp_path, release.name)))
    release.plane.secret(release.name, release.name, "Opaque", {"ca": "a", "cert": "b", "key": "c"})
    values = FOLDER / "terraform.yaml"

    printed = release.helm("upgrade", release.name, str(CHART), "--values", str(values), "--set", names_of(release))

    assert "it did not obey dryRun" in printed
    deployment = release.get("deployment", release.name)
    assert [c["name"] for c in deployment["spec"]["template"]["spec"]["containers"]] == ["k8s-image-swapper"]
    assert "subPath" not in json.dumps(deployment["spec"])
    assert release.get("clusterrole", release.name)["rules"][0]["verbs"] == ["get"]
    assert set(release.get("secret", release.name)["data"]) == {"ca", "cert", "key"}

    release.helm("uninstall", release.name)

    assert release.objects() == {f"secret/{release.name}"}
