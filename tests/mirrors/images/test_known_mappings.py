"""Queries of webhooks for the mappings that they keep in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from django.utils import timezone

from mirrors import selectors
from mirrors.models import Access, ImageMapping
from mirrors.selectors.images.mappings import TARGETS_LIMIT
from tests.readiness.cluster_rows import TARGET, cluster, target

pytestmark = pytest.mark.django_db


def private(repository: str, tags: Sequence[str]) -> None:
    registry = target()
    ImageMapping.objects.bulk_create(
        ImageMapping(
            source=f"{repository}:{tag}",
            target_registry=registry,
            target=f"{TARGET}/{repository}:{tag}",
            access=Access.SECRETS,
        )
        for tag in tags
    )


@pytest.mark.parametrize(
    "names", [("a.example.com/large", "b.example.com/small"), ("b.example.com/x", "a.example.com/y")]
)
def test_a_repository_with_many_private_images_does_not_hide_another(names: tuple[str, str]) -> None:
    cluster()
    large, small = names
    private(large, [str(number) for number in range(TARGETS_LIMIT + 1)])
    private(small, ["1"])
    repositories = [f"{TARGET}/{large}", f"{TARGET}/{small}"]

    found = selectors.not_public_in(target_registry_id=target().pk, repositories=repositories)

    assert [row.source for row in found if row.source.startswith(small)] == [f"{small}:1"]
    assert len(found) == TARGETS_LIMIT + 1


def test_pages_of_recent_mappings_continue_after_updates_and_deletions() -> None:
    cluster()
    private("a.example.com/app", [str(number) for number in range(6)])
    for number, row in enumerate(ImageMapping.objects.order_by("pk")):
        ImageMapping.objects.filter(pk=row.pk).update(last_seen_at=timezone.now() - timedelta(minutes=number))
    key = target().pk
    first, end = selectors.recent_mappings(target_registry_id=key, before=None, limit=2)
    assert [row.source[-1] for row in first] == ["0", "1"]
    ImageMapping.objects.filter(source__endswith=":1").delete()

    second, end = selectors.recent_mappings(target_registry_id=key, before=end, limit=2)
    assert [row.source[-1] for row in second] == ["2", "3"]
    ImageMapping.objects.filter(source__endswith=":3").update(last_seen_at=timezone.now())

    third, end = selectors.recent_mappings(target_registry_id=key, before=end, limit=2)
    assert [row.source[-1] for row in third] == ["4", "5"]
    assert selectors.recent_mappings(target_registry_id=key, before=end, limit=2) == ([], None)
