"""Credentials that a cloud issues for a limited time: requested when needed and renewed when refused, even during a
copy."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest

from mirrors.demo.gatekeeper import Gatekeeper
from mirrors.demo.handler import Handler
from mirrors.demo.images import sample_image
from mirrors.oci import Credential, Engine, Issued, RegistryError
from tests.oci.conftest import MakeRegistry, access, ref, request
from tests.support.faulty_registry import FaultyRegistry, reply

ENDED = b'{"errors": [{"code": "DENIED", "message": "Your authorization token has expired."}]}'


@dataclass
class Cloud:
    """A cloud that issues the valid password, and a new one only after a password was refused."""

    passwords: list[str]
    refused: list[str | None] = field(default_factory=list)
    is_away: bool = False

    def issue(self, *, timeout: float, refused: str | None = None) -> Issued:
        self.refused.append(refused)
        if self.is_away:
            raise RegistryError("credential", "STS does not answer", host="r.example.com")
        is_new = refused == self.passwords[0] and len(self.passwords) > 1
        if is_new:
            self.passwords.pop(0)
        return Issued(Credential("AWS", self.passwords[0]), float("inf"), fresh=is_new)

    def __hash__(self) -> int:
        return id(self)


@pytest.mark.parametrize("kind", ["basic", "token"])
def test_an_issued_credential_authorizes_a_copy(kind: str, engine: Engine, make_registry: MakeRegistry) -> None:
    cloud = Cloud(["first"])
    source, target = make_registry(), make_registry(Gatekeeper(kind, "AWS", "first"))  # type: ignore[arg-type]
    sample_image().load(source.storage, "app", "1.0")
    engine.copy(request(ref(source), ref(target), target_access=access(target.host, cloud)))
    assert target.storage.manifest("app", "1.0")
    assert set(cloud.refused) == {None}


@pytest.mark.parametrize("kind", ["basic", "token"])
@pytest.mark.parametrize("answer", [401, 403])
def test_a_token_that_expires_during_a_copy_is_replaced(
    kind: str, answer: int, engine: Engine, make_registry: MakeRegistry
) -> None:
    """ECR responds with 403 to an expired token, even during an upload."""
    cloud = Cloud(["first", "second"])
    source, target = make_registry(), make_registry(Gatekeeper(kind, "AWS", "first"))  # type: ignore[arg-type]
    sample_image(layers=3, layer_bytes=50_000).load(source.storage, "app", "1.0")
    result = threading.Event()

    def end(handler: Handler) -> bool:
        """Change the password at the first upload."""
        if not result.is_set():
            result.set()
            target.gatekeeper = Gatekeeper(kind, "AWS", "second")  # type: ignore[arg-type]
        return False

    target.on("PUT .*/blobs/uploads/", end)
    if answer == 403:
        target.on(".*", _refuse_as_denied(target), times=float("inf"))
    engine.copy(request(ref(source), ref(target), target_access=access(target.host, cloud)))
    assert result.is_set() and target.storage.manifest("app", "1.0")
    assert cloud.passwords == ["second"]


def _refuse_as_denied(target: FaultyRegistry):  # type: ignore[no-untyped-def]
    """Respond with 403 instead of 401 to credentials that are no longer valid."""

    def act(handler: Handler) -> bool:
        shown = handler.headers.get("Authorization", "")
        gatekeeper = target.gatekeeper
        if not shown or gatekeeper is None or handler.path.startswith("/token"):
            return False
        if gatekeeper.is_account(shown) or gatekeeper.is_allowed(shown, "repository:app:pull"):
            return False
        return reply(403, ENDED)(handler)

    return act


def test_a_request_still_denied_with_a_new_token_is_an_error(engine: Engine, make_registry: MakeRegistry) -> None:
    cloud = Cloud(["first", "second"])
    target = make_registry(Gatekeeper("basic", "AWS", "second"))
    target.on("HEAD ", reply(403, ENDED), times=float("inf"))
    with pytest.raises(RegistryError) as caught:
        engine.head(ref(target), access(target.host, cloud))
    assert caught.value.code == "denied"
    assert target.count("HEAD ") <= 3


def test_an_unavailable_cloud_is_a_temporary_credential_error(engine: Engine, make_registry: MakeRegistry) -> None:
    cloud = Cloud(["first"], is_away=True)
    target = make_registry(Gatekeeper("basic", "AWS", "first"))
    with pytest.raises(RegistryError) as caught:
        engine.head(ref(target), access(target.host, cloud))
    assert (caught.value.code, caught.value.permanent) == ("credential", False)
    cloud.is_away = False
    assert engine.head(ref(target), access(target.host, cloud)) is None
