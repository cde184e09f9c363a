"""Forwarded headers are used only from listed proxies."""

from __future__ import annotations

import dataclasses

import pytest
from django.conf import settings as django_settings
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from pytest_django import Settings

from swapper_project.middleware.proxies import ProxyMiddleware

PROXIES = ("10.0.0.0/8", "192.168.1.7", "fd00::/8", "172.16.5.9/16")


@pytest.fixture(autouse=True)
def listed(settings: Settings) -> None:
    settings.ENVIRONMENT = dataclasses.replace(django_settings.ENVIRONMENT, trusted_proxies=PROXIES)


def seen(**headers: str) -> HttpRequest:
    """Return the request as views receive it."""
    requests: list[HttpRequest] = []

    def view(request: HttpRequest) -> HttpResponse:
        requests.append(request)
        return HttpResponse()

    ProxyMiddleware(view)(RequestFactory().get("/", **headers))  # type: ignore[arg-type]
    return requests[0]


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "client"),
    [
        ("203.0.113.5", "1.1.1.1", "203.0.113.5"),
        ("10.1.1.1", "203.0.113.5", "203.0.113.5"),
        ("10.1.1.1", "1.1.1.1, 203.0.113.5", "203.0.113.5"),
        ("10.1.1.1", "1.1.1.1, 203.0.113.5, 192.168.1.7", "203.0.113.5"),
        ("192.168.1.8", "1.1.1.1", "192.168.1.8"),
        ("172.16.200.1", "1.1.1.1", "1.1.1.1"),
        ("10.1.1.1", "10.2.2.2, 10.3.3.3", "10.2.2.2"),
        ("10.1.1.1", "", "10.1.1.1"),
        ("10.1.1.1", "203.0.113.5, rubbish, 10.3.3.3", "10.3.3.3"),
        ("10.1.1.1", "203.0.113.5:4711", "203.0.113.5"),
        ("::ffff:10.1.1.1", "203.0.113.5", "203.0.113.5"),
        ("fd00::1", "[2001:db8::5]:4711", "2001:db8::5"),
        ("fd00::1%eth0", "2001:db8::5", "2001:db8::5"),
    ],
)
def test_the_client_is_the_last_address_that_is_not_a_trusted_proxy(peer: str, forwarded_for: str, client: str) -> None:
    request = seen(REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR=forwarded_for)
    assert request.META["REMOTE_ADDR"] == client
    assert not [name for name in request.headers if "Forwarded" in name]


@pytest.mark.parametrize(
    ("peer", "scheme", "is_secure"),
    [
        ("10.1.1.1", "https", True),
        ("10.1.1.1", "http", False),
        ("10.1.1.1", "https, http", False),
        ("10.1.1.1", "gopher", False),
        ("203.0.113.5", "https", False),
    ],
)
def test_the_forwarded_scheme_is_used_only_from_trusted_proxies(peer: str, scheme: str, is_secure: bool) -> None:
    assert seen(REMOTE_ADDR=peer, HTTP_X_FORWARDED_PROTO=scheme).is_secure() is is_secure


@pytest.mark.django_db
def test_https_redirects_use_the_scheme_of_trusted_proxies_only(settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    plain = Client(REMOTE_ADDR="10.1.1.1", HTTP_X_FORWARDED_PROTO="http").get("/admin/login/")
    assert (plain.status_code, plain.headers["Location"]) == (301, "https://testserver/admin/login/")
    secure = Client(REMOTE_ADDR="10.1.1.1", HTTP_X_FORWARDED_PROTO="https").get("/admin/login/")
    assert secure.status_code == 200
    unlisted = Client(REMOTE_ADDR="203.0.113.5", HTTP_X_FORWARDED_PROTO="https").get("/admin/login/")
    assert unlisted.status_code == 400
    assert "203.0.113.5" in unlisted.content.decode() and "SWAPPER_TRUSTED_PROXIES" in unlisted.content.decode()
