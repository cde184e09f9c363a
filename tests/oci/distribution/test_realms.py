"""A registry's challenge for one repository does not apply to its other repositories."""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qs, urlsplit

import pytest

from mirrors.demo.gatekeeper import Gatekeeper
from mirrors.demo.handler import Handler
from mirrors.demo.images import sample_image
from mirrors.oci import Credential, Engine, RegistryError
from tests.oci.conftest import MakeRegistry, access, ref
from tests.support.faulty_registry import FaultyRegistry

LOGIN = Credential("mirror", "pass")


class Strict(Gatekeeper):
    """A token server that refuses a token if one of the scopes is not permitted, as some servers do."""

    def issue(self, authorization: str, scopes: list[str]) -> str | None:
        return None if any("private" in scope for scope in scopes) else super().issue(authorization, scopes)


@pytest.mark.parametrize("credentials", [(), (LOGIN,)])
def test_a_denied_repository_does_not_block_other_repositories(
    engine: Engine, make_registry: MakeRegistry, credentials: tuple[Credential, ...]
) -> None:
    registry = make_registry(Strict("token", "mirror", "pass", anonymous_pull=True))
    for name in ("private", "public", "other"):
        sample_image().load(registry.storage, name, "1.0")
    how = access(registry.host, *credentials)

    for _ in range(2):
        with pytest.raises(RegistryError, match="credentials"):
            engine.head(ref(registry, "private:1.0"), how)
        for name in ("public", "other"):
            assert engine.head(ref(registry, f"{name}:1.0"), how) is not None


def test_a_token_request_contains_only_the_scope_of_its_repository(engine: Engine, make_registry: MakeRegistry) -> None:
    registry = make_registry(Gatekeeper("token", "mirror", "pass", anonymous_pull=True))
    for name in ("first", "second"):
        sample_image().load(registry.storage, name, "1.0")
        assert engine.head(ref(registry, f"{name}:1.0"), access(registry.host)) is not None

    scopes = [parse_qs(urlsplit(one.path).query)["scope"] for one in registry.found("GET /token")]
    assert scopes == [["repository:first:pull"], ["repository:second:pull"]]


@pytest.mark.parametrize("kind", ["realm", "scope"])
def test_repositories_may_require_tokens_of_different_realms_or_scopes(
    engine: Engine, source: FaultyRegistry, kind: str
) -> None:
    """The token from another repository's challenge is refused, so the challenge of this repository decides what to
    request."""
    for name in ("a", "b"):
        sample_image().load(source.storage, name, "1.0")

    def guard(handler: Handler) -> bool:
        url = urlsplit(handler.path)
        if url.path.startswith("/token"):
            requested = url.path if kind == "realm" else url.query
            found = re.search(r"token/(\w)|group-(\w)", requested)
            group = found and (found[1] or found[2])
            handler.respond(200, json.dumps({"token": f"for-{group}"}).encode())
            return True
        name = url.path.split("/")[2]
        if handler.headers.get("Authorization") == f"Bearer for-{name}":
            return False
        own = f'/token/{name}",service="s"' if kind == "realm" else f'/token",service="s",scope="group-{name}:x:read"'
        handler.respond(401, b"", WWW_Authenticate=f'Bearer realm="http://{source.host}{own}')
        return True

    source.on(".*", guard, times=1_000)

    for name in "aba":
        assert engine.head(ref(source, f"{name}:1.0"), access(source.host)) is not None


def test_a_registry_that_sends_ever_new_challenges_is_not_retried_endlessly(
    engine: Engine, source: FaultyRegistry
) -> None:
    sample_image().load(source.storage, "app", "1.0")

    def guard(handler: Handler) -> bool:
        if handler.path.startswith("/token"):
            handler.respond(200, json.dumps({"token": "x"}).encode())
        else:
            number = len(source.requests)
            handler.respond(
                401, b"", WWW_Authenticate=f'Bearer realm="http://{source.host}/token/{number}",service="s"'
            )
        return True

    source.on(".*", guard, times=1_000)

    for _ in range(2):
        with pytest.raises(RegistryError) as caught:
            engine.head(ref(source), access(source.host))
        assert caught.value.code == "unauthorized"
    assert len(source.requests) < 20
