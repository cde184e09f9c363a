"""The webhook's cached state of a mapping is never older than the target's last response."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db.models.functions import Now

from mirrors.models import Existence, ImageMapping, Registry, RegistryRole
from mirrors.services import TargetAnswer
from webhook.database.mapping_cache import MappingCache
from webhook.database.unwritten_answers import UnwrittenAnswers

pytestmark = pytest.mark.django_db

ENDPOINT = "mirror.example.com"
SOURCE = "docker.io/library/nginx:1"
TARGET = f"{ENDPOINT}/{SOURCE}"


@pytest.fixture
def unwritten() -> UnwrittenAnswers:
    return UnwrittenAnswers()


@pytest.fixture
def cache(unwritten: UnwrittenAnswers) -> MappingCache:
    """A cache that contains the image, which was mirrored a minute ago."""
    registry = Registry.objects.create(endpoint=ENDPOINT, role=RegistryRole.TARGET)
    ImageMapping.objects.create(target_registry=registry, source=SOURCE, target=TARGET, existence=Existence.PRESENT)
    ImageMapping.objects.update(verified_at=Now() - timedelta(minutes=1), changed_at=Now())
    cache = MappingCache(
        unwritten=unwritten, target=lambda: (ENDPOINT, ""), cluster=lambda: "default", on_rows=lambda _: None
    )
    cache.find_registry()
    look_up(cache)
    cache.poll()
    return cache


def look_up(cache: MappingCache) -> str:
    return cache.look_up({SOURCE: TARGET})[SOURCE].existence


def answer_absent(cache: MappingCache) -> None:
    cache.apply_answers({SOURCE: TargetAnswer(TARGET, Existence.ABSENT, "", time.monotonic() - 1)})


def in_memory(cache: MappingCache) -> str:
    cached = cache.row(SOURCE)
    assert cached and cached.mapping
    return cached.mapping.existence


@pytest.mark.parametrize("read", [look_up, MappingCache.poll], ids=["look-up", "poll"])
def test_a_row_without_the_latest_target_response_does_not_replace_it(
    cache: MappingCache, read: Callable[[MappingCache], object]
) -> None:
    answer_absent(cache)
    ImageMapping.objects.update(last_seen_at=Now(), changed_at=Now())

    read(cache)

    assert in_memory(cache) == Existence.ABSENT
    assert look_up(cache) == Existence.ABSENT


@pytest.mark.parametrize("read", [look_up, MappingCache.poll], ids=["look-up", "poll"])
def test_a_copy_that_finished_after_the_response_replaces_it(
    cache: MappingCache, read: Callable[[MappingCache], object]
) -> None:
    answer_absent(cache)
    ImageMapping.objects.update(verified_at=Now(), changed_at=Now())

    read(cache)

    assert in_memory(cache) == Existence.PRESENT


def test_a_later_row_replaces_a_response_that_was_written_to_the_database(
    cache: MappingCache, unwritten: UnwrittenAnswers
) -> None:
    answer_absent(cache)
    while unwritten.write(cache.registry_id):
        pass
    assert ImageMapping.objects.get().existence == Existence.ABSENT

    ImageMapping.objects.update(existence=Existence.PRESENT, changed_at=Now())
    cache.poll()

    assert in_memory(cache) == Existence.PRESENT
