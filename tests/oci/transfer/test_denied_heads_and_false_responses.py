"""Denied HEADs, early responses and refusals: the GET, the bytes and the upload decide instead."""

from __future__ import annotations

import pytest

from mirrors.demo.handler import Handler
from mirrors.demo.images import sample_image
from mirrors.oci import Engine, RegistryError
from tests.oci.conftest import MakeEngine, access, copy, ref, request
from tests.oci.samples import is_complete, one_blob
from tests.support.faulty_registry import Action, FaultyRegistry, reply

INFINITE = float("inf")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 501])
def test_an_image_is_copied_from_a_source_that_rejects_heads(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, status: int
) -> None:
    image = sample_image()
    image.load(source.storage, "app", "1.0")
    source.on("HEAD ", reply(status), times=INFINITE)

    copy(engine, source, target)

    assert is_complete(target, image)
    found = engine.head(ref(source), access(source.host), confirm=True)
    assert found is not None and found.digest == image.root


@pytest.mark.parametrize("status", [403, 404, 405])
def test_a_target_that_rejects_heads_is_not_treated_as_empty(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, status: int
) -> None:
    sample_image().load(source.storage, "app", "1.0")
    target.on("HEAD ", reply(status), times=INFINITE)
    copy(engine, source, target)
    target.requests.clear()

    result = copy(engine, source, target)

    assert result.unchanged
    assert target.count("(PUT|POST) ") == 0


def test_a_pinned_copy_does_not_move_a_tag_hidden_by_a_404_head(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    old, new = sample_image(seed=1), sample_image(seed=2)
    old.load(source.storage, "app", "old")
    new.load(target.storage, "app", "1.0")
    target.on("HEAD ", reply(404), times=INFINITE)
    pinned = f"app:1.0@{old.root}"

    engine.copy(request(ref(source, pinned), ref(target, pinned)))

    assert target.storage.tags["app", "1.0"] == new.root


def test_a_missing_source_image_is_a_permanent_not_found_error(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    with pytest.raises(RegistryError, match="does not exist at the source") as caught:
        copy(engine, source, target)

    assert (caught.value.code, caught.value.permanent) == ("not-found", True)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_failed_mount_falls_back_to_an_upload(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, status: int
) -> None:
    image = sample_image()
    image.load(source.storage, "app", "1.0")
    image.load(source.storage, "twin", "1.0")
    copy(engine, source, target)
    target.on("POST .*mount=", reply(status), times=INFINITE)

    result = engine.copy(request(ref(source, "twin:1.0"), ref(target, "twin:1.0")))

    assert result.bytes_copied == image.blob_bytes
    assert target.count("POST .*mount=") == len(image.blobs)


def early(handler: Handler) -> bool:
    """Send 201 after the first bytes of the body, and do not read the rest."""
    handler.rfile.read(10)
    handler.close_connection = True
    handler.respond(201, Connection="close")
    return True


def lying(handler: Handler) -> bool:
    handler.read_body()
    handler.respond(201, Docker_Content_Digest=f"sha256:{'0' * 64}")
    return True


@pytest.mark.parametrize(("action", "code"), [(early, "unavailable"), (lying, "bad-digest")])
def test_an_early_or_wrong_upload_response_fails_the_copy(
    make_engine: MakeEngine, source: FaultyRegistry, target: FaultyRegistry, action: Action, code: str
) -> None:
    image = sample_image(platforms=("linux/amd64",), layers=1, layer_bytes=32 << 20)
    image.load(source.storage, "app", "1.0")
    target.on("PUT .*/uploads/", action, times=INFINITE)

    with pytest.raises(RegistryError) as caught:
        copy(make_engine(), source, target)

    assert caught.value.code in {code, "unavailable"}
    assert caught.value.host == target.host
    assert not target.storage.tags


def test_a_mount_response_with_another_digest_is_not_trusted(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image, digest = one_blob(b"content")
    image.load(source.storage, "app", "1.0")
    image.load(source.storage, "twin", "1.0")
    copy(engine, source, target)
    target.on("POST .*mount=", reply(201, Docker_Content_Digest=f"sha256:{'0' * 64}"), times=INFINITE)

    engine.copy(request(ref(source, "twin:1.0"), ref(target, "twin:1.0")))

    assert target.storage.blob("twin", digest) == b"content"


def test_a_redirected_url_is_requested_byte_for_byte(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image, digest = one_blob(b"content")
    image.load(source.storage, "app", "1.0")
    path = f"/storage/a%2fb/%7Ex/..;/{digest}?sig=a%2fB%3d&empty=&x=%e9"

    def signed(handler: Handler) -> bool:
        content = source.storage.blob("app", digest)
        assert content is not None
        handler.respond(200, content)
        return True

    source.on("GET /storage/", signed, times=INFINITE)
    source.on(f"GET /v2/app/blobs/{digest}", reply(307, Location=f"http://{source.host}{path}"), times=INFINITE)

    copy(engine, source, target)

    assert [requested.path for requested in source.found("GET /storage/")] == [path]


def test_a_413_from_a_proxy_is_not_reported_as_our_size_limit(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    sample_image().load(source.storage, "app", "1.0")
    target.on("PUT .*/uploads/", reply(413, b"<html>nginx</html>"), times=INFINITE)

    with pytest.raises(RegistryError, match="client_max_body_size") as caught:
        copy(engine, source, target)

    assert "maxImageBytes" not in str(caught.value)
    assert caught.value.host == target.host


def test_our_size_limit_error_names_its_setting(
    make_engine: MakeEngine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    sample_image().load(source.storage, "app", "1.0")

    with pytest.raises(RegistryError, match="copy.maxImageBytes"):
        copy(make_engine(max_image_bytes=1000), source, target)


@pytest.mark.parametrize(
    "headers",
    [
        {"Content_Length": "9" * 5_000, "Docker_Content_Digest": f"sha256:{'0' * 64}"},
        {"Docker_Content_Digest": "sha256:" + "é" * 64},
        {"Location": "https://a..b/"},
        {"Location": f"https://{'a' * 70}.test/"},
    ],
)
def test_a_malformed_response_header_is_attributed_to_its_host(
    make_engine: MakeEngine, source: FaultyRegistry, target: FaultyRegistry, headers: dict[str, str]
) -> None:
    status = 307 if "Location" in headers else 200
    source.on(".*/manifests/", reply(status, b"", **headers), times=INFINITE)

    with pytest.raises(RegistryError) as caught:
        copy(make_engine(retries=0, reply_timeout=1.0, stall_timeout=1.0), source, target)

    assert caught.value.host == source.host
