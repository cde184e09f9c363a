"""Headers that a proxy repeats: equal values count as one."""

from __future__ import annotations

import pytest

from mirrors.demo.handler import Handler
from mirrors.oci import Engine
from tests.oci.conftest import MakeProfiled, copy
from tests.oci.samples import is_complete
from tests.oci.test_quirks import load
from tests.support.faulty_registry import FaultyRegistry


def repeat_digest(handler: Handler) -> bool:
    """Store the manifest or the blob, and send its digest twice."""
    storage, body = handler.registry.storage, handler.read_body()
    if "/manifests/" in handler.path:
        tag = None if handler.rest.startswith("sha256:") else handler.rest
        digest = storage.add_manifest(handler.repository, handler.headers["Content-Type"], body, tag)
    else:
        digest = storage.add_blob(handler.repository, body)
    handler.respond(201, Docker_Content_Digest=f"{digest}, {digest}")
    return True


def test_a_repeated_content_length_is_accepted(engine: Engine, profiled: MakeProfiled) -> None:
    source, target = profiled(), profiled()
    image = load(source)

    def send_twice(handler: Handler) -> bool:
        content = image.blobs[handler.path.rpartition("/")[2]]
        length = str(len(content))
        handler.respond(200, content, Content_Length=f"{length}, {length}")
        return True

    source.on("GET .*/blobs/", send_twice, times=99)

    copy(engine, source, target)

    assert is_complete(target, image)


@pytest.mark.parametrize("pushed", ["PUT .*/blobs/uploads/", "PUT .*/manifests/"])
def test_a_repeated_digest_header_is_accepted(engine: Engine, profiled: MakeProfiled, pushed: str) -> None:
    source, target = profiled(), profiled()
    image = load(source)
    target.on(pushed, repeat_digest, times=99)

    copy(engine, source, target)

    assert is_complete(target, image)


def test_a_repeated_digest_in_a_head_response_needs_no_get(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    load(source)
    copy(engine, source, target)
    target.requests.clear()

    def head(handler: Handler) -> bool:
        found = handler.registry.storage.manifest(handler.repository, handler.rest)
        assert found is not None
        handler.respond(200, found[2], Content_Type=found[1], Docker_Content_Digest=f"{found[0]},{found[0]}")
        return True

    target.on("HEAD .*/manifests/", head, times=99)

    assert copy(engine, source, target).unchanged
    assert target.count("GET .*/manifests/") == 0
