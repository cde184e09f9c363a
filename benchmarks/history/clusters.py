"""Rows that watchers of two clusters write: running images, pull failures, backfills, readiness."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from benchmarks.history import words
from benchmarks.history.rows import TARGET, Row, Story, text

CLUSTERS: Final = words.CLUSTERS
STATES: Final = words.pool((("running", 88), ("starting", 3), ("failing", 1), ("template", 5), ("ended", 3)))
CAUSES: Final = ("not-found", "denied", "unreachable", "rate-limited", "platform-missing", "invalid-name", "other")
NODES: Final = 1_000
RUNS: Final = 10
IMAGE_STATES: Final = words.pool((("mirrored", 90), ("failed", 4), ("skipped", 4), ("cancelled", 2)))
SAMPLED_HOURS: Final = 24 * 90
"""The hours for which samples are kept."""


def cluster_of(number: int) -> str:
    return CLUSTERS[number % words.STAGING_EVERY == 0]


def clusters(story: Story) -> Iterator[Row]:
    for number, name in enumerate(CLUSTERS):
        now = text(story.now.timestamp())
        yield (number + 1, name, "v1.35.4", story.size.running_images * 2, NODES, '["linux/amd64"]', "[]", "", now, now)


def nodes(story: Story) -> Iterator[Row]:
    for number in range(NODES):
        pulled = text(story.now.timestamp() - number * 60) if number % 7 else None
        yield (number + 1, cluster_of(number), f"node-{number}", "linux/amd64", number % 50 != 0, pulled)


def running_images(story: Story) -> Iterator[Row]:
    """Yield running images. Two of three images of a workload have a mapping, and half of these are pulled from the
    target."""
    size = story.size
    for number in range(size.running_images):
        known = number % 3 > 0
        source = story.images[number % size.mappings] if known else f"quay.io/unknown/app-{number % 4_000}:1.{number}"
        image = f"{TARGET}/{source}" if number % 3 == 1 else source
        state = STATES[number * 37 % len(STATES)]
        pods = 0 if state in ("template", "ended") else 1 + number % 9
        seen = text(story.now.timestamp() - number % 86_400)
        yield (
            number + 1,
            cluster_of(number),
            f"{number:040x}",
            story.namespaces[number // 3 % len(story.namespaces)],
            words.KINDS[number % 5],
            f"{words.PARTS[number % 50]}-{number // 3}",
            source,
            image,
            f"sha256:{number % size.mappings:064x}" if pods else "",
            pods,
            min(pods, 5),
            f"pod-{number}",
            number % 2 == 0,
            state,
            seen,
            seen,
        )


def pull_failures(story: Story) -> Iterator[Row]:
    for number in range(story.size.running_images // 50):
        source, namespace = story.images[number % story.size.mappings], story.namespaces[number % len(story.namespaces)]
        side = ("source", "target")[number % 4 == 0]
        pod = {"namespace": namespace, "kind": "Deployment", "name": "web", "pod": f"web-{number}", "node": "node-1"}
        seen = text(story.now.timestamp() - number * 60)
        yield (
            number + 1,
            cluster_of(number),
            f"{number:040x}",
            f"{TARGET}/{source}" if side == "target" else source,
            source,
            side,
            CAUSES[number % len(CAUSES)],
            "failed to resolve reference: unexpected status from HEAD request: 403 Forbidden",
            1 + number % 30,
            1 + number % 9,
            json.dumps([namespace]),
            json.dumps([pod]),
            number % 3 == 0,
            seen,
            seen,
        )


def target_health(story: Story) -> Iterator[Row]:
    at = text(story.now.timestamp() - 900)
    host, on = TARGET.partition("/")[0], '["node-1", "node-2"]'
    for number, (name, state) in enumerate(zip(CLUSTERS, ("healthy", "unhealthy"), strict=True)):
        yield (number + 1, name, host, state, "denied", "403 Forbidden", on, at, at)


def restart_loops(story: Story) -> Iterator[Row]:
    for number in range(200):
        source = story.images[number % story.size.mappings]
        begun, ends = story.now.timestamp() - number * 1_800, story.now.timestamp() + (48 - number) * 1_800
        yield (
            number + 1,
            cluster_of(number),
            f"{number:040x}",
            story.namespaces[number % len(story.namespaces)],
            "Deployment",
            f"web-{number}",
            source,
            f"{TARGET}/{source}",
            5,
            text(begun),
            text(ends),
            None,
        )


def backfill_runs(story: Story) -> Iterator[Row]:
    """Yield backfill runs: one running in each cluster, the others finished."""
    images = story.size.running_images // RUNS
    for number in range(RUNS):
        is_over = number < RUNS - len(CLUSTERS)
        at = text(story.now.timestamp() - (RUNS - number) * 86_400)
        cluster, state = CLUSTERS[number % len(CLUSTERS)], "finished" if is_over else "running"
        result = at if is_over else None
        yield (
            number + 1,
            cluster,
            state,
            "olga",
            "",
            images,
            0,
            images * 50_000_000,
            0,
            images,
            60,
            0,
            at,
            at,
            at,
            at,
            result,
        )


def backfill_images(story: Story) -> Iterator[Row]:
    each = story.size.running_images // RUNS
    for number in range(each * RUNS):
        run, rank = number // each, number % each
        state = IMAGE_STATES[number * 37 % len(IMAGE_STATES)]
        if run >= RUNS - len(CLUSTERS) and rank > each // 2:
            state = "queued" if rank < each // 2 + 50 else "ready"
        source = story.images[number % story.size.mappings]
        job = number + 1 if state in ("mirrored", "failed", "queued") and number < story.size.jobs else None
        reason = "filtered" if state == "skipped" else ""
        yield (number + 1, run + 1, source, rank, 1 + number % 9, 1, False, state, reason, "", True, 50_000_000, job)


def readiness_samples(story: Story) -> Iterator[Row]:
    hour = story.now.replace(minute=0, second=0, microsecond=0)
    for number in range(SAMPLED_HOURS * len(CLUSTERS)):
        at = text((hour - timedelta(hours=number // len(CLUSTERS))).timestamp())
        yield (number + 1, CLUSTERS[number % len(CLUSTERS)], at, 10_000, 400 + number % 90, at)
