"""Vendor-specific responses of registries: refusals, acceptances, types and names."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mirrors.demo.handler import Handler
from mirrors.demo.images import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, ImageBuilder
from mirrors.oci import Engine, RegistryError
from mirrors.oci.common.errors import TRANSIENT, error_from_reply
from tests.oci.conftest import MakeProfiled, access, copy, ref, request
from tests.oci.samples import is_complete
from tests.oci.test_quirks import UPLOADS, load
from tests.support.faulty_registry import reply
from tests.support.registries import Registry

ASKED: dict[str, Any] = {"host": "registry.test", "action": "reading it", "credentials_sent": True}


def swallow(handler: Handler) -> bool:
    """Accept the body, but do not store it."""
    handler.rfile.read(int(handler.headers["Content-Length"]))
    handler.respond(202)
    return True


@pytest.mark.parametrize(("status", "code"), [(412, "PRECONDITION"), (409, "TAG_IMMUTABLE"), (409, "CONFLICT")])
def test_a_tag_that_another_copy_wrote_counts_as_done(
    engine: Engine, profiled: MakeProfiled, status: int, code: str
) -> None:
    """Harbor responds with 412, Quay with 409."""
    source, target = profiled(), profiled()
    image = load(source)
    refusal = reply(status, json.dumps({"errors": [{"code": code, "message": "immutable"}]}).encode())

    def is_faster(handler: Handler) -> bool:
        image.load(target.storage, "app", "1.0")
        return refusal(handler)

    target.on("PUT .*/manifests/1.0", is_faster, times=99)

    assert copy(engine, source, target).target_digest == image.root


def test_harbor_an_immutable_tag_with_other_content_is_a_permanent_error(
    engine: Engine, profiled: MakeProfiled
) -> None:
    source, target = profiled(), profiled("harbor")
    load(source)
    load(target, seed=2)
    target.on("PUT .*/manifests/1.0", reply(412, b'{"errors":[{"code":"PRECONDITION"}]}'))

    with pytest.raises(RegistryError) as caught:
        copy(engine, source, target)

    assert (caught.value.code, caught.value.permanent) == ("tag-immutable", True)


@pytest.mark.parametrize(
    ("status", "message", "code", "words"),
    [
        (
            405,
            "System is currently read-only. Pulls will succeed but all write operations fail.",
            "unavailable",
            "read",
        ),
        (403, "the system is in read only mode, any modification is prohibited", "unavailable", "maintenance"),
        (403, "Quota has been exceeded on namespace", "denied", "quota"),
        (403, "adding 5 MiB of storage resource will exceed the configured upper limit of 10 MiB", "denied", "quota"),
        (403, "requested access to the resource is denied", "denied", "credentials"),
        (403, ["read-only"], "denied", "credentials"),
    ],
)
def test_the_cause_of_a_rejected_upload_is_reported(
    engine: Engine, profiled: MakeProfiled, status: int, message: object, code: str, words: str
) -> None:
    source, target = profiled(), profiled()
    load(source)
    body = json.dumps({"errors": [{"code": "DENIED", "message": message}]}).encode()
    target.on(UPLOADS, reply(status, body), times=99)

    with pytest.raises(RegistryError, match=words) as caught:
        copy(engine, source, target)

    assert (caught.value.code, caught.value.permanent) == (code, code == "denied")
    assert str(message) not in str(caught.value), "texts of registries are not shown"


def test_a_blob_accepted_but_not_stored_is_a_temporary_error(engine: Engine, profiled: MakeProfiled) -> None:
    """By the specification, 201 completes an upload. If a registry responds with 202, the engine checks whether it has
    the blob."""
    source, target = profiled(), profiled()
    image = load(source)
    target.on("PUT .*/blobs/uploads/", swallow, times=99)

    with pytest.raises(RegistryError, match="has not stored it") as caught:
        copy(engine, source, target)

    assert not caught.value.permanent
    target.heal()
    copy(engine, source, target)
    assert is_complete(target, image)


def test_a_blob_missing_behind_a_redirect_counts_as_not_stored(engine: Engine, profiled: MakeProfiled) -> None:
    """A GET instead of a HEAD checks whether the blob exists, and the storage responds that it does not."""
    source, target, storage = profiled(), profiled(), profiled()
    load(source)
    target.on("PUT .*/blobs/uploads/", swallow, times=99)
    target.on("HEAD .*/blobs/", reply(405), times=99)
    target.on("GET .*/blobs/", reply(307, Location=f"http://{storage.host}/v2/none/blobs/0"), times=99)

    with pytest.raises(RegistryError, match="has not stored it"):
        copy(engine, source, target)


@pytest.mark.parametrize("said", ["text/plain; charset=utf-8", "application/octet-stream", "binary/octet-stream", ""])
def test_a_manifest_served_as_a_file_is_pushed_with_its_real_media_type(
    engine: Engine, profiled: MakeProfiled, distribution_registry: Registry, said: str
) -> None:
    source = profiled()
    build = ImageBuilder()
    config = build.blob(b"{}", OCI_CONFIG)
    image = build.build(build.manifest({"schemaVersion": 2, "config": config, "layers": [build.blob(b"layer")]}))
    image.load(source.storage, "app", "1.0")
    raw = image.manifests[image.root][1]
    source.on("GET .*/manifests/1.0", reply(200, raw, **({"Content_Type": said} if said else {})), times=99)
    there = ref(distribution_registry, f"files/{len(said)}:1.0")

    engine.copy(request(ref(source), there))

    found = engine.head(there, access(there.registry))
    assert found is not None
    assert (found.digest, found.media_type) == (image.root, OCI_MANIFEST)


@pytest.mark.parametrize(
    ("place", "name"),
    [
        *[("manifest", name) for name in ("Manifests", "LAYERS", "layer\u017f", "Config", "\u017fubject", "MediaType")],
        *[(place, name) for place in ("config", "layers", "subject") for name in ("DIGEST", "Size", "MEDIATYPE")],
        ("layers", "dige\u017ft"),
        ("layers", "URLs"),
        ("manifests", "Digest"),
    ],
)
def test_a_manifest_that_go_clients_would_read_differently_is_rejected(
    engine: Engine, profiled: MakeProfiled, place: str, name: str
) -> None:
    source, target = profiled(), profiled()
    image = load(source)
    entry: dict[str, Any] = {"mediaType": OCI_LAYER, "digest": next(iter(image.blobs)), "size": 5}
    odd = {**entry, name: "x"}
    documents: dict[str, dict[str, Any]] = {
        "manifest": {"config": entry, "layers": [entry], name: [entry]},
        "config": {"config": odd, "layers": [entry]},
        "layers": {"config": entry, "layers": [entry, odd]},
        "subject": {"config": entry, "layers": [entry], "subject": odd},
        "manifests": {"manifests": [odd]},
    }
    kind = OCI_INDEX if place == "manifests" else OCI_MANIFEST
    raw = json.dumps({"schemaVersion": 2, "mediaType": kind, **documents[place]}, ensure_ascii=False).encode()
    source.storage.add_manifest("app", kind, raw, "1.0")

    with pytest.raises(RegistryError, match="usual case") as caught:
        copy(engine, source, target)

    assert (caught.value.code, caught.value.permanent) == ("invalid", True)
    assert target.count("PUT .*/manifests/") == 0


@pytest.mark.parametrize(
    "name", ["org.example.layers", "layer", "LAYER\u017fS", "\u0130mage", "Annotations", "x-Digest"]
)
def test_a_manifest_with_unspecified_field_names_is_copied(engine: Engine, profiled: MakeProfiled, name: str) -> None:
    source, target = profiled(), profiled()
    image = load(source)
    digest, content = next(iter(image.blobs.items()))
    entry = {"mediaType": OCI_LAYER, "digest": digest, "size": len(content), name: "x"}
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": entry, "layers": [entry], name: {"a": 1}}
    raw = json.dumps(document, ensure_ascii=False).encode()
    root = source.storage.add_manifest("app", OCI_MANIFEST, raw, "1.0")

    copy(engine, source, target)

    assert target.storage.tags["app", "1.0"] == root


@pytest.mark.parametrize(
    ("status", "body_code", "code"),
    [
        (429, "DENIED", "rate-limited"),
        (429, "TOOMANYREQUESTS", "rate-limited"),
        (503, "DENIED", "unavailable"),
        (503, "UNSUPPORTED", "unavailable"),
        (500, "TAG_INVALID", "unavailable"),
        (408, "DIGEST_INVALID", "unavailable"),
        (416, "", "unavailable"),
        (403, "DENIED", "denied"),
        (501, "UNSUPPORTED", "unsupported"),
    ],
)
def test_a_temporary_status_takes_precedence_over_the_code_in_the_body(status: int, body_code: str, code: str) -> None:
    body = json.dumps({"errors": [{"code": body_code, "message": "no"}]}).encode()

    error = error_from_reply(status, body, **ASKED)

    assert (error.code, error.permanent) == (code, code not in TRANSIENT)


def test_a_rate_limit_is_not_reported_as_an_exceeded_quota() -> None:
    body = json.dumps({"errors": [{"code": "DENIED", "message": "pull rate limit exceeded"}]}).encode()

    assert "quota" not in str(error_from_reply(429, body, **ASKED))
    assert "quota" in str(error_from_reply(403, body, **ASKED))


def test_an_expired_upload_session_is_opened_again(engine: Engine, profiled: MakeProfiled) -> None:
    source, target = profiled(), profiled()
    image = load(source)
    target.on("PUT .*/blobs/uploads/", reply(404, b'{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}'))

    copy(engine, source, target)

    assert is_complete(target, image)


def test_a_head_response_with_another_digest_means_absent(engine: Engine, profiled: MakeProfiled) -> None:
    target = profiled()
    image = load(target)
    other = f"sha256:{'0' * 64}"
    target.on("HEAD .*/manifests/sha256", reply(200, Docker_Content_Digest=other, Content_Length="2"))

    assert engine.head(ref(target, f"app@{image.root}"), access(target.host)) is None
    assert engine.head(ref(target, f"app@{image.root}"), access(target.host)) is not None


def test_content_from_a_get_instead_of_a_head_is_checked_against_its_digest(
    engine: Engine, profiled: MakeProfiled
) -> None:
    target = profiled()
    image = load(target)
    target.on("HEAD .*/manifests/sha256", reply(200), times=99)
    target.on("GET .*/manifests/sha256", reply(200, b'{"schemaVersion": 2}', Content_Type=OCI_MANIFEST))

    assert engine.head(ref(target, f"app@{image.root}"), access(target.host)) is None
    assert engine.head(ref(target, f"app@{image.root}"), access(target.host)) is not None
