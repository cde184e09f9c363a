"""Targets that respond to an upload before they have read it, and read no more of it."""

from __future__ import annotations

import pytest

from mirrors.demo.handler import Handler
from mirrors.oci import Engine, RegistryError
from tests.oci.conftest import copy
from tests.oci.samples import one_blob
from tests.support.faulty_registry import Action, FaultyRegistry, hang_up

MORE_THAN_SOCKETS_BUFFER = 24 * 1024 * 1024
"""Bytes. The buffers of a sender and a receiver on this machine take about 6 MiB."""

ALWAYS = 99


def answer_and_read_nothing(status: int) -> Action:
    def act(handler: Handler) -> bool:
        registry = handler.registry
        assert isinstance(registry, FaultyRegistry)
        handler.respond(status, b"<html>nginx</html>")
        registry.closing.wait(20)
        return hang_up(handler)

    return act


def test_a_blob_rejected_before_it_is_read_is_a_permanent_too_large_error(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image, digest = one_blob(b"x" * MORE_THAN_SOCKETS_BUFFER)
    image.load(source.storage, "app", "1.0")
    uploads = f"PUT .*/uploads/.*{digest.partition(':')[2]}"
    target.on(uploads, answer_and_read_nothing(413), times=ALWAYS)

    with pytest.raises(RegistryError, match="client_max_body_size") as caught:
        copy(engine, source, target)

    assert (caught.value.code, caught.value.permanent) == ("too-large", True)
    assert target.count(uploads) == 1
