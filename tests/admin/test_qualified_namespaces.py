"""A namespace in the form that pages print, ``CLUSTER/NAMESPACE``, works in every search and filter for namespaces."""

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
    DecisionCount,
    ImageUse,
    MirrorJob,
    RestartLoop,
    RunningImage,
    RunningState,
)
from mirrors.services.configuration.config_rows import sync_config
from mirrors.services.images.recording import DecisionKey
from swapper_project.config import parse
from tests.jobs.support import queue_copy
from tests.support.pages import text_of
from tests.support.samples import sampled

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rows")]
CLUSTERS = ("default", "prod-us")


@pytest.fixture
def rows() -> None:
    """In each of two clusters, a row of each kind in namespace ``shop``. In ``default``, also an image whose name
    contains ``prod-us/shop``."""
    for cluster in CLUSTERS:
        sync_config(
            config=parse(f"clusterName: {cluster}\ntarget: {{type: oci, oci: {{endpoint: mirror.example.com}}}}")
        )
    for cluster, image in (
        *((name, f"quay.io/team/{name}:1") for name in CLUSTERS),
        ("default", "ghcr.io/prod-us/shop:1"),
    ):
        namespace = "billing" if "ghcr.io" in image else "shop"
        of: dict[str, Any] = {"cluster": cluster, "namespace": namespace}
        job = queue_copy(image, target="mirror.example.com", **of)
        ImageUse.objects.create(mapping=job.mapping, workload=f"web-{namespace}", **of)
        job.mapping.accesses.create(granted=True, **of)
        AdmissionSample.objects.filter(pk=sampled(namespace, image).pk).update(cluster=cluster)
        DecisionCount.objects.create(hour=DecisionKey.this_hour(), images=1, **of)
        watched = {"key": namespace, "source": image, "image": image, "workload": f"web-{namespace}", **of}
        RunningImage.objects.create(state=RunningState.RUNNING, **watched)
        RestartLoop.objects.create(count=5, expires_at=timezone.now() + timedelta(hours=1), **watched)


def listed(client: Client, page: str, **query: str) -> list[Any]:
    return list(client.get(f"/admin/mirrors/{page}/", query).context["cl"].result_list)


WITH_CLUSTER = [
    "imageuse",
    "mirrorjob",
    "admissionsample",
    "mappingaccess",
    "decisioncount",
    "runningimage",
    "restartloop",
]


@pytest.mark.parametrize("page", WITH_CLUSTER)
def test_lists_can_be_filtered_by_cluster_and_namespace(admin_client: Client, page: str) -> None:
    assert {row.cluster for row in listed(admin_client, page, namespace="shop")} == set(CLUSTERS)
    for place, cluster in (("prod-us/shop", "prod-us"), ("default/shop", "default"), (" Prod-US/shop", "prod-us")):
        found = listed(admin_client, page, namespace=place)
        assert [(row.cluster, row.namespace) for row in found] == [(cluster, "shop")], place
    for place in ("none-such/shop", "prod-us/billing", "prod-us/", "/shop", "prod-us/shop/x"):
        assert listed(admin_client, page, namespace=place) == [], place


def test_mappings_can_be_filtered_by_cluster_and_namespace(admin_client: Client) -> None:
    found = listed(admin_client, "imagemapping", namespace="prod-us/shop")
    assert [row.source for row in found] == ["quay.io/team/prod-us:1"]
    assert len(listed(admin_client, "imagemapping", namespace="shop")) == 2
    assert listed(admin_client, "imagemapping", namespace="none-such/shop") == []


@pytest.mark.parametrize("page", [page for page in WITH_CLUSTER if page != "mirrorjob"])
def test_lists_can_be_searched_by_qualified_namespace_and_by_image(admin_client: Client, page: str) -> None:
    found = listed(admin_client, page, q="prod-us/sho")

    assert ("prod-us", "shop") in {(row.cluster, row.namespace) for row in found}
    assert ("default", "shop") not in {(row.cluster, row.namespace) for row in found}
    has_images = page != "decisioncount"
    assert len(found) == 1 + has_images, "that of the namespace, and of the image with this name"
    assert listed(admin_client, page, q="none-such/shop") == []


@pytest.mark.parametrize("resource", ["uses", "jobs", "admissions", "running-images", "restart-loops"])
def test_the_api_can_be_filtered_by_cluster_and_namespace(admin_client: Client, resource: str) -> None:
    def found(namespace: str) -> list[str]:
        rows = admin_client.get(f"/api/v1/{resource}/", {"namespace": namespace}).json()["results"]
        return sorted(row["cluster"] for row in rows)

    assert (found("shop"), found("prod-us/shop"), found("none-such/shop")) == ([*CLUSTERS], ["prod-us"], [])


def test_the_api_searches_admissions_by_qualified_namespace_and_by_image(admin_client: Client) -> None:
    rows = admin_client.get("/api/v1/admissions/", {"search": "prod-us/shop"}).json()["results"]

    assert sorted((row["cluster"], row["namespace"]) for row in rows) == [("default", "billing"), ("prod-us", "shop")]


def results(client: Client, text: str) -> dict[str, str]:
    """Return the links of the search in the menu by their text."""
    page = client.get("/admin/search/", {"q": text}).content.decode()
    return {text_of(words): unescape(link) for link, words in re.findall(r'<a href="([^"]+)">(.*?)</a>', page, re.S)}


def test_the_menu_search_finds_a_namespace_and_an_image_of_that_name(admin_client: Client) -> None:
    job = MirrorJob.objects.get(mapping__source="ghcr.io/prod-us/shop:1")

    found = results(admin_client, "prod-us/shop")

    assert list(found) == [
        "ghcr.io/prod-us/shop:1",
        f"Job {job.pk}: ghcr.io/prod-us/shop:1 Queued",
        "prod-us/shop",
        "web-shop in prod-us/shop",
    ]
    mappings = admin_client.get(found["prod-us/shop"]).context["cl"].result_list
    assert [row.source for row in mappings] == ["quay.io/team/prod-us:1"]
    uses = admin_client.get(found["web-shop in prod-us/shop"]).context["cl"].result_list
    assert [row.cluster for row in uses] == ["prod-us"]
    assert "prod-us/billing" not in results(admin_client, "prod-us/bill")


def test_a_namespace_search_runs_a_bounded_number_of_queries(
    admin_client: Client, django_assert_max_num_queries: Any
) -> None:
    mapping = MirrorJob.objects.get(cluster="prod-us").mapping
    for number in range(30):
        ImageUse.objects.create(mapping=mapping, cluster="prod-us", namespace=f"team-{number}", workload="x")
    with django_assert_max_num_queries(14):
        assert len([name for name in results(admin_client, "prod-us/team") if name.startswith("prod-us/")]) == 5
