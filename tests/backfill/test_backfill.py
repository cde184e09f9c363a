"""The images of a year-old cluster are mirrored: previewed, in order, and with the same decisions as admissions."""

from __future__ import annotations

import re

import pytest
from django.db.models import F

from mirrors.images import ImageRef, TargetName
from mirrors.jobs.context.worker_context import WorkerContext
from mirrors.models import (
    BackfillImage,
    BackfillRun,
    Filter,
    HostBudget,
    JobStatus,
    ManagedBy,
    MirrorJob,
    MirrorRequest,
    OperatorAction,
    Priority,
    RunningImage,
    Trigger,
)
from mirrors.selectors.clusters.backfill import backfill_progress
from mirrors.services import ActionRefusedError
from mirrors.services.clusters.backfill import cancel_run, pause_run, resume_run, start_run
from tests.backfill.conftest import Shop, Watcher, preview, states
from tests.jobs.limits.test_pull_limits import PullCounter
from tests.jobs.support import drain, load
from tests.support.faulty_registry import FaultyRegistry


def test_a_cluster_is_previewed_and_mirrored(
    watcher: Watcher, worker: WorkerContext, source: FaultyRegistry, shop: Shop
) -> None:
    sizes = {}
    for seed, tag in enumerate(("used", "waited", "scaled", "opted", "filtered"), 1):
        image = load(source, tag=tag, seed=seed, platforms=("linux/amd64", "linux/arm64"))
        sizes[tag] = sum(map(len, image.blobs.values()))
    shop.pod("used", f"{source.host}/app:used", pods=40, imagePullSecrets=[{"name": "mine"}])
    shop.pod("waits", f"{source.host}/app:waited", state="failing")
    shop.deployment("scaled", f"{source.host}/app:scaled")
    shop.pod("opted", f"{source.host}/app:opted", metadata={"annotations": {"k8s-image-swapper/skip": "true"}})
    shop.pod("filtered", f"{source.host}/app:filtered", metadata={"labels": {"tier": "secret"}})
    Filter.objects.create(name="secret", jmespath="obj.metadata.labels.tier == 'secret'", managed_by=ManagedBy.OPERATOR)

    run = preview(watcher)

    ready = {f"app:{tag}": "ready" for tag in ("used", "waited", "scaled")}
    assert states(run) == {**ready, "app:opted": "opted-out", "app:filtered": "filtered"}
    assert (run.images, run.excluded, run.unmeasured, run.counted_pulls) == (3, 2, 0, 0)
    assert run.bytes_total == sum(sizes[tag] for tag in ("used", "waited", "scaled"))
    assert not MirrorJob.objects.exists()

    start_run(run_id=run.pk, requested_by="ann")
    watcher.turn()
    jobs = list(MirrorJob.objects.order_by("available_at", "id").select_related("mapping"))
    assert [job.mapping.source.rpartition(":")[2] for job in jobs] == ["waited", "used", "scaled"]
    assert {(job.trigger, job.priority) for job in jobs} == {(Trigger.BACKFILL, Priority.BACKFILL)}
    requested = MirrorRequest.objects.get(job=jobs[1])
    assert (requested.namespace, requested.service_account, requested.secret_names) == (
        shop.namespace,
        "default",
        "mine",
    )
    assert MirrorRequest.objects.get(job=jobs[2]).workload == "Deployment/scaled"

    drain(worker)
    watcher.turn()
    run.refresh_from_db()
    assert run.state == "finished" and run.finished_at is not None
    assert backfill_progress(run).mirrored == 3
    with pytest.raises(ActionRefusedError, match="you cannot pause"):
        pause_run(run_id=run.pk, requested_by="ann")
    assert set(OperatorAction.objects.values_list("action", flat=True)) == {"preview", "start"}


