"""Targets whose HEAD of a blob reports a length that differs from the blob's."""

from __future__ import annotations

import pytest

from mirrors.oci import Engine, RegistryError
from tests.oci.conftest import MakeProfiled, copy
from tests.oci.samples import is_complete, one_blob
from tests.oci.test_quirks import load
from tests.oci.test_vendor_responses import swallow
from tests.support.faulty_registry import reply


@pytest.mark.parametrize("kept", [0, 1])
def test_a_blob_that_the_target_stores_only_in_part_is_uploaded_again(
    engine: Engine, profiled: MakeProfiled, kept: int
) -> None:
    """The target's storage failed in the middle of a write."""
    source, target = profiled(), profiled()
    image = load(source)
    target.on("(HEAD|GET) .*/blobs/", reply(200, b"x" * kept), times=99)

    result = copy(engine, source, target)

    assert (result.bytes_skipped, result.bytes_copied) == (0, image.blob_bytes)
    assert is_complete(target, image)


def test_a_get_decides_if_a_head_reports_a_blob_length_of_zero(engine: Engine, profiled: MakeProfiled) -> None:
    source, target = profiled(), profiled()
    image = load(source)
    copy(engine, source, target)
    target.storage.manifests.clear()
    target.storage.tags.clear()
    target.on("HEAD .*/blobs/", reply(200), times=99)

    result = copy(engine, source, target)

    assert (result.bytes_skipped, result.bytes_copied) == (image.blob_bytes, 0)
    assert is_complete(target, image)


def test_an_empty_blob_that_exists_at_the_target_is_not_uploaded_again(engine: Engine, profiled: MakeProfiled) -> None:
    source, target = profiled(), profiled()
    image, empty = one_blob(b"")
    image.load(source.storage, "app", "1.0")
    target.storage.add_blob("app", b"")

    copy(engine, source, target)

    assert is_complete(target, image)
    assert target.count(f"(GET|PUT) .*{empty}") == 0


def test_a_copy_fails_if_the_target_accepts_a_blob_but_stores_only_a_part(
    engine: Engine, profiled: MakeProfiled
) -> None:
    source, target = profiled(), profiled()
    load(source)
    target.on("PUT .*/blobs/uploads/", swallow, times=99)
    target.on("(HEAD|GET) .*/blobs/", reply(200, b"x"), times=99)

    with pytest.raises(RegistryError, match="has not stored it"):
        copy(engine, source, target)
