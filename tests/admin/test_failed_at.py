"""The registry at which a job failed: pages, lists and retries use its host with port, whatever was recorded."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.test import Client
from django.utils import timezone

from mirrors import services
from mirrors.models import ErrorClass, ImageMapping, JobStatus, MirrorJob, Registry, RegistryRole
from mirrors.services import RequestedCopy

pytestmark = pytest.mark.django_db
JOBS = "/admin/mirrors/mirrorjob/"


@pytest.fixture(autouse=True)
def target() -> Registry:
    endpoint = "reg.example.com:5003"
    return Registry.objects.create(name="target", role=RegistryRole.TARGET, endpoint=endpoint, managed_by="config")


def failed(source: str, error_host: str) -> MirrorJob:
    """Create a failed job with a host as a release recorded it."""
    row = Registry.objects.get(role=RegistryRole.TARGET)
    order = RequestedCopy(source=source, target=f"{row.endpoint}/{source.replace(':', '_')}")
    job_id = services.request_copies(target_registry_id=row.pk, requests=[order])[0].job_id
    assert job_id is not None
    result = {"status": JobStatus.FAILED, "error_class": ErrorClass.TLS, "finished_at": timezone.now()}
    MirrorJob.objects.filter(pk=job_id).update(**result, error_host=error_host, error_message="refused")
    return MirrorJob.objects.select_related("mapping").get(pk=job_id)


CASES = [
    # source, recorded host, registry that is meant
    ("reg.example.com:5001/a:1", "reg.example.com:5001", "reg.example.com:5001"),
    ("reg.example.com:5001/b:1", "reg.example.com", "reg.example.com:5001"),
    ("reg.example.com:5002/c:1", "reg.example.com", "reg.example.com:5002"),
    ("reg.example.com/d:1", "reg.example.com", "reg.example.com"),
    ("quay.io/e:1", "reg.example.com", "reg.example.com:5003"),
    ("quay.io/f:1", "reg.example.com:5003", "reg.example.com:5003"),
    ("quay.io/g:1", "quay.io", "quay.io"),
    ("docker.io/library/h:1", "registry-1.docker.io", "docker.io"),
    ("docker.io/library/i:1", "docker.io", "docker.io"),
    ("docker.io/library/j:1", "reg.example.com", "reg.example.com:5003"),
    ("[2001:db8::1]:5000/k:1", "[2001:db8::1]", "[2001:db8::1]:5000"),
    ("[2001:db8::1]:5000/l:1", "[2001:db8::1]:5000", "[2001:db8::1]:5000"),
]
MEANT = sorted({meant for _, _, meant in CASES})


@pytest.fixture
def history() -> dict[str, set[int]]:
    """Jobs by the registry at which they failed."""
    found: dict[str, set[int]] = {}
    for source, recorded, meant in CASES:
        job = failed(source, recorded)
        assert job.failed_registry == meant
        found.setdefault(meant, set()).add(job.pk)
    for host in MEANT:
        Registry.objects.get_or_create(endpoint=host, defaults={"name": host})
    return found


def listed(client: Client, url: str) -> set[int]:
    return {int(number) for number in re.findall(r"mirrorjob/(\d+)/change/", client.get(url).content.decode())}


@pytest.mark.parametrize("host", MEANT)
def test_lists_pages_and_retries_select_the_same_failed_jobs(
    admin_client: Client, history: dict[str, set[int]], host: str
) -> None:
    row = Registry.objects.get(endpoint=host)
    assert listed(admin_client, f"{JOBS}?error_host={host}") == history[host]
    page = admin_client.get(f"/admin/mirrors/registry/{row.pk}/change/").content.decode()
    assert {int(number) for number in re.findall(r"mirrorjob/(\d+)/change/", page)} == history[host]
    (link,) = re.findall(r'<a href="([^"]+)">All failures at this registry', page)
    assert listed(admin_client, unescape(link)) == history[host]
    api = admin_client.get("/api/v1/jobs/", {"error_host": host}).json()["results"]
    assert {job["id"] for job in api} == history[host] and {job["error_host"] for job in api} == {host}

    services.retry_failed(error_class=ErrorClass.TLS, error_host=host, requested_by="olga")
    retried = set(MirrorJob.objects.filter(retry_of__isnull=False).values_list("retry_of", flat=True))
    assert retried == history[host]


@pytest.mark.parametrize("host", MEANT)
def test_a_job_links_to_the_retry_of_all_failures_at_its_registry(
    admin_client: Client, history: dict[str, set[int]], host: str
) -> None:
    for key in history[host]:
        page = admin_client.get(f"{JOBS}{key}/change/").content.decode()
        (link,) = re.findall(r'href="([^"]+retry-failed[^"]+)"', page)
        assert f"{len(history[host])} image" in admin_client.get(unescape(link)).content.decode()


def test_dashboard_failure_counts_equal_their_linked_lists(admin_client: Client, history: dict[str, set[int]]) -> None:
    page = admin_client.get("/admin/dashboard/").content.decode()
    for host in MEANT:
        name = "target" if host == "reg.example.com:5003" else re.escape(host)
        cells = re.findall(rf">{name}</a></td>(.+?)</tr>", page, re.S)[0]
        link, number = re.findall(r'<a href="([^"]+)">(\d+)</a>', cells)[0]
        assert int(number) == len(history[host]), host
        assert listed(admin_client, unescape(link)) == history[host], host


def test_aliases_of_docker_hub_find_its_failed_jobs(admin_client: Client, history: dict[str, set[int]]) -> None:
    for name in ("index.docker.io", "registry-1.docker.io", "DOCKER.IO"):
        assert listed(admin_client, f"{JOBS}?error_host={name}") == history["docker.io"]


def test_a_cancellation_blocks_requests_of_pods_but_not_retries(admin_client: Client) -> None:
    waiting, running = failed("quay.io/a:1", ""), failed("quay.io/b:1", "")
    lease = {"lease_token": "00000000-0000-0000-0000-000000000001", "lease_expires_at": timezone.now()}
    MirrorJob.objects.filter(pk=waiting.pk).update(status=JobStatus.PENDING, finished_at=None)
    MirrorJob.objects.filter(pk=running.pk).update(status=JobStatus.RUNNING, finished_at=None, **lease)
    form = {"action": "cancel", "_selected_action": [waiting.pk, running.pk]}
    assert "10 minutes after the cancellation" in admin_client.post(JOBS, form).content.decode()

    done = admin_client.post(JOBS, {**form, "confirmed": f"{waiting.pk},{running.pk}"}, follow=True)

    assert "1 cancelled. 1 running: cancel requested." in done.content.decode()
    row, source = Registry.objects.get(), "quay.io/a:1"
    pods = RequestedCopy(source=source, target=ImageMapping.objects.get(source=source).target, namespace="shop")
    assert services.request_copies(target_registry_id=row.pk, requests=[pods])[0].problem == "failed-recently"
    assert services.retry_jobs(job_ids=[waiting.pk], requested_by="olga").created_ids, "Retry starts one immediately"
