"""Lists of referrers: which entries are followed, and responses that are false or hostile."""

from __future__ import annotations

import json
import threading

import pytest

from mirrors.demo.handler import Handler
from mirrors.demo.images import OCI_INDEX, sample_image
from mirrors.oci import CopyCancelledError, Engine, ReferrerPolicy
from tests.oci.conftest import MakeEngine, MakeProfiled, ref, request
from tests.oci.referrers.listed import REFERRERS, bundle, fallback, load, tag_of
from tests.oci.referrers.mirroring import mirror, mirrored
from tests.support.faulty_registry import Action, hang, reply
from tests.support.signing import BUNDLE, Signer, Verifier


def takes_tags_for_digests(handler: Handler) -> bool:
    """Accept a tag as a digest, as GitLab does."""
    handler.rest = handler.rest.replace("sha256-", "sha256:")
    return False


@pytest.mark.parametrize(
    "answer",
    [
        reply(404),
        reply(406, b'{"errors":[]}', Content_Type="application/json"),
        reply(400),
        reply(405),
        reply(501),
        reply(200, b"<html>Sign in</html>", Content_Type="text/html; charset=utf-8"),
        reply(200, b"{}", Content_Type="application/json"),
    ],
    ids=["404", "406", "400", "405", "501", "page", "other JSON"],
)
@pytest.mark.parametrize("side", ["source", "target"])
def test_the_fallback_tag_is_used_without_the_referrers_api(
    engine: Engine, profiled: MakeProfiled, answer: Action, side: str
) -> None:
    source = profiled("ghcr" if side == "source" else "distribution3")
    target = profiled("ghcr" if side == "target" else "distribution3")
    image = load(source)
    signature = bundle(image.root).load(source.storage, "app")
    if side == "source":
        index = {"schemaVersion": 2, "manifests": [{"digest": signature, "size": 7, "artifactType": BUNDLE}]}
        source.storage.add_manifest("app", OCI_INDEX, json.dumps(index).encode(), tag_of(image.root))
    {"source": source, "target": target}[side].on(REFERRERS, answer, times=99)

    result = mirror(engine, source, target)

    assert (result.copied, result.is_signed, result.problems) == (1, True, ())
    assert ("app", signature) in target.storage.manifests
    if side == "target":
        assert [entry["digest"] for entry in fallback(target, image.root)] == [signature]


def test_a_listed_manifest_without_a_subject_is_reported_as_no_referrer(engine: Engine, profiled: MakeProfiled) -> None:
    """Whether or not the target already has that manifest."""
    source, target = profiled(), profiled("ghcr")
    image = load(source)
    other = sample_image(seed=9, platforms=("linux/amd64",))
    other.load(source.storage, "app", "other")
    index = {"schemaVersion": 2, "manifests": [{"digest": other.root, "size": 7, "artifactType": BUNDLE}]}
    source.on(REFERRERS, reply(200, json.dumps(index).encode(), Content_Type=OCI_INDEX), times=99)

    for _ in range(2):
        result = mirror(engine, source, target)
        assert "which it is not" in result.problems[0]
        assert result.is_signed is None
        assert fallback(target, image.root) == []
        other.load(target.storage, "app", "other")


@pytest.mark.parametrize("policy", ["signatures", "all"])
def test_a_source_that_accepts_the_fallback_tag_as_a_digest_has_no_referrers(
    engine: Engine, profiled: MakeProfiled, policy: ReferrerPolicy
) -> None:
    source, target = profiled("ghcr"), profiled("ghcr")
    image = sample_image(layer_bytes=1000)
    image.load(source.storage, "app", "1.0")
    source.on("(GET|HEAD) .*/manifests/sha256-", takes_tags_for_digests, times=99)

    result = mirror(engine, source, target, policy=policy)

    assert (result.found, result.is_signed, result.problems) == (0, False, ())
    assert set(target.storage.tags) == {("app", "1.0")}


def test_no_fallback_tag_is_pushed_if_the_target_reads_it_as_a_digest(engine: Engine, profiled: MakeProfiled) -> None:
    source, target = profiled(), profiled("ghcr")
    image = load(source)
    signature = bundle(image.root).load(source.storage, "app")
    target.on("(GET|HEAD) .*/manifests/sha256-", takes_tags_for_digests, times=99)

    result = mirror(engine, source, target)

    assert "cannot list the referrers" in result.problems[0]
    assert ("app", signature) in target.storage.manifests
    assert target.count("PUT .*/manifests/sha256-") == 0


