"""`platforms: auto`: images are mirrored for the platforms of the clusters' nodes, and again for the platforms of new
nodes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from mirrors.jobs.context.worker_context import WorkerContext
from mirrors.jobs.process.new_platforms import COPY_AGAIN_AFTER, QUEUED_AT_ONCE
from mirrors.jobs.process.reconcile import reconcile
from mirrors.jobs.timing import from_now
from mirrors.models import (
    Cluster,
    ClusterNode,
    ImageMapping,
    JobStatus,
    MirrorAttempt,
    MirrorJob,
    MirrorRequest,
    Priority,
    Registry,
    Trigger,
)
from mirrors.selectors.clusters.node_platforms import REPORT_HOLDS
from tests.jobs.support import config_file, context, drain, load, queue_copy, target_row
from tests.support.faulty_registry import FaultyRegistry
from tests.support.registry_profiles import PROFILES, ProfiledRegistry

KINDS = ("amd64", "arm64/v8", "arm/v5", "arm/v7", "386", "ppc64le", "s390x", "riscv64")
EIGHT = tuple(f"linux/{kind}" for kind in KINDS)
AMD, ARM = "linux/amd64", "linux/arm64"


@pytest.fixture
def hub() -> Iterator[ProfiledRegistry]:
    with ProfiledRegistry(PROFILES["dockerhub"]) as registry:
        yield registry


@pytest.fixture
def auto(
    transactional_db: None, hub: ProfiledRegistry, target: FaultyRegistry, tmp_path: Path, settings: Any
) -> Iterator[WorkerContext]:
    """A worker with `platforms: auto` in its configuration."""
    config = config_file(tmp_path, hub, target, platforms="auto")
    settings.ENVIRONMENT = replace(settings.ENVIRONMENT, config=config)
    with context(config) as ready:
        yield ready


def watched(name: str, *platforms: str, target: FaultyRegistry, **fields: Any) -> Cluster:
    """Create a cluster with a node of each platform, as its watcher does. Its configuration names the target."""
    row = target_row(target.host)
    Registry.objects.filter(pk=row.pk).update(clusters=sorted({*row.clusters, name}))
    for number, platform in enumerate(platforms):
        ClusterNode.objects.create(cluster=name, name=f"node-{number}", platform=platform, ready=True)
    known = {"platforms": sorted(filter(None, platforms)), "listed_at": timezone.now(), "nodes": len(platforms)}
    return Cluster.objects.create(name=name, **{**known, **fields})


def mirror(made: WorkerContext, hub: FaultyRegistry, target: FaultyRegistry, tag: str = "1.0") -> ImageMapping:
    job = queue_copy(f"{hub.host}/app:{tag}", target=target.host)
    drain(made)
    job.refresh_from_db()
    assert job.status == JobStatus.SUCCEEDED, job.error_message
    return ImageMapping.objects.get(pk=job.mapping_id)


def let_time_pass() -> None:
    MirrorJob.objects.filter(status=JobStatus.SUCCEEDED).update(finished_at=from_now(-COPY_AGAIN_AFTER - 1))


def waiting() -> list[MirrorJob]:
    return list(MirrorJob.objects.filter(status=JobStatus.PENDING))


def test_only_the_platforms_of_the_nodes_are_mirrored(
    auto: WorkerContext, hub: ProfiledRegistry, target: FaultyRegistry
) -> None:
    image = load(hub, platforms=EIGHT)
    watched("default", AMD, ARM, AMD, target=target)
    row = mirror(auto, hub, target)
    assert row.platforms == [AMD, f"{ARM}/v8"]
    assert row.target_digest != row.source_digest == image.root
    assert hub.pulls == 3, "the index and two platforms, where all eight cost nine pulls"
    log = MirrorAttempt.objects.get(job_id=row.last_job_id).log
    assert "platforms: linux/amd64, linux/arm64, which the nodes of default have" in log


def test_a_mirror_with_limited_platforms_is_compared_without_a_pull(
    auto: WorkerContext, hub: ProfiledRegistry, target: FaultyRegistry
) -> None:
    load(hub, platforms=EIGHT)
    watched("default", AMD, ARM, target=target)
    first = mirror(auto, hub, target)
    pulls, requested = hub.pulls, len(target.requests)

    again = mirror(auto, hub, target)

    assert (hub.pulls, len(target.requests)) == (pulls, requested + 1)
    assert (again.target_digest, again.platforms, again.only_platforms) == (
        first.target_digest,
        first.platforms,
        first.only_platforms,
    )


def test_a_mirror_with_limited_platforms_is_copied_for_a_new_node_platform(
    auto: WorkerContext, hub: ProfiledRegistry, target: FaultyRegistry
) -> None:
    load(hub, platforms=EIGHT)
    cluster = watched("default", AMD, target=target)
    mirror(auto, hub, target)
    watched_again = Cluster.objects.filter(pk=cluster.pk)
    watched_again.update(platforms=[AMD, "linux/s390x"])

    assert mirror(auto, hub, target).platforms == [AMD, "linux/s390x"]


def test_an_image_without_unneeded_platforms_keeps_its_digest(
    auto: WorkerContext, hub: ProfiledRegistry, target: FaultyRegistry
) -> None:
    image = load(hub, platforms=(AMD, ARM))
    watched("default", AMD, ARM, "linux/s390x", target=target)
    row = mirror(auto, hub, target)
    assert (row.target_digest, row.only_platforms) == (image.root, "")


def test_a_pinned_reference_keeps_all_platforms(
    auto: WorkerContext, hub: ProfiledRegistry, target: FaultyRegistry
) -> None:
    image = load(hub, platforms=EIGHT)
    watched("default", AMD, target=target)
    job = queue_copy(f"{hub.host}/app:1.0@{image.root}", target=target.host)
    drain(auto)
    mapping = ImageMapping.objects.get(pk=job.mapping_id)
    assert (mapping.target_digest, len(mapping.platforms)) == (image.root, 8)


def test_the_platforms_of_all_clusters_with_this_target_are_mirrored(
    auto: WorkerContext, hub: ProfiledRegistry, target: FaultyRegistry
) -> None:
    load(hub, platforms=EIGHT)
    watched("default", AMD, target=target)
    watched("west", "linux/s390x", target=target)
    Cluster.objects.create(name="elsewhere", platforms=["linux/riscv64"], listed_at=timezone.now())
    assert mirror(auto, hub, target).platforms == [AMD, "linux/s390x"]


@pytest.mark.parametrize(
    "unknown",
    [
        {"listed_at": None},
        {"platforms": []},
        {"seen_at": timezone.now() - 2 * REPORT_HOLDS},
        None,
    ],
    ids=["not listed", "no nodes seen", "no report for long", "no watcher"],
)
def test_all_platforms_are_mirrored_if_the_nodes_of_a_cluster_are_unknown(
    auto: WorkerContext, hub: ProfiledRegistry, target: FaultyRegistry, unknown: dict[str, Any] | None
) -> None:
    image = load(hub, platforms=EIGHT)
    watched("default", AMD, target=target)
    if unknown is None:
        Registry.objects.update(clusters=["default", "west"])
    else:
        watched("west", AMD, target=target, **unknown)
    row = mirror(auto, hub, target)
    assert (row.target_digest, len(row.platforms)) == (image.root, 8)
    assert "all, as no watcher reports the nodes of the cluster west" in MirrorAttempt.objects.get().log


def test_all_platforms_are_mirrored_if_the_platform_of_a_node_is_unknown(
    auto: WorkerContext, hub: ProfiledRegistry, target: FaultyRegistry
) -> None:
    load(hub, platforms=EIGHT)
    watched("default", AMD, "", target=target)
    assert len(mirror(auto, hub, target).platforms) == 8


def test_images_are_copied_again_for_a_node_with_a_new_platform(
    auto: WorkerContext, hub: ProfiledRegistry, target: FaultyRegistry
) -> None:
    load(hub, platforms=EIGHT)
    cluster = watched("default", AMD, target=target)
    before = mirror(auto, hub, target)
    reconcile()
    assert waiting() == [], "nothing is missing"

    ClusterNode.objects.create(cluster="default", name="new", platform=ARM, ready=True)
    Cluster.objects.filter(pk=cluster.pk).update(platforms=[AMD, ARM])
    reconcile()
    assert waiting() == [], "it was copied a moment ago"
    let_time_pass()
    reconcile()
    (job,) = waiting()
    assert (job.priority, job.trigger, job.namespace) == (Priority.REFRESH, Trigger.REFRESH, "default")
    pulls = hub.pulls
    drain(auto)
    after = ImageMapping.objects.get()
    assert after.platforms == [AMD, f"{ARM}/v8"]
    assert after.target_digest not in (before.target_digest, after.source_digest)
    assert hub.pulls - pulls == 2, "the index and the new platform"
    let_time_pass()
    reconcile()
    assert waiting() == []


def test_a_platform_stays_mirrored_after_its_last_node_is_removed(
    auto: WorkerContext, hub: ProfiledRegistry, target: FaultyRegistry
) -> None:
    load(hub, platforms=EIGHT)
    cluster = watched("default", AMD, ARM, target=target)
    before = mirror(auto, hub, target)
    Cluster.objects.filter(pk=cluster.pk).update(platforms=[AMD])
    after = mirror(auto, hub, target)
    assert (after.target_digest, after.platforms) == (before.target_digest, [AMD, f"{ARM}/v8"])


def test_a_copy_for_a_new_platform_has_the_requesters_of_the_last_copy(
    auto: WorkerContext, hub: ProfiledRegistry, target: FaultyRegistry
) -> None:
    load(hub, platforms=EIGHT)
    cluster = watched("default", AMD, target=target)
    for namespace in ("shop", "billing"):
        queue_copy(f"{hub.host}/app:1.0", target=target.host, namespace=namespace, secret_names=("pull", "other"))
    drain(auto)
    let_time_pass()
    Cluster.objects.filter(pk=cluster.pk).update(platforms=[AMD, ARM])
    reconcile()
    (job,) = waiting()
    rows = MirrorRequest.objects.filter(job=job).values_list("namespace", "secret_names")
    assert set(rows) == {("shop", "other,pull"), ("billing", "other,pull")}


def test_copies_for_a_new_platform_are_limited_and_exclude_failed_images(
    auto: WorkerContext, hub: ProfiledRegistry, target: FaultyRegistry
) -> None:
    load(hub, platforms=EIGHT)
    watched("default", AMD, ARM, target=target)
    registry = target_row(target.host)
    rows = [
        ImageMapping(
            target_registry=registry,
            source=f"{hub.host}/app:{number}",
            target=f"{target.host}/{hub.host}/app:{number}",
            existence="present",
            only_platforms=AMD,
        )
        for number in range(QUEUED_AT_ONCE + 20)
    ]
    for row in ImageMapping.objects.bulk_create(rows):
        status = JobStatus.FAILED if row.source.endswith(":0") else JobStatus.SUCCEEDED
        job = MirrorJob.objects.create(mapping=row, status=status, finished_at=from_now(-COPY_AGAIN_AFTER - 1))
        ImageMapping.objects.filter(pk=row.pk).update(last_job=job)
    reconcile()
    assert len(waiting()) == QUEUED_AT_ONCE
    reconcile()
    assert len(waiting()) == QUEUED_AT_ONCE, "more follow when these are done"
    MirrorJob.objects.filter(status=JobStatus.PENDING).update(status=JobStatus.SUCCEEDED, finished_at=from_now(0))
    reconcile()
    assert len(waiting()) == 19
    assert not MirrorJob.objects.filter(mapping__source__endswith=":0", status=JobStatus.PENDING).exists()


def test_images_are_copied_with_all_platforms_for_an_unwatched_cluster(
    auto: WorkerContext, hub: ProfiledRegistry, target: FaultyRegistry
) -> None:
    image = load(hub, platforms=EIGHT)
    cluster = watched("default", AMD, target=target)
    mirror(auto, hub, target)
    let_time_pass()
    Cluster.objects.filter(pk=cluster.pk).update(seen_at=timezone.now() - 2 * REPORT_HOLDS)
    reconcile()
    assert waiting() == [], "a watcher that stopped for a while changes nothing"
    Registry.objects.update(clusters=["default", "west"])
    reconcile()
    assert len(waiting()) == 1
    drain(auto)
    assert ImageMapping.objects.get().target_digest == image.root


def test_images_with_a_configured_platform_list_are_not_copied_again(
    transactional_db: None, hub: ProfiledRegistry, target: FaultyRegistry, tmp_path: Path, settings: Any
) -> None:
    load(hub, platforms=EIGHT)
    config = config_file(tmp_path, hub, target, platforms=[AMD])
    settings.ENVIRONMENT = replace(settings.ENVIRONMENT, config=config)
    watched("default", AMD, ARM, target=target)
    with context(config) as made:
        row = mirror(made, hub, target)
    assert (row.platforms, row.only_platforms) == ([AMD], AMD)
    let_time_pass()
    reconcile()
    assert waiting() == []
