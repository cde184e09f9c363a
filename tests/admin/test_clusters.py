"""Pages and API where several clusters share the database: the cluster of a namespace, and the rows of one cluster."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from mirrors.models import (
    AdmissionSample,
    BackfillImage,
    BackfillRun,
    Cluster,
    ClusterNode,
    DecisionCount,
    Filter,
    ImageUse,
    Instance,
    MirrorJob,
    PullFailure,
    ReadinessSample,
    Registry,
    RestartLoop,
    RunningImage,
    RunningState,
    TargetHealth,
)
from mirrors.selectors.overview.current_state import processes_by_cluster
from mirrors.services.configuration.config_rows import sync_config
from mirrors.services.images.recording import DecisionKey
from swapper_project.config import parse
from tests.jobs.support import queue_copy
from tests.support.pages import text_of
from tests.support.samples import sampled

pytestmark = pytest.mark.django_db
TARGET = "target: {type: oci, oci: {endpoint: mirror.example.com}}"


@pytest.fixture
def two_clusters() -> None:
    """Rows of namespace ``shop`` in the cluster of the web process, ``default``, and in ``b``."""
    for cluster in ("default", "b"):
        sync_config(config=parse(f"clusterName: {cluster}\n{TARGET}"))
        job = queue_copy(f"quay.io/team/{cluster}:1", target="mirror.example.com", cluster=cluster, namespace="shop")
        ImageUse.objects.create(mapping=job.mapping, cluster=cluster, namespace="shop", workload=f"web-of-{cluster}")
        job.mapping.accesses.create(cluster=cluster, namespace="shop", granted=True)
        sample = sampled("shop", f"quay.io/team/{cluster}:1")
        AdmissionSample.objects.filter(pk=sample.pk).update(cluster=cluster)
        DecisionCount.objects.create(hour=DecisionKey.this_hour(), cluster=cluster, namespace="shop", images=1)
        Instance.objects.create(role="worker", cluster=cluster, name=f"worker-{cluster}")


PAGES = ["imageuse", "mappingaccess", "mirrorrequest", "admissionsample", "decisioncount"]


@pytest.mark.usefixtures("two_clusters")
@pytest.mark.parametrize("page", PAGES)
def test_lists_show_the_cluster_of_namespaces_in_other_clusters(admin_client: Client, page: str) -> None:
    shown = admin_client.get(f"/admin/mirrors/{page}/").content.decode()

    assert "b/shop" in shown and "default/shop" not in shown


@pytest.mark.usefixtures("two_clusters")
@pytest.mark.parametrize("page", [*PAGES[:2], *PAGES[3:], "mirrorjob", "instance"])
def test_lists_can_be_filtered_by_cluster(admin_client: Client, page: str) -> None:
    everything = admin_client.get(f"/admin/mirrors/{page}/").context["cl"]
    assert everything.counted.rows == 2
    assert "cluster" in [spec.title for spec in everything.filter_specs]

    assert admin_client.get(f"/admin/mirrors/{page}/?cluster=b").context["cl"].counted.rows == 1


@pytest.mark.usefixtures("two_clusters")
def test_mappings_can_be_filtered_by_the_cluster_of_their_workloads(admin_client: Client) -> None:
    def listed(**query: str) -> set[str]:
        rows = admin_client.get("/admin/mirrors/imagemapping/", query).context["cl"].result_list
        return {row.source for row in rows}

    shared = MirrorJob.objects.get(cluster="default").mapping
    ImageUse.objects.create(mapping=shared, cluster="b", namespace="billing")
    everything = admin_client.get("/admin/mirrors/imagemapping/").context["cl"]
    assert "cluster" in [spec.title for spec in everything.filter_specs]
    ours, theirs = "quay.io/team/default:1", "quay.io/team/b:1"
    assert listed() == listed(namespace="shop") == {ours, theirs}

    assert (listed(cluster="default"), listed(cluster="b")) == ({ours}, {ours, theirs})
    assert listed(cluster="b", namespace="shop") == {theirs}, "of one workload, not of two"
    assert listed(cluster="b", namespace="default/shop") == set()
    page = admin_client.get("/admin/mirrors/imagemapping/", {"cluster": "none-such"})
    assert "Cluster has no value “none-such”. Choose one of: b, default." in text_of(page.content.decode())
    assert not page.context["cl"].result_list


def test_a_list_has_no_cluster_filter_with_only_one_cluster(admin_client: Client) -> None:
    sync_config(config=parse(TARGET))

    listed = admin_client.get("/admin/mirrors/imageuse/").context["cl"]

    assert "cluster" not in [spec.title for spec in listed.filter_specs]


@pytest.mark.usefixtures("two_clusters")
def test_details_and_search_show_the_cluster(admin_client: Client) -> None:
    job = MirrorJob.objects.get(cluster="b")
    assert "b/shop" in admin_client.get(f"/admin/mirrors/mirrorjob/{job.pk}/change/").content.decode()
    mapping = admin_client.get(f"/admin/mirrors/imagemapping/{job.mapping_id}/change/").content.decode()
    assert mapping.count("<td>b/shop</td>") == 2, "its workload, and its pull secrets"
    sample = AdmissionSample.objects.get(cluster="b")
    assert (
        "in namespace b/shop"
        in admin_client.get(f"/admin/mirrors/admissionsample/{sample.pk}/change/").content.decode()
    )
    assert "in b/shop" in admin_client.get("/admin/search/", {"q": "web-of-b"}).content.decode()


@pytest.fixture
def watched(two_clusters: None) -> None:
    """Rows as written by the watchers of both clusters: one of each kind in ``default``, and one in ``b``."""
    now = timezone.now()
    for cluster in ("default", "b"):
        of = {"cluster": cluster, "namespace": "shop", "workload": "web", "source": "quay.io/team/a:1"}
        RunningImage.objects.create(key="a", image="quay.io/team/a:1", state=RunningState.RUNNING, **of)
        RestartLoop.objects.create(key="a", image="m/a:1", count=5, expires_at=now + timedelta(hours=1), **of)
        PullFailure.objects.create(
            cluster=cluster, key="a", image="a:1", at="source", cause="denied", namespaces=["shop"]
        )
        TargetHealth.objects.create(cluster=cluster, registry="mirror.example.com", state="unhealthy", cause="denied")
        Cluster.objects.create(name=cluster, listed_at=now)
        ClusterNode.objects.create(cluster=cluster, name=f"node-of-{cluster}")
        run = BackfillRun.objects.create(cluster=cluster, state="running")
        BackfillImage.objects.create(run=run, source=f"quay.io/team/{cluster}:1", rank=1)
        ReadinessSample.objects.create(cluster=cluster, hour=now, workloads=4, unprotected=1 if cluster == "b" else 2)


WATCHED = ("runningimage", "restartloop", "pullfailure", "targethealth", "cluster", "clusternode", "backfillrun")


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize("page", [*WATCHED, "backfillimage"])
def test_watcher_lists_can_be_filtered_by_cluster(admin_client: Client, page: str) -> None:
    everything = admin_client.get(f"/admin/mirrors/{page}/").context["cl"]
    assert everything.counted.rows == 2
    assert "cluster" in [spec.title for spec in everything.filter_specs]

    assert admin_client.get(f"/admin/mirrors/{page}/?cluster=b").context["cl"].counted.rows == 1


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize("page", ["runningimage", "restartloop", "pullfailure"])
def test_watcher_lists_show_the_cluster_of_namespaces_in_other_clusters(admin_client: Client, page: str) -> None:
    shown = admin_client.get(f"/admin/mirrors/{page}/").content.decode()

    assert "b/shop" in shown and "default/shop" not in shown


def test_the_cluster_page_shows_an_unknown_webhook_scope_with_its_cause(admin_client: Client) -> None:
    row = Cluster.objects.create(name="east", scope_problem="Forbidden: allow it to list webhook configurations.")
    shown = text_of(admin_client.get(f"/admin/mirrors/cluster/{row.pk}/change/").content.decode())
    assert "Webhook scope Forbidden: allow it" in shown and "All objects listed –" in shown


@pytest.mark.usefixtures("two_clusters")
@pytest.mark.parametrize("resource", ["uses", "jobs", "admissions", "instances"])
def test_the_api_provides_cluster_as_a_field_and_a_filter(admin_client: Client, resource: str) -> None:
    rows = admin_client.get(f"/api/v1/{resource}/").json()["results"]
    assert sorted(row["cluster"] for row in rows) == ["b", "default"]

    rows = admin_client.get(f"/api/v1/{resource}/", {"cluster": "b"}).json()["results"]
    assert [row["cluster"] for row in rows] == ["b"]


@pytest.mark.usefixtures("two_clusters")
def test_running_processes_are_counted_by_role_and_cluster() -> None:
    Instance.objects.create(role="worker", cluster="b", name="stopped", seen_at=timezone.now() - timedelta(hours=1))

    assert processes_by_cluster() == {("worker", "default"): 1, ("worker", "b"): 1}


def _decided(cluster: str, **images: int) -> None:
    for reason, count in images.items():
        decision = "swap" if reason == "present" else "keep"
        DecisionCount.objects.create(
            hour=DecisionKey.this_hour(), cluster=cluster, decision=decision, reason=reason, images=count
        )


def _of_dashboard(client: Client, **query: str) -> tuple[Any, dict[str, Any]]:
    shown = client.get("/admin/dashboard/", query).context
    return shown, {entry.title: entry for entry in shown["attention"]}


@pytest.mark.usefixtures("watched")
def test_the_dashboard_can_be_filtered_by_cluster(admin_client: Client) -> None:
    DecisionCount.objects.all().delete()
    _decided("default", present=3, absent=1)
    _decided("b", present=1, absent=3, filtered=7)
    PullFailure.objects.create(cluster="b", key="b", image="b:1", at="source", cause="denied")

    shown, attention = _of_dashboard(admin_client)
    assert (shown["coverage"], shown["stats"]["workers"], shown["readiness"]["workloads"]) == (50.0, 2, 8)
    assert (attention["Failing pulls from the source: denied"].count, attention["Restart loops"].count) == (3, 2)
    assert len(shown["backfills"]) == 2

    shown, attention = _of_dashboard(admin_client, cluster="b")
    assert (shown["coverage"], shown["stats"]["images_excluded"], shown["stats"]["workers"]) == (25.0, 7, 1)
    assert (shown["readiness"]["unprotected"], shown["readiness"]["workloads"]) == (1, 4)
    assert [entry["run"].cluster for entry in shown["backfills"]] == ["b"]
    assert [title for title in attention if title.startswith("Target")] == ["Target unhealthy: mirror.example.com"]
    for title, rows in (("Failing pulls from the source: denied", 2), ("Restart loops", 1)):
        assert attention[title].count == rows == admin_client.get(attention[title].link).context["cl"].counted.rows
    summed = admin_client.get(shown["links"]["decisions"]).context["cl"]
    assert summed.total == 4 and admin_client.get(shown["links"]["instances"]).context["cl"].counted.rows == 1


@pytest.mark.usefixtures("watched")
def test_the_dashboard_has_a_cluster_selector_and_labels_shared_data(admin_client: Client) -> None:
    page = admin_client.get("/admin/", {"hours": "168"}).content.decode()
    links = dict(
        re.findall(r'<a href="(\?hours=168[^"]*)"[^>]*>([^<]+)</a>', page.partition('aria-label="Cluster"')[2])
    )
    assert {unescape(link): name for link, name in links.items()} == {
        "?hours=168": "All clusters",
        "?hours=168&cluster=b": "b",
        "?hours=168&cluster=default": "default",
    }
    assert "all clusters</span>" not in page

    page = admin_client.get("/admin/", {"cluster": "b"}).content.decode()
    assert "/admin/dashboard/?hours=24&amp;cluster=b" in page, "the part that refreshes itself is of the same cluster"
    assert "Of the cluster b:" in page and "Queue (all clusters)" in page and "all clusters</span>" in page
    assert admin_client.get("/admin/", {"cluster": "none-such"}).context["cluster"] == ""


def test_the_dashboard_has_no_cluster_selector_with_only_one_cluster(admin_client: Client) -> None:
    sync_config(config=parse(TARGET))

    shown = admin_client.get("/admin/", {"cluster": "default"})

    assert shown.context["cluster"] == "" and 'aria-label="Cluster"' not in shown.content.decode()


@pytest.mark.usefixtures("watched")
def test_api_statistics_can_be_filtered_by_cluster(admin_client: Client) -> None:
    DecisionCount.objects.all().delete()
    _decided("default", present=3, absent=1)
    _decided("b", present=1, absent=3)

    found = {name: admin_client.get("/api/v1/stats/", {"cluster": name}).json() for name in ("", "b")}

    assert {name: (stats["coverage"], stats["workers"]) for name, stats in found.items()} == {
        "": (0.5, 2),
        "b": (0.25, 1),
    }
    assert max(point["coverage"] or 0 for point in found["b"]["series"]) == 0.25


API_WATCHED = ("running-images", "restart-loops", "pull-failures", "target-health", "backfill")


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize("resource", API_WATCHED)
def test_the_api_filters_watcher_data_by_cluster(admin_client: Client, resource: str) -> None:
    rows = admin_client.get(f"/api/v1/{resource}/", {"cluster": "b"}).json()["results"]
    assert [row["cluster"] for row in rows] == ["b"]


@pytest.mark.usefixtures("watched")
def test_the_api_filters_backfill_images_clusters_and_nodes(admin_client: Client) -> None:
    assert _results(admin_client, "backfill-images", cluster="b", field="source") == ["quay.io/team/b:1"]
    assert _results(admin_client, "clusters", name="b", field="name") == ["b"]
    assert _results(admin_client, "nodes", cluster="b", field="name") == ["node-of-b"]


def _results(client: Client, resource: str, *, field: str, **query: str) -> list[object]:
    return [row[field] for row in client.get(f"/api/v1/{resource}/", query).json()["results"]]


def test_the_api_creates_filters_and_registries_for_one_cluster(admin_client: Client) -> None:
    sync_config(config=parse(f"clusterName: b\nsource: {{registries: [{{type: oci, host: quay.io}}]}}\n{TARGET}"))

    made = admin_client.post(
        "/api/v1/filters/", {"name": "x", "jmespath": "`true`", "cluster": "b"}, "application/json"
    )
    assert made.status_code == 201 and Filter.objects.get(name="x").cluster == "b"
    body = {"name": "ghcr", "endpoint": "ghcr.io", "cluster": "b", "namespaces": ["shop", "c/shop"]}
    made = admin_client.post("/api/v1/registries/", body, "application/json")
    assert made.status_code == 201 and Registry.objects.get(endpoint="ghcr.io").cluster == "b"


@pytest.mark.parametrize("cluster", ["", "b"])
def test_the_api_rejects_a_registry_that_the_configuration_file_has(admin_client: Client, cluster: str) -> None:
    sync_config(config=parse(f"clusterName: b\nsource: {{registries: [{{type: oci, host: quay.io}}]}}\n{TARGET}"))

    body = {"name": "quay", "endpoint": "quay.io", "cluster": cluster}
    refused = admin_client.post("/api/v1/registries/", body, "application/json")

    assert refused.status_code == 400
    assert "A registry with this host already exists" in refused.content.decode()
