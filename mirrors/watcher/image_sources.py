"""The source of a running image: the image itself, or for an image at the target, the source in its mapping."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Final

from mirrors.images import ImageRef, TargetName
from mirrors.models import ImageMapping, Registry, RegistryRole
from mirrors.selectors.queries.batches import batched
from swapper_project.config import Config

UNKNOWN_SOURCE_EXPIRES_AFTER: Final = 300.0
"""Seconds until an image at the target without a mapping is looked up again."""

REFERENCES_PER_QUERY: Final = 500
"""References per query: SQLite supports at least 999 parameters."""

MOST_CACHED_SOURCES: Final = 100_000
"""The most references in the cache before it is cleared: several times the images of a large cluster."""


class ImageSources:
    """A cache of sources by image. It is cleared when the target changes."""

    def __init__(self, config: Callable[[], Config]) -> None:
        self._config = config
        self._target: TargetName | None = None
        self._source_by_image: dict[str, str] = {}
        self._unknown: dict[str, float] = {}
        self.at_target: set[str] = set()

    def look_up(self, images: Iterable[str]) -> bool:
        """Look up the images that are not cached. Return whether any source was found. Raises DatabaseError."""
        target = self._config().target.name
        if target != self._target or len(self._source_by_image) > MOST_CACHED_SOURCES:
            self._target, self._source_by_image, self._unknown, self.at_target = target, {}, {}, set()
        now, before = time.monotonic(), len(self._source_by_image) - len(self._unknown)
        at_target: dict[str, str] = {}
        for image in images:
            if image in self._source_by_image and self._unknown.get(image, now) >= now:
                continue
            reference = ImageRef.parse_or_none(image)
            if reference is not None and target.contains(reference):
                # ECR and other registries have several host names; mappings contain the configured one.
                at_target[image] = str(target.with_endpoint_host(reference))
            else:
                self._source_by_image[image] = str(reference) if reference is not None else ""
        sources = _sources(target, sorted(set(at_target.values())))
        for image, name in at_target.items():
            self._source_by_image[image] = sources.get(name, "")
            if name in sources:
                self._unknown.pop(image, None)
            else:
                self._unknown[image] = now + UNKNOWN_SOURCE_EXPIRES_AFTER
        self.at_target |= at_target.keys()
        return len(self._source_by_image) - len(self._unknown) != before

    def source_of(self, image: str) -> str:
        return self._source_by_image.get(image, "")


def _sources(target: TargetName, names: list[str]) -> dict[str, str]:
    registries = Registry.objects.filter(role=RegistryRole.TARGET, endpoint=target.endpoint, prefix=target.prefix)
    rows = ImageMapping.objects.filter(target_registry__in=list(registries.values_list("pk", flat=True)))
    found: dict[str, str] = {}
    for batch in batched(names, REFERENCES_PER_QUERY):
        found |= dict(rows.filter(target__in=batch).values_list("target", "source"))
    return found
