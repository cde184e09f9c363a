"""Signatures that were made at the target stay there."""

from __future__ import annotations

import pytest

from mirrors.oci import Engine
from tests.oci.conftest import MakeProfiled
from tests.oci.referrers.listed import load, tag_of
from tests.oci.referrers.mirroring import mirror
from tests.support.faulty_registry import reply
from tests.support.signing import Signer, Verifier

INFINITE = float("inf")


@pytest.mark.parametrize("notes", [None, {"signed": "at the mirror"}], ids=["same payload", "other payload"])
@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside"])
def test_signatures_that_only_the_target_has_are_not_overwritten(
    engine: Engine, profiled: MakeProfiled, notes: dict[str, str] | None, beside: bool
) -> None:
    source, target, theirs, ours = profiled(), profiled(), Signer(), Signer()
    image = load(source)
    tag = f"{tag_of(image.root)}.sig"
    one = theirs.tagged(image.root)
    one.load(source.storage, "app", tag)
    image.load(target.storage, "app", "1.0")
    ours.tagged(image.root, beside=one if beside else None, notes_of_signer=notes).load(target.storage, "app", tag)

    result = mirror(engine, source, target)

    assert Verifier(target.host, "app").tagged(image.root, ours)
    assert "signatures that the source does not have" in result.problems[0]


@pytest.mark.parametrize("status", [403, 404, 405])
@pytest.mark.parametrize("suffix", ["sig", "att"])
def test_signatures_at_a_target_that_rejects_head_are_not_overwritten(
    engine: Engine, profiled: MakeProfiled, status: int, suffix: str
) -> None:
    source, target = profiled(), profiled()
    image = load(source)
    tag = f"{tag_of(image.root)}.{suffix}"
    Signer().tagged(image.root).load(source.storage, "app", tag)
    own = Signer().tagged(image.root).load(target.storage, "app", tag)
    target.on("HEAD .*/manifests/", reply(status), times=INFINITE)

    result = mirror(engine, source, target)

    assert target.storage.tags["app", tag] == own
    assert "signatures that the source does not have" in result.problems[0]


@pytest.mark.parametrize("status", [403, 404, 405])
def test_signatures_are_copied_to_a_target_that_rejects_head(
    engine: Engine, profiled: MakeProfiled, status: int
) -> None:
    source, target, signer = profiled(), profiled(), Signer()
    image = load(source)
    signer.tagged(image.root).load(source.storage, "app", f"{tag_of(image.root)}.sig")
    target.on("HEAD .*/manifests/", reply(status), times=INFINITE)

    result = mirror(engine, source, target)

    assert Verifier(target.host, "app").tagged(image.root, signer)
    assert result.problems == ()
