"""Quirks of single vendors' registries, each tested against a registry that has it."""

from __future__ import annotations

import pytest

from mirrors.demo.handler import Handler
from mirrors.demo.images import SampleImage, sample_image
from mirrors.images import ImageRef, TargetName
from mirrors.oci import Engine, EngineSettings, RegistryError
from tests.oci.conftest import FAST, MakeProfiled, copy, ref, request
from tests.oci.referrers.mirroring import mirror
from tests.oci.samples import is_complete
from tests.support.faulty_registry import FaultyRegistry, reply
from tests.support.registry_profiles import PROFILES
from tests.support.signing import Signer, Verifier

UPLOADS = "(POST|PATCH|PUT) .*/blobs/uploads/"


def load(registry: FaultyRegistry, *, seed: int = 1, repository: str = "app") -> SampleImage:
    image = sample_image(seed=seed, layers=2, layer_bytes=5000, platforms=("linux/amd64",))
    image.load(registry.storage, repository, "1.0")
    return image


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_an_image_is_copied_to_and_from_each_registry(engine: Engine, profiled: MakeProfiled, name: str) -> None:
    first, between, last = profiled(), profiled(name), profiled()
    between.repositories.add("app")
    image, signer = load(first), Signer()
    signer.tagged(image.root).load(first.storage, "app", f"{image.root.replace(':', '-')}.sig")
    signer.bundle(image.root, 1).load(first.storage, "app")

    there = mirror(engine, first, between)
    back = mirror(engine, between, last)

    assert is_complete(between, image)
    assert is_complete(last, image)
    assert there.problems == back.problems == ()
    assert all(Verifier(r.host, "app").tagged(image.root, signer) for r in (between, last))
    assert all(Verifier(r.host, "app").bundles(image.root, signer) for r in (between, last))


@pytest.mark.parametrize("name", ["ecr", "gar"])
def test_a_blob_is_uploaded_in_one_request_and_not_in_chunks(engine: Engine, profiled: MakeProfiled, name: str) -> None:
    source, target = profiled(), profiled(name)
    target.repositories.add("app")
    image = load(source)

    copy(engine, source, target)

    assert target.count("PATCH ") == 0
    assert (target.count("POST .*/blobs/"), target.count("PUT .*/blobs/")) == (len(image.blobs), len(image.blobs))


def test_ecr_a_missing_repository_is_an_error_of_the_target(engine: Engine, profiled: MakeProfiled) -> None:
    source, target = profiled(), profiled("ecr")
    load(source)

    with pytest.raises(RegistryError) as caught:
        copy(engine, source, target)

    assert (caught.value.code, caught.value.host) == ("not-found", target.host)
    target.repositories.add("app")
    assert not copy(engine, source, target).unchanged


def test_ecr_a_blob_not_mountable_yet_is_uploaded_in_the_opened_session(engine: Engine, profiled: MakeProfiled) -> None:
    source, target = profiled(), profiled("ecr")
    target.repositories |= {"app", "twin"}
    image = load(source)
    load(source, repository="twin")
    copy(engine, source, target)
    held = dict(target.storage.manifests)
    target.storage.manifests.clear()
    target.requests.clear()
    wanted = request(ref(source, "twin:1.0"), ref(target, "twin:1.0"))

    uploaded = engine.copy(wanted)

    assert uploaded.bytes_copied == image.blob_bytes
    assert target.count("POST ") == target.count("POST .*mount=") == len(image.blobs)
    target.storage.manifests.clear()
    target.storage.manifests |= held
    target.storage.links -= {link for link in target.storage.links if link[0] == "twin"}
    target.storage.tags.pop(("twin", "1.0"))
    assert engine.copy(wanted).bytes_mounted == image.blob_bytes


@pytest.mark.parametrize("says", ["ImageTagAlreadyExistsException", "ImageAlreadyExistsException", "TAG_INVALID"])
def test_ecr_an_immutable_tag_that_another_copy_wrote_counts_as_done(
    engine: Engine, profiled: MakeProfiled, says: str
) -> None:
    source, target = profiled(), profiled("ecr", says_immutable=says)
    target.repositories.add("app")
    image = load(source)

    def is_faster(handler: Handler) -> bool:
        image.load(target.storage, "app", "1.0")
        return False

    target.on("PUT .*/manifests/1.0", is_faster)

    result = copy(engine, source, target)

    assert (result.target_digest, result.target_tag) == (image.root, "1.0")
    assert target.count("PUT .*/manifests/1.0") == 1


def test_ecr_an_immutable_tag_with_other_content_is_a_permanent_error(engine: Engine, profiled: MakeProfiled) -> None:
    source, target = profiled(), profiled("ecr")
    target.repositories.add("app")
    load(source)
    copy(engine, source, target)
    load(source, seed=2)

    with pytest.raises(RegistryError) as caught:
        copy(engine, source, target)

    assert (caught.value.code, caught.value.permanent) == ("tag-immutable", True)


