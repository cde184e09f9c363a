"""Tokens are requested only for the actions of a copy: push only at the target."""

from __future__ import annotations

import pytest

from mirrors.demo.gatekeeper import Gatekeeper
from mirrors.demo.images import ImageBuilder, sample_image
from mirrors.oci import CopyRequest, Credential, Engine
from tests.oci.conftest import LOGIN, MakeRegistry, access, ref, request
from tests.oci.samples import is_complete
from tests.support.faulty_registry import FaultyRegistry


class CreatesForPush(Gatekeeper):
    """A registry in which a repository exists as soon as a token to push to it was requested, as in Quay."""

    def __init__(self) -> None:
        super().__init__("token", LOGIN.username, LOGIN.password)
        self.created: set[str] = set()

    def issue(self, authorization: str, scopes: list[str]) -> str | None:
        self.created |= {name for name, _, actions in (scope.rpartition(":") for scope in scopes) if "push" in actions}
        return super().issue(authorization, [scope for scope in scopes if scope.rpartition(":")[0] in self.created])


class OnlyToPull(Gatekeeper):
    """A token server that refuses the whole request if it includes more than pull."""

    def issue(self, authorization: str, scopes: list[str]) -> str | None:
        return None if any("push" in scope for scope in scopes) else super().issue(authorization, scopes)


def test_a_repository_created_by_a_push_token_request_gets_its_first_image(
    engine: Engine, source: FaultyRegistry, make_registry: MakeRegistry
) -> None:
    target = make_registry(CreatesForPush())
    image = sample_image()
    image.load(source.storage, "app", "1.0")
    wanted = request(ref(source), ref(target, "robots/new:1.0"), target_access=access(target.host, LOGIN))

    result = engine.copy(wanted)

    assert is_complete(target, image, repository="robots/new")
    engine.copy_referrers(wanted, result, "all")
    assert all("%3Apull%2Cpush" in requested.path for requested in target.found("GET /token"))


@pytest.mark.parametrize("logins", [(), (LOGIN,)], ids=["anonymous", "credentials"])
def test_a_source_that_issues_only_pull_tokens_is_read_completely(
    engine: Engine, make_registry: MakeRegistry, target: FaultyRegistry, logins: tuple[Credential, ...]
) -> None:
    """The second image has layers that the first copy brought to another repository: the engine verifies that the
    source has them before they are mounted. The third lists a blob among its manifests."""
    source = make_registry(OnlyToPull("token", LOGIN.username, LOGIN.password, anonymous_pull=True))
    image = sample_image()
    for name in ("app", "twin"):
        image.load(source.storage, name, "1.0")
    builder = ImageBuilder()
    blob = builder.blob(b"kept by a build cache", "application/vnd.example.cache")
    builder.build(builder.index([blob])).load(source.storage, "cache", "1.0")

    def wanted(name: str) -> CopyRequest:
        there = access(source.host, *logins)
        return request(ref(source, f"{name}:1.0"), ref(target, f"{name}:1.0"), source_access=there)

    engine.copy(wanted("app"))
    assert engine.copy(wanted("twin")).bytes_mounted == image.blob_bytes
    assert engine.copy(wanted("cache")).bytes_copied == blob["size"]
    assert source.count("GET /token")
    assert all("push" not in requested.path for requested in source.found("GET /token"))
