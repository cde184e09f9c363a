"""Credentials belong to one registry: no other server receives, uses or replaces them."""

from __future__ import annotations

import base64

import pytest

from mirrors.demo.gatekeeper import Gatekeeper
from mirrors.demo.handler import Handler
from mirrors.demo.images import sample_image
from mirrors.oci import Credential, Engine, RegistryError
from tests.oci.conftest import MakeRegistry, access, copy, ref, request
from tests.oci.samples import is_complete
from tests.support.faulty_registry import Action, FaultyRegistry, reply

LOGIN = Credential("mirror", "pass")
BASIC = f"Basic {base64.b64encode(b'mirror:pass').decode()}"


def redirect(registry: FaultyRegistry, status: int = 307) -> Action:
    """Redirect to the same path at another registry."""

    def act(handler: Handler) -> bool:
        handler.respond(status, Location=f"http://{registry.host}{handler.path}")
        return True

    return act


def saw_our_credentials(registry: FaultyRegistry) -> bool:
    return any("mirror:pass" in _decoded(requested.headers.get("Authorization", "")) for requested in registry.requests)


def _decoded(header: str) -> str:
    scheme, _, value = header.partition(" ")
    return base64.b64decode(value).decode() if scheme == "Basic" else ""


@pytest.mark.parametrize("scheme", ["token", "basic"])
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_the_redirect_target_of_a_blob_does_not_receive_the_credentials(
    engine: Engine, make_registry: MakeRegistry, target: FaultyRegistry, scheme: str, status: int
) -> None:
    source = make_registry(Gatekeeper("token", "mirror", "pass"))
    greedy = make_registry(Gatekeeper(scheme, "mirror", "pass"))  # type: ignore[arg-type]
    image = sample_image()
    image.load(source.storage, "app", "1.0")
    source.on("GET .*/blobs/", redirect(greedy, status), times=99)

    with pytest.raises(RegistryError) as caught:
        engine.copy(request(ref(source), ref(target), source_access=access(source.host, LOGIN)))

    assert caught.value.code in {"unauthorized", "denied"}
    assert greedy.count("GET .*/blobs/") > 0
    assert not saw_our_credentials(greedy)
    assert "rejected the credentials" not in str(caught.value)
    assert caught.value.host == source.host


def test_the_host_of_an_upload_location_does_not_receive_the_credentials(
    engine: Engine, make_registry: MakeRegistry, source: FaultyRegistry
) -> None:
    sample_image().load(source.storage, "app", "1.0")
    target = make_registry(Gatekeeper("token", "mirror", "pass"))
    greedy = make_registry(Gatekeeper("token", "mirror", "pass"))

    def elsewhere(handler: Handler) -> bool:
        handler.respond(202, Location=f"http://{greedy.host}/v2/app/blobs/uploads/1?_state=1")
        return True

    target.on("POST .*/uploads/", elsewhere, times=99)

    with pytest.raises(RegistryError):
        engine.copy(request(ref(source), ref(target), target_access=access(target.host, LOGIN)))

    assert greedy.count("PUT ") > 0
    assert not saw_our_credentials(greedy)


def test_the_token_of_a_redirect_target_is_not_sent_to_the_source(
    engine: Engine, make_registry: MakeRegistry, target: FaultyRegistry
) -> None:
    source = make_registry(Gatekeeper("token", "mirror", "pass"))
    other = make_registry(Gatekeeper("token", "mirror", "pass", anonymous_pull=True))
    image = sample_image()
    image.load(source.storage, "app", "1.0")
    image.load(other.storage, "app", "1.0")
    source.on("GET .*/blobs/", redirect(other), times=99)
    login = access(source.host, LOGIN)

    engine.copy(request(ref(source), ref(target), source_access=login))

    assert is_complete(target, image)
    tokens = {requested.headers.get("Authorization") for requested in other.found("GET .*/blobs/")} - {None}
    assert tokens
    assert not tokens & {requested.headers.get("Authorization") for requested in source.requests}
    assert not saw_our_credentials(other)


