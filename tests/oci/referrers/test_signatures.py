"""An image that is signed at its source can be verified at the mirror with only the mirror's content."""

from __future__ import annotations

import json

import pytest

from mirrors.demo.images import SampleImage, sample_image
from mirrors.oci import Engine
from tests.oci.conftest import MakeEngine, MakeProfiled, ref, request
from tests.oci.referrers.mirroring import mirror, mirrored
from tests.support.faulty_registry import FaultyRegistry
from tests.support.registries import Registry
from tests.support.signing import IDENTITY, ISSUER, Signer, Verifier, digest_of, referring

SBOM = "application/spdx+json"


def load(registry: FaultyRegistry, *, seed: int = 1) -> SampleImage:
    image = sample_image(seed=seed, layer_bytes=1000)
    image.load(registry.storage, "app", "1.0")
    return image


def sign_with_tag(registry: FaultyRegistry, digest: str, signer: Signer) -> str:
    return signer.tagged(digest).load(registry.storage, "app", f"{digest.replace(':', '-')}.sig")


def sign_with_bundle(registry: FaultyRegistry, digest: str, signer: Signer) -> str:
    size = len(registry.storage.manifests["app", digest][1])
    return signer.bundle(digest, size).load(registry.storage, "app")


def attach_sbom(registry: FaultyRegistry, digest: str) -> str:
    return referring(digest, 1, SBOM, [(b"{}", SBOM)], annotations={"made": "by hand"}).load(registry.storage, "app")


def platforms_of(image: SampleImage) -> list[str]:
    return [child["digest"] for child in json.loads(image.manifests[image.root][1])["manifests"]]


def test_a_tagged_signature_verifies_at_a_real_registry(
    engine: Engine, source: FaultyRegistry, distribution_registry: Registry
) -> None:
    image, signer = load(source), Signer()
    signed = sign_with_tag(source, image.root, signer)

    result = mirror(engine, source, distribution_registry, to="tagged/app:1.0")

    verifier = Verifier(distribution_registry.host, "tagged/app")
    assert verifier.tagged(image.root, signer)
    assert not verifier.tagged(image.root, Signer())
    assert (result.found, result.copied, result.is_signed, result.problems) == (1, 1, True, ())
    assert verifier.get(f"manifests/{image.root.replace(':', '-')}.sig") == source.storage.manifests["app", signed][1]


def test_a_bundle_verifies_at_a_real_registry_without_the_referrers_api(
    engine: Engine, profiled: MakeProfiled, distribution_registry: Registry
) -> None:
    source, signer = profiled(), Signer(IDENTITY)
    image = load(source)
    bundle = sign_with_bundle(source, image.root, signer)

    result = mirror(engine, source, distribution_registry, to="bundled/app:1.0")

    verifier = Verifier(distribution_registry.host, "bundled/app")
    assert verifier.get(f"referrers/{image.root}") is None
    assert verifier.bundles(image.root, signer)
    assert not verifier.bundles(image.root, Signer())
    assert verifier.get(f"manifests/{bundle}") == source.storage.manifests["app", bundle][1]
    assert (result.is_signed, result.problems) == (True, ())


@pytest.mark.parametrize("name", ["distribution3", "ghcr"])
@pytest.mark.parametrize("at_source", ["distribution3", "ghcr"])
def test_a_bundle_verifies_with_and_without_the_referrers_api(
    engine: Engine, profiled: MakeProfiled, name: str, at_source: str
) -> None:
    with_api, source, target, signer = profiled(), profiled(at_source), profiled(name), Signer()
    image = load(with_api)
    sign_with_bundle(with_api, image.root, signer)
    mirror(engine, with_api, source)

    mirror(engine, source, target)

    assert Verifier(target.host, "app").bundles(image.root, signer)
    assert (("app", image.root.replace(":", "-")) in target.storage.tags) == (name == "ghcr")


def test_signatures_of_each_platform_are_copied(engine: Engine, profiled: MakeProfiled) -> None:
    source, target, signer = profiled(), profiled(), Signer()
    image = load(source)
    for digest in platforms_of(image):
        sign_with_tag(source, digest, signer)
        sign_with_bundle(source, digest, signer)

    result = mirror(engine, source, target)

    verifier = Verifier(target.host, "app")
    assert all(verifier.tagged(d, signer) and verifier.bundles(d, signer) for d in platforms_of(image))
    assert (result.found, result.is_signed) == (4, False)


def test_only_signatures_of_selected_platforms_are_copied(engine: Engine, profiled: MakeProfiled) -> None:
    source, target, signer = profiled(), profiled(), Signer()
    image = load(source)
    kept, dropped = platforms_of(image)
    for digest in (image.root, kept, dropped):
        sign_with_tag(source, digest, signer)

    result = mirror(engine, source, target, platforms=("linux/amd64",))

    verifier = Verifier(target.host, "app")
    assert [verifier.tagged(d, signer) for d in (image.root, kept, dropped)] == [False, True, False]
    assert (result.found, result.is_signed) == (1, True)


