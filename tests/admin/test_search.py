"""The search in the menu finds images, jobs, namespaces and workloads, or reports that it found nothing."""

# ruff: noqa: F401, F811 (fixtures)
from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client

from mirrors.accounts.roles import Role
from mirrors.models import ImageUse, MirrorAttempt, MirrorJob, RunningImage, RunningState
from mirrors.services import request_image
from mirrors.vocabulary.clusters import DEFAULT_CLUSTER
from tests.api.conftest import job, target, user_of
from tests.support.samples import sampled

pytestmark = pytest.mark.django_db


@pytest.fixture
def viewer(client: Client) -> Client:
    client.force_login(user_of(Role.VIEWER))
    return client


def results(client: Client, text: str) -> dict[str, str]:
    """Return the links of the results by their text."""
    page = client.get(f"/admin/search/?q={quote(text)}").content.decode()
    links = re.findall(r'<a href="([^"]+)">(.*?)</a>', page)
    return {" ".join(re.sub("<[^>]+>", "", words).split()): link.replace("&amp;", "&") for link, words in links}


def use(job: MirrorJob, namespace: str, workload: str) -> None:
    ImageUse.objects.create(mapping=job.mapping, namespace=namespace, workload_kind="Deployment", workload=workload)


def test_each_kind_of_result_links_to_its_rows(viewer: Client, job: MirrorJob) -> None:
    other, _ = request_image(image="redis:7", requested_by="somebody")
    use(job, "shop", "checkout")
    use(other, "shop", "checkout")
    use(other, "billing", "ledger")
    image = f"/admin/mirrors/imagemapping/{job.mapping_id}/change/"
    assert results(viewer, "NGINX 1.27") == {
        "docker.io/library/nginx:1.27": image,
        f"Job {job.pk}: docker.io/library/nginx:1.27 Queued": f"/admin/mirrors/mirrorjob/{job.pk}/change/",
    }
    assert results(viewer, str(job.pk))[f"Job {job.pk}: docker.io/library/nginx:1.27 Queued"].endswith(
        f"/mirrorjob/{job.pk}/change/"
    )
    by_namespace = results(viewer, "bill")
    assert by_namespace["billing"] == "/admin/mirrors/imagemapping/?namespace=billing"
    assert set(by_namespace) == {"billing", "Deployment ledger in billing"}
    found = results(viewer, "checkout")
    assert list(found) == ["Deployment checkout in shop"], "once, although it has two images"
    for link in [*by_namespace.values(), *found.values(), image]:
        page = viewer.get(link)
        assert page.status_code == 200 and "No results" not in page.content.decode(), link


def running(namespace: str, workload: str, state: str = RunningState.RUNNING) -> None:
    source = f"ghcr.io/acme/{workload}:1"
    key = RunningImage.key_of(namespace, "Deployment", workload, source, "")
    RunningImage.objects.create(
        cluster=DEFAULT_CLUSTER,
        key=key,
        namespace=namespace,
        workload_kind="Deployment",
        workload=workload,
        source=source,
        image=source,
        state=state,
    )


def test_a_running_workload_is_found_before_its_first_admission(viewer: Client, job: MirrorJob) -> None:
    use(job, "shop", "checkout")
    running("shop", "checkout")
    running("shop", "checkout-worker")
    running("shop", "checkout-old", RunningState.ENDED)
    ImageUse.objects.create(mapping=job.mapping, namespace="shop", workload_kind="Job", workload="checkout")
    found = results(viewer, "checkout")
    assert list(found) == [
        "Job checkout in shop",
        "Deployment checkout in shop",
        "Deployment checkout-worker in shop",
    ]
    assert "/imageuse/" in found["Deployment checkout in shop"], "its admitted pods say more"
    page = viewer.get(found["Deployment checkout-worker in shop"]).content.decode()
    assert "ghcr.io/acme/checkout-worker:1" in page.replace("<wbr>", "")
    assert list(results(viewer, "shop/checkout-w")) == ["Deployment checkout-worker in shop"]


