"""The Terraform examples: their policies, and the values that they pass to the chart."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import pytest
import yaml

from swapper_project import config
from tests.deploy.terraform import block, fill, load
from tests.docs.markdown import blocks
from tests.support.databases import ROOT
from tests.support.helm import CHART, render

EXAMPLES = ROOT / "deploy/terraform"
BOTH = pytest.mark.parametrize("loaded", ["eks", "gke"], indirect=True)
BOTH_BY_NAME = pytest.mark.parametrize(
    ("loaded", "name"), [("eks", "eks"), ("gke", "gke")], ids=["eks", "gke"], indirect=["loaded"]
)

SAMPLES = {
    "var.dry_run": "true",
    "var.region": "eu-central-1",
    "var.location": "europe-west3",
    "var.project_id": "gcp-project-123",
    "data.aws_caller_identity.current.account_id": "012345678901",
    "aws_iam_role.k8s_image_swapper.arn": "arn:aws:iam::012345678901:role/test-k8s-image-swapper",
    "google_artifact_registry_repository.mirror.repository_id": "main",
    "google_service_account.k8s_image_swapper.email": "k8s-image-swapper@gcp-project-123.iam.gserviceaccount.com",
}
ACCOUNT_OF_POD = {
    "eks": {"eks.amazonaws.com/role-arn": SAMPLES["aws_iam_role.k8s_image_swapper.arn"]},
    "gke": {"iam.gke.io/gcp-service-account": SAMPLES["google_service_account.k8s_image_swapper.email"]},
}


@cache
def example(name: str) -> dict[str, list[Any]]:
    """Load an example when the first test needs it, because loading takes longer than collecting all tests here."""
    return load(EXAMPLES / name)


@pytest.fixture
def loaded(request: pytest.FixtureRequest) -> dict[str, list[Any]]:
    return example(request.param)


def release(loaded: dict[str, list[Any]]) -> dict[str, Any]:
    return block(loaded, "resource", "helm_release", "k8s_image_swapper")


def values(loaded: dict[str, list[Any]]) -> dict[str, Any]:
    """Return the values that Helm receives, with samples for those that Terraform computes."""
    (text,) = release(loaded)["values"]
    filled: dict[str, Any] = yaml.safe_load(fill(text, SAMPLES))
    return filled


@BOTH
def test_the_helm_release_has_the_values_of_the_guide(loaded: dict[str, list[Any]]) -> None:
    assert block(loaded, "variable", "namespace")["default"] == "kube-system"
    assert release(loaded)["keyring"] == ""
    given = values(loaded)
    assert len(given["config"]["source"]["filters"]) == 2
    assert given["secretReader"] == {"enabled": True}
    assert given["serviceAccount"]["create"] is True


@BOTH_BY_NAME
def test_the_service_account_is_annotated_with_its_cloud_identity(loaded: dict[str, list[Any]], name: str) -> None:
    assert values(loaded)["serviceAccount"]["annotations"] == ACCOUNT_OF_POD[name]


@BOTH
def test_the_configuration_loads_in_dry_run_without_warnings(loaded: dict[str, list[Any]]) -> None:
    parsed = config.parse(yaml.safe_dump(values(loaded)["config"]))

    assert parsed.dry_run and len(parsed.source.filters) == 2
    assert not parsed.warnings


@BOTH
def test_terraform_and_each_provider_have_version_constraints(loaded: dict[str, list[Any]]) -> None:
    (terraform,) = loaded["terraform"]
    (providers,) = terraform["required_providers"]
    used = {next(iter(provider)) for provider in loaded["provider"]}

    assert terraform["required_version"]
    assert used == set(providers)
    assert all(">=" in p["version"] and "<" in p["version"].replace("<=", "") for p in providers.values())


@BOTH
def test_each_variable_is_used_and_described(loaded: dict[str, list[Any]]) -> None:
    name = "eks" if loaded is example("eks") else "gke"
    text = "".join(path.read_text() for path in (EXAMPLES / name).glob("*.tf"))
    for variable in loaded["variable"]:
        ((key, body),) = variable.items()
        assert re.search(rf"\bvar\.{key}\b", text)
        assert body["description"]


def test_the_iam_role_has_exactly_the_documented_actions() -> None:
    registry = block(example("eks"), "data", "aws_iam_policy_document", "registry")
    given = {action for statement in registry["statement"] for action in statement["actions"]}
    (documented,) = [
        json.loads(found.text) for found in blocks(ROOT / "docs/aws.md") if "ecr:UploadLayerPart" in found.text
    ]
    requested: set[str] = set()
    for statement in documented["Statement"]:
        actions = statement["Action"]
        requested.update([actions] if isinstance(actions, str) else actions)

    assert given == requested


def test_only_the_service_account_can_assume_the_iam_role() -> None:
    trust = block(example("eks"), "data", "aws_iam_policy_document", "trust")
    (statement,) = trust["statement"]
    conditions = {found["variable"].rpartition(":")[2]: found["values"] for found in statement["condition"]}

    assert statement["actions"] == ["sts:AssumeRoleWithWebIdentity"]
    assert conditions == {
        "sub": ["system:serviceaccount:${var.namespace}:${var.name}"],
        "aud": ["sts.amazonaws.com"],
    }


def test_google_accounts_have_the_expected_roles_and_firewall_rule() -> None:
    member = "google_artifact_registry_repository_iam_member"
    roles = {name: block(example("gke"), "resource", member, name)["role"] for name in ("nodes", "writer")}
    identity = block(example("gke"), "resource", "google_service_account_iam_member", "workload_identity")
    firewall = block(example("gke"), "resource", "google_compute_firewall", "webhook")

    assert roles == {"nodes": "roles/artifactregistry.reader", "writer": "roles/artifactregistry.writer"}
    assert identity["role"] == "roles/iam.workloadIdentityUser"
    assert identity["member"].endswith("svc.id.goog[${var.namespace}/${var.name}]")
    assert firewall["allow"] == [{"protocol": "tcp", "ports": ["8443"]}]


@BOTH_BY_NAME
def test_the_values_render_with_the_chart(loaded: dict[str, list[Any]], name: str) -> None:
    manifests = render(values(loaded), namespace="kube-system")

    assert manifests.get("ServiceAccount")["metadata"]["annotations"] == ACCOUNT_OF_POD[name]
    target = config.parse(manifests.config_text).target.name.endpoint
    assert target == {
        "eks": "012345678901.dkr.ecr.eu-central-1.amazonaws.com",
        "gke": "europe-west3-docker.pkg.dev",
    }[name]  # fmt: skip


@BOTH
def test_the_default_chart_version_matches_the_chart(loaded: dict[str, list[Any]]) -> None:
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["version"]

    assert block(loaded, "variable", "chart_version")["default"] == version
