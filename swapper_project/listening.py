"""Sockets that listen where an address says; no host, or ``[::]``, means all addresses of both families."""

from __future__ import annotations

import errno
import socket
from typing import Final

ALL: Final = ("", "::")


def split(address: str) -> tuple[str, int]:
    """Host, without brackets, and port of ``HOST:PORT``, ``[IPV6]:PORT`` or ``:PORT``. Raises ValueError."""
    host, _, port = address.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


def listen(address: str, *, backlog: int = 128) -> socket.socket:
    """A socket that accepts connections at ``address``. Raises OSError: the address is taken, or not this machine's.

    A machine without IPv6 has its IPv4 addresses alone.
    """
    host, port = split(address)
    if host in ALL:
        try:
            return socket.create_server(
                ("::", port), family=socket.AF_INET6, dualstack_ipv6=socket.has_dualstack_ipv6(), backlog=backlog
            )
        except OSError as error:
            if host or not _means_no_ipv6(error):
                raise
            return socket.create_server(("0.0.0.0", port), backlog=backlog)  # noqa: S104
    family, _, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    return socket.create_server(where[:2], family=family, backlog=backlog)


def all_addresses() -> str:
    """The host, as gunicorn takes it, of all addresses of this machine: both families where it has both."""
    if socket.has_dualstack_ipv6():
        try:
            socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True).close()
            return "[::]"
        except OSError:
            return "0.0.0.0"  # noqa: S104
    return "0.0.0.0"  # noqa: S104


def _means_no_ipv6(error: OSError) -> bool:
    return error.errno in {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT}
