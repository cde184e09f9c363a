"""Names of images: parsing, targets, host names of clouds. Pure. Start with ``reference.py``."""

from mirrors.images.hosts import DEFAULT_REGISTRY, DOCKER_HUB_ALIASES, InvalidReferenceError, normalise_host
from mirrors.images.reference import (
    MAX_REFERENCE,
    MAX_REPOSITORY,
    ImageRef,
    TargetName,
    pinned_tag,
)

__all__ = [
    "DEFAULT_REGISTRY",
    "DOCKER_HUB_ALIASES",
    "ImageRef",
    "InvalidReferenceError",
    "MAX_REFERENCE",
    "MAX_REPOSITORY",
    "TargetName",
    "normalise_host",
    "pinned_tag",
]
