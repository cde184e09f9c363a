"""Sockets that listen where an address says; no host, or ``[::]``, means all addresses of both families,
where the machine has both."""

from __future__ import annotations

import errno
import socket
from typing import Final

ALL_ADDRESSES: Final = ("", "::")


def split(address: str) -> tuple[str, int]:
    """Host, without brackets, and port of ``HOST:PORT``, ``[IPV6]:PORT`` or ``:PORT``. Raises ValueError."""
    host, _, port = address.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


def listen(address: str, *, backlog: int = 128) -> socket.socket:
    """A socket that accepts connections at ``address``. Raises OSError: the address is taken, or not this machine's.

    A machine without IPv6 has its IPv4 addresses alone.
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
    family, _, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    return socket.create_server(where[:2], family=family, backlog=backlog)


def for_gunicorn(address: str) -> list[str]:
    """The addresses that gunicorn binds for ``address``: without a host, all of both families where there are both."""
    host, port = split(address)
    if host not in ALL_ADDRESSES:
        return [address]
    if not _has_ipv6():
        return [f"0.0.0.0:{port}"]
    # Where the system keeps the families apart, one socket of each.
    with socket.socket(socket.AF_INET6) as probe:
        is_apart = probe.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
    return [f"0.0.0.0:{port}", f"[::]:{port}"] if is_apart else [f"[::]:{port}"]


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::", 0))
        return True
    except OSError:
        return False


def _means_no_ipv6(error: OSError) -> bool:
    return error.errno in {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT}
