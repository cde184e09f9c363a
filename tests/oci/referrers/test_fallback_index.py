"""The index of a fallback tag at the target: what it keeps, which copies write it, and that no entry is lost."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from mirrors.demo.handler import Handler
from mirrors.demo.images import OCI_INDEX
from mirrors.oci import Engine
from tests.oci.conftest import MakeProfiled
from tests.oci.referrers.listed import REFERRERS, bundle, fallback, load, tag_of
from tests.oci.referrers.mirroring import mirror
from tests.support.faulty_registry import reply
from tests.support.signing import BUNDLE


def test_the_fallback_index_keeps_entries_and_adds_type_and_annotations(engine: Engine, profiled: MakeProfiled) -> None:
    source, target = profiled(), profiled("ghcr")
    image = load(source)
    added = bundle(image.root, made="here").load(source.storage, "app")
    theirs = {"mediaType": OCI_INDEX, "digest": f"sha256:{'1' * 64}", "size": 7, "x-extra": {"kept": True}}
    old = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [theirs], "annotations": {"a": "b"}})
    target.storage.add_manifest("app", OCI_INDEX, old.encode(), tag_of(image.root))

    mirror(engine, source, target)

    entries = fallback(target, image.root)
    assert entries[0] == theirs
    assert [(e["digest"], e["artifactType"], e["annotations"]) for e in entries[1:]] == [
        (added, BUNDLE, {"made": "here"})
    ]
    found = target.storage.manifest("app", tag_of(image.root))
    assert found is not None
    assert json.loads(found[2])["annotations"] == {"a": "b"}


def test_a_lone_surrogate_is_kept_in_the_fallback_index(engine: Engine, profiled: MakeProfiled) -> None:
    source, target = profiled(), profiled("ghcr")
    image = load(source)
    bundle(image.root, made="\ud800").load(source.storage, "app")

    result = mirror(engine, source, target)

    assert (result.copied, result.problems) == (1, ())
    assert fallback(target, image.root)[0]["annotations"] == {"made": "\ud800"}


def test_an_index_with_a_number_out_of_range_is_not_overwritten(engine: Engine, profiled: MakeProfiled) -> None:
    source, target = profiled(), profiled("ghcr")
    image = load(source)
    bundle(image.root).load(source.storage, "app")
    theirs = b'{"schemaVersion": 2, "manifests": [], "x": 1e999}'
    target.storage.add_manifest("app", OCI_INDEX, theirs, tag_of(image.root))

    result = mirror(engine, source, target)

    assert "cannot be written again" in result.problems[0]
    found = target.storage.manifest("app", tag_of(image.root))
    assert found is not None
    assert found[2] == theirs


@pytest.mark.parametrize("digest", [{}, [], {"a": [1]}, None, 7])
def test_entries_without_a_valid_digest_are_kept(engine: Engine, profiled: MakeProfiled, digest: object) -> None:
    source, target = profiled(), profiled("ghcr")
    image = load(source)
    signature = bundle(image.root).load(source.storage, "app")
    raw = json.dumps({"schemaVersion": 2, "manifests": [{"digest": digest}]}).encode()
    target.storage.add_manifest("app", OCI_INDEX, raw, tag_of(image.root))

    result = mirror(engine, source, target)

    assert result.problems == ()
    assert [entry["digest"] for entry in fallback(target, image.root)] == [digest, signature]


def test_a_fallback_tag_that_is_not_an_index_is_not_overwritten(engine: Engine, profiled: MakeProfiled) -> None:
    source, target = profiled(), profiled("ghcr")
    image = load(source)
    bundle(image.root).load(source.storage, "app")
    other = bundle(image.root, other="yes").load(target.storage, "app", tag_of(image.root))

    result = mirror(engine, source, target)

    assert target.storage.tags["app", tag_of(image.root)] == other
    assert "not an index of referrers" in result.problems[0]


def test_a_registry_that_acknowledges_a_subject_gets_no_fallback_tag(engine: Engine, profiled: MakeProfiled) -> None:
    source, target = profiled(), profiled()
    image = load(source)
    bundle(image.root).load(source.storage, "app")

    mirror(engine, source, target)

    assert set(target.storage.tags) == {("app", "1.0")}
    assert target.count(REFERRERS) == 0


def test_a_registry_that_lists_without_acknowledging_gets_no_fallback_tag(
    engine: Engine, profiled: MakeProfiled
) -> None:
    source, target = profiled(), profiled(acknowledges=False)
    image = load(source)
    bundle(image.root).load(source.storage, "app")

    mirror(engine, source, target)

    assert set(target.storage.tags) == {("app", "1.0")}


def test_concurrent_copies_lose_no_entries_of_an_index(engine: Engine, profiled: MakeProfiled) -> None:
    """Several repositories with different signatures of one image are copied to the same repository."""
    sources, target = [profiled() for _ in range(4)], profiled("ghcr")
    for number, source in enumerate(sources):
        image = load(source)
        for own in range(3):
            bundle(image.root, of=f"{number}-{own}").load(source.storage, "app")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda source: mirror(engine, source, target), sources))

    assert len(fallback(target, image.root)) == 12


def test_an_entry_that_another_process_has_overwritten_is_written_again(engine: Engine, profiled: MakeProfiled) -> None:
    source, target = profiled(), profiled("ghcr")
    image = load(source)
    ours = bundle(image.root).load(source.storage, "app")
    theirs = {"mediaType": OCI_INDEX, "digest": f"sha256:{'1' * 64}", "size": 7}
    wrote = threading.Event()

    def overwrite(handler: Handler) -> bool:
        """Overwrite the index after it is first written, and before it is read back."""
        if ("app", tag_of(image.root)) in target.storage.tags and not wrote.is_set():
            wrote.set()
            raw = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [theirs]}).encode()
            target.storage.add_manifest("app", OCI_INDEX, raw, tag_of(image.root))
        return False

    target.on(f"GET .*/manifests/{tag_of(image.root)}", overwrite, times=99)

    mirror(engine, source, target)

    assert wrote.is_set()
    assert [entry["digest"] for entry in fallback(target, image.root)] == [theirs["digest"], ours]


def test_a_referrer_among_the_children_of_an_index_is_listed(engine: Engine, profiled: MakeProfiled) -> None:
    """A build tool's attestation with a subject, as a child of the index."""
    source, target = profiled(), profiled("ghcr")
    image = load(source)
    platform = json.loads(image.manifests[image.root][1])["manifests"][0]
    attestation = bundle(platform["digest"])
    attestation.load(source.storage, "app")
    child = {"mediaType": OCI_INDEX, "digest": attestation.digest, "size": len(attestation.manifest)}
    about = {**child, "platform": {"os": "unknown", "architecture": "unknown"}}
    raw = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [platform, about]}).encode()
    source.storage.add_manifest("app", OCI_INDEX, raw, "1.0")
    source.on(REFERRERS, reply(404), times=99)

    mirror(engine, source, target)

    assert [entry["digest"] for entry in fallback(target, platform["digest"])] == [attestation.digest]
