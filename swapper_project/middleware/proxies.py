"""The client of a request: forwarded headers are trusted only from proxies in ``SWAPPER_TRUSTED_PROXIES``."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

FORWARDED_HEADERS = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PORT")
"""Together with ``Forwarded`` and similar headers, these are removed before other code sees the request."""

DROPPED_HEADERS = (*FORWARDED_HEADERS, "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_X_CLIENT_IP", "HTTP_TRUE_CLIENT_IP")


class ProxyMiddleware:
    """Sets ``REMOTE_ADDR`` to the client's address and the scheme to the client's, and drops forwarded headers.

    Behind listed proxies, the client is the right-most address of ``X-Forwarded-For`` that is not a listed proxy: the
    addresses to its left are set by the client.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response
        self._proxies = [ipaddress.ip_network(text, strict=False) for text in settings.ENVIRONMENT.trusted_proxies]

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        peer = _address(request.META.get("REMOTE_ADDR", ""))
        forwarded_for, scheme, *_ = (request.META.get(name, "") for name in FORWARDED_HEADERS)
        for name in DROPPED_HEADERS:
            request.META.pop(name, None)
        scheme = scheme.rpartition(",")[2].strip().lower()
        if self._is_proxy(peer):
            if scheme in ("http", "https"):
                request.META["wsgi.url_scheme"] = scheme
            peer = self._client(forwarded_for, peer)
        elif settings.SECURE_SSL_REDIRECT and scheme == "https" and not request.is_secure():
            # A redirect to HTTPS would arrive in the same way again, and cause an endless loop.
            return render(request, "proxy_not_listed.html", {"peer": peer}, status=400)
        request.META["REMOTE_ADDR"] = str(peer) if peer else ""
        return self._get_response(request)

    def _client(self, forwarded_for: str, peer: IpAddress | None) -> IpAddress | None:
        client = peer
        for text in reversed(forwarded_for.split(",")):
            if (address := _address(_without_port(text.strip()))) is None:
                break
            client = address
            if not self._is_proxy(address):
                break
        return client

    def _is_proxy(self, address: IpAddress | None) -> bool:
        return address is not None and any(address in network for network in self._proxies)


def _address(text: str) -> IpAddress | None:
    """Parse an address without its scope; None if it is invalid. An IPv4-mapped IPv6 address, as dual-stack sockets
    report it, becomes the IPv4 address."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _without_port(text: str) -> str:
    """Remove the port, which some proxies include: ``1.2.3.4:5678``, ``[2001:db8::1]:5678``."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text
