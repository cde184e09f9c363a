"""Pages and API where several clusters share the database: whose namespace is meant, and the rows of one cluster."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from mirrors.models import AdmissionSample, DecisionCount, Filter, ImageUse, Instance, MirrorJob, Registry
from mirrors.selectors.current_state import processes_by_cluster
from mirrors.services.config_rows import sync_config
from mirrors.services.recording import DecisionKey
from swapper_project.config import parse
from tests.jobs.support import order
from tests.support.samples import sampled

pytestmark = pytest.mark.django_db
TARGET = "target: {type: oci, oci: {endpoint: mirror.example.com}}"


@pytest.fixture
def two_clusters() -> None:
    """Rows of namespace ``shop`` in the cluster ``default``, which is that of the web process, and in ``b``."""
    for cluster in ("default", "b"):
        sync_config(config=parse(f"clusterName: {cluster}\n{TARGET}"))
        job = order(f"quay.io/team/{cluster}:1", target="mirror.example.com", cluster=cluster, namespace="shop")
        ImageUse.objects.create(mapping=job.mapping, cluster=cluster, namespace="shop", workload=f"web-of-{cluster}")
        job.mapping.accesses.create(cluster=cluster, namespace="shop", granted=True)
        sample = sampled("shop", f"quay.io/team/{cluster}:1")
        AdmissionSample.objects.filter(pk=sample.pk).update(cluster=cluster)
        DecisionCount.objects.create(hour=DecisionKey.this_hour(), cluster=cluster, namespace="shop", images=1)
        Instance.objects.create(role="worker", cluster=cluster, name=f"worker-{cluster}")


PAGES = ["imageuse", "mappingaccess", "mirrorrequest", "admissionsample", "decisioncount"]


@pytest.mark.usefixtures("two_clusters")
@pytest.mark.parametrize("page", PAGES)
def test_lists_name_the_cluster_of_another_namespace(admin_client: Client, page: str) -> None:
    shown = admin_client.get(f"/admin/mirrors/{page}/").content.decode()

    assert "b/shop" in shown and "default/shop" not in shown


@pytest.mark.usefixtures("two_clusters")
@pytest.mark.parametrize("page", [*PAGES[:2], *PAGES[3:], "mirrorjob", "instance"])
def test_lists_can_be_limited_to_a_cluster(admin_client: Client, page: str) -> None:
    everything = admin_client.get(f"/admin/mirrors/{page}/").context["cl"]
    assert everything.counted.rows == 2
    assert "cluster" in [spec.title for spec in everything.filter_specs]

    assert admin_client.get(f"/admin/mirrors/{page}/?cluster=b").context["cl"].counted.rows == 1


def test_one_cluster_needs_no_filter(admin_client: Client) -> None:
    sync_config(config=parse(TARGET))

    listed = admin_client.get("/admin/mirrors/imageuse/").context["cl"]

    assert "cluster" not in [spec.title for spec in listed.filter_specs]


@pytest.mark.usefixtures("two_clusters")
def test_details_and_search_name_the_cluster(admin_client: Client) -> None:
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


@pytest.mark.usefixtures("two_clusters")
@pytest.mark.parametrize("resource", ["uses", "jobs", "admissions", "instances"])
def test_the_api_has_the_cluster_as_field_and_filter(admin_client: Client, resource: str) -> None:
    rows = admin_client.get(f"/api/v1/{resource}/").json()["results"]
    assert sorted(row["cluster"] for row in rows) == ["b", "default"]

    rows = admin_client.get(f"/api/v1/{resource}/", {"cluster": "b"}).json()["results"]
    assert [row["cluster"] for row in rows] == ["b"]


@pytest.mark.usefixtures("two_clusters")
def test_the_metric_of_processes_names_their_cluster() -> None:
    Instance.objects.create(role="worker", cluster="b", name="stopped", seen_at=timezone.now() - timedelta(hours=1))

    assert processes_by_cluster() == {("worker", "default"): 1, ("worker", "b"): 1}


def test_operators_make_rows_for_one_cluster(admin_client: Client) -> None:
    sync_config(config=parse(f"clusterName: b\nsource: {{registries: [{{type: oci, host: quay.io}}]}}\n{TARGET}"))

    made = admin_client.post(
        "/api/v1/filters/", {"name": "x", "jmespath": "`true`", "cluster": "b"}, "application/json"
    )
    assert made.status_code == 201 and Filter.objects.get(name="x").cluster == "b"
    body = {"name": "ghcr", "endpoint": "ghcr.io", "cluster": "b", "namespaces": ["shop", "c/shop"]}
    made = admin_client.post("/api/v1/registries/", body, "application/json")
    assert made.status_code == 201 and Registry.objects.get(endpoint="ghcr.io").cluster == "b"


@pytest.mark.parametrize("cluster", ["", "b"])
def test_what_a_file_has_is_edited_there(admin_client: Client, cluster: str) -> None:
    sync_config(config=parse(f"clusterName: b\nsource: {{registries: [{{type: oci, host: quay.io}}]}}\n{TARGET}"))

    body = {"name": "quay", "endpoint": "quay.io", "cluster": cluster}
    refused = admin_client.post("/api/v1/registries/", body, "application/json")

    assert refused.status_code == 400
    assert "There is a registry of this host already" in refused.content.decode()
