"""Names of images: parsing, targets, clouds' host names. Pure. Begin in ``reference.py``."""

from mirrors.images.hosts import DEFAULT_REGISTRY, DOCKER_HUB_ALIASES, MAX_HOST, InvalidReferenceError, normalise_host
from mirrors.images.reference import (
    DEFAULT_TAG,
    MAX_REFERENCE,
    MAX_REPOSITORY,
    MAX_TAG,
    ImageRef,
    TargetName,
    pinned_tag,
)

__all__ = [
    "DEFAULT_REGISTRY",
    "DEFAULT_TAG",
    "DOCKER_HUB_ALIASES",
    "ImageRef",
    "InvalidReferenceError",
    "MAX_HOST",
    "MAX_REFERENCE",
    "MAX_REPOSITORY",
    "MAX_TAG",
    "TargetName",
    "normalise_host",
    "pinned_tag",
]
