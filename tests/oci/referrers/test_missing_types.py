"""Registries that list referrers without their artifact type, which is then read from the manifest itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mirrors.demo.images import OCI_INDEX, OCI_MANIFEST, SampleImage
from mirrors.oci import Engine, ReferrerPolicy
from tests.oci.conftest import MakeProfiled
from tests.oci.referrers.listed import REFERRERS, bundle, fallback, load
from tests.oci.referrers.mirroring import mirror
from tests.support.faulty_registry import FaultyRegistry, reply
from tests.support.signing import BUNDLE, referring

SBOM = "application/spdx+json"


def listed_as(registry: FaultyRegistry, image: SampleImage, *digests: str, **more: Any) -> None:
    """Make the list of the image's referrers contain only these fields."""
    entries = [
        {
            "mediaType": OCI_MANIFEST,
            "digest": digest,
            "size": len(registry.storage.manifests["app", digest][1]),
            **more,
        }
        for digest in digests
    ]
    index = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()
    registry.on(f"{REFERRERS}{image.root}", reply(200, index, Content_Type=OCI_INDEX), times=99)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"artifactType": ""},
        {"artifactType": "application/vnd.oci.empty.v1+json"},
        {"artifactType": "application/vnd.oci.image.config.v1+json", "annotations": {}},
    ],
    ids=["quay", "empty", "harbor", "config"],
)
@pytest.mark.parametrize("policy", ["signatures", "all"])
def test_a_signature_listed_without_its_artifact_type_is_recognized(
    engine: Engine, profiled: MakeProfiled, more: dict[str, Any], policy: ReferrerPolicy
) -> None:
    source, target = profiled(), profiled("ghcr")
    image = load(source)
    signature = bundle(image.root, made="by hand").load(source.storage, "app")
    listed_as(source, image, signature, **more)

    result = mirror(engine, source, target, policy=policy)

    assert (result.copied, result.is_signed, result.problems) == (1, True, ())
    entry = fallback(target, image.root)[0]
    assert (entry["digest"], entry["artifactType"], entry["annotations"]) == (signature, BUNDLE, {"made": "by hand"})


def test_the_policy_applies_to_an_sbom_listed_without_its_artifact_type(engine: Engine, profiled: MakeProfiled) -> None:
    source, target = profiled(), profiled()
    image = load(source)
    sbom = referring(image.root, 1, SBOM, [(b"{}", SBOM)], annotations={}).load(source.storage, "app")
    listed_as(source, image, sbom)

    result = mirror(engine, source, target)

    assert (result.found, result.is_signed, result.problems) == (0, False, ())
    assert mirror(engine, source, target, policy="all").copied == 1


def test_an_unreadable_referrer_is_reported_and_the_others_are_copied(engine: Engine, profiled: MakeProfiled) -> None:
    source, target = profiled(), profiled()
    image = load(source)
    lost, signature = (bundle(image.root, number=n).load(source.storage, "app") for n in "12")
    listed_as(source, image, lost, signature)
    source.on(f"GET .*/manifests/{lost}", reply(404), times=99)

    result = mirror(engine, source, target)

    assert (result.copied, result.is_signed) == (1, True)
    assert len(result.problems) == 1 and lost in result.problems[0]


def test_the_type_is_read_from_at_most_50_manifests(engine: Engine, profiled: MakeProfiled) -> None:
    source, target = profiled(), profiled()
    image = load(source)
    digests = [bundle(image.root, number=str(n)).load(source.storage, "app") for n in range(60)]
    listed_as(source, image, *digests)

    result = mirror(engine, source, target)

    assert (result.found, result.is_signed) == (50, True)
    assert "without their type" in result.problems[0]
