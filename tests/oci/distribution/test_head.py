"""The results of a HEAD of a manifest."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mirrors.demo.gatekeeper import Gatekeeper
from mirrors.demo.images import OCI_INDEX, sample_image
from mirrors.images import ImageRef
from mirrors.oci import CopyCancelledError, Credential, Descriptor, Engine, RegistryAccess, RegistryError
from tests.oci.conftest import Internet, MakeEngine, MakeRegistry, access, ref, request
from tests.support.authority import Authority
from tests.support.faulty_registry import Action, FaultyRegistry, drip, endless, hang, reply, without_digest
from tests.support.registries import PASSWORD, USERNAME, Registry, distribution

PROMPT = 2.0
"""Seconds: well above the timeouts of these tests and well below those of the engine, even on a busy machine."""


@pytest.fixture
def loaded(source: FaultyRegistry) -> FaultyRegistry:
    sample_image().load(source.storage, "app", "1.0")
    return source


def test_head_returns_the_descriptor_of_an_existing_image(engine: Engine, loaded: FaultyRegistry) -> None:
    image = sample_image()

    found = engine.head(ref(loaded), access(loaded.host))

    assert found == Descriptor(image.root, OCI_INDEX, len(image.manifests[image.root][1]))
    assert engine.head(ref(loaded, f"app@{image.root}"), access(loaded.host)) == found


def test_each_head_is_one_request_on_a_reused_connection(
    engine: Engine, loaded: FaultyRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected: list[object] = []
    real = socket.socket.connect

    def connect(sock: socket.socket, address: tuple[str, int]) -> None:
        connected.append(address)
        real(sock, address)

    monkeypatch.setattr(socket.socket, "connect", connect)

    for _ in range(5):
        engine.head(ref(loaded), access(loaded.host), timeout=1)

    assert len(loaded.requests) == 5
    assert len(connected) == 1


def test_a_missing_tag_or_repository_is_absent(engine: Engine, loaded: FaultyRegistry) -> None:
    assert engine.head(ref(loaded, "app:2.0"), access(loaded.host)) is None
    assert engine.head(ref(loaded, "other:1.0"), access(loaded.host)) is None


def test_a_missing_repository_of_a_real_registry_is_absent(engine: Engine, distribution_registry: Registry) -> None:
    assert engine.head(ref(distribution_registry, "nobody/here:1"), access(distribution_registry.host)) is None


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "invalid"), (401, "unauthorized"), (403, "denied"), (429, "rate-limited"), (500, "unavailable")],
)
def test_statuses_other_than_404_are_errors(
    make_engine: MakeEngine, loaded: FaultyRegistry, status: int, code: str
) -> None:
    loaded.on("HEAD .*", reply(status), times=99)

    with pytest.raises(RegistryError) as caught:
        make_engine(retries=1).head(ref(loaded), access(loaded.host))

    assert caught.value.code == code
    assert caught.value.host == loaded.host


@pytest.mark.parametrize("fault", [hang, drip, reply(503), reply(429), reply(503, Retry_After="2")])
def test_the_timeout_bounds_the_whole_call(make_engine: MakeEngine, loaded: FaultyRegistry, fault: Action) -> None:
    loaded.on("HEAD .*", fault, times=999)
    engine = make_engine(stall_timeout=30, reply_timeout=60, backoff_base=0.2, retries=50, inline_wait=60)
    started = time.monotonic()

    with pytest.raises(RegistryError) as caught:
        engine.head(ref(loaded), access(loaded.host), timeout=0.5)

    assert time.monotonic() - started < PROMPT
    assert not caught.value.permanent


@pytest.mark.parametrize("fault", [hang, drip])
def test_the_timeout_bounds_the_token_request(
    make_engine: MakeEngine, make_registry: MakeRegistry, fault: Action
) -> None:
    registry = make_registry(Gatekeeper("token", "mirror", "pass", anonymous_pull=True))
    registry.on("GET /token", fault, times=99)
    started = time.monotonic()

    with pytest.raises(RegistryError) as caught:
        make_engine(stall_timeout=30).head(ref(registry), access(registry.host), timeout=0.5)

    assert time.monotonic() - started < PROMPT
    assert caught.value.code == "timeout"


def test_the_timeout_bounds_the_wait_for_a_token_of_another_thread(
    make_engine: MakeEngine, make_registry: MakeRegistry
) -> None:
    registry = make_registry(Gatekeeper("token", "mirror", "pass", anonymous_pull=True))
    registry.on("GET /token", hang, times=99)
    engine = make_engine(reply_timeout=3)
    with ThreadPoolExecutor(4) as pool:
        started = time.monotonic()
        calls = [pool.submit(engine.head, ref(registry), access(registry.host), timeout=0.5) for _ in range(4)]
        assert all(isinstance(call.exception(), RegistryError) for call in calls)
        assert time.monotonic() - started < PROMPT


def test_the_timeout_bounds_the_name_lookup(
    make_engine: MakeEngine, internet: Internet, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    monkeypatch.setattr(internet, "getaddrinfo", lambda *args: release.wait(10) and [])
    started = time.monotonic()

    with pytest.raises(RegistryError) as caught:
        make_engine(connect_timeout=30).head(ImageRef("slow.test", "x", "1"), RegistryAccess("slow.test"), timeout=0.3)

    release.set()
    assert time.monotonic() - started < PROMPT
    assert caught.value.code == "timeout"


def test_the_timeout_bounds_the_tls_handshake(make_engine: MakeEngine, loaded: FaultyRegistry) -> None:
    """Neither a plain HTTP server nor a stuck server ever responds to a TLS client."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        host = f"127.0.0.1:{server.getsockname()[1]}"
        started = time.monotonic()
        with pytest.raises(RegistryError) as caught:
            make_engine(connect_timeout=30).head(
                ImageRef(host, "x", "1"), RegistryAccess(host, private_allowed=True), timeout=0.4
            )

    assert time.monotonic() - started < PROMPT
    assert caught.value.code == "timeout"


