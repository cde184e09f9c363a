"""The cases: the images to copy, and the network between the registries."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from mirrors.demo.images import ImageBuilder, SampleImage, sample_image

MIB = 1024 * 1024
PLATFORMS = ("amd64", "arm64", "arm/v7", "386", "ppc64le", "s390x", "riscv64", "arm/v6")


@dataclass(frozen=True, slots=True)
class Case:
    """A case. ``images`` creates ``count`` images for the source; ``at_once`` are copied concurrently. ``again``: the
    copies run twice, and the second run is timed. ``siblings``: copy from one repository of the target registry to
    another. ``rtt_ms`` None means the loopback itself, without a proxy; ``rate`` is the bytes per second of a
    connection. ``drop``: the bytes after which the connection of each response of the source is cut."""

    name: str
    images: Callable[[], list[SampleImage]]
    count: int
    rtt_ms: float | None
    rate: float = 40 * MIB
    at_once: int = 1
    again: bool = False
    siblings: bool = False
    drop: int = 0


def large_platforms() -> list[SampleImage]:
    """Two platforms of six layers of 30 MiB."""
    return [sample_image(seed=1, layers=6, layer_bytes=30 * MIB)]


def many_platforms() -> list[SampleImage]:
    """Eight platforms with an attestation each, 74 MiB."""
    noise = random.Random(2)
    builder = ImageBuilder()
    children = []
    for platform in PLATFORMS:
        layers = [builder.blob(noise.randbytes(size)) for size in (6 * MIB, 3 * MIB, 256 * 1024)]
        image = builder.image(layers, builder.blob(noise.randbytes(1500), "application/vnd.oci.image.config.v1+json"))
        statement = builder.blob(noise.randbytes(4096), "application/vnd.in-toto+json")
        proof = builder.image([statement], builder.blob(noise.randbytes(200)))
        architecture, _, variant = platform.partition("/")
        described = {"os": "linux", "architecture": architecture, **({"variant": variant} if variant else {})}
        annotations = {
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": image["digest"],
        }
        unknown = {"os": "unknown", "architecture": "unknown"}
        children += [{**image, "platform": described}, {**proof, "platform": unknown, "annotations": annotations}]
    return [builder.build(builder.index(children))]


def small_images() -> list[SampleImage]:
    """Fifty images of one platform and three layers of 64 KiB."""
    return [sample_image(seed=100 + number, platforms=("linux/amd64",)) for number in range(50)]


def one_layer() -> list[SampleImage]:
    """One layer of 300 MiB."""
    noise = random.Random(3)
    builder = ImageBuilder()
    layer = builder.blob(b"".join(noise.randbytes(30 * MIB) for _ in range(10)))
    return [builder.build(builder.image([layer], builder.blob(b"{}", "application/vnd.oci.image.config.v1+json")))]


CASES = (
    Case("2 platforms of 6 × 30 MiB, 20 ms", large_platforms, 1, 20),
    Case("8 platforms + 8 attestations, 74 MiB, 80 ms", many_platforms, 1, 80),
    Case("8 platforms + 8 attestations, 74 MiB, 20 ms", many_platforms, 1, 20),
    Case("50 small images, 8 at a time, 20 ms", small_images, 50, 20, at_once=8),
    Case("the same again, nothing to do", small_images, 50, 20, at_once=8, again=True),
    Case("one layer of 300 MiB, loopback", one_layer, 1, None),
    Case("2 platforms of 6 × 30 MiB, loopback", large_platforms, 1, None),
    Case("8 platforms + 8 attestations, between two repositories, 20 ms", many_platforms, 1, 20, siblings=True),
    Case("one layer of 300 MiB, undisturbed, 1 ms", one_layer, 1, 1, rate=0),
    Case("the same, source drops the connection every 8 MiB", one_layer, 1, 1, rate=0, drop=8 * MIB),
)
