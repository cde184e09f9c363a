"""The cost of a backfill with the limits of registries, as a table; and the order in which it mirrors images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mirrors.backfill.estimate import UNREAD_MANIFESTS, Estimate, MeasuredImage, PullBudget, estimate
from mirrors.backfill.measuring import size_of
from mirrors.models import BackfillRun, BackfillState, ImageMapping, Registry, RegistryRole
from mirrors.oci.common.descriptors import Descriptor
from mirrors.oci.common.manifests import Manifest
from mirrors.selectors.clusters.backfill import BackfillProgress, candidates, seconds_left
from tests.backfill.conftest import running

HUB, QUAY, TARGET = "docker.io", "quay.io", "mirror.example.com"
PULLS = {HUB: PullBudget(limit=100, remaining=100, reserve=30)}
HOUR = 3_600


def image(host: str, manifests: int | None = 3, blobs: int | None = 4, size: int | None = 1_000) -> MeasuredImage:
    return MeasuredImage(host, manifests, blobs, size)


@pytest.mark.parametrize(
    ("images", "limits", "expected"),
    [
        pytest.param([], {}, Estimate(0, 0, 0, 0), id="nothing"),
        pytest.param([image(QUAY)] * 9, {}, Estimate(9_000, 0, 0, 0), id="no limits"),
        pytest.param([image(HUB)] * 20, {}, Estimate(20_000, 0, 60, 0), id="what remains is enough"),
        pytest.param([image(HUB)] * 70, {}, Estimate(70_000, 0, 210, 12 * HOUR), id="two windows more"),
        pytest.param(
            [image(HUB), image(HUB, None, None, None)], {}, Estimate(1_000, 1, 6, 0), id="as large as the others"
        ),
        pytest.param(
            [image(HUB, None, None, None)], {}, Estimate(0, 1, UNREAD_MANIFESTS, 0), id="nothing is known of it"
        ),
        pytest.param(
            [image(QUAY)] * 80, {TARGET: {"put-manifest": 8}}, Estimate(80_000, 0, 0, 30), id="manifests a second"
        ),
        pytest.param([image(QUAY)] * 70, {QUAY: {"get": 10}}, Estimate(70_000, 0, 0, 49), id="reads a second"),
        pytest.param(
            [image(QUAY)] * 10,
            {TARGET: {"put-manifest": 8, "write": 2, "transfer": 4}},
            Estimate(10_000, 0, 0, (30 + 2 * 40) / 2),
            id="the slowest limit counts",
        ),
    ],
)
def test_the_estimate_includes_the_limits_of_registries(
    images: Sequence[MeasuredImage], limits: Mapping[str, Mapping[str, float]], expected: Estimate
) -> None:
    assert estimate(images, pulls=PULLS, limits=lambda host: limits.get(host, {}), target=TARGET) == expected


def test_pulls_below_the_reserve_are_not_available_to_a_backfill() -> None:
    budget = PullBudget(limit=100, remaining=20, reserve=30)
    assert budget.seconds_for(70) == 6 * HOUR


def manifest(*sizes: int, children: int = 0) -> Manifest:
    blobs = tuple(Descriptor(f"sha256:{size:064}", "", size) for size in sizes)
    found = tuple(Descriptor(f"sha256:{number:064x}", "", 1) for number in range(children))
    return Manifest(b"", "sha256:0", "", found, blobs)


@pytest.mark.parametrize(
    ("root", "children", "size"),
    [
        (manifest(10, 20), [], (30, 1, 2)),
        (manifest(children=2), [manifest(1, 20), manifest(2, 20)], (23, 3, 3)),
        (manifest(children=4), [manifest(1, 20)], (84, 5, 8)),
    ],
    ids=["image", "shared layer once", "one of four read"],
)
def test_image_sizes_count_shared_layers_once_and_extrapolate_manifests(
    root: Manifest, children: list[Manifest], size: tuple[int, int, int]
) -> None:
    found = size_of(root, children)
    assert (found.size, found.manifests, found.blobs) == size


@pytest.mark.django_db
def test_images_that_pods_wait_for_come_before_the_most_used() -> None:
    target = Registry.objects.create(role=RegistryRole.TARGET, endpoint=TARGET)
    other = Registry.objects.create(role=RegistryRole.TARGET, endpoint="old.example.com", enabled=False)
    rows: dict[str, dict[str, Any]] = {
        "few:1": {"pods": 2},
        "many:1": {"pods": 9},
        "failing:1": {"state": "failing", "pods": 1},
        "starting:1": {"state": "starting", "pods": 3},
        "template:1": {"state": "template", "pods": 0},
        "ended:1": {"state": "ended", "pods": 50},
        "mirrored:1": {"pods": 60},
        "elsewhere:1": {"pods": 5},
        "theirs:1": {"pods": 70, "cluster": "other"},
    }
    for name, fields in rows.items():
        running(f"quay.io/{name}", **fields)
    for name in ("few", "template"):
        for namespace in ("a", "b"):
            running(f"quay.io/{name}:1", namespace=namespace, pods=0)
    mapped = {"mirrored": (target, "present"), "many": (target, "absent"), "elsewhere": (other, "present")}
    for name, (registry, existence) in mapped.items():
        ImageMapping.objects.create(
            source=f"quay.io/{name}:1", target=f"m/{name}:1", target_registry=registry, existence=existence
        )
    found = [row["source"].partition("/")[2] for row in candidates(cluster="default", registry_id=target.pk)]
    assert found == ["starting:1", "failing:1", "many:1", "elsewhere:1", "few:1", "template:1"]


NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "over", "left"),
    [
        ({"state": "preview"}, 0, 1_000),
        ({"state": "running"}, 0, 1_000),
        ({"state": "running", "seconds_estimated": 0}, 0, None),
        ({"state": "running"}, 50, 600),
        ({"state": "running", "done_before": 48}, 50, 500),
        ({"state": "paused"}, 50, 500),
        ({"state": "finished"}, 100, None),
        ({"state": "cancelled"}, 50, None),
    ],
)
def test_the_remaining_time_depends_on_state_and_progress(
    fields: dict[str, Any], over: int, left: float | None
) -> None:
    run = BackfillRun(**{"seconds_estimated": 1_000, "resumed_at": NOW - timedelta(minutes=10), **fields})
    progress = BackfillProgress(ready=100 - over, mirrored=over, skipped=7)
    assert seconds_left(run, progress, NOW) == left
    assert (progress.percent, BackfillState(run.state).label) == (over, run.get_state_display())
