"""A cluster whose watcher does not report: pages mark its numbers as old, and finally omit them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from mirrors.jobs.process.pruning import prune
from mirrors.models import Cluster, ClusterNode, PullFailure, RunningImage
from mirrors.readiness import recent
from tests.readiness.cluster_rows import cluster, config_in, mirrored, runs, target
from tests.readiness.conftest import configured_web
from tests.watcher.rows import failing_pull

__all__ = ["configured_web"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("configured_web")]
WORDS = "The watcher of the cluster west last reported 2"
PAGES = ("cluster", "runningimage", "pullfailure", "readinesssample", "backfillrun")


def unwatched(**ago: float) -> None:
    """Record that ``west`` was last reported this long ago, and ``default`` just now."""
    cluster()
    target()
    cluster("west", seen_at=timezone.now() - timedelta(**ago))


@pytest.mark.parametrize("page", [*(f"/admin/mirrors/{name}/?cluster=west" for name in PAGES), "/admin/"])
def test_pages_report_stale_cluster_data(page: str, admin_client: Client) -> None:
    unwatched(minutes=20)
    query = page if "readiness" in page else page.partition("?")[0]
    text = admin_client.get(query).content.decode().replace("\xa0", " ")
    assert WORDS in text and "20 minutes ago" in text
    assert "watcher of the cluster default" not in text

    Cluster.objects.update(seen_at=timezone.now() - timedelta(minutes=2))
    recent.forget()
    assert WORDS not in admin_client.get(query).content.decode()


def test_the_api_reports_a_stale_cluster(admin_client: Client) -> None:
    unwatched(minutes=20)
    rows = admin_client.get("/api/v1/clusters/").json()["results"]
    assert {row["name"]: row["is_stale"] for row in rows} == {"default": False, "west": True}
    assert WORDS in admin_client.get("/api/v1/readiness/?cluster=west").json()["notices"][0]
    assert admin_client.get("/api/v1/readiness/").json()["notices"] == []


def test_the_readiness_command_reports_a_stale_cluster(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unwatched(hours=20)
    call_command("readiness", "--config", str(config_in(tmp_path)), "--cluster", "west")
    assert f"Note: {WORDS}0" in capsys.readouterr().out.replace("\xa0", " ")


def test_failing_pulls_that_were_not_seen_recently_are_pruned(db: None) -> None:
    failing_pull("old:1", last_seen_at=timezone.now() - timedelta(hours=2))
    failing_pull("new:1")
    prune()
    assert set(PullFailure.objects.values_list("image", flat=True)) == {"new:1"}


def test_an_unwatched_cluster_is_pruned_with_its_rows(db: None) -> None:
    unwatched(days=40)
    mirrored("nginx:1.27")
    runs("nginx:1.27", "web")
    runs("nginx:1.27", "theirs", cluster="west")
    prune()
    prune()
    assert set(RunningImage.objects.values_list("cluster", flat=True)) == {"default"}
    assert set(ClusterNode.objects.values_list("cluster", flat=True)) == {"default"}
    assert set(Cluster.objects.values_list("name", flat=True)) == {"default"}
