"""Hosts of registries: one normalised form for all spellings of a host. Pure, no I/O."""

from __future__ import annotations

import ipaddress
import re
import socket
from contextlib import suppress
from functools import lru_cache

MAX_HOST = 260
"""The largest length of a host: 253 characters of a DNS name, a colon and a port, rounded up."""

DEFAULT_REGISTRY = "docker.io"
DOCKER_HUB_ALIASES = frozenset({"index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"})

# Adjacent repetitions never share a character, so that a match takes time linear in the length of the text.
_LABEL = r"[a-z0-9]+(?:-+[a-z0-9]+)*"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[([a-f0-9:]+)\])(?::([0-9]+))?")
_OLD_IPV4 = re.compile(r"(?:0x[0-9a-f]+|[0-9]+)(?:\.(?:0x[0-9a-f]+|[0-9]+)){0,3}")


class InvalidReferenceError(ValueError):
    """The text is not a valid image reference, host or tag. The message contains the reason."""


def normalise_host(text: str) -> str:
    """Return a registry's ``host[:port]`` in the form of :attr:`ImageRef.registry`.

    Raises :class:`InvalidReferenceError`."""
    host = text.lower() if len(text) <= MAX_HOST else ""
    match = _HOST.fullmatch(host)
    if match is None:
        raise InvalidReferenceError(
            f"{quote(text)} is not a valid registry host; use host, host:port or [IPv6 address]:port"
        )
    if match[2] and not 0 < int(match[2]) < 65536:
        raise InvalidReferenceError(f"{quote(text)}: the port must be from 1 to 65535")
    port = f":{int(match[2])}" if match[2] else ""
    if match[1]:
        return f"[{_ipv6_text(match[1])}]{port}"
    if "." not in host and not port and host != "localhost":
        # In a reference, such a word is an organisation of Docker Hub, never a host.
        raise InvalidReferenceError(f"host {quote(text)} has neither a dot nor a port; write {host}:443, for example")
    return DEFAULT_REGISTRY if host in DOCKER_HUB_ALIASES else host.partition(":")[0] + port


@lru_cache(maxsize=8_192)
def address(host: str, default_port: int) -> tuple[str, int]:
    """Return the name or address, and the port, by which registries are compared, whatever an address's spelling."""
    name, _, port = host.partition("]") if host.startswith("[") else host.partition(":")
    number = port.removeprefix(":")
    try:
        address = ipaddress.ip_address(name.removeprefix("["))
    except ValueError:
        name = ipv4_text(name) or name
    else:
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        name = str(mapped or address)
    return name, int(number) if number else default_port


def ipv4_text(name: str) -> str | None:
    """Return the IPv4 address that resolvers read from a text such as ``127.1`` or ``0x7f.0.0.1``; None for a name."""
    if _OLD_IPV4.fullmatch(name):
        with suppress(OSError):
            return socket.inet_ntoa(socket.inet_aton(name))
    return None


def path_component(host: str) -> str:
    """Return the host as one component of a repository. No two hosts share one, because no host name contains ``_``."""
    if host.startswith("["):
        address, _, port = host[1:].partition("]")
        host = ipaddress.IPv6Address(address).packed.hex(":", 2) + port
    return host.replace(":", "_")


def _ipv6_text(text: str) -> str:
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        raise InvalidReferenceError(f"{quote(text)} is not a valid IPv6 address") from None
    if address.ipv4_mapped:
        # Newer versions of Python print these with dots, which the grammar of references does not allow.
        return ":".join(f"{int(group, 16):x}" for group in address.packed.hex(":", 2).split(":"))
    return address.compressed


def quote(text: str) -> str:
    """Return text from an external source for use in a message, cut and escaped."""
    return repr(text if len(text) <= 120 else f"{text[:120]}…")
