"""The page Readiness: shares, reasons, lists, the trend, and the button that mirrors missing images."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from mirrors.accounts.roles import Role
from mirrors.models import ImageMapping, MirrorJob, MirrorRequest, OperatorAction, Priority, ReadinessSample
from tests.api.conftest import user_of
from tests.readiness.cluster_rows import cluster, mirrored, runs, small_cluster

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("configured_web")]
URL = "/admin/mirrors/readinesssample/"


def page(client: Client, query: str = "") -> str:
    return client.get(URL + query).content.decode()


def test_the_page_shows_the_share_reasons_and_missing_images(admin_client: Client) -> None:
    small_cluster()
    text = page(admin_client)

    assert "25.0 %" in text and "1 of 4 workloads could start on a new node without any source" in text
    assert "docker.io/library/redis:7" in text and "the mirror has another digest" in text
    assert f'href="/admin/mirrors/imagemapping/{ImageMapping.objects.get(paused=True).pk}/change/"' in text


def test_the_page_can_be_filtered_by_registry_reason_and_namespace(admin_client: Client) -> None:
    small_cluster()

    assert "75.0 %" in page(admin_client, "?without=ghcr.io")
    of_reason = page(admin_client, "?reason=blocked")
    assert "ghcr.io/org/paused:1" in of_reason and "docker.io/library/redis:7" not in of_reason
    assert "0 of 1 workloads in site" in page(admin_client, "?namespace=site")


def test_drift_is_shown_in_a_separate_list(admin_client: Client) -> None:
    small_cluster()
    text = page(admin_client, "?list=drift")

    assert "docker.io/team/moved:1" in text and "sha256:aaaaaaaaaaaa" in text and "sha256:bbbbbbbbbbbb" in text
    assert "docker.io/library/redis:7" not in text


def test_a_long_list_is_paginated(admin_client: Client) -> None:
    cluster()
    for number in range(60):
        runs(f"team/app-{number:02}:1", f"app-{number:02}")

    assert "team/app-55:1" not in page(admin_client) and "60 rows" in page(admin_client)
    assert "team/app-55:1" in page(admin_client, "?p=2")
    assert "team/app-55:1" in page(admin_client, "?p=99")


def test_the_button_queues_images_that_a_copy_would_protect(client: Client) -> None:
    small_cluster()
    runs("redis:7", "cache")
    mirrored("team/lost:1", existence="absent")
    runs("team/lost:1", "lost")
    client.force_login(user_of(Role.OPERATOR))
    assert "Mirror 2 images" in page(client)
    requested = client.get(f"{URL}mirror/").content.decode()
    assert "2 images will be queued" in requested and not MirrorJob.objects.exists()

    response = client.post(f"{URL}mirror/", follow=True).content.decode()

    assert "2 images queued." in response
    jobs = MirrorJob.objects.select_related("mapping").order_by("mapping__source")
    assert [job.mapping.source for job in jobs] == ["docker.io/library/redis:7", "docker.io/team/lost:1"]
    assert {job.priority for job in jobs} == {Priority.OPERATOR}
    assert set(MirrorRequest.objects.values_list("namespace", flat=True)) <= {"shop", "site"}
    assert OperatorAction.objects.filter(action="mirror", actor=user_of(Role.OPERATOR).get_username()).count() == 2


def test_a_viewer_can_open_the_page_but_not_mirror_images(client: Client) -> None:
    small_cluster()
    client.force_login(user_of(Role.VIEWER))

    assert "Mirror 1 image" not in page(client)
    assert client.post(f"{URL}mirror/").status_code == 403
    assert not MirrorJob.objects.exists()


def test_the_trend_is_shown_and_the_dashboard_has_its_latest_value(admin_client: Client) -> None:
    small_cluster()
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    for ago, unprotected in ((1, 8), (0, 3)):
        ReadinessSample.objects.create(
            cluster="default", hour=hour - timedelta(hours=ago), workloads=10, unprotected=unprotected
        )

    assert "Protected, %: from 20.0 to 70.0, last 70.0" in page(admin_client)
    dashboard = admin_client.get("/admin/dashboard/?hours=24").content.decode()
    assert "70.0 %" in dashboard and f'href="{URL}"' in dashboard
    ReadinessSample.objects.update(taken_at=timezone.now() - timedelta(hours=3))
    assert "70.0 %" not in admin_client.get("/admin/dashboard/?hours=24").content.decode()


def test_without_a_listed_cluster_the_page_shows_the_next_step(admin_client: Client) -> None:
    assert "manage.py watch" in page(admin_client)


def test_an_invalid_registry_is_rejected_on_the_page(admin_client: Client) -> None:
    small_cluster()

    assert "&lt;b&gt; is not a registry" in page(admin_client, "?without=<b>")


@pytest.mark.parametrize(
    ("role", "query", "words"),
    [
        (Role.VIEWER, "", "could start on a new node"),
        (Role.OPERATOR, "?list=drift", "could start on a new node"),
        (Role.OPERATOR, "?without=docker.io", "could start on a new node"),
        (Role.OPERATOR, "mirror/", "Mirror missing images"),
    ],
)
def test_queries_do_not_grow_with_rows(
    role: Role, query: str, words: str, client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    """The user has the lowest role that can open the page. Unlike for a superuser, the permissions are queried too."""
    cluster()
    for number in range(120):
        mirrored(f"team/app-{number}:1", access="secrets")
        runs(f"team/app-{number}:1", f"app-{number}")
    client.force_login(user_of(role))
    client.get("/admin/")

    with django_assert_max_num_queries(14):
        text = page(client, query)
    assert words in text
