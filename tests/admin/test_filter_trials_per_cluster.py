"""Trying a filter where several clusters share the database: each pod is evaluated with the filters of its cluster."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from mirrors.models import AdmissionSample, Filter
from mirrors.services.configuration.config_rows import sync_config
from swapper_project.config import parse
from tests.support.pages import text_of
from tests.support.samples import sampled

pytestmark = pytest.mark.django_db
TRY, ANSWERS, IMPACT = (f"/admin/mirrors/filter/try/{part}" for part in ("", "answers/", "impact/"))
CONFIG = """
clusterName: {}
source: {{filters: [{{jmespath: "contains(container.image, '{}')"}}]}}
target: {{type: oci, oci: {{endpoint: mirror.example.com}}}}
"""
NGINX = "contains(container.image, 'nginx')"


@pytest.fixture(autouse=True)
def samples() -> dict[str, AdmissionSample]:
    """Two pods in namespace ``shop`` of each of two clusters. Only ``prod-us`` has a filter that excludes redis."""
    found = {}
    for cluster, excluded in (("default", "none-such"), ("prod-us", "redis")):
        sync_config(config=parse(CONFIG.format(cluster, excluded)))
        for image in ("nginx:1", "redis:7"):
            row = found[f"{cluster} {image}"] = sampled("shop", image)
            AdmissionSample.objects.filter(pk=row.pk).update(cluster=cluster)
    return found


def impact(client: Client, **asked: Any) -> dict[str, Any]:
    response = client.post("/api/v1/filters/impact/", {"jmespath": NGINX, **asked}, "application/json")
    assert response.status_code == 200, response.content
    found: dict[str, Any] = response.json()
    return found


def places(changes: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return sorted((change["namespace"], change["image"]) for change in changes)


def test_the_impact_prefixes_namespaces_of_other_clusters(admin_client: Client) -> None:
    found = impact(admin_client)

    assert (found["pods"], places(found["left_out"])) == (4, [("prod-us/shop", "nginx:1"), ("shop", "nginx:1")])
    page = text_of(admin_client.post(IMPACT, {"jmespath": NGINX}).content.decode())
    assert "prod-us/shop/web-x7k2p" in page and " shop/web-x7k2p" in page


@pytest.mark.parametrize("cluster", ["default", "prod-us"])
def test_a_filter_for_one_cluster_is_tried_only_on_its_pods(admin_client: Client, cluster: str) -> None:
    place = "shop" if cluster == "default" else f"{cluster}/shop"

    found = impact(admin_client, cluster=cluster)

    assert (found["pods"], places(found["left_out"])) == (2, [(place, "nginx:1")])
    page = text_of(admin_client.post(IMPACT, {"jmespath": NGINX, "cluster": f"{cluster} "}).content.decode())
    assert "2 images of 2 pods" in page


def test_each_pod_is_evaluated_with_the_filters_of_its_cluster(admin_client: Client) -> None:
    """``prod-us`` already excludes redis."""
    assert places(impact(admin_client, jmespath="`true`")["left_out"]) == [
        ("prod-us/shop", "nginx:1"),
        ("shop", "nginx:1"),
        ("shop", "redis:7"),
    ]


def test_moving_a_saved_filter_shows_the_impact_on_both_clusters(admin_client: Client) -> None:
    row = Filter.objects.create(name="x", jmespath=NGINX, cluster="prod-us")
    assert impact(admin_client, filter=row.pk)["pods"] == 2

    found = impact(admin_client, filter=row.pk, cluster="default")

    assert places(found["left_out"]) == [("shop", "nginx:1")]
    assert places(found["mirrored"]) == [("prod-us/shop", "nginx:1")]


def test_a_sampled_pod_is_tried_with_the_filters_of_its_cluster(
    admin_client: Client, samples: dict[str, AdmissionSample]
) -> None:
    for name, words in (("default redis:7", "no filter is true"), ("prod-us redis:7", "source.filters[0] excludes it")):
        for expression in ("", NGINX):
            page = admin_client.post(ANSWERS, {"jmespath": expression, "admission": samples[name].pk}).content.decode()
            assert words in text_of(page), (name, expression)
    assert "in namespace prod-us/shop" in text_of(page)
    requested = {"jmespath": NGINX, "admission": samples["default nginx:1"].pk, "cluster": "prod-us"}
    assert "this filter excludes it" in text_of(admin_client.post(ANSWERS, requested).content.decode())
    assert "prod-us/shop/web-x7k2p, just now" in text_of(admin_client.get(TRY).content.decode())


def test_trying_a_filter_warns_about_an_unknown_cluster(admin_client: Client) -> None:
    page = admin_client.post(ANSWERS, {"jmespath": NGINX, "cluster": "prod-euu"}).content.decode()

    assert "There is no cluster named prod-euu (known: default, prod-us)" in text_of(page)
