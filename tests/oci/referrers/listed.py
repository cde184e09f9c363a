"""An image and its referrers in a test registry, and the index of the fallback tag."""

from __future__ import annotations

import json
from typing import Any

from mirrors.demo.images import SampleImage, sample_image
from tests.support.faulty_registry import FaultyRegistry
from tests.support.signing import BUNDLE, Artifact, referring

REFERRERS = "GET .*/referrers/"


def load(registry: FaultyRegistry) -> SampleImage:
    """Load an image of only one platform, so that tests have fewer requests to check."""
    image = sample_image(layer_bytes=1000, platforms=("linux/amd64",))
    image.load(registry.storage, "app", "1.0")
    return image


def bundle(digest: str, **notes: str) -> Artifact:
    return referring(digest, 1, BUNDLE, [(b"{}", BUNDLE)], annotations=notes)


def tag_of(digest: str) -> str:
    return digest.replace(":", "-")


def fallback(registry: FaultyRegistry, digest: str) -> list[dict[str, Any]]:
    found = registry.storage.manifest("app", tag_of(digest))
    entries: list[dict[str, Any]] = json.loads(found[2])["manifests"] if found else []
    return entries
