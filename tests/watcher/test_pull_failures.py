"""Pulls that fail: rows by image and cause, and images that the target lost."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from mirrors.kubernetes.objects.workloads import Workload
from mirrors.models import Existence, JobStatus, MirrorJob, Priority, PullFailure
from mirrors.selectors.clusters.pull_failures import restart_commands
from mirrors.watcher.pulls.pull_failures import PullFailures
from tests.watcher.support import DENIED, NO_ROUTE, NOT_FOUND, Cluster, config_in, container, mirrored, pod

pytestmark = pytest.mark.django_db

WRITES = ("INSERT", "UPDATE", "DELETE")


@pytest.fixture
def task(tmp_path: Path) -> PullFailures:
    config = config_in(tmp_path)
    return PullFailures(lambda: config)


def writes(task: PullFailures, cluster: Cluster) -> list[str]:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        task.run(cluster.inventory)
    changes = [query["sql"] for query in queries if query["sql"].startswith(WRITES)]
    return [sql for sql in changes if 'last_seen_at" <' not in sql]


def test_one_row_is_written_per_image_and_cause(task: PullFailures) -> None:
    cluster = Cluster()
    cluster.put(
        pod(container("nginx:1.99", NOT_FOUND), name="web-1", node="node-1"),
        pod(container("nginx:1.99", NOT_FOUND), name="web-2", node="node-2"),
        pod(container("nginx:1.99", NO_ROUTE), name="web-3", node="node-3"),
        pod(container("nginx:1.99"), name="web-4", node="node-3"),
        pod(container("Nginx:1", "", reason="InvalidImageName"), name="bad", namespace="blog"),
    )

    task.run(cluster.inventory)

    rows = {(row.image, row.cause): row for row in PullFailure.objects.all()}
    assert rows.keys() == {("nginx:1.99", "not-found"), ("nginx:1.99", "unreachable"), ("Nginx:1", "invalid-name")}
    row = rows["nginx:1.99", "not-found"]
    assert (row.pods, row.nodes, row.namespaces, row.at) == (2, 2, ["shop"], "source")
    assert (row.source, row.message, row.is_mirrored) == ("docker.io/library/nginx:1.99", NOT_FOUND, False)


def test_a_nul_character_in_an_image_name_is_replaced(task: PullFailures) -> None:
    cluster = Cluster()
    cluster.put(pod(container("team/\x00x", "", reason="InvalidImageName"), namespace="blog"))

    task.run(cluster.inventory)

    assert PullFailure.objects.get().image == "team/�x"


def test_only_changed_rows_are_written_and_resolved_failures_are_deleted(task: PullFailures) -> None:
    cluster = Cluster()
    cluster.put(pod(container("nginx:1.99", NOT_FOUND)))
    assert writes(task, cluster)
    assert writes(task, cluster) == []

    cluster.put(pod(container("nginx:1.99", NOT_FOUND), name="web-2"))
    task.run(cluster.inventory)
    assert PullFailure.objects.get().pods == 2

    cluster.clear()
    task.run(cluster.inventory)
    assert not PullFailure.objects.exists()


def test_a_back_off_keeps_its_cause_after_a_leader_change(task: PullFailures, tmp_path: Path) -> None:
    cluster = Cluster()
    cluster.put(pod(container("nginx:1.99", NO_ROUTE)))
    task.run(cluster.inventory)
    back_off = container("nginx:1.99", 'Back-off pulling image "nginx:1.99"', reason="ImagePullBackOff")
    cluster.put(pod(back_off))

    for leader in (task, PullFailures(lambda: config_in(tmp_path))):
        leader.run(cluster.inventory)
        row = PullFailure.objects.get()
        assert (row.cause, row.message) == ("unreachable", NO_ROUTE)


def test_back_offs_of_one_image_keep_the_cause_of_each_pod(task: PullFailures) -> None:
    cluster = Cluster()
    cluster.put(pod(container("nginx:1.99", NO_ROUTE), name="a"), pod(container("nginx:1.99", NOT_FOUND), name="b"))
    task.run(cluster.inventory)
    back_off = container("nginx:1.99", 'Back-off pulling image "nginx:1.99"', reason="ImagePullBackOff")
    cluster.put(pod(back_off, name="a"), pod(back_off, name="b"))

    task.run(cluster.inventory)

    assert sorted(PullFailure.objects.values_list("cause", "pods")) == [("not-found", 1), ("unreachable", 1)]


def test_a_missing_mirror_is_not_reset_again_by_another_cluster(task: PullFailures, tmp_path: Path) -> None:
    mapping = mirrored("nginx:1.27")
    cluster = Cluster()
    cluster.put(pod(container(mapping.target, NOT_FOUND)))
    task.run(cluster.inventory)
    type(mapping).objects.update(existence=Existence.PRESENT)

    PullFailures(lambda: config_in(tmp_path, clusterName="west")).run(cluster.inventory)

    mapping.refresh_from_db()
    assert mapping.existence == Existence.PRESENT


def test_restart_commands_are_listed_when_the_mirror_has_the_failing_image(task: PullFailures) -> None:
    mirrored("nginx:1.27")
    cluster = Cluster()
    cluster.put(
        pod(container("nginx:1.27", NO_ROUTE)),
        pod(container("nginx:1.27", NO_ROUTE), name="db-0", workload=Workload("Database", "db"), owner="db"),
    )

    task.run(cluster.inventory)

    row = PullFailure.objects.get()
    assert row.would_start
    assert restart_commands(row) == [
        "kubectl -n shop delete pod db-0",
        "kubectl -n shop rollout restart deployment/web",
    ]


@pytest.mark.parametrize(
    ("fields", "granted"),
    [
        ({"existence": Existence.ABSENT}, None),
        ({"paused": True}, None),
        ({"obstacle": "tampered"}, None),
        ({"access": "secrets"}, None),
        ({"access": "secrets"}, "blog"),
    ],
)
def test_pods_are_not_expected_to_start_from_a_mirror_they_cannot_use(
    task: PullFailures, fields: dict[str, object], granted: str | None
) -> None:
    mapping = mirrored("nginx:1.27", **fields)
    if granted:
        mapping.accesses.create(namespace=granted, granted=True)
    cluster = Cluster()
    cluster.put(pod(container("nginx:1.27", NO_ROUTE)))

    task.run(cluster.inventory)

    assert not PullFailure.objects.get().would_start


def test_a_missing_mirror_becomes_unknown_and_is_queued_with_force_priority(task: PullFailures) -> None:
    mapping = mirrored("nginx:1.27", verified_at=timezone.now())
    cluster = Cluster()
    cluster.put(pod(container(mapping.target, NOT_FOUND)))

    task.run(cluster.inventory)

    mapping.refresh_from_db()
    assert (mapping.existence, mapping.verified_at) == (Existence.UNKNOWN, None)
    job = MirrorJob.objects.get()
    assert (job.mapping, job.priority, job.status) == (mapping, Priority.FORCE, JobStatus.PENDING)
    row = PullFailure.objects.get()
    assert (row.at, row.source, row.cause) == ("target", "docker.io/library/nginx:1.27", "not-found")


def test_a_missing_private_mirror_is_queued_with_the_secrets_of_its_cluster(tmp_path: Path) -> None:
    mapping = mirrored("nginx:1.27", access="secrets")
    job = MirrorJob.objects.create(mapping=mapping, status=JobStatus.SUCCEEDED)
    job.requests.create(cluster="west", namespace="shop", service_account="default", secret_names="a,b")
    cluster = Cluster()
    cluster.put(pod(container(mapping.target, NOT_FOUND)))

    PullFailures(lambda: config_in(tmp_path, clusterName="west")).run(cluster.inventory)

    requested = MirrorJob.objects.get(status=JobStatus.PENDING).requests.get()
    assert (requested.cluster, requested.namespace, requested.secret_names) == ("west", "shop", "a,b")


def test_a_missing_mirror_is_requested_again_only_after_several_minutes(task: PullFailures, tmp_path: Path) -> None:
    mapping = mirrored("nginx:1.27")
    cluster = Cluster()
    cluster.put(pod(container(mapping.target, NOT_FOUND)))
    task.run(cluster.inventory)
    MirrorJob.objects.update(status=JobStatus.SUCCEEDED)
    type(mapping).objects.update(existence=Existence.PRESENT)

    for leader in (task, PullFailures(lambda: config_in(tmp_path))):
        leader.run(cluster.inventory)
        mapping.refresh_from_db()
        assert mapping.existence == Existence.PRESENT
    assert MirrorJob.objects.count() == 1

    PullFailure.objects.update(asked_at=timezone.now() - timedelta(minutes=6))
    task.run(cluster.inventory)
    assert MirrorJob.objects.count() == 2


@pytest.mark.parametrize("keys", [{"dryRun": True}, {"imageCopyPolicy": "none"}])
def test_a_missing_mirror_only_becomes_unknown_when_copies_are_disabled(
    tmp_path: Path, keys: dict[str, object]
) -> None:
    mapping = mirrored("nginx:1.27")
    cluster = Cluster()
    cluster.put(pod(container(mapping.target, NOT_FOUND)))

    PullFailures(lambda: config_in(tmp_path, **keys)).run(cluster.inventory)

    mapping.refresh_from_db()
    assert mapping.existence == Existence.UNKNOWN
    assert not MirrorJob.objects.exists()


def test_a_denied_pull_from_the_target_leaves_the_mirror_present(task: PullFailures) -> None:
    mapping = mirrored("nginx:1.27")
    cluster = Cluster()
    cluster.put(pod(container(mapping.target, DENIED)))

    task.run(cluster.inventory)

    mapping.refresh_from_db()
    assert mapping.existence == Existence.PRESENT


def test_a_cluster_does_not_delete_rows_of_another_cluster(task: PullFailures, tmp_path: Path) -> None:
    cluster, other = Cluster(), Cluster()
    cluster.put(pod(container("nginx:1.99", NOT_FOUND)))
    task.run(cluster.inventory)

    PullFailures(lambda: config_in(tmp_path, clusterName="west")).run(other.inventory)

    assert [row.cluster for row in PullFailure.objects.all()] == ["default"]
