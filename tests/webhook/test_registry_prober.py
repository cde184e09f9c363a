"""Requests to registries: background requests do not delay others, and a new engine does not cancel requests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from mirrors.demo.handler import Handler
from mirrors.demo.images import sample_image
from mirrors.images import ImageRef
from mirrors.oci import Descriptor, Engine, EngineSettings, RegistryAccess
from tests.support.faulty_registry import FaultyRegistry
from tests.support.ports import wait_until
from webhook.knowledge.engine_pool import Engines
from webhook.knowledge.registry_prober import MOST_CONCURRENT_CHECKS, RegistryProber

ACCESS = RegistryAccess(host="example.com")
THERE = Descriptor("application/vnd.oci.image.manifest.v1+json", "sha256:" + "0" * 64, 100)


class Registry:
    """A registry that responds to some images immediately, and to the others when ``let_go`` is set."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.asked: list[str] = []

    def head(self, ref: ImageRef, access: RegistryAccess, timeout: float, confirm: bool) -> Descriptor | None:
        self.asked.append(str(ref))
        if "stale" in ref.repository:
            self.let_go.wait(30)
        return THERE


@pytest.fixture
def registry() -> Iterator[Registry]:
    made = Registry()
    yield made
    made.let_go.set()


def test_background_requests_do_not_delay_a_request_for_a_new_image(registry: Registry) -> None:
    existence = RegistryProber(registry.head)
    stale = [ImageRef.parse(f"example.com/stale-{number}") for number in range(MOST_CONCURRENT_CHECKS + 50)]
    for ref in stale:
        existence.check(ref, ACCESS, later=True)

    assert existence.check(ImageRef.parse("example.com/new"), ACCESS).result(10).state == "present"
    assert not any("stale-100:" in name for name in registry.asked), "it waits for a thread"
    registry.let_go.set()
    # A review now waits for one of these images, which is moved ahead of the others.
    assert existence.check(stale[100], ACCESS).result(10).state == "present"
    existence.close()


def test_identical_requests_are_sent_once(registry: Registry) -> None:
    existence = RegistryProber(registry.head)
    ref = ImageRef.parse("example.com/stale")
    first = existence.check(ref, ACCESS, later=True)
    wait_until(lambda: registry.asked, what="the question")
    second, third = existence.check(ref, ACCESS), existence.check(ref, ACCESS, later=True)
    registry.let_go.set()

    assert {future.result(10).state for future in (first, second, third)} == {"present"}
    assert len(registry.asked) == 1
    existence.close()


def test_a_replaced_engine_finishes_its_pending_request() -> None:
    arrived, let_go = threading.Event(), threading.Event()

    def hold(handler: Handler) -> bool:
        arrived.set()
        let_go.wait(20)
        return False

    with FaultyRegistry() as target:
        sample_image(layers=1, layer_bytes=100).load(target.storage, "team/app", "1.0")
        target.on("HEAD .*/manifests/", hold)
        engines = Engines(lambda: Engine(EngineSettings(images=4, blobs=1)))
        access = RegistryAccess(host=target.host, insecure=True, private_allowed=True)
        ref = ImageRef.parse(f"{target.host}/team/app:1.0")
        with ThreadPoolExecutor(1) as pool:
            response = pool.submit(engines.head, ref, access, 20.0, False)
            assert arrived.wait(20)
            for _ in range(3):
                engines.replace()
            let_go.set()
            assert response.result(20) is not None
        assert engines.head(ref, access, 20.0, False) is not None
        engines.close()
