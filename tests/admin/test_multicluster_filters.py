"""Filters and registries where several clusters share the database: their clusters, and their numbers by cluster."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from mirrors.models import DecisionCount, Filter, JobStatus, MirrorJob, Registry
from mirrors.services.configuration.config_rows import sync_config
from mirrors.services.images.recording import DecisionKey
from swapper_project.config import parse
from tests.admin.dashboard import LIVE, rows_of
from tests.jobs.support import queue_copy
from tests.support.pages import text_of

pytestmark = pytest.mark.django_db
FILTERS, REGISTRIES = "/admin/mirrors/filter/", "/admin/mirrors/registry/"
CONFIG = """
clusterName: {}
source: {{filters: [{{jmespath: "`false`"}}], registries: [{{type: oci, host: quay.io}}]}}
target: {{type: oci, oci: {{endpoint: mirror.example.com}}}}
"""


def configured(*clusters: str) -> None:
    for cluster in clusters:
        sync_config(config=parse(CONFIG.format(cluster)))


def excluded(cluster: str, images: int, name: str = "source.filters[0]") -> None:
    DecisionCount.objects.create(
        hour=DecisionKey.this_hour(), cluster=cluster, decision="keep", reason="filtered", filter=name, images=images
    )


def failed(cluster: str, jobs: int, host: str = "quay.io") -> None:
    """Create jobs that failed at a source. An empty cluster means that users requested them."""
    for number in range(jobs):
        job = queue_copy(f"{host}/team/of-{cluster or 'user'}:{number}", target="mirror.example.com")
        result = {"status": JobStatus.FAILED, "error_class": "denied", "finished_at": timezone.now()}
        MirrorJob.objects.filter(pk=job.pk).update(cluster=cluster, error_host=host, **result)


def cells(client: Client, url: str, field: str) -> list[str]:
    page = client.get(url).content.decode()
    return [text_of(cell) for cell in re.findall(rf'<t[dh] class="field-{field} .*?>(.*?)</t[dh]>', page, re.S)]


def test_filters_show_their_cluster_and_its_hits(admin_client: Client) -> None:
    configured("default", "prod-us")
    for row in ({"name": "tools"}, {"name": "ours", "cluster": "prod-us"}):
        Filter.objects.create(jmespath="`false`", **row)
    for cluster, images in (("default", 10), ("prod-us", 2)):
        excluded(cluster, images)
        excluded(cluster, images + 1, "tools")

    page = admin_client.get(FILTERS).content.decode()

    rows = zip(*(cells(admin_client, FILTERS, name) for name in ("name", "shown_cluster", "shown_hits")), strict=True)
    assert sorted(rows) == [
        ("ours", "prod-us", "0"),
        ("source.filters[0]", "default", "10"),
        ("source.filters[0]", "prod-us", "2"),
        ("tools", "All clusters", "14"),
    ]
    assert "Each cluster evaluates its own filters" in text_of(page)
    for link, images in re.findall(r'href="(/admin/mirrors/decisioncount/[^"]+)">([1-9]\d*)</a>', page):
        assert admin_client.get(unescape(link)).context["cl"].total == int(images), link


def test_registries_show_their_clusters(admin_client: Client) -> None:
    configured("default", "prod-us")
    Registry.objects.create(name="ghcr", endpoint="ghcr.io")

    rows = zip(*(cells(admin_client, REGISTRIES, name) for name in ("endpoint", "shown_cluster")), strict=True)

    assert sorted(rows) == [
        ("ghcr.io", "All clusters"),
        ("mirror.example.com", "default, prod-us"),
        ("quay.io", "default"),
        ("quay.io", "prod-us"),
    ]


@pytest.mark.parametrize("url", [FILTERS, REGISTRIES])
def test_the_cluster_column_is_hidden_with_only_one_cluster(admin_client: Client, url: str) -> None:
    configured("default")

    assert cells(admin_client, url, "shown_cluster") == [] != admin_client.get(url).context["cl"].result_list


def dashboard_rows(client: Client) -> dict[tuple[str, str], Any]:
    """Return failed jobs, and the link to their list, by the name and the clusters of a registry."""
    table = client.get(LIVE).content.decode().partition('aria-label="Registries"')[2].partition("</table>")[0]
    rows = [re.findall(r"<td>(.*?)</td>", row, re.S) for row in table.split("<tr>")[2:]]
    links = {row[-2]: re.findall(r'href="([^"]+)"', row[-2]) for row in rows}
    return {
        (text_of(row[0]), row[1]): (int(text_of(row[-2])), unescape(links[row[-2]][0]) if links[row[-2]] else "")
        for row in rows
    }


def test_the_dashboard_counts_failed_jobs_by_cluster(admin_client: Client) -> None:
    configured("default", "prod-us")
    for cluster, jobs in (("default", 4), ("prod-us", 3), ("", 2)):
        failed(cluster, jobs)

    found = dashboard_rows(admin_client)

    assert {name: jobs for name, (jobs, _) in found.items()} == {
        ("mirror.example.com", "default, prod-us"): 0,
        ("quay.io", "default"): 4,
        ("quay.io", "prod-us"): 3,
        ("Other hosts, and jobs of no cluster above", "–"): 2,
    }
    for name in ("default", "prod-us"):
        jobs, link = found["quay.io", name]
        assert rows_of(admin_client, link) == jobs


def test_a_registry_of_all_clusters_counts_jobs_of_no_other_registry(admin_client: Client) -> None:
    configured("default", "prod-us")
    Registry.objects.filter(endpoint="quay.io", cluster="default").update(cluster="", managed_by="operator")
    for cluster, jobs in (("default", 4), ("prod-us", 3), ("", 2)):
        failed(cluster, jobs)

    found = dashboard_rows(admin_client)

    assert (found["quay.io", "All clusters"][0], found["quay.io", "prod-us"][0]) == (6, 3)
    assert len(found) == 3


def test_the_dashboard_has_no_cluster_column_with_only_one_cluster(admin_client: Client) -> None:
    configured("default")
    failed("default", 2)

    assert 'scope="col">Cluster<' not in admin_client.get(LIVE).content.decode()


UNKNOWN = "There is no cluster named prod-euu (known: default, prod-us)"


@pytest.mark.parametrize(
    ("resource", "fields"),
    [
        ("filters", {"name": "x", "jmespath": "`false`", "cluster": "prod-euu"}),
        ("registries", {"name": "x", "endpoint": "ghcr.io", "cluster": "prod-euu"}),
        ("registries", {"name": "x", "endpoint": "ghcr.io", "namespaces": ["shop", "prod-us/shop", "prod-euu/shop"]}),
    ],
)
def test_the_api_warns_about_an_unknown_cluster(
    admin_client: Client, resource: str, fields: dict[str, Any], django_assert_max_num_queries: Any
) -> None:
    configured("default", "prod-us")
    url = f"/api/v1/{resource}/"

    made = admin_client.post(url, fields, "application/json")

    assert made.status_code == 201 and UNKNOWN in made.json()["warning"]
    known = {"namespaces": ["prod-us/shop"]} if "namespaces" in fields else {}
    changed = admin_client.patch(f"{url}{made.json()['id']}/", {"cluster": "prod-us", **known}, "application/json")
    assert changed.status_code == 200 and changed.json()["warning"] == ""
    for number in range(20):
        other = {"endpoint": f"{number}.example.com"} if resource == "registries" else {}
        admin_client.post(url, {**fields, "name": f"x{number}", **other}, "application/json")
    with django_assert_max_num_queries(10):
        rows = admin_client.get(url, {"managed_by": "operator"}).json()["results"]
    assert sum(UNKNOWN in row["warning"] for row in rows) == 20


def test_filters_of_the_configuration_file_have_no_cluster_warning(admin_client: Client) -> None:
    configured("default", "prod-us")

    rows = admin_client.get("/api/v1/filters/").json()["results"]

    assert [row["warning"] for row in rows] == ["", ""]


@pytest.mark.parametrize(
    ("url", "fields"),
    [(FILTERS, {"jmespath": "`false`", "position": 0}), (REGISTRIES, {"endpoint": "ghcr.io"})],
)
def test_pages_warn_about_an_unknown_cluster(admin_client: Client, url: str, fields: dict[str, Any]) -> None:
    configured("default", "prod-us")

    saved = admin_client.post(
        f"{url}add/", {"name": "x", "cluster": "prod-euu", "enabled": "on", **fields}, follow=True
    )

    listed = saved.context["cl"]
    assert UNKNOWN in text_of(saved.content.decode()).partition("prod-euu (unknown)")[0], "a message"
    assert "prod-euu (unknown)" in cells(admin_client, url, "shown_cluster")
    (row,) = [row for row in listed.result_list if row.cluster == "prod-euu"]
    assert UNKNOWN in text_of(admin_client.get(f"{url}{row.pk}/change/").content.decode())
    configured("prod-euu")
    assert "prod-euu" in cells(admin_client, url, "shown_cluster")
    assert "There is no cluster named" not in admin_client.get(f"{url}{row.pk}/change/").content.decode()


def test_an_unknown_cluster_is_shown_with_only_one_known_cluster(admin_client: Client) -> None:
    configured("default")
    Filter.objects.create(name="x", jmespath="`false`", cluster="prod-euu")

    assert sorted(cells(admin_client, FILTERS, "shown_cluster")) == ["default", "prod-euu (unknown)"]