def test_a_signed_attestation_is_copied_but_is_not_a_signature(engine: Engine, profiled: MakeProfiled) -> None:
    source, target, signer = profiled(), profiled(), Signer()
    image = load(source)
    provenance = "https://slsa.dev/provenance/v1"
    signer.bundle(image.root, 1, predicate=provenance).load(source.storage, "app")
    tag = f"{image.root.replace(':', '-')}.att"
    signer.tagged(image.root).load(source.storage, "app", tag)

    result = mirror(engine, source, target)

    assert Verifier(target.host, "app").bundles(image.root, signer, predicate=provenance)
    assert target.storage.tags["app", tag] == source.storage.tags["app", tag]
    assert (result.found, result.is_signed) == (2, False)


@pytest.mark.parametrize(
    ("policy", "arrived"),
    [("none", set()), ("signatures", {"bundle", ".sig"}), ("all", {"bundle", ".sig", "sbom", ".sbom", "of sbom"})],
)
def test_the_policy_determines_which_referrers_are_copied(
    engine: Engine, profiled: MakeProfiled, policy: str, arrived: set[str]
) -> None:
    source, target, signer = profiled(), profiled(), Signer()
    image = load(source)
    base = image.root.replace(":", "-")
    sbom = attach_sbom(source, image.root)
    digests = {
        "bundle": sign_with_bundle(source, image.root, signer),
        ".sig": sign_with_tag(source, image.root, signer),
        "sbom": sbom,
        "of sbom": sign_with_bundle(source, sbom, signer),
        ".sbom": referring(image.root, 1, SBOM, [(b"[]", SBOM)], annotations={}).load(
            source.storage, "app", f"{base}.sbom"
        ),
    }

    result = mirror(engine, source, target, policy=policy)  # type: ignore[arg-type]

    assert {name for name, digest in digests.items() if ("app", digest) in target.storage.manifests} == arrived
    assert result.problems == ()


@pytest.mark.parametrize("layout", ["tag", "bundle"])
def test_the_identity_in_a_certificate_is_reported(engine: Engine, profiled: MakeProfiled, layout: str) -> None:
    source, target = profiled(), profiled()
    image = load(source)
    sign = sign_with_tag if layout == "tag" else sign_with_bundle
    sign(source, image.root, Signer(IDENTITY))

    assert mirror(engine, source, target).signers == (f"{IDENTITY} ({ISSUER})",)


def test_an_image_without_signatures_is_not_signed(engine: Engine, profiled: MakeProfiled) -> None:
    source, target = profiled(), profiled()
    load(source)

    result = mirror(engine, source, target)

    assert (result.found, result.is_signed, result.signers, result.problems) == (0, False, (), ())


def test_existing_signatures_are_not_copied_again(engine: Engine, profiled: MakeProfiled) -> None:
    source, target, signer = profiled(), profiled("ghcr"), Signer(IDENTITY)
    image = load(source)
    sign_with_bundle(source, image.root, signer)
    sign_with_tag(source, image.root, signer)
    first = mirror(engine, source, target)
    target.requests.clear()

    again = mirror(engine, source, target)

    assert not target.found("(PUT|POST) ")
    assert (first.copied, again.copied) == (2, 0)
    assert (again.found, again.is_signed, again.signers) == (2, True, first.signers)


def test_a_new_signature_of_an_unchanged_image_is_copied(engine: Engine, profiled: MakeProfiled) -> None:
    source, target, first, second = profiled(), profiled(), Signer(), Signer()
    image = load(source)
    tag = f"{image.root.replace(':', '-')}.sig"
    one = first.tagged(image.root)
    one.load(source.storage, "app", tag)
    mirror(engine, source, target)
    second.tagged(image.root, beside=one).load(source.storage, "app", tag)

    mirror(engine, source, target)

    verifier = Verifier(target.host, "app")
    assert verifier.tagged(image.root, first)
    assert verifier.tagged(image.root, second)


def test_a_failed_signature_does_not_affect_the_image_or_other_signatures(
    engine: Engine, profiled: MakeProfiled
) -> None:
    source, target, signer = profiled(), profiled(), Signer()
    image = load(source)
    sign_with_tag(source, image.root, signer)
    sign_with_bundle(source, image.root, signer)
    lost = signer.tagged(image.root).blobs[-1]
    source.storage.links.discard(("app", digest_of(lost)))

    result = mirror(engine, source, target)

    assert target.storage.tags["app", "1.0"] == image.root
    assert Verifier(target.host, "app").bundles(image.root, signer)
    assert len(result.problems) == 1


def test_a_target_that_rejects_subjects_gets_the_tagged_signature(engine: Engine, profiled: MakeProfiled) -> None:
    source, target, signer = profiled(), profiled("ecr", takes_subjects=False, creates_repositories=True), Signer()
    image = load(source)
    sign_with_bundle(source, image.root, signer)
    sign_with_tag(source, image.root, signer)

    result = mirror(engine, source, target)

    assert Verifier(target.host, "app").tagged(image.root, signer)
    assert (result.found, result.is_signed) == (2, True)
    assert "405" in result.problems[0]


def test_an_unchanged_image_with_the_none_policy_takes_two_requests(
    make_engine: MakeEngine, profiled: MakeProfiled
) -> None:
    source, target = profiled(), profiled()
    exchanges: list[str] = []
    engine = make_engine(on_request=lambda method, host, status: exchanges.append(method))
    load(source)
    wanted = request(ref(source), ref(target))
    mirrored(engine, wanted, "none")
    exchanges.clear()

    image, result = mirrored(engine, wanted, "none")

    assert image.unchanged
    assert exchanges == ["HEAD", "HEAD"]
    assert result.found == 0
