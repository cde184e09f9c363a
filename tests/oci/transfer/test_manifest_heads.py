"""Which HEADs of a manifest are sent, and when their response is trusted, depending on the observed behaviour of
registries."""

from __future__ import annotations

import pytest

from mirrors.demo.images import SampleImage
from mirrors.oci import Engine
from tests.oci.blobs.in_turn import EVER, copy, get_known, second, small_image
from tests.oci.samples import is_complete
from tests.support.faulty_registry import FaultyRegistry, reply

__all__ = ["second"]


def test_a_target_that_answers_heads_gets_one_head_for_a_new_tag(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, second: SampleImage
) -> None:
    get_known(engine, source, target)

    copy(engine, source, target, "second")

    assert target.count("HEAD .*/manifests/") == 1
    assert target.count("GET ") == 0


@pytest.mark.parametrize("status", [403, 405])
def test_a_rejected_head_is_followed_by_a_get_at_a_known_target(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, second: SampleImage, status: int
) -> None:
    get_known(engine, source, target)
    second.load(target.storage, "second", "1.0")
    target.on("HEAD .*/second/manifests/", reply(status), times=EVER)

    result = copy(engine, source, target, "second")

    assert result.unchanged
    assert target.count("GET .*/second/manifests/1.0") == 1


def test_a_head_is_confirmed_by_a_get_after_the_checked_tag_was_deleted(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, second: SampleImage
) -> None:
    """The next tag that is written is checked instead. Until then, a GET settles a HEAD that reports no manifest."""
    copy(engine, source, target, "first")
    del target.storage.tags["first", "1.0"]

    copy(engine, source, target, "second")
    assert target.count("GET .*/second/manifests/1.0") == 1
    copy(engine, source, target, "third")

    assert is_complete(target, small_image("third"), "third")


def test_after_a_new_image_the_next_manifest_is_read_without_a_head(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, second: SampleImage
) -> None:
    copy(engine, source, target, "first")
    source.requests.clear()

    copy(engine, source, target, "second")

    assert [each.method for each in source.found(".*/manifests/")] == ["GET"]
    assert is_complete(target, second, "second")


def test_an_unchanged_image_after_a_new_one_is_checked_with_one_head(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, second: SampleImage
) -> None:
    """Docker Hub counts the GET of a manifest, but not a HEAD."""
    second.load(target.storage, "second", "1.0")
    copy(engine, source, target, "first")
    source.requests.clear()

    result = copy(engine, source, target, "second")

    assert result.unchanged
    assert [each.method for each in source.requests] == ["HEAD"]


def test_a_moved_tag_after_a_new_image_is_copied(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, second: SampleImage
) -> None:
    small_image("third").load(target.storage, "second", "1.0")
    copy(engine, source, target, "first")

    result = copy(engine, source, target, "second")

    assert not result.unchanged
    assert is_complete(target, second, "second")
