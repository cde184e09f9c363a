"""SIGKILL during a transfer to a CNCF registry: the image is readable or absent, and the next attempt sends the
rest."""

from __future__ import annotations

import os
import random
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

import pytest
import urllib3

from benchmarks.copies.delay import Network, Proxy, proxy
from mirrors.demo.images import OCI_CONFIG, ImageBuilder, SampleImage
from mirrors.images import ImageRef
from tests.oci.conftest import MakeEngine, ref, request
from tests.support.forked import Forked
from tests.support.ports import wait_until
from tests.support.pushing import push
from tests.support.readback import ACCEPT, read_back
from tests.support.registries import Registry, distribution

KILLS = 20
SEED = 20_261_128
"""The seed of the moments, with which a failed run can be repeated."""

KIB = 1024
LAYERS = [100 * KIB * number for number in range(1, 9)]
"""Sizes in bytes. They differ, so that at most moments some layers are complete and others are not. Two are small
blobs."""

BYTES_PER_SECOND = 1_000_000.0
"""The rate of each connection to the source. The largest layer takes 0.8 seconds."""

UNTIL_KILLED = 0.2
"""The most seconds between the awaited upload and the kill, when the next layer is in the middle of its transfer."""

UPLOADED = re.compile(r'"PUT /v2/([a-z0-9]+)/blobs/uploads/\S*digest=sha256(?:%3A|:)([0-9a-f]{64})\S* HTTP/1.1" 201 ')
BEGUN = re.compile(r'"POST /v2/([a-z0-9]+)/blobs/uploads/\S* HTTP/1.1" 202 ')


def image_of_many_sizes() -> SampleImage:
    noise, build = random.Random(SEED), ImageBuilder()
    children = []
    for architecture in ("amd64", "arm64"):
        layers = [build.blob(noise.randbytes(size)) for size in LAYERS]
        config = build.blob(f'{{"os": "linux", "architecture": "{architecture}"}}'.encode(), OCI_CONFIG)
        platform = {"os": "linux", "architecture": architecture}
        children.append({**build.image(layers, config), "platform": platform})
    return build.build(build.index(children))


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with distribution(tmp_path_factory.mktemp("killed"), logs_requests=True) as registry:
        yield registry


@pytest.fixture(scope="module")
def slow_source(distribution_registry: Registry) -> Iterator[Proxy]:
    with proxy(Network(int(distribution_registry.host.rpartition(":")[2]), 0.01, BYTES_PER_SECOND)) as slow:
        yield slow


class CopyingProcess:
    """A copying process. It has started its copy when the constructor returns."""

    def __init__(self, source: str, target: ImageRef) -> None:
        output, theirs = os.pipe()
        command = ["-m", "tests.oci.copying_process", source, str(target)]
        with open(os.devnull) as nothing, os.fdopen(theirs, "wb") as writes, os.fdopen(output) as reads:
            self._process = Forked(command, os.environ, [nothing, writes, writes])
            writes.close()
            message = reads.readline()
            assert message == "copying\n", message + reads.read()

    def kill_when(self, is_reached: Callable[[], bool], *, after: float) -> None:
        """Kill the process this many seconds after the copy has reached a point. It may have exited by then."""
        wait_until(is_reached, what="this moment of the copy")
        time.sleep(after)
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)


def has(target: Registry, path: str) -> bool:
    response = urllib3.request("HEAD", f"http://{target.host}/v2/{path}", headers={"Accept": ACCEPT}, retries=False)
    assert response.status in (200, 404)
    return response.status == 200


def has_uploaded(target: Registry, repository: str, blobs: int) -> bool:
    return [name for name, _ in UPLOADED.findall(target.log.read_text())].count(repository) >= blobs


def everything_below(image: SampleImage, digest: str) -> set[str]:
    raw = image.manifests[digest][1].decode()
    named = {other for other in (*image.blobs, *image.manifests) if other in raw}
    return {
        digest,
        *named,
        *(below for one in named & image.manifests.keys() for below in everything_below(image, one)),
    }


def assert_nothing_is_half_there(target: Registry, repository: str, image: SampleImage) -> bool:
    """Assert that each readable manifest, by tag or digest, is complete. Return whether the tag exists."""
    is_tagged = has(target, f"{repository}/manifests/1.0")
    for digest in image.manifests:
        if has(target, f"{repository}/manifests/{digest}"):
            assert read_back(target.host, repository, digest).keys() == everything_below(image, digest)
    if is_tagged:
        assert_is_whole(target, repository, image)
    return is_tagged


def assert_is_whole(target: Registry, repository: str, image: SampleImage) -> None:
    contents = {**image.blobs, **{digest: raw for digest, (_, raw) in image.manifests.items()}}
    assert read_back(target.host, repository, "1.0") == contents


def test_a_copy_killed_in_transfer_leaves_no_partial_image_and_is_resumed(
    make_engine: MakeEngine, distribution_registry: Registry, slow_source: Proxy, target: Registry
) -> None:
    image = image_of_many_sizes()
    push(image, distribution_registry.host, "killed", "1.0")
    source = f"{slow_source.host}/killed:1.0"
    moments = random.Random(SEED)
    complete: dict[str, set[str]] = {}
    in_transfer = 0

    for number in range(KILLS):
        repository = f"app{number}"
        # Kill by progress, not by time: on a busy machine, one copy can take several times as long as the next.
        begin = partial(has_uploaded, target, repository, number * len(image.blobs) // KILLS)
        CopyingProcess(source, ref(target, f"{repository}:1.0")).kill_when(
            begin, after=moments.uniform(0, UNTIL_KILLED)
        )

        is_tagged = assert_nothing_is_half_there(target, repository, image)
        complete[repository] = {digest for digest in image.blobs if has(target, f"{repository}/blobs/{digest}")}
        has_begun = repository in BEGUN.findall(target.log.read_text())
        in_transfer += has_begun and not is_tagged and len(complete[repository]) < len(image.blobs)

        make_engine().copy(request(ref(distribution_registry, "killed:1.0"), ref(target, f"{repository}:1.0")))
        assert_is_whole(target, repository, image)

    uploads = Counter((name, f"sha256:{digest}") for name, digest in UPLOADED.findall(target.log.read_text()))
    again = [(name, digest) for name, found in complete.items() for digest in found if uploads[name, digest] != 1]
    assert not again, "uploaded again though it was complete"
    assert in_transfer >= KILLS // 2, "most moments are while blobs move"
    assert sum(map(len, complete.values())) > KILLS, "and blobs were complete by then"
