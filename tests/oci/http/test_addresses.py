"""Addresses to which a registry must not lead."""

from __future__ import annotations

import socket

import pytest

from mirrors.demo.images import sample_image
from mirrors.images import ImageRef
from mirrors.oci import Engine, RegistryAccess, RegistryError
from mirrors.oci.http.addresses import resolve
from tests.oci.conftest import PUBLIC, Internet, access, port_of, public_access
from tests.support.faulty_registry import FaultyRegistry
from tests.support.ports import free_port

FORBIDDEN = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "0.0.0.0",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fd00::1",
    "fd00:ec2::254",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "ff02::1",
    "fec0::1",
    "3fff::1",
    "192.0.0.8",
    "192.0.0.192",
    "64:ff9b:1::808:808",
    "64:ff9b:1:808:8:800::",
]
NEVER = [
    "169.254.169.254",
    "fe80::1",
    "0.0.0.0",
    "224.0.0.1",
    "100.100.100.200",
    "fd00:ec2::254",
    "::ffff:169.254.169.254",
    "192.0.0.192",
    "64:ff9b:1::a9fe:a9fe",
    "64:ff9b:1:a9fe:a9:fe00:808:808",
    "64:ff9b:1:a9:fe:a9fe:808:808",
    "64:ff9b:1:0:a9:fea9:fe08:808",
]


def look(engine: Engine, host: str, **options: object) -> RegistryError:
    """Return the error of a HEAD to a host that a pod named."""
    with pytest.raises(RegistryError) as caught:
        engine.head(ImageRef(host, "x", "1"), RegistryAccess(host, insecure=True, **options))  # type: ignore[arg-type]
    return caught.value


@pytest.mark.parametrize("address", FORBIDDEN)
def test_a_name_that_resolves_to_a_non_public_address_is_rejected(
    engine: Engine, internet: Internet, address: str
) -> None:
    internet.name("registry.test.", address)

    error = look(engine, "registry.test:5000")

    assert error.code == "address-refused"
    assert error.permanent
    assert internet.dialled == []


@pytest.mark.parametrize("host", ["127.0.0.1:1", "[::1]:1", "169.254.169.254", "[fe80::1]:80", "10.0.0.1:80"])
def test_a_literal_non_public_address_is_rejected(engine: Engine, internet: Internet, host: str) -> None:
    assert look(engine, host).code == "address-refused"
    assert internet.dialled == []


def test_the_error_for_a_literal_ipv6_address_contains_its_brackets(engine: Engine) -> None:
    host = f"[::1]:{free_port()}"
    with pytest.raises(RegistryError) as caught:
        engine.head(ImageRef(host, "x", "1"), access(host), timeout=1)
    assert f"could not connect to {host}: " in str(caught.value)


@pytest.mark.parametrize("private_allowed", [True, False])
@pytest.mark.parametrize("host", ["0x7f.1", "2130706433", "0177.0.0.1", "127.1", "0x7f000001", "127.0.0.1."])
def test_an_address_in_another_notation_is_rejected_without_a_lookup(
    engine: Engine, internet: Internet, host: str, private_allowed: bool
) -> None:
    error = look(engine, host, private_allowed=private_allowed)

    assert error.code == "address-refused"
    assert "192.0.2.1" in str(error)
    assert internet.resolved == internet.dialled == []


@pytest.mark.parametrize("host", ["1password.test", "0x.test", "4.test", "a1", "10.0.0.1.test"])
def test_a_name_that_contains_numbers_is_resolved(engine: Engine, internet: Internet, host: str) -> None:
    assert look(engine, host, private_allowed=True).code == "unavailable"
    assert internet.resolved


@pytest.mark.parametrize("address", NEVER)
def test_link_local_and_metadata_addresses_are_rejected_even_if_configured(
    engine: Engine, internet: Internet, address: str
) -> None:
    internet.name("registry.test.", address)

    error = look(engine, "registry.test:5000", private_allowed=True)
    assert error.code == "address-refused"
    assert "configure it" not in str(error), "that would not help"


@pytest.mark.parametrize(
    "address", [PUBLIC, "2606:4700::1", f"::ffff:{PUBLIC}", "64:ff9b::cb00:7209", "2002:cb00:7209::"]
)
def test_a_public_address_is_accepted_in_each_notation(address: str) -> None:
    (found,) = resolve(address, 443, private_allowed=False, timeout=1)
    assert not found.is_private


def test_a_local_nat64_prefix_is_accepted_if_private_addresses_are_allowed() -> None:
    (found,) = resolve("64:ff9b:1::cb00:7209", 443, private_allowed=True, timeout=1)
    assert found.is_private


def test_a_name_with_a_public_and_a_private_address_is_rejected(engine: Engine, internet: Internet) -> None:
    internet.name("registry.test.", [PUBLIC, "10.0.0.1"])

    assert look(engine, "registry.test:5000").code == "address-refused"


@pytest.mark.parametrize("private_allowed", [True, False])
def test_names_are_resolved_as_absolute_names_without_search_domains(
    engine: Engine, internet: Internet, private_allowed: bool
) -> None:
    internet.name("ghcr.io", "10.0.0.1")

    error = look(engine, "ghcr.io", private_allowed=private_allowed)

    assert internet.resolved
    assert set(internet.resolved) == {"ghcr.io."}
    assert error.code == "unavailable"


def test_a_bare_service_name_does_not_resolve(engine: Engine, internet: Internet) -> None:
    internet.name("postgres", "10.0.0.1")

    assert look(engine, "postgres:5432").code == "unavailable"


def test_the_connection_uses_the_address_that_was_checked(
    engine: Engine, internet: Internet, source: FaultyRegistry
) -> None:
    sample_image().load(source.storage, "app", "1.0")
    internet.name("registry.test.", PUBLIC, "127.0.0.1")
    host = f"registry.test:{port_of(source)}"

    found = engine.head(ImageRef(host, "app", "1.0"), public_access(port_of(source)))

    assert found is not None
    assert internet.dialled == [PUBLIC]
    assert internet.resolved == ["registry.test."]
    assert source.requests[0].headers["Host"] == host


def test_requests_to_docker_hub_use_its_api_host(engine: Engine, internet: Internet) -> None:
    with pytest.raises(RegistryError, match=r"registry-1\.docker\.io"):
        engine.head(ImageRef.parse("nginx"), RegistryAccess("docker.io"), timeout=1)

    assert set(internet.resolved) == {"registry-1.docker.io."}


def test_a_configured_registry_can_use_another_connection_address(engine: Engine, source: FaultyRegistry) -> None:
    sample_image().load(source.storage, "app", "1.0")
    there = access("registry.test:5000", connect_to=source.host)

    assert engine.head(ImageRef("registry.test:5000", "app", "1.0"), there) is not None
    assert source.requests[0].headers["Host"] == "registry.test:5000"


def test_the_next_address_is_tried_if_a_connection_fails(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, source: FaultyRegistry
) -> None:
    sample_image().load(source.storage, "app", "1.0")
    port = port_of(source)
    both = [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: both)

    assert engine.head(ImageRef("localhost:1", "app", "1.0"), access("localhost:1")) is not None


def test_a_closed_port_is_reported_as_a_refused_connection(engine: Engine) -> None:
    host = f"127.0.0.1:{free_port()}"
    with pytest.raises(RegistryError, match=f"could not connect to {host}: Connection refused"):
        engine.head(ImageRef(host, "x", "1"), access(host), timeout=1)
