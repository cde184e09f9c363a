"""Servers that refuse a token that was just issued, because their clock is behind, as Docker Hub's can be."""

from __future__ import annotations

import pytest

from mirrors.demo.gatekeeper import Gatekeeper
from mirrors.demo.handler import Handler
from mirrors.oci import Engine, RegistryError
from tests.oci.conftest import LOGIN, MakeRegistry, access, copy, ref
from tests.oci.samples import is_complete
from tests.oci.test_quirks import load
from tests.support.faulty_registry import Action, FaultyRegistry, reply

ALWAYS = 999


def refused_as(error: str) -> Action:
    """Refuse requests with a token, and leave requests without one to the registry."""

    def act(handler: Handler) -> bool:
        if not handler.headers.get("Authorization", "").startswith("Bearer "):
            return False
        challenge = f'Bearer realm="http://{handler.registry.host}/token",service="x",error="{error}"'
        return reply(401, WWW_Authenticate=challenge)(handler)

    return act


@pytest.fixture
def guarded(make_registry: MakeRegistry) -> FaultyRegistry:
    return make_registry(Gatekeeper("token", LOGIN.username, LOGIN.password, anonymous_pull=True))


def tokens_sent(registry: FaultyRegistry) -> list[str]:
    return [
        requested.headers["Authorization"] for requested in registry.requests if "Authorization" in requested.headers
    ]


def test_a_new_token_that_is_not_accepted_yet_is_sent_again(
    engine: Engine, guarded: FaultyRegistry, target: FaultyRegistry
) -> None:
    image = load(guarded)
    guarded.on("(HEAD|GET) /v2/", refused_as("invalid_token"), times=2)

    copy(engine, guarded, target)

    assert is_complete(target, image)
    assert guarded.count("GET /token") == 1
    assert len(set(tokens_sent(guarded))) == 1


@pytest.mark.parametrize(("error", "times"), [("invalid_token", 2), ("insufficient_scope", 1)])
def test_a_token_that_is_never_accepted_is_an_unauthorized_error(
    engine: Engine, guarded: FaultyRegistry, error: str, times: int
) -> None:
    load(guarded)
    guarded.on("(HEAD|GET) /v2/", refused_as(error), times=ALWAYS)

    with pytest.raises(RegistryError) as caught:
        engine.head(ref(guarded), access(guarded.host))

    assert caught.value.code == "unauthorized"
    assert len(tokens_sent(guarded)) == times


def test_a_rejected_token_with_a_short_timeout_is_an_unauthorized_error(
    engine: Engine, guarded: FaultyRegistry
) -> None:
    load(guarded)
    guarded.on("(HEAD|GET) /v2/", refused_as("invalid_token"), times=ALWAYS)

    with pytest.raises(RegistryError) as caught:
        engine.head(ref(guarded), access(guarded.host), timeout=1.0)

    assert caught.value.code == "unauthorized"
