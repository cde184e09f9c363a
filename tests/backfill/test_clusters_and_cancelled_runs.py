"""Backfills of several clusters that share a database, and the effect of a cancelled run on other runs."""

from __future__ import annotations

import pytest

from mirrors.backfill.running import BackfillRunner, record_finished_jobs
from mirrors.models import (
    BackfillImage,
    BackfillRun,
    ImageMapping,
    JobStatus,
    MirrorJob,
    Priority,
    Registry,
    Trigger,
)
from mirrors.selectors.clusters.backfill import of_clusters
from mirrors.services import ActionRefusedError, RequestedCopy, request_copies
from mirrors.services.clusters.backfill import cancel_run, request_preview
from tests.backfill.conftest import Shop, Watcher, running


def test_a_cluster_is_compared_with_its_own_target(db: None) -> None:
    first, second = (
        Registry.objects.create(role="target", endpoint=f"{name}.example.com", managed_by="config", clusters=[name])
        for name in ("east", "west")
    )
    for cluster in ("east", "west"):
        running("quay.io/org/app:1", cluster=cluster)
    source = "quay.io/org/app:1"
    ImageMapping.objects.create(
        target_registry=first, source=source, target=f"{first.endpoint}/{source}", existence="present"
    )

    with pytest.raises(ActionRefusedError, match="nothing to do"):
        request_preview(cluster="east", requested_by="ann")
    assert list(request_preview(cluster="west", requested_by="ann").candidates.values_list("source")) == [(source,)]
    assert of_clusters() == [{"cluster": "west", "name": "west", "images": 1}]
    assert second.enabled


@pytest.mark.parametrize(("place", "state"), [("own", "mirrored"), ("other", "cancelled")])
def test_a_deleted_job_counts_as_mirrored_if_the_run_target_has_the_image(
    registry: Registry, place: str, state: str
) -> None:
    other = Registry.objects.create(role="target", endpoint="other.example.com", managed_by="config")
    source = "quay.io/org/app:1"
    target = registry if place == "own" else other
    ImageMapping.objects.create(target_registry=target, source=source, target="x/app:1", existence="present")
    run = BackfillRun.objects.create(cluster="default", state="running")
    image = BackfillImage.objects.create(run=run, source=source, rank=0, state="queued")

    record_finished_jobs(run, registry.pk)

    image.refresh_from_db()
    assert image.state == state


def test_a_shared_job_is_cancelled_only_with_the_last_of_its_runs(
    watcher: Watcher, shop: Shop, registry: Registry
) -> None:
    source = "quay.io/org/app:1"
    shop.pod("one", source)
    requested = RequestedCopy(source, f"{registry.endpoint}/{source}", Trigger.BACKFILL, Priority.BACKFILL)
    (outcome,) = request_copies(target_registry_id=registry.pk, requests=[requested])
    runs = [BackfillRun.objects.create(cluster=name, state="running") for name in ("default", "west")]
    for run in runs:
        BackfillImage.objects.create(run=run, source=source, rank=0, state="queued", job_id=outcome.job_id)
    cancel_run(run_id=runs[0].pk, requested_by="ann")
    assert MirrorJob.objects.get().status == JobStatus.PENDING, "the other cluster waits for it"

    cancel_run(run_id=runs[1].pk, requested_by="ann")
    assert MirrorJob.objects.get().status == JobStatus.CANCELLED


def test_a_run_cancelled_while_the_watcher_processes_it_requests_nothing(watcher: Watcher, shop: Shop) -> None:
    shop.pod("one", "quay.io/org/app:1")
    run = BackfillRun.objects.create(cluster="default", state="running")
    BackfillImage.objects.create(run=run, source="quay.io/org/app:1", rank=0, state="ready")
    turns = BackfillRunner(lambda: watcher.config)
    BackfillRun.objects.filter(pk=run.pk).update(state="cancelled")  # another process cancels it after it was read

    turns.work(run, seconds=5)

    assert not MirrorJob.objects.exists()
