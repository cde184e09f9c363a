"""The target registry is down, slow, refuses requests or sends invalid responses: unknown is never taken for absent, no
review exceeds its time budget, and the webhook recovers automatically when the registry does."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mirrors.demo.images import sample_image
from mirrors.demo.registry import MemoryRegistry
from tests.support.databases import query
from tests.support.faulty_registry import Action, FaultyRegistry, drip, endless, hang, hang_up, reply
from tests.support.ports import wait_until
from tests.support.system import Webhook, pod_of, review_of
from tests.webhook.mirrored import admit_in_time, embedded_webhook, image, known_pods, mirror_of, reason

HEAD = "HEAD .*/manifests/"
MANIFEST = "(HEAD|GET) .*/manifests/"
ALWAYS = float("inf")


@pytest.fixture(scope="module")
def shared_target() -> Iterator[FaultyRegistry]:
    with FaultyRegistry() as registry:
        yield registry


@pytest.fixture(scope="module")
def shared(
    source: MemoryRegistry, shared_target: FaultyRegistry, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Webhook]:
    with embedded_webhook(tmp_path_factory.mktemp("shared"), source, shared_target) as webhook:
        yield webhook


@pytest.mark.parametrize(
    "fault",
    [reply(401), reply(403), reply(429), reply(500), reply(200, b"<html>"), hang, hang_up, drip, endless],
    ids=["401", "403", "429", "500", "html", "silent", "cut", "dripping", "endless"],
)
def test_an_image_is_unknown_while_the_target_fails(
    source: MemoryRegistry, shared_target: FaultyRegistry, shared: Webhook, fault: Action, request: Any
) -> None:
    name = f"unseen-{request.node.callspec.id}"
    for registry, repository in ((source, f"team/{name}"), (shared_target, f"{mirror_of(source)}/team/{name}")):
        sample_image(layers=1, layer_bytes=100).load(registry.storage, repository, "1.0")
    with known_pods(shared, source) as load:
        shared_target.on(MANIFEST, fault, times=ALWAYS)
        assert reason(shared, source, name) == "unknown"
        wait_until(lambda: load.answers > 20, what="the load's answers")
        shared_target.heal()
        wait_until(lambda: reason(shared, source, name) == "present", timeout=60, what="the target's answer")


def test_an_open_breaker_stops_requests_except_probes_until_recovery(
    source: MemoryRegistry, faulty: FaultyRegistry, tmp_path: Path
) -> None:
    breaker = f'swapper_breaker_open{{host="{faulty.host}"}}'
    quotas = {"newImagesPerHour": 10_000, "pendingJobs": 10_000}
    with (
        embedded_webhook(tmp_path, source, faulty, quotas=quotas) as webhook,
        known_pods(webhook, source),
    ):
        faulty.on(HEAD, reply(503), times=ALWAYS)
        wait_until(lambda: _ask_anew(webhook, source) and webhook.metrics().get(breaker) == 1, what="the breaker")
        requested = faulty.count(HEAD)
        for _ in range(20):
            assert _ask_anew(webhook, source) == ["unknown"]
        assert faulty.count(HEAD) == requested, "it is asked nothing while it rests"
        # After its pause, the registry gets one request and pauses again. Until it responds, no review waits, and the
        # alert stays.
        wait_until(lambda: _ask_anew(webhook, source) and faulty.count(HEAD) > requested, what="a probe")
        for _ in range(20):
            assert _ask_anew(webhook, source) == ["unknown"]
            assert webhook.metrics()[breaker] == 1
        assert len({probe.path for probe in faulty.found(HEAD)[requested:]}) == 1
        faulty.heal()
        wait_until(lambda: _ask_anew(webhook, source) == ["absent"], timeout=60, what="answers after its rest")
        wait_until(lambda: webhook.metrics()[breaker] == 0, what="the breaker's end in the metrics")


_numbers = itertools.count()


def _ask_anew(webhook: Webhook, source: MemoryRegistry) -> list[str]:
    """Return the reason for an image that was not requested before."""
    return webhook.reasons(admit_in_time(webhook, source, f"other-{next(_numbers)}"))


def test_stale_results_expire_only_while_the_target_responds(
    source: MemoryRegistry, faulty: FaultyRegistry, tmp_path: Path
) -> None:
    with embedded_webhook(tmp_path, source, faulty, existence={"maxAge": "1s", "maxStale": "4s"}) as webhook:
        faulty.on(HEAD, reply(500), times=ALWAYS)
        wait_until(lambda: reason(webhook, source, "known") == "present-stale", what="a stale answer")

        # Even past maxStale: the registry is down, and this does not lead back to the sources.
        def is_very_stale() -> bool:
            stale = reason(webhook, source, "known") == "present-stale"
            return stale and webhook.metrics()["swapper_existence_stale_seconds"] > 5

        wait_until(is_very_stale, what="a very stale answer")

        # A registry that responds, but not to this request, ends the stale state.
        faulty.heal()
        wait_until(lambda: reason(webhook, source, "known") == "present", timeout=60, what="a fresh answer")
        faulty.on(MANIFEST, reply(403), times=ALWAYS)
        wait_until(lambda: reason(webhook, source, "known") == "present-stale", what="a stale answer")
        wait_until(lambda: reason(webhook, source, "known") == "unknown", what="the end of the stale answer")

        faulty.heal()
        wait_until(lambda: reason(webhook, source, "known") == "present", timeout=60, what="a fresh answer")


@pytest.mark.parametrize("status", [403, 404, 405])
def test_a_failed_head_request_for_a_present_image_is_confirmed_with_get(
    status: int, source: MemoryRegistry, faulty: FaultyRegistry, tmp_path: Path
) -> None:
    with embedded_webhook(tmp_path, source, faulty, existence={"maxAge": "1s", "maxStale": "4s"}) as webhook:
        faulty.on(HEAD, reply(status), times=ALWAYS)
        requested = faulty.count(HEAD)

        def is_asked_again() -> bool:
            assert reason(webhook, source, "known") in {"present", "present-stale"}
            return faulty.count(HEAD) >= requested + 3

        wait_until(is_asked_again, timeout=60, what="three more questions")
        # An image that was never present is not checked with a second request.
        reads = faulty.count("GET .*/manifests/")
        assert reason(webhook, source, "new") != "present"
        assert faulty.count(f"GET .*{mirror_of(source)}/team/new/manifests/") == 0
        assert reads >= 3


def test_an_image_found_at_the_target_is_swapped_and_gets_a_mapping_and_job(
    source: MemoryRegistry, faulty: FaultyRegistry, tmp_path: Path
) -> None:
    """The database was lost, or another client has pushed the image: it is swapped, recorded, and checked by a job."""
    sample = sample_image(seed=5, layers=1, layer_bytes=100)
    sample.load(source.storage, "team/older", "1.0")
    sample.load(faulty.storage, f"{mirror_of(source)}/team/older", "1.0")
    sql = "SELECT existence, access, last_job_id FROM mirrors_imagemapping WHERE source LIKE '%team/older:1.0'"
    with embedded_webhook(tmp_path, source, faulty) as webhook:
        assert reason(webhook, source, "older") == "present"
        wait_until(lambda: [row[0] for row in query(webhook.database_url, sql)] == ["present"], what="its mapping")

        def has_job() -> bool:
            assert reason(webhook, source, "older") == "present"
            return query(webhook.database_url, sql)[0][2] is not None

        wait_until(has_job, what="its job")
        # From now on no request to the target is needed.
        faulty.on(MANIFEST, hang, times=ALWAYS)
        assert reason(webhook, source, "older") == "present"


def test_concurrent_reviews_of_one_image_share_one_target_request(
    source: MemoryRegistry, faulty: FaultyRegistry, tmp_path: Path
) -> None:
    """Hundreds of pods with the same missing image, and hundreds of images: each image is requested once."""
    keys = {"quotas": {"newImagesPerHour": 5000, "pendingJobs": 5000}}
    with embedded_webhook(tmp_path, source, faulty, **keys) as webhook, known_pods(webhook, source):
        before = len(faulty.found(HEAD))
        shared = image(source, "missing")
        images = [f"{source.host}/many/image-{number}:1" for number in range(400)]

        def admit(name: str) -> int:
            return webhook.post(json.dumps(review_of(pod_of(name))).encode()).status

        with ThreadPoolExecutor(12) as pool:
            started = time.monotonic()
            assert set(pool.map(admit, [shared] * 400)) == {200}
            seconds = time.monotonic() - started
            assert set(pool.map(admit, images)) == {200}

        heads = [requested.path for requested in faulty.found(HEAD)[before:]]
        missing = [path for path in heads if "/missing/" in path]
        # Absence is cached for five seconds, and a busy machine might need longer for all pods.
        assert len(missing) <= 1 + seconds / 5
        assert max(heads.count(path) for path in {p for p in heads if "/many/" in p}) == 1
        wait_until(
            lambda: (
                query(webhook.database_url, "SELECT count(*) FROM mirrors_mirrorjob WHERE status = 'pending'")[0][0]
                == 401
            ),
            timeout=180,
            what="one job an image",
        )
