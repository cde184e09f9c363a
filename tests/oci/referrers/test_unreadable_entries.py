"""Unreadable entries of a list of referrers do not affect the other entries."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mirrors.demo.images import OCI_INDEX, OCI_MANIFEST
from mirrors.oci import Engine
from tests.oci.conftest import MakeProfiled
from tests.oci.referrers.listed import REFERRERS, bundle, fallback, load, tag_of
from tests.oci.referrers.mirroring import mirror
from tests.support.faulty_registry import reply
from tests.support.signing import BUNDLE

DIGEST = f"sha256:{'1' * 64}"
ODD: dict[str, dict[str, Any]] = {
    "unknown algorithm": {"mediaType": OCI_MANIFEST, "digest": f"blake3:{'0' * 64}", "size": 5, "artifactType": "x/y"},
    "no size": {"mediaType": OCI_MANIFEST, "digest": DIGEST},
    "size in words": {"mediaType": OCI_MANIFEST, "digest": DIGEST, "size": "5"},
    "no media type": {"mediaType": "of no type", "digest": DIGEST, "size": 5},
}


def index_of(*entries: dict[str, Any]) -> bytes:
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("place", ["API", "fallback tag"])
def test_an_unreadable_entry_is_reported_and_the_others_are_copied(
    engine: Engine, profiled: MakeProfiled, odd: str, place: str
) -> None:
    source, target = profiled("distribution3" if place == "API" else "ghcr"), profiled()
    image = load(source)
    signature = bundle(image.root).load(source.storage, "app")
    raw = index_of(ODD[odd], {"mediaType": OCI_MANIFEST, "digest": signature, "size": 7, "artifactType": BUNDLE})
    if place == "API":
        source.on(f"{REFERRERS}{image.root}", reply(200, raw, Content_Type=OCI_INDEX), times=99)
    else:
        source.storage.add_manifest("app", OCI_INDEX, raw, tag_of(image.root))

    result = mirror(engine, source, target)

    assert ("app", signature) in target.storage.manifests
    assert (result.found, result.copied, result.is_signed) == (1, 1, True)
    assert "or with an unsupported media type or digest algorithm: these are not copied" in result.problems[0]


@pytest.mark.parametrize("odd", ODD)
def test_an_unreadable_entry_in_the_index_of_the_target_is_kept(
    engine: Engine, profiled: MakeProfiled, odd: str
) -> None:
    source, target = profiled(), profiled("ghcr")
    image = load(source)
    signature = bundle(image.root).load(source.storage, "app")
    target.storage.add_manifest("app", OCI_INDEX, index_of(ODD[odd]), tag_of(image.root))

    result = mirror(engine, source, target)

    assert fallback(target, image.root)[0] == ODD[odd]
    assert fallback(target, image.root)[1]["digest"] == signature
    assert result.problems == ()
