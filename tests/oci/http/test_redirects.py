"""Redirects: which are followed, and which servers receive the credentials."""

from __future__ import annotations

import pytest

from mirrors.demo.gatekeeper import Gatekeeper
from mirrors.demo.images import SampleImage, sample_image
from mirrors.images import ImageRef
from mirrors.oci import Credential, Engine, RegistryError
from tests.oci.conftest import LOGIN, PUBLIC, Internet, MakeRegistry, access, copy, port_of, public_access, ref, request
from tests.support.faulty_registry import FaultyRegistry, cut, reply


def test_a_redirected_blob_is_fetched_without_the_credentials(
    engine: Engine, make_registry: MakeRegistry, target: FaultyRegistry
) -> None:
    source, storage = make_registry(), make_registry()
    image = sample_image()
    for registry in (source, storage):
        image.load(registry.storage, "app", "1.0")
    source.on("HEAD .*", reply(401, WWW_Authenticate="Basic"))
    digest = next(iter(image.blobs))
    source.on(f"GET .*{digest}", reply(307, Location=f"http://{storage.host}/v2/app/blobs/{digest}?sig=s3cret"))

    login = access(source.host, LOGIN)
    engine.copy(request(ref(source), ref(target), source_access=login))

    assert "Authorization" in source.found(f"GET .*{digest}")[0].headers
    assert "Authorization" not in storage.requests[0].headers
    assert target.storage.blob("app", digest) == image.blobs[digest]


def elsewhere(make_registry: MakeRegistry) -> tuple[FaultyRegistry, FaultyRegistry, SampleImage, str]:
    """Start a registry that redirects to its storage for the largest blob of its image. Return both, the image and the
    digest of the blob."""
    source, storage = make_registry(), make_registry()
    image = sample_image(platforms=("linux/amd64",), layers=1, layer_bytes=3_000_000)
    for registry in (source, storage):
        image.load(registry.storage, "app", "1.0")
    digest = max(image.blobs, key=lambda d: len(image.blobs[d]))
    source.on(f"GET .*{digest}", reply(302, Location=f"http://{storage.host}/v2/app/blobs/{digest}"), times=9)
    return source, storage, image, digest


def test_a_resumed_download_keeps_its_range_through_a_redirect(
    engine: Engine, make_registry: MakeRegistry, target: FaultyRegistry
) -> None:
    source, storage, image, digest = elsewhere(make_registry)
    storage.on(f"GET .*{digest}", cut(2_000_000), times=9)

    copy(engine, source, target)

    assert [a.headers.get("Range") for a in storage.requests] == [None, "bytes=2000000-"]
    assert target.storage.blob("app", digest) == image.blobs[digest]


@pytest.mark.parametrize("status", [400, 403, 404, 410])
@pytest.mark.parametrize("is_resumed", [False, True])
def test_a_blob_that_the_storage_rejects_is_requested_again(
    engine: Engine, make_registry: MakeRegistry, target: FaultyRegistry, status: int, is_resumed: bool
) -> None:
    source, storage, image, digest = elsewhere(make_registry)
    if is_resumed:
        storage.on(f"GET .*{digest}", cut(2_000_000))
    storage.on(f"GET .*{digest}", reply(status))

    copy(engine, source, target)

    asked_from = [None, "bytes=2000000-", "bytes=2000000-"] if is_resumed else [None, None]
    assert [each.headers.get("Range") for each in storage.requests] == asked_from
    assert target.storage.blob("app", digest) == image.blobs[digest]


def test_a_storage_that_keeps_rejecting_requests_is_a_temporary_error(
    engine: Engine, make_registry: MakeRegistry, target: FaultyRegistry
) -> None:
    source, storage, _, digest = elsewhere(make_registry)
    storage.on(f"GET .*{digest}", reply(404), times=9)

    with pytest.raises(RegistryError) as caught:
        copy(engine, source, target)

    assert (caught.value.code, caught.value.permanent, caught.value.host) == ("unavailable", False, source.host)
    assert "storage, which responded with 404" in str(caught.value) and storage.host not in str(caught.value)
    assert target.storage.manifest("app", "1.0") is None


@pytest.mark.parametrize("where", ["redirect", "realm"])
@pytest.mark.parametrize("inside", ["127.0.0.1", "169.254.169.254", "[::1]", "inside.test"])
def test_a_public_registry_cannot_lead_to_a_private_address(
    engine: Engine, internet: Internet, source: FaultyRegistry, target: FaultyRegistry, where: str, inside: str
) -> None:
    internet.name("registry.test.", PUBLIC)
    internet.name("inside.test.", "10.0.0.1")
    url = f"http://{inside}:{port_of(target)}/v2/"
    redirect = reply(307, Location=url)
    challenge = reply(401, WWW_Authenticate=f'Bearer realm="{url}"')
    source.on("HEAD .*", redirect if where == "redirect" else challenge, times=9)
    port = port_of(source)

    with pytest.raises(RegistryError) as caught:
        engine.head(ImageRef(f"registry.test:{port}", "app", "1.0"), public_access(port, LOGIN))

    assert caught.value.code == "address-refused"
    assert set(internet.dialled) == {PUBLIC}
    assert target.requests == []


