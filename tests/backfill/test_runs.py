"""Runs of a backfill: when a run starts, which process works on it, and when it ends."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import F
from django.utils import timezone

from mirrors.backfill.task import BackfillTask
from mirrors.jobs.process.pruning import prune
from mirrors.jobs.queue.claims import claim
from mirrors.models import (
    BackfillImage,
    BackfillRun,
    MirrorJob,
    Priority,
)
from mirrors.services import RequestedCopy, request_copies
from mirrors.services.clusters.backfill import request_preview
from mirrors.services.jobs.quotas import remaining_jobs
from mirrors.vocabulary.clusters import ClusterNamespace
from swapper_project.config import Quotas
from tests.backfill.conftest import Shop, Watcher, preview, running, states
from tests.jobs.support import load
from tests.support.faulty_registry import FaultyRegistry


def test_automatic_backfill_starts_a_run_and_does_not_repeat_failures(
    watcher: Watcher, source: FaultyRegistry, shop: Shop
) -> None:
    shop.pod("one", f"{source.host}/missing:1")
    watcher.turn()
    assert not BackfillRun.objects.exists(), "report is the default"
    watcher.configure(backfill="on")
    for _ in range(30):
        watcher.look()
        if MirrorJob.objects.exists():
            break
    MirrorJob.objects.update(status="failed", finished_at=F("created_at"))
    for _ in range(3):
        watcher.look()
    assert list(BackfillRun.objects.values_list("state", "requested_by")) == [("finished", "")]
    running(f"{source.host}/new:1")
    watcher.look()
    newest = BackfillRun.objects.latest("id")
    assert list(newest.candidates.values_list("source", flat=True)) == [f"{source.host}/new:1"]


def test_one_process_at_a_time_works_on_a_run(watcher: Watcher, source: FaultyRegistry, shop: Shop) -> None:
    load(source)
    shop.pod("one", f"{source.host}/app:1.0")
    run = request_preview(cluster="default", requested_by="ann")
    other = BackfillTask(lambda: watcher.config)
    try:
        assert watcher.task.work(0.1) and not other.work(0.1)
        watcher.task.close()
        assert other.work(0.1), "it takes over"
    finally:
        other.close()
    assert run.is_open


def test_a_cluster_has_its_own_candidates_and_runs(watcher: Watcher, source: FaultyRegistry, shop: Shop) -> None:
    load(source)
    shop.pod("one", f"{source.host}/app:1.0")
    running("quay.io/org/theirs:1", cluster="other", namespace=shop.namespace)
    theirs = request_preview(cluster="other", requested_by="ann")
    assert states(preview(watcher)) == {"app:1.0": "ready"}
    theirs.refresh_from_db()
    assert (states(theirs), theirs.previewed_at) == ({"org/theirs:1": "found"}, None), "its own watcher looks at them"


def test_pods_take_priority_over_backfills_and_have_a_separate_quota(watcher: Watcher, shop: Shop) -> None:
    rows = [shop.row(f"quay.io/org/app:{number}", pod_name="all", pods=0) for number in range(3)]
    containers = [{"name": f"c{n}", "image": row.image} for n, row in enumerate(rows)]
    shop.pod("all", rows[0].image, containers=containers)
    run = BackfillRun.objects.create(cluster="default", state="running")
    BackfillImage.objects.bulk_create(
        BackfillImage(run=run, source=row.source, rank=rank, state="ready") for rank, row in enumerate(rows)
    )
    watcher.turn()
    theirs = ClusterNamespace("default", shop.namespace)
    assert remaining_jobs(namespaces=[theirs], quotas=Quotas(pendingJobs=2)) == {theirs: 2}

    job = MirrorJob.objects.select_related("mapping").latest("id")
    registry = job.mapping.target_registry_id
    requested = RequestedCopy(job.mapping.source, job.mapping.target, namespace=shop.namespace)
    (outcome,) = request_copies(target_registry_id=registry, requests=[requested])
    job.refresh_from_db()
    assert (outcome.job_id, job.priority) == (job.pk, Priority.DELAYED)
    held = claim(worker="tests")
    assert held is not None and held.job_id == job.pk


def test_old_runs_are_deleted_with_their_images(db: None) -> None:
    for days, state in ((400, "finished"), (1, "finished"), (400, "running")):
        cluster = f"{state}-{days}"
        over_at = timezone.now() - timedelta(days=days) if state == "finished" else None
        run = BackfillRun.objects.create(cluster=cluster, state=state, finished_at=over_at)
        BackfillImage.objects.create(run=run, source="quay.io/app:1", rank=0)
    prune()
    assert set(BackfillRun.objects.values_list("cluster", flat=True)) == {"finished-1", "running-400"}
    assert BackfillImage.objects.count() == 2


def test_automatic_backfill_starts_a_preview_from_before_it_was_enabled(
    watcher: Watcher, source: FaultyRegistry, shop: Shop
) -> None:
    load(source)
    shop.pod("one", f"{source.host}/app:1.0")
    run = preview(watcher)
    watcher.look()
    run.refresh_from_db()
    assert run.state == "preview"
    watcher.configure(backfill="on")
    watcher.look()
    run.refresh_from_db()
    assert (run.state, MirrorJob.objects.count()) == ("running", 1)


def test_automatic_backfill_cancels_an_abandoned_preview(watcher: Watcher, source: FaultyRegistry, shop: Shop) -> None:
    load(source)
    shop.pod("one", f"{source.host}/app:1.0")
    watcher.configure(backfill="on")
    BackfillRun.objects.create(cluster="default", state="running")
    watcher.look()
    BackfillRun.objects.all().delete()
    run = preview(watcher)
    watcher.look()
    run.refresh_from_db()
    assert run.state == "preview", "it is for ann to start"
    BackfillRun.objects.update(created_at=timezone.now() - timedelta(days=2))
    watcher.look()
    run.refresh_from_db()
    assert run.state == "cancelled"
