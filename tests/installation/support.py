"""The namespace of an installation on a real API server: its Secrets, webhook configuration and service account."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from subprocess import CompletedProcess
from typing import Any

import yaml

from tests.docs.markdown import blocks
from tests.support.controlplane import ACCOUNT, ControlPlane
from tests.support.databases import ROOT
from tests.support.ports import free_port
from tests.support.system import run_manage

HOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
TLS, APP, DATABASE, ADMIN = "swapper-webhook-tls", "swapper-app", "swapper-database", "swapper-admin"


def documented_roles() -> list[dict[str, Any]]:
    """Return the roles in the documentation. The commands run with exactly these permissions."""
    (block,) = [block for block in blocks(ROOT / "docs/cluster-setup.md") if block.language == "yaml"]
    return list(yaml.safe_load_all(block.text))


@dataclass(frozen=True)
class Site:
    """The namespace of one test. Names are unique, because a webhook configuration is not namespaced."""

    plane: ControlPlane
    namespace: str = field(default_factory=lambda: f"swapper-{uuid.uuid4().hex[:8]}")
    service: str = "k8s-image-swapper"

    def __post_init__(self) -> None:
        self.plane.namespace(self.namespace)

    @property
    def configuration(self) -> str:
        return self.namespace

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a command that runs as the service account with only the documented roles."""
        return {"KUBECONFIG": str(self.plane.kubeconfig(namespace=self.namespace))}

    def permit(self) -> None:
        """Bind the documented roles, under this test's names, to the service account."""
        role, cluster_role = documented_roles()
        cluster_role["rules"][0]["resourceNames"] = [self.configuration]
        subject = {"kind": "User", "name": ACCOUNT, "apiGroup": "rbac.authorization.k8s.io"}
        in_namespace = f"{RBAC}/namespaces/{self.namespace}"
        for path, kind, rules in (
            (in_namespace, "Role", role["rules"]),
            (RBAC, "ClusterRole", cluster_role["rules"]),
        ):
            reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": self.namespace}
            self.plane.create(f"{path}/{kind.lower()}s", self.namespace, kind, rules=rules)
            self.plane.create(
                f"{path}/{kind.lower()}bindings",
                self.namespace,
                f"{kind}Binding",
                subjects=[subject],
                roleRef=reference,
            )

    def secret(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.plane.request("GET", f"/api/v1/namespaces/{self.namespace}/secrets/{name}")
        return found

    def values(self, name: str) -> dict[str, bytes]:
        return {key: base64.b64decode(value) for key, value in self.secret(name)["data"].items()}

    def secrets(self) -> dict[str, str]:
        """Return the resource version of each Secret by name."""
        items = self.plane.request("GET", f"/api/v1/namespaces/{self.namespace}/secrets")["items"]
        return {item["metadata"]["name"]: item["metadata"]["resourceVersion"] for item in items}

    def setup_secrets(self, *arguments: str, check: bool = True, **environment: str) -> CompletedProcess[str]:
        names = ["--app-secret", APP, "--database-secret", DATABASE, "--admin-secret", ADMIN]
        command = ["setup_secrets", "--namespace", self.namespace, *names, *arguments]
        return run_manage(*command, environment={**self.environment, **environment}, check=check)

    def certs_command(self, *arguments: str) -> list[str]:
        named = {
            "--namespace": self.namespace,
            "--secret": TLS,
            "--service": self.service,
            "--webhook-configuration": self.configuration,
        }
        return ["webhook_certs", *(part for pair in named.items() for part in pair), *arguments]

    def webhook_certs(self, *arguments: str, check: bool = True, **environment: str) -> CompletedProcess[str]:
        given = {**self.environment, **environment}
        return run_manage(*self.certs_command(*arguments), environment=given, check=check)

    def register(self, port: int = 443, **fields: Any) -> None:
        """Create the webhook configuration as the chart renders it, without caBundle and path."""
        rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
        service = {"namespace": self.namespace, "name": self.service, "port": port}
        hook = {
            "name": "k8s-image-swapper.github.io",
            "admissionReviewVersions": ["v1"],
            "clientConfig": {"service": service},
            "rules": [rule],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": self.namespace}},
            "failurePolicy": "Fail",
            "sideEffects": "NoneOnDryRun",
            "timeoutSeconds": 10,
            **fields,
        }
        other = {**hook, "name": "other.k8s-image-swapper.github.io", "rules": [{**rule, "resources": ["nothing"]}]}
        self.plane.create(HOOKS, self.configuration, "MutatingWebhookConfiguration", webhooks=[hook, other])

    def unregister(self) -> None:
        self.plane.request("DELETE", f"{HOOKS}/{self.configuration}")

    def registration(self) -> dict[str, Any]:
        found: dict[str, Any] = self.plane.request("GET", f"{HOOKS}/{self.configuration}")
        return found

    def bundles(self) -> list[bytes]:
        """Return the caBundle of each webhook."""
        hooks = self.registration()["webhooks"]
        return [base64.b64decode(hook["clientConfig"].get("caBundle", "")) for hook in hooks]

    def serve_at(self) -> tuple[str, int]:
        """Create a Service. Return its cluster IP and port, on which a webhook must listen for the API server."""
        port = free_port()
        spec = {"ports": [{"port": port}]}
        services = f"/api/v1/namespaces/{self.namespace}/services"
        self.plane.create(services, self.service, "Service", spec=spec)
        address: str = self.plane.request("GET", f"{services}/{self.service}")["spec"]["clusterIP"]
        return address, port


def without_ours(configuration: Mapping[str, Any]) -> Any:
    """Return a webhook configuration without the fields that the command can change, or that the API server updates."""
    copied = json.loads(json.dumps(configuration))
    for key in ("resourceVersion", "generation", "managedFields"):
        copied["metadata"].pop(key, None)
    for hook in copied["webhooks"]:
        hook["clientConfig"].pop("caBundle", None)
        hook["clientConfig"].get("service", {}).pop("path", None)
    return copied
