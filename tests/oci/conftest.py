"""Registries in memory, engines with short timeouts, and copy requests between registries."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import pytest

from mirrors.demo.gatekeeper import Gatekeeper
from mirrors.images import ImageRef
from mirrors.oci import CopyRequest, CopyResult, Credential, CredentialSource, Engine, EngineSettings, RegistryAccess
from mirrors.oci.distribution.budgets import RequestBudgets
from tests.support.faulty_registry import FaultyRegistry
from tests.support.go_tools import require
from tests.support.registries import Registry, distribution
from tests.support.registry_profiles import PROFILES, ProfiledRegistry

FAST: dict[str, Any] = {
    "backoff_base": 0.01,
    "backoff_cap": 0.05,
    "connect_timeout": 2.0,
    "stall_timeout": 2.0,
    "reply_timeout": 4.0,
    "inline_wait": 3.0,
    # Most layers of these tests are streamed, as large ones are.
    "small_blob_bytes": 500,
}

PUBLIC = "203.0.114.9"
"""An address that the address rules treat as public."""
LOGIN = Credential("mirror", "pass")

MakeEngine = Callable[..., Engine]
MakeRegistry = Callable[..., FaultyRegistry]
MakeProfiled = Callable[..., ProfiledRegistry]


@pytest.fixture
def make_engine() -> Iterator[MakeEngine]:
    with ExitStack() as stack:

        def make(
            *,
            on_request: Callable[[str, str, int], None] | None = None,
            budgets: RequestBudgets | None = None,
            **settings: Any,
        ) -> Engine:
            engine = Engine(EngineSettings(**{**FAST, **settings}), on_request=on_request, budgets=budgets)
            stack.callback(engine.close)
            return engine

        yield make


@pytest.fixture
def engine(make_engine: MakeEngine) -> Engine:
    return make_engine()


@pytest.fixture
def make_registry() -> Iterator[MakeRegistry]:
    with ExitStack() as stack:

        def make(gatekeeper: Gatekeeper | None = None) -> FaultyRegistry:
            return stack.enter_context(FaultyRegistry(gatekeeper=gatekeeper))

        yield make


@pytest.fixture
def source(make_registry: MakeRegistry) -> FaultyRegistry:
    return make_registry()


@pytest.fixture
def target(make_registry: MakeRegistry) -> FaultyRegistry:
    return make_registry()


@pytest.fixture
def profiled() -> Iterator[MakeProfiled]:
    """Return a function that starts a registry with the named profile and changes to it."""
    with ExitStack() as stack:

        def make(name: str = "distribution3", **changes: Any) -> ProfiledRegistry:
            return stack.enter_context(ProfiledRegistry(replace(PROFILES[name], **changes)))

        yield make


@pytest.fixture(scope="session")
def distribution_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """One CNCF registry for the session. Each test uses its own repositories."""
    with distribution(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


@pytest.fixture(scope="session")
def distribution_3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """The next major version of the CNCF registry."""
    with distribution(tmp_path_factory.mktemp("registry3"), program=require("registry")) as registry:
        yield registry


def access(host: str, *credentials: Credential | CredentialSource, **options: Any) -> RegistryAccess:
    """Return access over plain HTTP to a registry on this machine, as an operator would configure it."""
    return RegistryAccess(host, credentials, **{"insecure": True, "private_allowed": True, **options})


def ref(registry: FaultyRegistry | Registry, rest: str = "app:1.0") -> ImageRef:
    return ImageRef.parse(f"{registry.host}/{rest}")


def request(source: ImageRef, target: ImageRef, **options: Any) -> CopyRequest:
    sides = {"source_access": access(source.registry), "target_access": access(target.registry)}
    return CopyRequest(source, target, **{**sides, **options})


def copy(engine: Engine, source: FaultyRegistry, target: FaultyRegistry | Registry, **options: Any) -> CopyResult:
    """Copy `app:1.0`."""
    return engine.copy(request(ref(source), ref(target), **options))


@contextmanager
def under_way(release: threading.Event, run: Callable[[], CopyResult]) -> Iterator[Future[CopyResult]]:
    """Run a copy on another thread. ``release``, which unblocks it, is set when the block exits for any reason."""
    with ThreadPoolExecutor(1) as pool:
        try:
            yield pool.submit(run)
        finally:
            release.set()


def public_access(port: int, *credentials: Credential) -> RegistryAccess:
    """Return access to a registry on the internet. It uses plain HTTP only because these tests have no certificate for
    its name."""
    return RegistryAccess(f"registry.test:{port}", credentials, insecure=True)


def port_of(registry: FaultyRegistry) -> int:
    return int(registry.host.rpartition(":")[2])


class Internet:
    """Names with public addresses that lead to servers on this machine. It records which names were resolved and which
    addresses were dialled."""

    def __init__(self) -> None:
        self.names: dict[str, list[list[str]]] = {}
        self.resolved: list[str] = []
        self.dialled: list[str] = []

    def name(self, name: str, *answers: str | list[str]) -> None:
        """Set the results of the lookups of `name`, in turn. The last one repeats."""
        self.names[name] = [[response] if isinstance(response, str) else response for response in answers]

    def getaddrinfo(self, host: str, port: int, *args: object, **kwargs: object) -> list[tuple[Any, ...]]:
        self.resolved.append(host)
        responses = self.names.get(host, [])
        if not responses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        addresses = responses.pop(0) if len(responses) > 1 else responses[0]
        families = {True: socket.AF_INET6, False: socket.AF_INET}
        return [(families[":" in ip], socket.SOCK_STREAM, 6, "", (ip, port)) for ip in addresses]


def is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


@pytest.fixture
def internet(monkeypatch: pytest.MonkeyPatch) -> Internet:
    """Replace the resolver, and redirect connections to public addresses to the same port of this machine."""
    internet = Internet()
    real_connect = socket.socket.connect
    real_lookup = socket.getaddrinfo

    def connect(sock: socket.socket, address: tuple[str, int]) -> None:
        internet.dialled.append(address[0])
        real_connect(sock, ("127.0.0.1", address[1]))

    def lookup(host: str, port: int, *args: Any, **kwargs: Any) -> Any:
        if is_address(host):
            return real_lookup(host, port, *args, **kwargs)
        return internet.getaddrinfo(host, port)

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    return internet
