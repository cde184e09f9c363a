"""Secrets are never shown: passwords, tokens, upload Locations and presigned redirects."""

from __future__ import annotations

import logging

import pytest

from mirrors.demo.gatekeeper import Gatekeeper
from mirrors.demo.images import sample_image
from mirrors.oci import Credential, Engine, RegistryAccess, RegistryError
from tests.oci.conftest import MakeEngine, MakeRegistry, access, ref, request
from tests.support.faulty_registry import Action, FaultyRegistry, cut, hang_up, reply

PASSWORD = "hunter2-of-tests"
LOGIN = Credential("mirror", PASSWORD)
SECRETS = (PASSWORD, "Bearer ", "Basic ", "s3cret", "_state=")


def assert_clean(*texts: str) -> None:
    for text in texts:
        assert not [secret for secret in SECRETS if secret in text]


@pytest.mark.parametrize(
    "fault",
    [
        reply(403, b'{"errors":[{"code":"DENIED","message":"no entry with Bearer s3cret"}]}'),
        reply(500, b"Basic s3cret"),
        reply(307, Location="http://127.0.0.1:1/x?sig=s3cret"),
        reply(307, Location="http://user:s3cret@127.0.0.1/x"),
        reply(202, Location="http://127.0.0.1:1/x?_state=s3cret"),
        reply(202, Location="ftp://127.0.0.1:1/x?_state=s3cret"),
        hang_up,
    ],
)
def test_errors_and_logs_of_a_failed_copy_contain_no_secrets(
    make_engine: MakeEngine, make_registry: MakeRegistry, caplog: pytest.LogCaptureFixture, fault: Action
) -> None:
    caplog.set_level(logging.DEBUG)
    source = make_registry(Gatekeeper("token", "mirror", PASSWORD))
    target = make_registry(Gatekeeper("token", "mirror", PASSWORD))
    sample_image().load(source.storage, "app", "1.0")
    target.on("POST .*", fault, times=99)
    sides = {"source_access": access(source.host, LOGIN), "target_access": access(target.host, LOGIN)}

    with pytest.raises(RegistryError) as caught:
        make_engine(retries=1, upload_tries=2).copy(request(ref(source), ref(target), **sides))

    chain: list[BaseException] = [caught.value]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) and not chain[-1].__suppress_context__:
        chain.append(cause)
    assert_clean(caplog.text, *(f"{error} {error!r}" for error in chain))


def test_logs_of_a_successful_copy_contain_no_secrets(
    engine: Engine, make_registry: MakeRegistry, target: FaultyRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("urllib3.connectionpool").setLevel(logging.DEBUG)
    source, storage = make_registry(Gatekeeper("token", "mirror", PASSWORD)), make_registry()
    image = sample_image()
    for registry in (source, storage):
        image.load(registry.storage, "app", "1.0")
    digest = next(iter(image.blobs))
    source.on(f"GET .*{digest}", reply(307, Location=f"http://{storage.host}/v2/app/blobs/{digest}?sig=s3cret"))
    storage.on("GET .*", cut(100))

    engine.copy(request(ref(source), ref(target), source_access=access(source.host, LOGIN)))

    assert_clean(caplog.text)


def test_repr_of_access_and_credentials_contains_no_secrets() -> None:
    assert_clean(repr(RegistryAccess("a.test", (LOGIN,))), repr(LOGIN))