@pytest.mark.parametrize("status", [401, 403, 500, 503])
def test_an_error_response_does_not_count_as_an_empty_list(engine: Engine, profiled: MakeProfiled, status: int) -> None:
    source, target = profiled(), profiled()
    load(source)
    source.on(REFERRERS, reply(status), times=99)

    result = mirror(engine, source, target)

    assert str(status) in result.problems[0]
    assert result.is_signed is None
    assert source.count("GET .*/manifests/sha256-") == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"manifests":7}',
        b'{"manifests":[7]}',
        b'{"manifests":[{"digest":"sha256:../../etc","size":1}]}',
        b'{"manifests":[' + b"{}," * 6000 + b"{}]}",
        b" " * (8 * 1024 * 1024 + 1),
    ],
    ids=["empty", "html", "array", "number", "numbers", "digest", "many", "large"],
)
def test_an_invalid_list_of_referrers_is_reported(engine: Engine, profiled: MakeProfiled, body: bytes) -> None:
    source, target = profiled(), profiled()
    load(source)
    source.on(REFERRERS, reply(200, body, Content_Type=OCI_INDEX), times=99)

    result = mirror(engine, source, target)

    assert len(result.problems) == 1
    assert not target.found("PUT .*/manifests/sha256-")


def test_a_listed_referrer_of_another_image_is_not_copied(engine: Engine, profiled: MakeProfiled) -> None:
    source, target = profiled(), profiled()
    image = load(source)
    other = bundle(f"sha256:{'0' * 64}").load(source.storage, "app")
    entry = {"mediaType": OCI_INDEX, "digest": other, "size": 1, "artifactType": BUNDLE}
    index = json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()
    source.on(f"{REFERRERS}{image.root}", reply(200, index))

    result = mirror(engine, source, target)

    assert ("app", other) not in target.storage.manifests
    assert "which it is not" in result.problems[0]


def test_referrers_listed_in_a_circle_are_followed_once(engine: Engine, profiled: MakeProfiled) -> None:
    source, target = profiled(), profiled()
    image = load(source)
    first = bundle(image.root)
    first.load(source.storage, "app")
    entries = [
        {"mediaType": OCI_INDEX, "digest": d, "size": 1, "artifactType": BUNDLE} for d in (image.root, first.digest)
    ]
    circle = json.dumps({"schemaVersion": 2, "manifests": entries}).encode()
    source.on(f"{REFERRERS}{first.digest}", reply(200, circle), times=99)

    result = mirror(engine, source, target, policy="all")

    assert source.count(f"{REFERRERS}{first.digest}") == 1
    assert (result.found, result.problems) == (1, ())


def test_referrers_of_referrers_are_copied_up_to_a_depth_of_three(engine: Engine, profiled: MakeProfiled) -> None:
    source, target = profiled(), profiled()
    subject = load(source).root
    chain = [subject := bundle(subject).load(source.storage, "app") for _ in range(6)]

    mirror(engine, source, target, policy="all")

    assert [("app", digest) in target.storage.manifests for digest in chain] == [True] * 3 + [False] * 3


def test_a_slow_list_of_referrers_times_out_and_the_image_is_kept(
    make_engine: MakeEngine, profiled: MakeProfiled
) -> None:
    source, target = profiled(), profiled()
    image = load(source)
    source.on(REFERRERS, hang, times=99)

    result = mirror(make_engine(referrers_seconds=0.5), source, target)

    assert target.storage.tags["app", "1.0"] == image.root
    assert result.is_signed is None
    assert len(result.problems) == 1


def test_a_copy_can_be_cancelled_while_referrers_are_listed(engine: Engine, profiled: MakeProfiled) -> None:
    source, target = profiled(), profiled()
    load(source)
    requested = threading.Event()

    def hang_once_asked(handler: Handler) -> bool:
        requested.set()
        return hang(handler)

    source.on(REFERRERS, hang_once_asked, times=99)
    wanted = request(ref(source), ref(target))
    image, _ = mirrored(engine, wanted, "none")

    with pytest.raises(CopyCancelledError):
        engine.copy_referrers(wanted, image, "signatures", cancelled=requested.is_set)


def test_a_tag_is_fetched_with_get_if_the_source_denies_head(engine: Engine, profiled: MakeProfiled) -> None:
    source, target, signer = profiled("artifactory"), profiled(), Signer()
    image = load(source)
    signer.tagged(image.root).load(source.storage, "app", f"{tag_of(image.root)}.sig")

    assert mirror(engine, source, target).is_signed
    assert Verifier(target.host, "app").tagged(image.root, signer)