@pytest.mark.parametrize("body", [endless, reply(200, b" " * (9 * 1024 * 1024), Content_Type=OCI_INDEX)])
def test_a_manifest_over_8_mib_is_rejected(engine: Engine, loaded: FaultyRegistry, body: Action) -> None:
    loaded.on("HEAD .*", without_digest)
    loaded.on("GET .*", body)

    with pytest.raises(RegistryError) as caught:
        engine.head(ref(loaded), access(loaded.host))

    assert caught.value.code == "too-large"


def test_plain_http_is_used_only_if_configured(engine: Engine, loaded: FaultyRegistry) -> None:
    with pytest.raises(RegistryError) as caught:
        engine.head(ref(loaded), access(loaded.host, insecure=False), timeout=2)

    assert caught.value.code == "tls"
    assert loaded.requests == []


def test_a_private_certificate_authority_is_trusted_only_if_configured(
    make_engine: MakeEngine, source: FaultyRegistry, tmp_path: Path
) -> None:
    image = sample_image()
    image.load(source.storage, "app", "1.0")
    with distribution(tmp_path, tls=True, htpasswd=True) as registry:
        login = access(registry.host, Credential(USERNAME, PASSWORD), insecure=False, ca_file=registry.ca_file)
        plain = access(registry.host, Credential(USERNAME, PASSWORD), insecure=False)
        make_engine().copy(request(ref(source), ref(registry), target_access=login))

        with pytest.raises(RegistryError) as caught:
            make_engine().head(ref(registry), plain)
        trusting = make_engine(trusted_ca=registry.ca_file)
        found = trusting.head(ref(registry), plain)

    assert (caught.value.code, caught.value.permanent) == ("tls", True)
    assert found is not None
    assert found.digest == image.root


def test_tls_verifies_the_hostname_and_not_the_connection_address(engine: Engine, tmp_path: Path) -> None:
    with distribution(tmp_path, tls=True) as registry:
        port = registry.host.rpartition(":")[2]

        def there(name: str) -> RegistryAccess:
            return access(f"{name}:{port}", insecure=False, ca_file=registry.ca_file, connect_to=registry.host)

        assert engine.head(ImageRef(f"localhost:{port}", "x", "1"), there("localhost")) is None
        with pytest.raises(RegistryError) as caught:
            engine.head(ImageRef(f"other.test:{port}", "x", "1"), there("other.test"))
        assert caught.value.code == "tls"
        assert "hostname" in str(caught.value).lower()


def test_an_https_registry_cannot_redirect_to_plain_http(
    engine: Engine, loaded: FaultyRegistry, tmp_path: Path
) -> None:
    """Redirects within HTTPS are tested separately. The front end of this test is a TLS server that only redirects."""
    Authority(tmp_path).issue(tmp_path / "server.pem", tmp_path / "server.key")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    response = f"HTTP/1.1 307 X\r\nLocation: http://{loaded.host}/v2/\r\nContent-Length: 0\r\n\r\n".encode()
    with socket.create_server(("127.0.0.1", 0)) as server:
        host = f"127.0.0.1:{server.getsockname()[1]}"

        def serve() -> None:
            with context.wrap_socket(server.accept()[0], server_side=True) as connection:
                connection.recv(65536)
                connection.sendall(response)

        with ThreadPoolExecutor(1) as pool:
            serving = pool.submit(serve)
            with pytest.raises(RegistryError) as caught:
                engine.head(
                    ImageRef(host, "app", "1.0"), access(host, insecure=False, ca_file=str(tmp_path / "ca.pem"))
                )
            serving.result()

    assert caught.value.code == "address-refused"
    assert loaded.requests == []


def test_a_missing_certificate_authority_file_is_reported_as_the_cause(engine: Engine) -> None:
    with pytest.raises(RegistryError, match="certificate authorities") as caught:
        engine.head(ImageRef("a.test", "x", "1"), RegistryAccess("a.test", ca_file="/nonexistent/ca.pem"))
    assert caught.value.code == "tls"


def test_a_closed_engine_raises_a_cancelled_error(engine: Engine, loaded: FaultyRegistry) -> None:
    engine.close()

    with pytest.raises(CopyCancelledError):
        engine.head(ref(loaded), access(loaded.host))
