"""The list of running images: the rows it shows by default, its filters, and the same in the API."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from mirrors.models import Cluster, ImageMapping, Registry, RegistryRole, RunningImage, RunningState

pytestmark = pytest.mark.django_db
LIST = "admin:mirrors_runningimage_changelist"


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("olga", password="x"))
    return client


def running(source: str, **fields: object) -> RunningImage:
    values = {"cluster": "production", "namespace": "shop", "workload_kind": "Deployment", "workload": "web", **fields}
    return RunningImage.objects.create(
        key=source[:40], source=source, image=source, pods=2, nodes=1, **{"state": RunningState.RUNNING, **values}
    )


@pytest.fixture
def images() -> None:
    target = Registry.objects.create(name="target", role=RegistryRole.TARGET, endpoint="mirror.example.com")
    ImageMapping.objects.create(
        source="quay.io/org/known:1",
        target="mirror.example.com/quay.io/org/known:1",
        target_registry=target,
        existence="present",
    )
    running("quay.io/org/known:1")
    running("quay.io/org/new:1", namespace="billing", workload="api")
    running("quay.io/org/old:1", state=RunningState.ENDED)


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", {"known", "new"}),
        ("?state=ended", {"old"}),
        ("?mirrored=yes", {"known"}),
        ("?mirrored=no", {"new"}),
        ("?namespace=billing", {"new"}),
        ("?q=api", {"new"}),
    ],
)
def test_the_list_shows_running_images_that_match_the_filters(
    operator: Client, images: None, query: str, shown: set[str]
) -> None:
    page = operator.get(f"{reverse(LIST)}{query}").content.decode()
    # References can wrap after a slash.
    assert {name for name in ("known", "new", "old") if f"<wbr>{name}:1" in page} == shown


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", {"known", "new"}),
        ("?state=ended", {"old"}),
        ("?mirrored=true", {"known"}),
        ("?mirrored=false", {"new"}),
        ("?cluster=staging", set()),
        ("?search=new", {"new"}),
    ],
)
def test_the_api_returns_running_images_that_match_the_filters(
    operator: Client, images: None, query: str, shown: set[str]
) -> None:
    found = operator.get(f"/api/v1/running-images/{query}").json()["results"]
    assert {image["source"].rpartition("/")[2].removesuffix(":1") for image in found} == shown


def test_a_cluster_shows_its_problem_and_advice_when_it_is_stale(operator: Client) -> None:
    url = reverse("admin:mirrors_cluster_changelist")
    row = Cluster.objects.create(name="production", listed_at=timezone.now(), problem="Nodes cannot be listed.")
    assert "Nodes cannot be listed." in operator.get(url).content.decode()

    Cluster.objects.filter(pk=row.pk).update(seen_at=timezone.now() - timedelta(minutes=6))

    shown = operator.get(url).content.decode()
    assert "Stale" in shown and "Check that the watcher runs (manage.py watch)" in shown


def test_the_backfill_page_shows_whether_a_cluster_is_watched(operator: Client) -> None:
    url = reverse("admin:mirrors_backfillrun_changelist")
    assert "No cluster is watched yet" in operator.get(url).content.decode()

    Cluster.objects.create(name="production", listed_at=timezone.now())

    assert "All images that run in the watched clusters are mirrored." in operator.get(url).content.decode()