def test_an_image_of_a_registry_that_redirects_to_another_is_mirrored(
    engine: Engine, make_registry: MakeRegistry, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    """As lscr.io and cr.fluentbit.io do. The second registry requires its own token."""
    real = make_registry(Gatekeeper("token", "mirror", "pass", anonymous_pull=True))
    image = sample_image()
    image.load(real.storage, "app", "1.0")
    source.on("(GET|HEAD) /v2/app/", redirect(real), times=99)

    copy(engine, source, target)

    assert is_complete(target, image)
    assert source.count("GET /token") == 0
    # The token is cached, so most requests are sent with it from the start.
    assert real.count("GET /token") == 1


@pytest.mark.parametrize("hides_with", [401, 403, 404])
@pytest.mark.parametrize("scheme", ["token", "basic"])
def test_credentials_are_used_if_only_the_api_root_sends_a_challenge(
    engine: Engine, make_registry: MakeRegistry, target: FaultyRegistry, scheme: str, hides_with: int
) -> None:
    registry = make_registry(Gatekeeper(scheme, "mirror", "pass"))  # type: ignore[arg-type]
    image = sample_image()
    image.load(registry.storage, "app", "1.0")

    def hide(handler: Handler) -> bool:
        if "Authorization" in handler.headers:
            return False
        handler.respond(hides_with)
        return True

    registry.on("(GET|HEAD) /v2/app/", hide, times=float("inf"))

    engine.copy(request(ref(registry), ref(target), source_access=access(registry.host, LOGIN)))

    assert is_complete(target, image)
    with pytest.raises(RegistryError) as caught:
        engine.copy(request(ref(registry), ref(target, "anonymous:1.0")))
    assert "rejected the credentials" not in str(caught.value)
    assert caught.value.credentials_sent is False


@pytest.mark.parametrize("hides_with", [401, 403, 404])
def test_basic_credentials_are_sent_to_a_registry_without_challenges(
    engine: Engine, make_registry: MakeRegistry, hides_with: int
) -> None:
    registry = make_registry()
    sample_image().load(registry.storage, "app", "1.0")

    def hide(handler: Handler) -> bool:
        if handler.headers.get("Authorization") == BASIC:
            return False
        handler.respond(hides_with)
        return True

    registry.on("(GET|HEAD) /v2/", hide, times=float("inf"))

    assert engine.head(ref(registry), access(registry.host, LOGIN)) is not None


def test_a_public_registry_is_probed_for_a_challenge_only_once(engine: Engine, source: FaultyRegistry) -> None:
    sample_image().load(source.storage, "app", "1.0")
    login = access(source.host, LOGIN)

    for _ in range(3):
        assert engine.head(ref(source), login) is not None
        assert engine.head(ref(source, "absent:1.0"), login) is None

    # One probe for a challenge and one guess, not one for each absent image.
    assert source.count("GET /v2/$") == 1
    assert source.count("HEAD .*/absent/") == 4


@pytest.mark.parametrize("status", [401, 403])
def test_credentials_are_reported_as_rejected_only_if_they_were_sent(
    engine: Engine, make_registry: MakeRegistry, status: int
) -> None:
    registry = make_registry()
    registry.on(".*", reply(status), times=float("inf"))

    with pytest.raises(RegistryError) as anonymous:
        engine.head(ref(registry), access(registry.host))
    with pytest.raises(RegistryError) as known:
        engine.head(ref(registry), access(registry.host, LOGIN))

    assert "configure credentials" in str(anonymous.value)
    assert "credentials" in str(known.value) and "configure credentials" not in str(known.value)
    assert (anonymous.value.credentials_sent, known.value.credentials_sent) == (False, True)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("seconds", ["1", "3600", "999999999"])
def test_a_retry_after_of_the_token_server_pauses_the_registry(
    engine: Engine, make_registry: MakeRegistry, status: int, seconds: str
) -> None:
    registry = make_registry(Gatekeeper("token", "mirror", "pass", anonymous_pull=True))
    sample_image().load(registry.storage, "app", "1.0")
    registry.on("GET /token", reply(status, Retry_After=seconds))

    if seconds == "1":
        assert engine.head(ref(registry), access(registry.host)) is not None
        return
    with pytest.raises(RegistryError) as caught:
        engine.head(ref(registry), access(registry.host))
    assert caught.value.retry_after == pytest.approx(3600, abs=60)
    requested = len(registry.requests)
    with pytest.raises(RegistryError) as again:
        engine.head(ref(registry), access(registry.host))
    assert again.value.code == "rate-limited"
    assert len(registry.requests) == requested
