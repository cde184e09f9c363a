"""The page of a mapping follows its job, shows an error once, and lists the namespaces that can use a private image."""

from __future__ import annotations

# ruff: noqa: F401, F811 (fixtures)
import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from mirrors.accounts.roles import Role
from mirrors.models import HostBudget, ImageMapping, JobStatus, MirrorJob, Priority, Registry
from mirrors.services import request_image
from tests.api.conftest import job, target, user_of
from tests.support.pages import text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def viewer(client: Client) -> Client:
    client.force_login(user_of(Role.VIEWER))
    return client


def page_of(job: MirrorJob) -> str:
    return f"/admin/mirrors/imagemapping/{job.mapping_id}/"


def end(job: MirrorJob, status: str, **fields: Any) -> None:
    MirrorJob.objects.filter(pk=job.pk).update(status=status, **fields)


def test_the_page_is_refreshed_only_while_a_job_is_active(viewer: Client, job: MirrorJob) -> None:
    page = viewer.get(f"{page_of(job)}change/").content.decode()
    assert f'hx-get="{page_of(job)}live/"' in page
    part = viewer.get(f"{page_of(job)}live/")
    assert part.status_code == 200 and "Queued" in part.content.decode()

    end(job, JobStatus.SUCCEEDED)
    ImageMapping.objects.update(existence="present", target_digest="sha256:abc")
    part = viewer.get(f"{page_of(job)}live/")
    assert part.status_code == 286, "htmx stops"
    assert "Mirrored" in part.content.decode() and "<code data-copy>sha256:abc</code>" in part.content.decode()
    assert "hx-get" not in viewer.get(f"{page_of(job)}change/").content.decode().partition("swapper-live")[2]


def test_field_names_keep_their_order_in_all_job_states(viewer: Client, job: MirrorJob) -> None:
    def names() -> list[str]:
        return re.findall(r"<dt>(.*?)</dt>", viewer.get(f"{page_of(job)}live/").content.decode())

    queued = names()
    end(job, JobStatus.FAILED, error_class="denied")
    assert names() == queued
    end(job, JobStatus.SUCCEEDED, error_class="")
    ImageMapping.objects.update(existence="present")
    assert names() == queued
    assert queued[:5] == ["State", "Reason", "Next attempt", "Image", "Target"]


@pytest.mark.parametrize(
    ("budget", "keeps"),
    [
        ({"host": "docker.io"}, True),
        ({"host": "docker.io", "operation": "pulls", "credential": "ann"}, True),
        ({"host": "mirror.example.com"}, True),
        ({"host": "quay.io"}, False),
    ],
)
def test_a_copy_waiting_for_a_rate_limit_shows_the_host_and_retry_time(
    viewer: Client, job: MirrorJob, budget: dict[str, str], keeps: bool
) -> None:
    until = timezone.now() + timedelta(minutes=10, seconds=20)
    HostBudget.objects.create(**budget, resting_until=until)

    listed, page, of_job = (
        text_of(viewer.get(url).content.decode())
        for url in (
            "/admin/mirrors/imagemapping/",
            f"{page_of(job)}change/",
            f"/admin/mirrors/mirrorjob/{job.pk}/change/",
        )
    )

    reason = f"{budget['host']} is rate limited, retry in 10 min"
    wait = f"Next attempt after a rate limit of {budget['host']}, retry in 10 min"
    assert [reason in listed, f"Reason {reason}" in page, wait in page, wait in of_job] == [keeps] * 4
    for query in ({"reason": "rate-limited"}, {"q": "rate limited"}):
        found = viewer.get("/admin/mirrors/imagemapping/", query).context["cl"].result_list
        assert [mapping.pk for mapping in found] == [job.mapping_id] * keeps, query


def test_only_background_copies_wait_when_few_pulls_remain(viewer: Client, job: MirrorJob) -> None:
    until = timezone.now() + timedelta(minutes=10, seconds=20)
    held = {"operation": "pulls", "credential": "ann", "remaining": 3, "pull_limit": 100}
    HostBudget.objects.create(host="docker.io", held_until=until, held_from=Priority.DELAYED, **held)

    def reason() -> str:
        listed = viewer.get("/admin/mirrors/imagemapping/").content.decode()
        return text_of(listed.partition("field-reason")[2].partition(">")[2].partition("</td>")[0])

    MirrorJob.objects.update(priority=Priority.DELAYED)
    assert reason() == "docker.io is rate limited, retry in 10 min"
    MirrorJob.objects.update(priority=Priority.IMMEDIATE)
    assert reason() == "–"


def test_a_paused_image_offers_only_resume_and_forget(client: Client, job: MirrorJob) -> None:
    client.force_login(user_of(Role.OPERATOR))

    def offered() -> list[str]:
        page = client.get(f"{page_of(job)}change/").content.decode()
        return re.findall(r'name="action" value="(\w+)"', page)

    assert offered() == ["mirror", "verify", "pause", "forget"]
    ImageMapping.objects.update(paused=True)
    assert offered() == ["resume", "forget"]


def test_each_error_is_shown_once_for_any_number_of_jobs(viewer: Client, job: MirrorJob) -> None:
    failure = {"error_class": "denied", "status": JobStatus.FAILED}
    MirrorJob.objects.filter(pk=job.pk).update(error_message="an older one", **failure)
    for words in ("it was refused", "an older one", "it was refused"):
        other, _ = request_image(image="nginx:1.27", requested_by="somebody")
        MirrorJob.objects.filter(pk=other.pk).update(error_message=words, **failure)
    page = viewer.get(f"{page_of(job)}change/").content.decode()
    assert (page.count("it was refused"), page.count("an older one")) == (1, 1)


def test_a_private_image_is_listed_and_shows_the_namespaces_of_its_registry(viewer: Client, target: Registry) -> None:
    Registry.objects.create(
        endpoint="ghcr.io", username="u", credential_ref="env:SWAPPER_CRED_X", namespaces=["shop", "billing"]
    )
    job, _ = request_image(image="ghcr.io/acme/shop:1", requested_by="somebody")
    ImageMapping.objects.update(access="configured")
    listed = viewer.get("/admin/mirrors/imagemapping/?access=private").content.decode()
    assert "ghcr.io/acme/shop:1" in listed, "although no namespace was granted access yet"
    page = viewer.get(f"{page_of(job)}change/").content.decode()
    assert "these namespaces: shop, billing." in page


def test_a_private_image_without_access_shows_what_to_do(viewer: Client, job: MirrorJob) -> None:
    ImageMapping.objects.update(access="secrets")
    page = viewer.get(f"{page_of(job)}change/").content.decode()
    assert "no pull secret of a namespace has been found that can read it. Add one" in page
    assert "were checked against it" not in page
