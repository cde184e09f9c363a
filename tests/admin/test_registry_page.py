"""The page of a registry: role, kind, namespaces, failures with their port, and used storage."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from mirrors.accounts.roles import Role
from mirrors.models import HostBudget, ImageMapping, JobStatus, MirrorJob, Registry, RegistryCheck
from mirrors.services import request_image
from tests.api.conftest import target, user_of  # noqa: F401 (fixture)
from tests.support.pages import text_of

pytestmark = pytest.mark.django_db


def read(client: Client, url: str) -> str:
    page = client.get(url)
    assert page.status_code == 200
    return text_of(page.content.decode())


def page_of(registry: Registry) -> str:
    return f"/admin/mirrors/registry/{registry.pk}/"


def test_a_source_shows_its_role_kind_and_permitted_namespaces(admin_client: Client) -> None:
    shop = Registry.objects.create(endpoint="ghcr.io", namespaces=["shop", "billing"])
    text = read(admin_client, f"{page_of(shop)}change/")
    for words in ("Role source", "Kind OCI registry", "Managed by Admin or API", "private images shop , billing"):
        assert words.lower() in text.lower(), words
    public = Registry.objects.create(endpoint="quay.io")
    assert "None: public images only" in read(admin_client, f"{page_of(public)}change/")
    of_all = Registry.objects.create(endpoint="gcr.io", namespaces=["*"])
    assert "may use private images All" in read(admin_client, f"{page_of(of_all)}change/")


def test_a_rate_limit_is_shown_in_one_sentence(admin_client: Client) -> None:
    source = Registry.objects.create(endpoint="ghcr.io")
    HostBudget.objects.create(host="ghcr.io", resting_until=timezone.now() + timedelta(seconds=500))
    page = admin_client.get(f"{page_of(source)}change/").content.decode()
    (sentence,) = re.findall(r"<li><span>(ghcr.io is rate limited; retry .+?)</span></li>", page)
    assert text_of(sentence) == "ghcr.io is rate limited; retry in 8 min"


def test_failures_show_the_port_of_the_registry(admin_client: Client, target: Registry) -> None:  # noqa: F811
    source = Registry.objects.create(endpoint="reg.example.com:5000")
    job, _ = request_image(image="reg.example.com:5000/team/app:1", requested_by="x")
    MirrorJob.objects.update(status=JobStatus.FAILED, error_class="denied", error_host="reg.example.com:5000")
    assert "Denied at reg.example.com:5000," in read(admin_client, f"{page_of(source)}change/")


def test_a_target_shows_its_known_storage_size(admin_client: Client, target: Registry) -> None:  # noqa: F811
    page = admin_client.get(f"{page_of(target)}change/").content.decode()
    assert f'hx-get="{page_of(target)}storage/"' in page
    assert "no images yet" in read(admin_client, f"{page_of(target)}storage/")
    for number, size in enumerate((3 * 2**30, 2**29, None)):
        job, _ = request_image(image=f"nginx:{number}", requested_by="x")
        ImageMapping.objects.filter(pk=job.mapping_id).update(existence="present", size_bytes=size)
    request_image(image="redis:7", requested_by="x")
    text = read(admin_client, f"{page_of(target)}storage/")
    assert text.startswith("3.5 GiB in 2 images (layers that images share count for each of them)")
    assert text.endswith("; the size of 1 more is not known")


@pytest.mark.parametrize(("role", "status", "left"), [(Role.ADMIN, 302, 0), (Role.OPERATOR, 403, 1)])
def test_only_an_admin_can_delete_a_registry_with_its_checks(
    role: Role, status: int, left: int, client: Client
) -> None:
    source = Registry.objects.create(endpoint="old.example.com", name="old")
    RegistryCheck.objects.create(registry=source, status="passed")
    client.force_login(user_of(role))

    if role is Role.ADMIN:
        requested = client.get(f"{page_of(source)}delete/").content.decode()
        assert "have permission" not in requested
        assert re.search(rf'href="{page_of(source)}change/"[^>]*>Keep<', requested), "a link that needs no script"
    assert client.post(f"{page_of(source)}delete/", {"post": "yes"}).status_code == status

    assert (Registry.objects.count(), RegistryCheck.objects.count()) == (left, left)