def test_at_most_fifty_jobs_are_queued_and_none_while_paused(watcher: Watcher, shop: Shop) -> None:
    shop.pod("one", "quay.io/org/app:0")
    for number in range(1, 60):
        shop.row(f"quay.io/org/app:{number}", pod_name="one", pods=0)
    pod_names = RunningImage.objects.filter(pods=0)
    containers = [{"name": f"c{number}", "image": f"quay.io/org/app:{number}"} for number in range(1, 60)]
    shop.pod("all", "quay.io/org/app:0", pods=0, containers=containers)
    pod_names.update(pod_name="all")
    run = BackfillRun.objects.create(cluster="default", state="running")
    sources = RunningImage.objects.values_list("source", flat=True).distinct()
    BackfillImage.objects.bulk_create(
        BackfillImage(run=run, source=source, rank=rank, state="ready") for rank, source in enumerate(sources)
    )

    watcher.turn_until(lambda: MirrorJob.objects.count() >= 50, what="fifty jobs")
    watcher.turn(2)
    assert MirrorJob.objects.count() == 50
    MirrorJob.objects.filter(pk__in=MirrorJob.objects.values("pk")[:10]).update(
        status="failed", finished_at=F("created_at")
    )
    pause_run(run_id=run.pk, requested_by="ann")
    watcher.turn()
    assert (MirrorJob.objects.count(), backfill_progress(run).failed) == (50, 10)
    resume_run(run_id=run.pk, requested_by="ann")
    watcher.turn_until(lambda: MirrorJob.objects.count() >= 60, what="ten more jobs")
    assert MirrorJob.objects.count() == 60

    waited_for = MirrorJob.objects.filter(status=JobStatus.PENDING).first()
    assert waited_for is not None
    MirrorJob.objects.filter(pk=waited_for.pk).update(priority=Priority.DELAYED)
    cancel_run(run_id=run.pk, requested_by="ann")
    left = MirrorJob.objects.filter(status=JobStatus.PENDING)
    assert [job.pk for job in left] == [waited_for.pk], "a pod has requested it since"
    watcher.turn()
    run.refresh_from_db()
    assert (run.state, MirrorJob.objects.count()) == ("cancelled", 60)


def test_an_image_is_requested_only_for_namespaces_that_did_not_opt_out(
    watcher: Watcher, source: FaultyRegistry, shop: Shop, plane: object
) -> None:
    other = Shop(shop.plane, f"{shop.namespace}-other")
    load(source)
    image = f"{source.host}/app:1.0"
    shop.pod("a", image, metadata={"labels": {"k8s-image-swapper/skip": "true"}})
    other.pod("b", image, serviceAccountName="default", imagePullSecrets=[{"name": "theirs"}])
    run = preview(watcher)
    start_run(run_id=run.pk, requested_by="ann")
    watcher.turn()
    requested = MirrorRequest.objects.get()
    assert (requested.namespace, requested.secret_names) == (other.namespace, "theirs"), (
        "not in the name of one that opted out"
    )


def test_a_swapped_image_missing_at_the_target_is_previewed_by_its_source(
    watcher: Watcher, source: FaultyRegistry, target: FaultyRegistry, shop: Shop
) -> None:
    load(source)
    original = ImageRef.parse(f"{source.host}/app:1.0")
    swapped = str(TargetName(target.host).retarget(original))
    shop.pod("swapped", swapped)
    RunningImage.objects.update(source=str(original), image=swapped)
    assert states(preview(watcher)) == {"app:1.0": "ready"}


def test_an_image_whose_pod_was_not_found_is_skipped(watcher: Watcher, shop: Shop) -> None:
    shop.row("quay.io/org/gone:1", pod_name="gone")
    assert states(preview(watcher)) == {"org/gone:1": "pod-not-found"}


def test_dry_run_and_missing_permissions_block_a_run_and_are_reported(
    watcher: Watcher, source: FaultyRegistry, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(source)
    shop.pod("one", f"{source.host}/app:1.0")
    watcher.configure(dryRun=True)
    run = preview(watcher)
    start_run(run_id=run.pk, requested_by="ann")
    watcher.turn()
    run.refresh_from_db()
    assert "dryRun is set" in run.problem and not MirrorJob.objects.exists()
    watcher.configure(dryRun=False)
    monkeypatch.setenv("KUBECONFIG", str(shop.plane.kubeconfig()))
    watcher.turn()
    run.refresh_from_db()
    assert re.search(r"no permission to read pod \S+: allow this process to get pods", run.problem)
    assert not MirrorJob.objects.exists()
    monkeypatch.undo()


def test_a_preview_uses_few_pulls_and_counts_the_required_ones(
    watcher: Watcher, source: FaultyRegistry, shop: Shop
) -> None:
    hub = PullCounter(100, 90)
    source.on("(HEAD|GET) .*/manifests/", hub, times=1_000)
    for tag in range(15):
        load(source, tag=f"t{tag}", seed=tag, platforms=("linux/amd64", "linux/arm64"))
    shop.pod("one", f"{source.host}/app:t0")
    for tag in range(1, 15):
        shop.pod(f"p{tag}", f"{source.host}/app:t{tag}")
    HostBudget.objects.create(host=source.host, operation="pulls", remaining=90, pull_limit=100)
    run = preview(watcher)
    assert hub.remaining == 90 - 20, "ten images, of each its index and one platform"
    assert (run.counted_pulls, run.unmeasured) == (15 * 3, 5)
    assert run.seconds_estimated == pytest.approx(5 / 70 * 6 * 3600), "40 pulls are free now, 70 of 100 each six hours"