def test_menu_pages_that_the_user_can_view_are_found_by_name(viewer: Client) -> None:
    assert results(viewer, "rate lim") == {"Rate limits": "/admin/mirrors/hostbudget/"}
    assert results(viewer, "change history") == {}, "viewers do not have it"


@pytest.mark.parametrize("text", ["no-such-thing", "9" * 30, "<script>", "%", "'"])
def test_a_search_without_results_lists_what_can_be_searched(viewer: Client, text: str) -> None:
    page = viewer.get(f"/admin/search/?q={quote(text)}").content.decode()
    assert "No results for" in page and "number of a job" in page and "<script>" not in page


def test_an_empty_search_has_no_panel(viewer: Client) -> None:
    assert viewer.get("/admin/search/?q=%20").content == b""


def test_the_number_of_queries_does_not_grow_with_the_rows(
    viewer: Client,
    job: MirrorJob,
    django_assert_max_num_queries: Any,
) -> None:
    for number in range(30):
        use(job, f"team-{number}", f"nginx-{number}")
    with django_assert_max_num_queries(11):
        assert len(results(viewer, "nginx")) == 1 + 1 + 5
    with django_assert_max_num_queries(11):
        assert len([name for name in results(viewer, "team") if name.startswith("team-")]) == 5


def test_admissions_are_searched_by_image_in_the_list_and_the_api(viewer: Client) -> None:
    sampled("shop", "ghcr.io/acme/shop:1")
    sampled("billing", "ghcr.io/acme/ledger:2")
    page = viewer.get("/admin/mirrors/admissionsample/?q=ACME/ledger").content.decode()
    assert "ledger:2" in page and "shop:1" not in page
    rows = viewer.get("/api/v1/admissions/?search=acme/ledger").json()["results"]
    assert [row["namespace"] for row in rows] == ["billing"]
    assert [row["namespace"] for row in viewer.get("/api/v1/admissions/?search=shop").json()["results"]] == ["shop"]


@pytest.mark.parametrize("text", ["{}", "#{}", "Job {}"])
def test_a_job_is_found_by_its_number_in_each_job_search(viewer: Client, job: MirrorJob, text: str) -> None:
    found, _ = request_image(image="redis:latest", requested_by="somebody")
    other, _ = request_image(image="busybox:latest", requested_by="somebody")
    number = text.format(found.pk)
    title = f"Job {found.pk}: docker.io/library/redis:latest Queued"
    assert results(viewer, number)[title] == f"/admin/mirrors/mirrorjob/{found.pk}/change/"
    attempt, another = (MirrorAttempt.objects.create(job=one, number=1, worker="w-0") for one in (found, other))
    for path, row, missing in (("mirrorjob", found, other), ("mirrorattempt", attempt, another)):
        page = viewer.get(f"/admin/mirrors/{path}/?q={quote(number)}").content.decode()
        keys = set(re.findall(rf"/admin/mirrors/{path}/(\d+)/change/", page))
        assert str(row.pk) in keys and str(missing.pk) not in keys, path
    rows = {row["id"] for row in viewer.get(f"/api/v1/jobs/?search={quote(number)}").json()["results"]}
    assert found.pk in rows and other.pk not in rows


def test_workloads_and_pods_are_found_by_namespace_slash_name(viewer: Client, job: MirrorJob) -> None:
    use(job, "shop", "checkout")
    use(job, "billing", "checkout")
    assert list(results(viewer, "shop/checkout")) == ["Deployment checkout in shop"]
    page = viewer.get("/admin/mirrors/imageuse/?q=shop/checkout").content.decode()
    assert "1 workload" in page and "billing" not in page
    sampled("shop", "ghcr.io/acme/shop:1")
    sampled("billing", "ghcr.io/acme/ledger:2")
    rows = viewer.get("/api/v1/admissions/").json()["results"]
    pod = next(f"{row['namespace']}/{row['pod_name']}" for row in rows if row["namespace"] == "billing")
    found = viewer.get(f"/api/v1/admissions/?search={quote(pod)}").json()["results"]
    assert [row["namespace"] for row in found] == ["billing"]