def test_a_configured_public_registry_cannot_redirect_to_a_private_address(
    engine: Engine, internet: Internet, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    internet.name("registry.test.", PUBLIC)
    source.on("HEAD .*", reply(307, Location=f"http://{target.host}/v2/"), times=9)
    host = f"registry.test:{port_of(source)}"

    with pytest.raises(RegistryError) as caught:
        engine.head(ImageRef(host, "app", "1.0"), access(host))

    assert caught.value.code == "address-refused"
    assert target.requests == []


def test_an_upload_cannot_be_sent_to_a_private_address(
    engine: Engine, internet: Internet, source: FaultyRegistry, target: FaultyRegistry, make_registry: MakeRegistry
) -> None:
    victim = make_registry()
    sample_image().load(source.storage, "app", "1.0")
    internet.name("registry.test.", PUBLIC)
    target.on("POST .*", reply(202, Location=f"http://{victim.host}/v2/app/blobs/uploads/1?_state=x"), times=99)
    host = f"registry.test:{port_of(target)}"

    with pytest.raises(RegistryError) as caught:
        engine.copy(request(ref(source), ImageRef(host, "app", "1.0")))

    assert caught.value.code == "address-refused"
    assert victim.requests == []


def test_an_upload_to_another_host_is_sent_without_the_credentials(
    engine: Engine, source: FaultyRegistry, make_registry: MakeRegistry
) -> None:
    target, elsewhere = make_registry(Gatekeeper("basic", "mirror", "pass")), make_registry()
    sample_image().load(source.storage, "app", "1.0")
    target.on("POST .*", reply(202, Location=f"http://{elsewhere.host}/upload/1?_state=x"), times=99)
    elsewhere.on("PUT .*", reply(201), times=99)

    with pytest.raises(RegistryError):
        engine.copy(request(ref(source), ref(target), target_access=access(target.host, Credential("mirror", "no"))))
    engine.copy(request(ref(source), ref(target), target_access=access(target.host, LOGIN)))

    assert elsewhere.count(r"PUT /upload/1\?_state=x&digest=sha256%3A") == 7
    assert not any("Authorization" in requested.headers for requested in elsewhere.requests)


@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "gopher://x/", "http://user:pw@127.0.0.1/", "http:///x", "http://127.0.0.1:0/", "//["],
)
def test_an_invalid_location_is_rejected(engine: Engine, source: FaultyRegistry, location: str) -> None:
    source.on("HEAD .*", reply(307, Location=location), times=9)

    with pytest.raises(RegistryError) as caught:
        engine.head(ref(source), access(source.host))

    assert caught.value.code == "invalid"
    assert location not in str(caught.value)


def test_circular_redirects_are_an_error_after_5_redirects(engine: Engine, source: FaultyRegistry) -> None:
    source.on("HEAD .*", reply(307, Location=f"http://{source.host}/v2/app/manifests/1.0"), times=99)

    with pytest.raises(RegistryError, match="redirected more than 5 times"):
        engine.head(ref(source), access(source.host))

    assert source.count("HEAD ") == 6


@pytest.mark.parametrize("location", ["/v2/app/blobs/uploads/7?_state=a%2Fb==&x", "../uploads/7?_state=a%2Fb==&x"])
def test_a_relative_upload_location_keeps_its_state(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, location: str
) -> None:
    sample_image().load(source.storage, "app", "1.0")
    target.on("POST .*", reply(202, Location=location), times=99)
    target.on("PUT .*/uploads/7", reply(201), times=99)

    copy(engine, source, target)

    puts = [requested.path for requested in target.found("PUT .*/uploads/7")]
    assert puts
    assert all(path.startswith("/v2/app/blobs/uploads/7?_state=a%2Fb==&x&digest=sha256%3A") for path in puts)


def test_the_digest_is_added_to_an_upload_location_without_a_query(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    sample_image().load(source.storage, "app", "1.0")
    target.on("POST .*", reply(202, Location=f"http://{target.host}/v2/app/blobs/uploads/7"), times=99)
    target.on("PUT .*/uploads/7", reply(201), times=99)

    copy(engine, source, target)

    assert target.count(r"PUT /v2/app/blobs/uploads/7\?digest=sha256%3A") == 7
