"""An image that is pinned by a digest of an algorithm that its target does not use: it is stored by that digest, or
fails."""

from __future__ import annotations

import pytest

from mirrors.demo.handler import Handler
from mirrors.demo.images import sample_image
from mirrors.demo.memory_storage import digest_of
from mirrors.oci import CopyResult, Engine, RegistryError
from tests.oci.conftest import access, ref, request
from tests.support.faulty_registry import Action, FaultyRegistry, reply
from tests.support.registries import Registry

BY_SHA512 = "PUT .*/manifests/sha512:"


def load(registry: FaultyRegistry) -> str:
    """Load an image with SHA-256 digests and return its SHA-512 digest."""
    image = sample_image(layer_bytes=1000)
    image.load(registry.storage, "app", "1.0")
    media_type, raw = image.manifests[image.root]
    return registry.storage.add_manifest("app", media_type, raw, algorithm="sha512")


def mirror(engine: Engine, source: FaultyRegistry, target: FaultyRegistry | Registry, rest: str) -> CopyResult:
    return engine.copy(request(ref(source, rest), ref(target, rest)))


def swallow(handler: Handler) -> bool:
    """Accept the body without storing it, and respond with its SHA-256 digest."""
    handler.respond(201, Docker_Content_Digest=digest_of(handler.read_body()))
    return True


def is_silent(handler: Handler) -> bool:
    """Store the body, and respond without a digest."""
    raw = handler.read_body()
    storage, by_tag = handler.registry.storage, not handler.rest.startswith("sha512:")
    tag, algorithm = (handler.rest, "sha256") if by_tag else (None, "sha512")
    storage.add_manifest("app", handler.headers["Content-Type"], raw, tag, algorithm)
    handler.respond(201)
    return True


@pytest.mark.parametrize("says", [True, False], ids=["says its digest", "says nothing"])
def test_an_image_pinned_by_sha512_is_stored_by_that_digest(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, says: bool
) -> None:
    digest = load(source)
    if not says:
        target.on("PUT .*/manifests/(sha512:|[^s])", is_silent, times=99)

    result = mirror(engine, source, target, f"app:1.0@{digest}")

    assert result.target_digest == digest
    assert ("app", digest) in target.storage.manifests
    assert engine.head(ref(target, f"app@{digest}"), access(target.host)) is not None


@pytest.mark.parametrize("refuses", [reply(400), reply(404), reply(405), swallow], ids=["400", "404", "405", "swallow"])
def test_a_target_without_sha512_support_is_a_permanent_error(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, refuses: Action
) -> None:
    digest = load(source)
    target.on(BY_SHA512, refuses, times=99)

    with pytest.raises(RegistryError, match="by its tag or by its sha256 digest") as caught:
        mirror(engine, source, target, f"app:1.0@{digest}")

    assert (caught.value.code, caught.value.permanent, caught.value.host) == ("unsupported", True, target.host)


def test_a_503_for_a_sha512_digest_is_not_a_permanent_error(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    digest = load(source)
    target.on(BY_SHA512, reply(503), times=99)

    with pytest.raises(RegistryError) as caught:
        mirror(engine, source, target, f"app:1.0@{digest}")

    assert not caught.value.permanent


def test_a_real_registry_without_sha512_support_is_a_permanent_error(
    engine: Engine, source: FaultyRegistry, distribution_registry: Registry
) -> None:
    digest = load(source)
    there = ref(distribution_registry, f"pinned/app@{digest}")

    with pytest.raises(RegistryError, match="algorithm sha512") as caught:
        engine.copy(request(ref(source, f"app@{digest}"), there))

    assert (caught.value.code, caught.value.permanent) == ("unsupported", True)
    assert engine.head(there, access(there.registry)) is None


def test_an_image_with_a_tag_and_sha256_digest_is_not_pushed_by_digest(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    load(source)
    root = source.storage.tags["app", "1.0"]

    mirror(engine, source, target, f"app:1.0@{root}")

    assert target.count(f"PUT .*/manifests/{root}") == 0
