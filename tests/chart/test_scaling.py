"""Replicas: autoscalers, disruption budgets that select pods, and distribution across nodes."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from mirrors.models import ImageMapping, MirrorJob
from tests.jobs.support import target_row
from tests.support.helm import FULLNAME, Manifests, Object, notes, render

ROLES = ("", "web", "worker")


def block(role: str, **values: Any) -> dict[str, Any]:
    """Return values of a role. Those of the webhook are at the top level."""
    return {role: values} if role else values


def named(role: str) -> str:
    return f"{FULLNAME}-{role}" if role else FULLNAME


@pytest.mark.parametrize("role", ROLES)
def test_the_autoscaler_manages_the_replicas_of_its_deployment(role: str) -> None:
    scaling = {"enabled": True, "minReplicas": 2, "maxReplicas": 7, "targetMemoryUtilizationPercentage": 70}
    manifests = render(block(role, autoscaling=scaling))
    found = manifests.get("HorizontalPodAutoscaler", named(role))["spec"]

    assert found["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": named(role)}
    assert (found["minReplicas"], found["maxReplicas"]) == (2, 7)
    percents = {m["resource"]["name"]: m["resource"]["target"]["averageUtilization"] for m in found["metrics"]}
    assert percents == {"cpu": 80, "memory": 70}
    assert "replicas" not in manifests.deployment(role)["spec"]


def budget_selects(manifests: Manifests, role: str) -> bool:
    selector = manifests.get("PodDisruptionBudget", named(role))["spec"]["selector"]["matchLabels"]
    selected = [where for where, pod in manifests.pods() if pod["metadata"]["labels"].items() >= selector.items()]
    return selected == [f"Deployment/{named(role)}"]


@pytest.mark.parametrize("role", ROLES)
def test_a_disruption_budget_is_created_only_for_multiple_replicas(role: str) -> None:
    manifests = render(block(role, replicaCount=2))

    assert budget_selects(manifests, role)
    assert manifests.get("PodDisruptionBudget", named(role))["spec"]["minAvailable"] == 1
    assert not render().all("PodDisruptionBudget")


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("least", "shown"), [("1", 1), (2, 2), ("50%", "50%")])
def test_an_enabled_budget_has_the_configured_minimum_and_selector(role: str, least: object, shown: object) -> None:
    """The second release is not named like the chart. With such a name, the budget of estahn's chart selected no
    pods."""
    manifests = render(block(role, pdb={"enabled": True, "minAvailable": least}))
    other = render(block(role, pdb={"enabled": True}), release="prod")

    assert manifests.get("PodDisruptionBudget", named(role))["spec"]["minAvailable"] == shown
    assert (
        other.all("PodDisruptionBudget")[0]["spec"]["selector"]["matchLabels"]["app.kubernetes.io/instance"] == "prod"
    )


@pytest.mark.parametrize("role", ROLES)
def test_a_disabled_disruption_budget_is_not_rendered(role: str) -> None:
    assert not render(block(role, replicaCount=3, pdb={"enabled": False})).all("PodDisruptionBudget")


def test_notes_warn_about_a_disruption_budget_with_one_replica() -> None:
    assert "keeps nodes from being drained" in notes({"pdb": {"enabled": True}})
    assert "keeps nodes from being drained" not in notes({"pdb": {"enabled": True}, "replicaCount": 2})


@pytest.mark.parametrize("role", (*ROLES, "watcher"))
def test_replicas_prefer_different_nodes(role: str) -> None:
    spec = render().deployment(role)["spec"]
    (term,) = spec["template"]["spec"]["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]

    assert term["podAffinityTerm"]["topologyKey"] == "kubernetes.io/hostname"
    assert term["podAffinityTerm"]["labelSelector"]["matchLabels"] == spec["selector"]["matchLabels"]


@pytest.mark.parametrize("role", (*ROLES, "watcher"))
def test_topology_spread_constraints_get_the_deployment_selector(role: str) -> None:
    zones = {"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway"}
    spec = render(block(role, topologySpreadConstraints=[zones])).deployment(role)["spec"]
    (found,) = spec["template"]["spec"]["topologySpreadConstraints"]

    assert found == {**zones, "labelSelector": {"matchLabels": spec["selector"]["matchLabels"]}}


def trigger(values: dict[str, Any]) -> Object:
    keda = {"worker": {"keda": {"enabled": True, "minReplicas": 0}, "autoscaling": {"enabled": True}}}
    manifests = render({**keda, **values})
    found = manifests.get("ScaledObject", f"{FULLNAME}-worker")["spec"]
    assert found["scaleTargetRef"]["name"] == f"{FULLNAME}-worker"
    assert found["minReplicaCount"] == 1
    assert not manifests.all("HorizontalPodAutoscaler")
    (only,) = found["triggers"]
    return dict(only["metadata"])


def test_keda_scales_workers_by_a_query_of_the_bundled_database() -> None:
    found = trigger({})

    assert found["host"] == f"{FULLNAME}-postgresql.swapper.svc"
    assert found["passwordFromEnv"] == "PGPASSWORD"
    assert found["targetQueryValue"] == "20"


def test_keda_can_query_an_external_database() -> None:
    by_url = trigger({"externalDatabase": {"existingSecret": "app", "existingSecretUrlKey": "uri"}})
    by_parts = trigger({"externalDatabase": {"host": "db", "existingSecret": "s", "sslMode": "require"}})

    assert by_url["connectionFromEnv"] == "SWAPPER_DATABASE_URL"
    assert (by_parts["host"], by_parts["sslmode"]) == ("db", "require")


@pytest.mark.django_db
def test_the_keda_query_counts_only_due_jobs() -> None:
    """The query runs on real rows. It does not count jobs that are not due yet, and finished jobs."""
    now = timezone.now()
    for number, (status, seconds) in enumerate([("pending", -1), ("pending", 3600), ("failed", -1), ("succeeded", -1)]):
        name = f"docker.io/library/a:{number}"
        mapping = ImageMapping.objects.create(target_registry=target_row(), source=name, target=f"mirror/{name}")
        MirrorJob.objects.create(mapping=mapping, status=status, available_at=now + dt.timedelta(seconds=seconds))
    query = trigger({})["query"]
    if connection.vendor == "sqlite":
        query = query.replace("now()", "CURRENT_TIMESTAMP")
    with connection.cursor() as cursor:
        cursor.execute(query)
        assert cursor.fetchone() == (1,)
