"""A copy from a hostile registry: how and how soon it fails, and what its error must not disclose."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mirrors.demo.images import sample_image
from mirrors.images import ImageRef
from mirrors.oci import CopyRequest, Engine, RegistryError
from tests.oci.conftest import LOGIN, access, port_of, public_access
from tests.support.faulty_registry import FaultyRegistry

SECRET = "pass"


MOST_SECONDS = 20.0
"""The longest time for a copy that fails, with all its retries, on a busy machine."""


ALWAYS = 10_000
"""The number of responses. A failing copy sends a few hundred requests at most."""


def registry_of(source: FaultyRegistry) -> str:
    return f"registry.test:{port_of(source)}"


@contextmanager
def ends_soon() -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < MOST_SECONDS


def failed(engine: Engine, source: FaultyRegistry, target: FaultyRegistry) -> RegistryError:
    """Return the error of a copy from an internet registry, with credentials, to a configured registry."""
    sample_image(layers=1, platforms=("linux/amd64",), layer_bytes=5000).load(source.storage, "app", "1.0")
    host = registry_of(source)
    there = ImageRef.parse(f"{target.host}/app:1.0")
    with pytest.raises(RegistryError) as caught, ends_soon():
        engine.copy(
            CopyRequest(ImageRef(host, "app", "1.0"), there, public_access(port_of(source), LOGIN), access(target.host))
        )
    assert caught.value.host == host
    assert SECRET not in str(caught.value)
    assert not target.storage.tags
    return caught.value
