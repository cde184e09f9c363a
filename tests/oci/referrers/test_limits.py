"""How many referrers of an image are copied, their largest size, and their order."""

from __future__ import annotations

import json

import pytest

from mirrors.oci import Engine
from tests.oci.conftest import MakeProfiled
from tests.oci.referrers.listed import bundle, load, tag_of
from tests.oci.referrers.mirroring import mirror
from tests.support.signing import BUNDLE, SIGNED, Signer, Verifier, referring


def test_the_number_of_referrers_is_limited(engine: Engine, profiled: MakeProfiled) -> None:
    source, target = profiled(), profiled()
    image = load(source)
    for number in range(205):
        bundle(image.root, number=str(number)).load(source.storage, "app")

    result = mirror(engine, source, target)

    assert result.copied == 200
    assert "more than 200 referrers" in result.problems[0]


@pytest.mark.parametrize("predicate", ["https://slsa.dev/provenance/v1", SIGNED])
def test_signatures_are_copied_first_when_there_are_too_many_referrers(
    engine: Engine, profiled: MakeProfiled, predicate: str
) -> None:
    source, target, signer = profiled(), profiled(), Signer()
    image = load(source)
    for number in range(205):
        notes = {"number": str(number), "dev.sigstore.bundle.predicateType": predicate}
        bundle(image.root, **notes).load(source.storage, "app")
    signer.tagged(image.root).load(source.storage, "app", f"{tag_of(image.root)}.sig")
    listed = signer.bundle(image.root, 1).load(source.storage, "app")

    result = mirror(engine, source, target)

    assert Verifier(target.host, "app").tagged(image.root, signer)
    assert predicate == SIGNED or ("app", listed) in target.storage.manifests
    assert (result.copied, result.is_signed) == (200, True)


def test_a_referrer_beyond_the_size_limit_is_not_copied(engine: Engine, profiled: MakeProfiled) -> None:
    source, target = profiled(), profiled()
    image = load(source)
    document = json.loads(referring(image.root, 1, BUNDLE, [(b"large", BUNDLE)], annotations={}).manifest)
    document["layers"][0]["size"] = 101 << 20
    large = source.storage.add_manifest("app", document["mediaType"], json.dumps(document).encode())

    result = mirror(engine, source, target)

    assert ("app", large) not in target.storage.manifests
    assert "more than the 100 MiB" in result.problems[0]
