"""Sockets that listen at an address. An address without a host, or with ``[::]``, means all addresses of IPv4 and IPv6,
if the machine has both."""

from __future__ import annotations

import errno
import socket
from typing import Final

ALL_ADDRESSES: Final = ("", "::")


def split(address: str) -> tuple[str, int]:
    """Return host, without brackets, and port of ``HOST:PORT``, ``[IPV6]:PORT`` or ``:PORT``. Raises ValueError."""
    host, _, port = address.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


def listen(address: str, *, backlog: int = 128) -> socket.socket:
    """Return a socket that listens at ``address``. Raises OSError if the address is in use, or not of this machine.

    On a machine without IPv6, only IPv4 addresses are used.
    """
    host, port = split(address)
    if host in ALL_ADDRESSES:
        try:
            return socket.create_server(
                ("::", port), family=socket.AF_INET6, dualstack_ipv6=socket.has_dualstack_ipv6(), backlog=backlog
            )
        except OSError as error:
            if not _means_no_ipv6(error):
                raise
            return socket.create_server(("0.0.0.0", port), backlog=backlog)  # noqa: S104
    family, _, _, _, sockaddr = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    return socket.create_server(sockaddr[:2], family=family, backlog=backlog)


def for_gunicorn(address: str) -> list[str]:
    """Return the addresses that gunicorn binds for ``address``: without a host, all of IPv4 and IPv6, if available."""
    host, port = split(address)
    if host not in ALL_ADDRESSES:
        return [address]
    if not _has_ipv6():
        return [f"0.0.0.0:{port}"]
    # If the system separates IPv4 and IPv6, each needs a socket.
    with socket.socket(socket.AF_INET6) as probe:
        is_ipv6_only = probe.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
    return [f"0.0.0.0:{port}", f"[::]:{port}"] if is_ipv6_only else [f"[::]:{port}"]


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::", 0))
        return True
    except OSError:
        return False


def _means_no_ipv6(error: OSError) -> bool:
    return error.errno in {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT}