def test_ecr_a_layer_that_is_too_large_is_a_permanent_error(engine: Engine, profiled: MakeProfiled) -> None:
    source, target = profiled(), profiled("ecr", max_layer=4000)
    target.repositories.add("app")
    load(source)

    with pytest.raises(RegistryError) as caught:
        copy(engine, source, target)

    assert (caught.value.code, caught.value.permanent) == ("too-large", True)


@pytest.mark.parametrize("source", ["a.io/x", "docker.io/library/nginx", "h.io/" + "long/" * 49 + "end"])
def test_ecr_names_have_2_to_256_characters(source: str) -> None:
    place = TargetName("1.dkr.ecr.eu-west-1.amazonaws.com", "team").retarget(ImageRef.parse(source))

    assert 2 <= len(place.repository) <= 256


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_no_tags_are_listed_and_no_manifests_deleted(engine: Engine, profiled: MakeProfiled, name: str) -> None:
    """Pages of tag lists differ between registries, and some cannot delete a digest that has a tag."""
    source, target = profiled(), profiled(name)
    target.repositories.add("app")
    load(source)

    mirror(engine, source, target, policy="all")

    assert not target.found("GET .*/tags/|DELETE .*/manifests/")
    assert not source.found("GET .*/tags/|DELETE ")


def test_docker_hub_each_manifest_is_pulled_only_once(engine: Engine, profiled: MakeProfiled) -> None:
    source, target = profiled("dockerhub"), profiled()
    image = load(source)

    mirror(engine, source, target)
    first = source.pulls
    # The fallback tag is not read, because the registry has the referrers API.
    assert first == len(image.manifests)
    mirror(engine, source, target)

    assert source.pulls == first


def test_docker_hub_the_remaining_pulls_are_reported(profiled: MakeProfiled) -> None:
    source, target = profiled("dockerhub"), profiled()
    image = load(source)
    left: list[tuple[str, int]] = []
    engine = Engine(EngineSettings(**FAST), on_remaining=lambda host, limit, _: left.append((host, limit.remaining)))

    copy(engine, source, target)
    engine.close()

    assert min(left) == (source.host, 100 - len(image.manifests))


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_docker_hub_a_rate_limited_request_is_retried(engine: Engine, profiled: MakeProfiled, method: str) -> None:
    source, target = profiled("dockerhub"), profiled()
    image = load(source)
    source.on(f"{method} .*/manifests/", reply(429, Retry_After="0"), times=2)

    assert copy(engine, source, target).target_digest == image.root


@pytest.mark.parametrize("request_", ["HEAD .*/manifests/", "POST .*/uploads/", "PUT .*/blobs/", "PUT .*/manifests/"])
def test_quay_429_without_retry_after_is_retried(engine: Engine, profiled: MakeProfiled, request_: str) -> None:
    source, target = profiled(), profiled("quay")
    image = load(source)
    target.on(request_, reply(429), times=2)

    copy(engine, source, target)

    assert is_complete(target, image)


def test_quay_each_mount_names_its_source_repository(engine: Engine, profiled: MakeProfiled) -> None:
    source, target = profiled(), profiled("quay")
    image = load(source)
    load(source, repository="twin")
    copy(engine, source, target)

    result = engine.copy(request(ref(source, "twin:1.0"), ref(target, "twin:1.0")))

    assert result.bytes_mounted == image.blob_bytes
    assert target.count("POST .*mount=") == target.count("POST .*mount=.*from=")


def test_harbor_a_mount_rejected_with_401_falls_back_to_an_upload(engine: Engine, profiled: MakeProfiled) -> None:
    source, target = profiled(), profiled("harbor")
    image = load(source)
    load(source, repository="twin")
    copy(engine, source, target)

    result = engine.copy(request(ref(source, "twin:1.0"), ref(target, "twin:1.0")))

    assert (result.bytes_mounted, result.bytes_copied) == (0, image.blob_bytes)


def test_artifactory_a_head_denied_with_403_is_repeated_as_a_get(engine: Engine, profiled: MakeProfiled) -> None:
    source, target = profiled("artifactory"), profiled("artifactory")
    image = load(source)
    copy(engine, source, target)
    target.requests.clear()

    again = copy(engine, source, target)

    assert again.unchanged
    assert again.target_digest == image.root
    assert not target.found(UPLOADS)


def test_ghcr_signatures_are_found_by_the_fallback_tag(engine: Engine, profiled: MakeProfiled) -> None:
    source, target, signer = profiled("ghcr"), profiled(), Signer()
    image = load(source)
    bundle = signer.bundle(image.root, 1)
    between = profiled()
    load(between)
    bundle.load(between.storage, "app")
    mirror(engine, between, source)

    mirror(engine, source, target)

    assert source.count("GET .*/manifests/sha256-[0-9a-f]{64}$") > 0
    assert Verifier(target.host, "app").bundles(image.root, signer)
