"""Challenges, tokens and credentials of registries."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mirrors.demo.gatekeeper import Gatekeeper
from mirrors.demo.images import sample_image
from mirrors.oci import Credential, Engine, RegistryError
from mirrors.oci.distribution.challenges import Challenge, choose_challenge, parse
from tests.oci.conftest import MakeEngine, MakeRegistry, access, ref, request
from tests.support.faulty_registry import FaultyRegistry, hang_up, reply
from tests.support.registries import PASSWORD, USERNAME, distribution

LOGIN = Credential("mirror", "pass")
WRONG = Credential("mirror", "wrong")


def token_registry(make_registry: MakeRegistry, **options: bool | float) -> FaultyRegistry:
    return make_registry(Gatekeeper("token", "mirror", "pass", **options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('Bearer realm="https://a/t",service="s"', [Challenge("bearer", "https://a/t", "s")]),
        ("bearer realm=https://a/t,service=s , scope=x", [Challenge("bearer", "https://a/t", "s", "x")]),
        (
            'Basic realm="a, b", Bearer scope="repository:x:pull,push", realm="https://a/t"',
            [Challenge("basic", "a, b"), Challenge("bearer", "https://a/t", "", "repository:x:pull,push")],
        ),
        (r'Bearer realm="https://a/\"t"', [Challenge("bearer", 'https://a/"t')]),
        ("Basic", [Challenge("basic")]),
        ('Negotiate, Basic realm=""', [Challenge("basic")]),
        ("Bearer", []),
        ('=,"', []),
        ("", []),
    ],
)
def test_challenges_of_registries_are_parsed(header: str, expected: list[Challenge]) -> None:
    assert [challenge for challenge in parse([header]) if challenge.scheme in ("basic", "bearer")] == expected


@pytest.mark.parametrize(
    ("headers", "answered"),
    [
        (['Basic realm="x", Bearer realm="https://a/t"'], "bearer"),
        (['Bearer realm="HTTP://a/t"', "Basic"], "bearer"),
        (['Bearer realm="registry"', 'Basic realm="x"'], "basic"),
        (['Bearer realm="registry", Bearer realm="https://a/t", Basic'], "bearer"),
        (['Bearer realm="registry"'], "bearer"),
        (["Bearer", "Basic"], "basic"),
        (["Bearer", "Negotiate"], None),
    ],
)
def test_the_challenge_that_can_be_answered_is_selected(headers: list[str], answered: str | None) -> None:
    found = choose_challenge(headers)

    assert (found.scheme if found else None) == answered


def test_a_real_registry_accepts_only_valid_basic_credentials(
    engine: Engine, source: FaultyRegistry, tmp_path: Path
) -> None:
    sample_image().load(source.storage, "app", "1.0")
    with distribution(tmp_path, htpasswd=True) as registry:
        login = access(registry.host, Credential(USERNAME, PASSWORD))
        engine.copy(request(ref(source), ref(registry), target_access=login))

        assert engine.head(ref(registry), login) is not None
        with pytest.raises(RegistryError) as caught:
            engine.head(ref(registry), access(registry.host, WRONG))
        assert caught.value.code == "unauthorized"


def test_tokens_are_requested_for_pull_at_the_source_and_push_at_the_target(
    engine: Engine, make_registry: MakeRegistry
) -> None:
    source, target = token_registry(make_registry), token_registry(make_registry)
    image = sample_image()
    image.load(source.storage, "app", "1.0")
    sides = {"source_access": access(source.host, LOGIN), "target_access": access(target.host, LOGIN)}

    engine.copy(request(ref(source), ref(target), **sides))

    assert target.storage.tags["app", "1.0"] == image.root
    assert any("scope=repository%3Aapp%3Apull%2Cpush" in requested.path for requested in target.found("GET /token"))
    assert all("push" not in requested.path for requested in source.found("GET /token"))


def test_anonymous_tokens_are_fetched_without_credentials(engine: Engine, make_registry: MakeRegistry) -> None:
    registry = token_registry(make_registry, anonymous_pull=True)
    sample_image().load(registry.storage, "app", "1.0")

    assert engine.head(ref(registry), access(registry.host)) is not None
    assert "Authorization" not in registry.found("GET /token")[0].headers


def test_credentials_are_tried_in_order_and_the_valid_one_is_remembered(
    engine: Engine, make_registry: MakeRegistry
) -> None:
    registry = token_registry(make_registry)
    sample_image().load(registry.storage, "app", "1.0")
    both = access(registry.host, WRONG, LOGIN)

    assert engine.head(ref(registry), both) is not None
    assert engine.head(ref(registry), both) is not None
    assert registry.count("GET /token") == 2


@pytest.mark.parametrize("kind", ["basic", "token"])
@pytest.mark.parametrize("credentials", [(), (WRONG,), (WRONG, WRONG)])
def test_missing_or_wrong_credentials_are_a_permanent_unauthorized_error(
    engine: Engine, make_registry: MakeRegistry, kind: str, credentials: tuple[Credential, ...]
) -> None:
    registry = make_registry(Gatekeeper(kind, "mirror", "pass"))  # type: ignore[arg-type]
    sample_image().load(registry.storage, "app", "1.0")

    with pytest.raises(RegistryError) as caught:
        engine.head(ref(registry), access(registry.host, *credentials))

    assert caught.value.code == "unauthorized"
    assert caught.value.permanent
    assert "credentials" in str(caught.value)


def test_concurrent_requests_share_one_token(engine: Engine, make_registry: MakeRegistry) -> None:
    registry = token_registry(make_registry)
    sample_image().load(registry.storage, "app", "1.0")
    login = access(registry.host, LOGIN)
    start = threading.Barrier(8)

    def look(_: int) -> bool:
        start.wait()
        return engine.head(ref(registry), login) is not None

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(look, range(8)))
    assert registry.count("GET /token") == 1


@pytest.mark.parametrize("answer", [{"access_token": "abc"}, {"token": "abc", "expires_in": 1}, {"token": "abc"}])
def test_a_token_with_a_short_or_missing_lifetime_is_reused(
    engine: Engine, make_registry: MakeRegistry, answer: dict[str, object]
) -> None:
    registry = make_registry()
    sample_image().load(registry.storage, "app", "1.0")
    challenge = f'Bearer realm="http://{registry.host}/token"'
    registry.on("HEAD .*", reply(401, WWW_Authenticate=challenge))
    registry.on("GET /token", reply(200, json.dumps(answer).encode()), times=9)

    for _ in range(3):
        assert engine.head(ref(registry), access(registry.host)) is not None

    assert registry.count("GET /token") == 1
    assert registry.found("HEAD ")[-1].headers["Authorization"] == "Bearer abc"


def test_a_token_about_to_expire_is_renewed_before_a_request_is_rejected(
    engine: Engine, make_registry: MakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = token_registry(make_registry, lifetime=60.0)
    sample_image().load(registry.storage, "app", "1.0")
    login = access(registry.host, LOGIN)
    assert engine.head(ref(registry), login) is not None
    real = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: real() + 50)

    assert engine.head(ref(registry), login) is not None

    assert registry.count("GET /token") == 2
    assert registry.count("HEAD ") == 3, "the second look was refused first"


def test_a_revoked_token_is_replaced(engine: Engine, make_registry: MakeRegistry) -> None:
    registry = token_registry(make_registry)
    sample_image().load(registry.storage, "app", "1.0")
    login = access(registry.host, LOGIN)
    assert engine.head(ref(registry), login) is not None
    assert registry.gatekeeper is not None
    registry.gatekeeper.revoke_all()

    assert engine.head(ref(registry), login) is not None


def test_a_mount_token_lists_the_push_scope_before_the_other_repository(
    engine: Engine, source: FaultyRegistry, make_registry: MakeRegistry
) -> None:
    target = token_registry(make_registry)
    image = sample_image()
    for name in ("app", "twin"):
        image.load(source.storage, name, "1.0")
        there = ref(target, f"{name}:1.0")
        engine.copy(request(ref(source, f"{name}:1.0"), there, target_access=access(target.host, LOGIN)))

    wanted = "scope=repository%3Atwin%3Apull%2Cpush&scope=repository%3Aapp%3Apull"
    assert any(wanted in requested.path for requested in target.found("GET /token"))
    assert target.count("POST .*mount=") == len(image.blobs)


def test_a_scope_in_the_challenge_is_added_to_the_token_request(engine: Engine, make_registry: MakeRegistry) -> None:
    registry = make_registry()
    sample_image().load(registry.storage, "app", "1.0")
    challenge = f'Bearer realm="http://{registry.host}/token?v=1",service="odd one",scope="mirror:group:read"'
    registry.on("HEAD .*", reply(401, WWW_Authenticate=challenge))
    registry.on("GET /token", reply(200, b'{"token":"abc"}'))

    assert engine.head(ref(registry), access(registry.host)) is not None

    query = registry.found("GET /token")[0].path
    assert query == "/token?v=1&service=odd%20one&scope=repository%3Aapp%3Apull&scope=mirror%3Agroup%3Aread"


def test_credentials_are_not_sent_to_the_redirect_target_of_a_token_server(
    engine: Engine, make_registry: MakeRegistry
) -> None:
    registry, elsewhere = make_registry(), make_registry()
    sample_image().load(registry.storage, "app", "1.0")
    registry.on("HEAD .*", reply(401, WWW_Authenticate=f'Bearer realm="http://{registry.host}/token"'))
    registry.on("GET /token", reply(307, Location=f"http://{elsewhere.host}/token"))
    elsewhere.on("GET /token", reply(200, b'{"token":"abc"}'))

    assert engine.head(ref(registry), access(registry.host, LOGIN)) is not None

    assert "Authorization" in registry.found("GET /token")[0].headers
    assert "Authorization" not in elsewhere.found("GET /token")[0].headers


@pytest.mark.parametrize("answer", [b"", b"[]", b"{}", b'{"token": 7}', b'{"token": "a\\r\\nX-Evil: 1"}', b"[" * 9999])
def test_an_invalid_response_of_a_token_server_is_an_error(
    engine: Engine, make_registry: MakeRegistry, answer: bytes
) -> None:
    registry = make_registry()
    registry.on("HEAD .*", reply(401, WWW_Authenticate=f'Bearer realm="http://{registry.host}/token"'))
    registry.on("GET /token", reply(200, answer))

    with pytest.raises(RegistryError, match="token"):
        engine.head(ref(registry), access(registry.host))


def test_a_failed_token_request_is_retried(engine: Engine, make_registry: MakeRegistry) -> None:
    registry = token_registry(make_registry)
    sample_image().load(registry.storage, "app", "1.0")
    registry.on("GET /token", reply(503))
    registry.on("GET /token", hang_up)

    assert engine.head(ref(registry), access(registry.host, LOGIN)) is not None


def test_a_private_image_read_with_credentials_is_not_shown_without_them(
    engine: Engine, make_registry: MakeRegistry
) -> None:
    registry = token_registry(make_registry)
    sample_image().load(registry.storage, "app", "1.0")
    assert engine.head(ref(registry), access(registry.host, LOGIN)) is not None

    with pytest.raises(RegistryError):
        engine.head(ref(registry), access(registry.host))


def test_the_threads_of_a_copy_share_its_tokens(
    make_engine: MakeEngine, source: FaultyRegistry, make_registry: MakeRegistry
) -> None:
    target = token_registry(make_registry)
    sample_image().load(source.storage, "app", "1.0")

    make_engine().copy(request(ref(source), ref(target), target_access=access(target.host, LOGIN)))

    assert target.count("GET /token") <= 2, "one to look, one to write"
