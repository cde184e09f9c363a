"""The callback that runs before each request that sets a tag and can prevent it."""

from __future__ import annotations

import pytest

from mirrors.oci import CopyCancelledError, Engine
from tests.oci.conftest import MakeProfiled, copy
from tests.oci.test_quirks import load
from tests.support.faulty_registry import Action, hang_up, reply

MANIFEST_BLOB_UNKNOWN = b'{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN"}]}'


@pytest.mark.parametrize(
    "refusal",
    [reply(503), reply(429, Retry_After="1"), hang_up, reply(404, MANIFEST_BLOB_UNKNOWN)],
    ids=["busy", "rate limited", "broken", "blob not seen"],
)
def test_a_tag_push_is_not_retried_after_the_copy_is_cancelled(
    engine: Engine, profiled: MakeProfiled, refusal: Action
) -> None:
    source, target = profiled(), profiled()
    load(source)
    target.on("PUT .*/manifests/1.0", refusal)

    def before_tag() -> None:
        if target.count("PUT .*/manifests/1.0"):
            raise CopyCancelledError

    with pytest.raises(CopyCancelledError):
        copy(engine, source, target, before_tag=before_tag)

    assert target.count("PUT .*/manifests/1.0") == 1
    assert target.storage.tags == {}


def test_manifests_without_a_tag_are_pushed_before_the_callback_runs(engine: Engine, profiled: MakeProfiled) -> None:
    source, target = profiled(), profiled()
    image = load(source)
    pushed: list[int] = []

    copy(engine, source, target, before_tag=lambda: pushed.append(len(target.storage.manifests)))

    assert pushed == [len(image.manifests) - 1]
