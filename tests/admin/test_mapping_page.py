"""The page of a mapping: it follows its job, says an error once, and names who may use a private image."""

from __future__ import annotations

# ruff: noqa: F401, F811 (fixtures)
import re
from typing import Any

import pytest
from django.test import Client

from mirrors.accounts.roles import Role
from mirrors.models import ImageMapping, JobStatus, MirrorJob, Registry
from mirrors.services import request_image
from tests.api.conftest import job, target, user_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def viewer(client: Client) -> Client:
    client.force_login(user_of(Role.VIEWER))
    return client


def page_of(job: MirrorJob) -> str:
    return f"/admin/mirrors/imagemapping/{job.mapping_id}/"


def end(job: MirrorJob, status: str, **fields: Any) -> None:
    MirrorJob.objects.filter(pk=job.pk).update(status=status, **fields)


def test_the_page_is_refreshed_while_a_job_is_active_and_no_longer(viewer: Client, job: MirrorJob) -> None:
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


def test_a_paused_image_offers_only_what_is_not_refused(client: Client, job: MirrorJob) -> None:
    client.force_login(user_of(Role.OPERATOR))

    def offered() -> list[str]:
        page = client.get(f"{page_of(job)}change/").content.decode()
        return re.findall(r'name="action" value="(\w+)"', page)

    assert offered() == ["mirror", "verify", "pause", "forget"]
    ImageMapping.objects.update(paused=True)
    assert offered() == ["resume", "forget"]


def test_each_error_is_said_once_however_many_jobs_had_it(viewer: Client, job: MirrorJob) -> None:
    failure = {"error_class": "denied", "status": JobStatus.FAILED}
    MirrorJob.objects.filter(pk=job.pk).update(error_message="an older one", **failure)
    for words in ("it was refused", "an older one", "it was refused"):
        other, _ = request_image(image="nginx:1.27", requested_by="somebody")
        MirrorJob.objects.filter(pk=other.pk).update(error_message=words, **failure)
    page = viewer.get(f"{page_of(job)}change/").content.decode()
    assert (page.count("it was refused"), page.count("an older one")) == (1, 1)


def test_a_private_image_is_listed_and_names_the_namespaces_of_its_entry(viewer: Client, target: Registry) -> None:
    Registry.objects.create(
        endpoint="ghcr.io", username="u", credential_ref="env:SWAPPER_CRED_X", namespaces=["shop", "billing"]
    )
    job, _ = request_image(image="ghcr.io/acme/shop:1", requested_by="somebody")
    ImageMapping.objects.update(access="configured")
    listed = viewer.get("/admin/mirrors/imagemapping/?access=private").content.decode()
    assert "ghcr.io/acme/shop:1" in listed, "although no namespace was granted access yet"
    page = viewer.get(f"{page_of(job)}change/").content.decode()
    assert "these namespaces: shop, billing." in page


def test_a_private_image_without_access_says_what_to_do(viewer: Client, job: MirrorJob) -> None:
    ImageMapping.objects.update(access="secrets")
    page = viewer.get(f"{page_of(job)}change/").content.decode()
    assert "no pull secret of a namespace has been found that can read it. Add one" in page
    assert "were checked against it" not in page
