"""Which artifacts are signatures."""

from __future__ import annotations

import json

import pytest

from mirrors.oci import Engine
from mirrors.oci.referrers.kinds import Referrer, cosign_tags
from tests.oci.conftest import MakeProfiled
from tests.oci.referrers.listed import load, tag_of
from tests.oci.referrers.mirroring import mirror
from tests.support.signing import BUNDLE, Artifact, referring

SBOM = "application/spdx+json"
PREDICATE = "dev.sigstore.bundle.predicateType"


@pytest.mark.parametrize(
    ("artifact_type", "notes", "is_included", "is_signature"),
    [
        (BUNDLE, {}, True, True),
        (BUNDLE, {PREDICATE: "https://sigstore.dev/cosign/sign/v1"}, True, True),
        (BUNDLE, {PREDICATE: "https://slsa.dev/provenance/v1"}, True, False),
        ("application/vnd.dev.sigstore.bundle+json;version=0.2", {}, True, True),
        ("application/vnd.dev.cosign.artifact.sig.v1+json", {}, True, True),
        ("application/vnd.dev.cosign.artifact.att.v1+json", {}, True, False),
        ("application/vnd.dev.cosign.artifact.sbom.v1+json", {}, False, False),
        ("application/vnd.cncf.notary.signature", {}, True, True),
        ("application/spdx+json", {}, False, False),
        ("application/vnd.oci.image.config.v1+json", {}, False, False),
        ("", {}, False, False),
    ],
)
def test_referrers_are_classified_by_artifact_type_and_predicate(
    artifact_type: str, notes: dict[str, str], is_included: bool, is_signature: bool
) -> None:
    referrer = Referrer("sha256:0", "", 1, artifact_type, notes)

    assert (referrer.is_included("signatures"), referrer.is_signature) == (is_included, is_signature)
    assert (referrer.is_included("all"), referrer.is_included("none")) == (True, False)


def test_each_policy_includes_its_cosign_tags() -> None:
    suffixes = {
        policy: [tag.rpartition(".")[2] for tag in cosign_tags(f"sha256:{'a' * 64}", policy)]  # type: ignore[arg-type]
        for policy in ("none", "signatures", "all")
    }

    assert suffixes == {"none": [], "signatures": ["sig", "att"], "all": ["sig", "att", "sbom"]}


@pytest.mark.parametrize(
    ("kind", "notes", "is_signed"),
    [
        (SBOM, {}, False),
        (SBOM, {"dev.cosignproject.cosign/signature": ""}, False),
        (SBOM, {"dev.cosignproject.cosign/signature": "MEQ="}, True),
        (BUNDLE, {}, True),
        ("application/vnd.cncf.notary.signature", {}, True),
    ],
)
def test_an_artifact_under_the_signature_tag_is_classified_by_its_content(
    engine: Engine, profiled: MakeProfiled, kind: str, notes: dict[str, str], is_signed: bool
) -> None:
    source, target = profiled(), profiled()
    image = load(source)
    artifact = referring(image.root, 1, kind, [(b"content", SBOM)], annotations={})
    document = json.loads(artifact.manifest)
    del document["subject"]
    document["layers"][0]["annotations"] = notes
    tag = f"{tag_of(image.root)}.sig"
    Artifact(json.dumps(document).encode(), artifact.blobs).load(source.storage, "app", tag)

    result = mirror(engine, source, target)

    assert ("app", tag) in target.storage.tags
    assert (result.copied, result.is_signed, result.signers, result.problems) == (1, is_signed, (), ())
