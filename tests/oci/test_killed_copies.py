"""A process that is killed during a copy leaves the image either readable or absent, and no blob is copied twice."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field

from mirrors.demo.handler import Handler
from mirrors.demo.images import SampleImage, sample_image
from mirrors.oci import Engine
from tests.oci.conftest import MakeProfiled, ref
from tests.oci.referrers.mirroring import mirror
from tests.oci.samples import is_complete
from tests.support.faulty_registry import FaultyRegistry, cut, hang
from tests.support.readback import read_back
from tests.support.registry_profiles import ProfiledRegistry
from tests.support.signing import Signer, Verifier

KILLS = 20
EVERYTHING = ".*"


@dataclass(slots=True)
class Killer:
    """Kill a process at the request with this number, at either registry. A blob is cut off in the middle."""

    at: int
    process: subprocess.Popen[bytes] | None = None
    seen: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, handler: Handler) -> bool:
        with self.lock:
            self.seen += 1
            is_due = self.seen == self.at
        if not is_due:
            return False
        if handler.command == "GET" and "/blobs/" in handler.path:
            cut(500)(handler)
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)
        return hang(handler) if handler.command == "GET" else False


def load(registry: ProfiledRegistry, signer: Signer) -> SampleImage:
    image = sample_image(layer_bytes=20_000)
    image.load(registry.storage, "app", "1.0")
    signer.tagged(image.root).load(registry.storage, "app", f"{image.root.replace(':', '-')}.sig")
    signer.bundle(image.root, 1).load(registry.storage, "app")
    return image


def run(source: FaultyRegistry, target: FaultyRegistry, killer: Killer) -> int:
    """Copy the image in a process of its own, and return the exit status of the process."""
    for registry in (source, target):
        registry.on(EVERYTHING, killer, times=10_000)
    command = [sys.executable, "-m", "tests.oci.copying_process", str(ref(source)), str(ref(target))]
    killer.process = subprocess.Popen(command)
    status = killer.process.wait(60)
    for registry in (source, target):
        registry.heal()
    return status


def below(raw: bytes) -> set[str]:
    document = json.loads(raw)
    entries = [*document.get("manifests", []), *document.get("layers", [])]
    return {entry["digest"] for entry in [*entries, *filter(None, [document.get("config")])]}


def assert_nothing_is_half_there(registry: FaultyRegistry) -> None:
    """Assert that the registry has everything that each manifest refers to, so that any tag or digest can be pulled."""
    storage = registry.storage
    has = {digest for _, digest in storage.links} | {digest for _, digest in storage.manifests}
    for (_, digest), (_, raw) in storage.manifests.items():
        assert below(raw) <= has, digest


def test_a_killed_copy_is_complete_or_absent_and_finished_by_the_next_copy(
    engine: Engine, profiled: MakeProfiled
) -> None:
    signer, counter = Signer(), Killer(at=0)
    source = profiled()
    image = load(source, signer)
    run(source, profiled("ghcr"), counter)
    moments = random.sample(range(1, counter.seen + 1), KILLS)
    killed = 0

    for moment in moments:
        target = profiled("ghcr")
        killed += run(source, target, Killer(at=moment)) == -signal.SIGKILL

        assert_nothing_is_half_there(target)
        if ("app", "1.0") in target.storage.tags:
            assert read_back(target.host, "app", "1.0").keys() == {*image.blobs, *image.manifests}
        complete = {digest for _, digest in target.storage.links}
        target.requests.clear()

        mirror(engine, source, target)

        assert is_complete(target, image)
        assert Verifier(target.host, "app").tagged(image.root, signer)
        assert Verifier(target.host, "app").bundles(image.root, signer)
        sent = {
            requested.path.rpartition("digest=")[2].replace("%3A", ":") for requested in target.found("PUT .*/uploads/")
        }
        assert not sent & complete, f"killed at request {moment} of {counter.seen}"
    # The number of requests differs from run to run, so that the last ones may not be reached.
    assert killed > KILLS / 2
