"""Decides which addresses may be connected to. A security boundary, because authors of pods choose source hosts."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from dataclasses import dataclass

from mirrors.images.hosts import ipv4_text
from mirrors.oci.common.errors import RegistryError

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# Addresses of clouds' metadata services and host agents outside the link-local range.
_METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in ("168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254")
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_LOCAL_NAT64 = ipaddress.ip_network("64:ff9b:1::/48")
"""Local-use NAT64 (RFC 8215). Each network chooses where the IPv4 address is in it (RFC 6052 section 2.2)."""

_NOT_PUBLIC = tuple(ipaddress.ip_network(text) for text in ("192.0.0.0/24", "fec0::/10", "3fff::/20"))
"""Networks that some versions of `ipaddress` call public: protocol assignments, site-local addresses, documentation."""

_MAX_LOOKUPS = 64
"""The maximum number of concurrent name lookups. Each holds a thread until the resolver responds."""

_lookups = threading.BoundedSemaphore(_MAX_LOOKUPS)


@dataclass(frozen=True, slots=True)
class Address:
    """One resolved address, ready for a connection."""

    family: socket.AddressFamily
    sockaddr: tuple[str, int] | tuple[str, int, int, int]
    is_private: bool


def resolve(host: str, port: int, *, private_allowed: bool, timeout: float) -> list[Address]:
    """Return all addresses of `host`, each one checked. Raises RegistryError: `address-refused` if any of them is not
    allowed, `timeout`, or `unavailable` if the name does not resolve."""
    _reject_other_ipv4_notations(host)
    addresses = []
    for family, sockaddr in _look_up(absolute_name(host, private_allowed=private_allowed), host, port, timeout):
        ip = ipaddress.ip_address(str(sockaddr[0]).partition("%")[0])
        addresses.append(Address(family, sockaddr, is_private=_check(ip, host, private_allowed=private_allowed)))
    return addresses


def absolute_name(host: str, *, private_allowed: bool) -> str:
    """Return the name for the resolver. A trailing dot disables search domains, so that a Service `ghcr` in a namespace
    `io` is never taken for ghcr.io. A configured single label (`localhost`) gets none: it is meant to be local."""
    if _is_literal(host) or (private_allowed and "." not in host):
        return host
    return host.rstrip(".") + "."


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _reject_other_ipv4_notations(host: str) -> None:
    """Raise RegistryError for an IPv4 address in one of the other notations that resolvers accept: `0x7f.1`,
    `2130706433`, `0177.0.0.1`."""
    if ipv4_text(host.rstrip(".").lower()) is not None and not _is_literal(host):
        message = "is not an IPv4 address in the usual notation; write it as four numbers, as in 192.0.2.1"
        raise RegistryError("address-refused", f"{host} {message}", host=host, says_step=True)


def _check(ip: IPAddress, host: str, *, private_allowed: bool) -> bool:
    """Return whether the address is private. Raises RegistryError if it is not allowed."""
    candidates = _unwrap(ip)
    if any(
        candidate.is_link_local or candidate.is_multicast or candidate.is_unspecified or candidate in _METADATA
        for candidate in candidates
    ):
        message = "a link-local, multicast or metadata address, which is not allowed for a registry: check the name"
        raise RegistryError("address-refused", f"{host} resolves to {message}", host=host, says_step=True)
    is_private = any(_is_private(candidate) for candidate in candidates) or ip in _LOCAL_NAT64
    if is_private and not private_allowed:
        message = "an address that is not public; if this registry is yours, configure it"
        raise RegistryError("address-refused", f"{host} resolves to {message}", host=host, says_step=True)
    return is_private


def _is_private(ip: IPAddress) -> bool:
    is_public = ip.is_global and not (ip.is_loopback or ip.is_private or ip.is_reserved)
    return not is_public or any(ip in network for network in _NOT_PUBLIC)


def _unwrap(ip: IPAddress) -> tuple[IPAddress, ...]:
    """Return the IPv4 addresses that an IPv6 one contains (mapped, 6to4, NAT64) or might contain, else the address
    itself."""
    if isinstance(ip, ipaddress.IPv4Address):
        return (ip,)
    if ip in _NAT64:
        return (ipaddress.IPv4Address(ip.packed[12:]),)
    if ip in _LOCAL_NAT64:
        # Byte 8 is not part of the IPv4 address (RFC 6052 section 2.2).
        octets = ip.packed[:8] + ip.packed[9:]
        candidates = (*(octets[start : start + 4] for start in (6, 7, 8)), ip.packed[12:])
        return tuple(ipaddress.IPv4Address(candidate) for candidate in candidates if any(candidate))
    return (ip.ipv4_mapped or ip.sixtofour or ip,)


ResolvedAddresses = list[tuple[socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int]]]


def _look_up(name: str, host: str, port: int, timeout: float) -> ResolvedAddresses:
    """Call getaddrinfo for at most `timeout` seconds. It cannot be interrupted, so its thread may be left running."""
    if _is_literal(name):
        return _getaddrinfo(name, host, port)
    deadline = time.monotonic() + timeout
    if not _lookups.acquire(timeout=timeout):
        raise RegistryError(
            "timeout", f"{host} could not be resolved: too many name lookups are in progress", host=host
        )
    outcome: list[ResolvedAddresses | RegistryError] = []

    def run() -> None:
        try:
            outcome.append(_getaddrinfo(name, host, port))
        except RegistryError as error:
            outcome.append(error)
        finally:
            _lookups.release()

    thread = threading.Thread(target=run, name="oci-lookup", daemon=True)
    thread.start()
    thread.join(max(0.0, deadline - time.monotonic()))
    if not outcome:
        raise RegistryError("timeout", f"the name {host} was not resolved in time", host=host)
    if isinstance(outcome[0], RegistryError):
        raise outcome[0]
    return outcome[0]


def _getaddrinfo(name: str, host: str, port: int) -> ResolvedAddresses:
    try:
        results = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise RegistryError(
            "unavailable",
            f"the name {host} does not resolve; check the registry's name, and the DNS of workers",
            host=host,
            says_step=True,
        ) from None
    addresses = [
        (family, sockaddr) for family, _, _, _, sockaddr in results if family in (socket.AF_INET, socket.AF_INET6)
    ]
    return [(family, (str(addr[0]), int(addr[1]), *addr[2:])) for family, addr in addresses]
