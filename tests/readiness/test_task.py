"""The readiness rows that the watcher writes, and the metrics that Prometheus reads from them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from mirrors.models import ReadinessSample
from mirrors.watcher.inventory import Inventory
from mirrors.watcher.readiness_task import ReadinessTask
from swapper_project.config import ConfigSource
from tests.readiness.cluster_rows import config_in, mirrored, small_cluster
from tests.support.system import read_metrics

pytestmark = pytest.mark.django_db


@pytest.fixture
def task(tmp_path: Path) -> ReadinessTask:
    source = ConfigSource(config_in(tmp_path))
    return ReadinessTask(lambda: source.current, every=0.0)


def test_each_hour_has_one_row_with_the_latest_result(task: ReadinessTask) -> None:
    small_cluster()
    hour = timezone.now().replace(minute=5, second=0, microsecond=0)
    with time_machine.travel(hour):
        task.run(Inventory())
        mirrored("redis:7")
        task.run(Inventory())
    with time_machine.travel(hour + timedelta(hours=1)):
        task.run(Inventory())

    rows = ReadinessSample.objects.order_by("hour").values_list("cluster", "workloads", "unprotected")
    assert list(rows) == [("default", 4, 2), ("default", 4, 2)]


def test_rows_beyond_the_retention_are_deleted(task: ReadinessTask) -> None:
    small_cluster()
    old = timezone.now() - timedelta(days=500)
    ReadinessSample.objects.create(cluster="default", hour=old, workloads=1, unprotected=1)
    task.run(Inventory())

    assert not ReadinessSample.objects.filter(hour=old).exists()


def test_nothing_is_written_before_a_cluster_is_listed(task: ReadinessTask) -> None:
    task.run(Inventory())

    assert not ReadinessSample.objects.exists()


def test_a_run_within_the_interval_does_not_update_the_row(tmp_path: Path) -> None:
    small_cluster()
    source = ConfigSource(config_in(tmp_path))
    task = ReadinessTask(lambda: source.current)
    task.run(Inventory())
    mirrored("redis:7")
    task.run(Inventory())

    assert ReadinessSample.objects.get().unprotected == 3


def metrics(client: Client) -> dict[str, float]:
    return {
        name: value
        for name, value in read_metrics(client.get("/metrics").content.decode()).items()
        if "workloads" in name
    }


def test_metrics_show_the_latest_row_of_each_watched_cluster(client: Client, task: ReadinessTask) -> None:
    assert metrics(client) == {}
    small_cluster()
    task.run(Inventory())
    now = timezone.now()
    before = now - timedelta(hours=1)
    ReadinessSample.objects.create(cluster="default", hour=before, workloads=9, unprotected=9, taken_at=before)
    stopped = now - timedelta(hours=3)
    ReadinessSample.objects.create(cluster="west", hour=stopped, workloads=5, unprotected=5, taken_at=stopped)

    assert metrics(client) == {
        'swapper_unprotected_workloads{cluster="default"}': 3,
        'swapper_workloads{cluster="default"}': 4,
    }
