"""Security headers of every page: no frames, only the product's own scripts, and no referrer for other hosts."""

from __future__ import annotations

import pytest
from django.test import Client

from mirrors.accounts.roles import Role
from tests.api.conftest import user_of
from tests.support.system import run_manage

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["/admin/login/", "/admin/", "/api/v1/jobs/", "/api/docs/", "/not/there/"])
def test_headers_of_a_page(path: str, client: Client) -> None:
    if path != "/admin/login/":
        client.force_login(user_of(Role.VIEWER))
    headers = client.get(path).headers
    policy = dict(part.strip().partition(" ")[::2] for part in headers["Content-Security-Policy"].split(";"))
    scripts = policy.get("script-src", policy["default-src"]).split()
    assert scripts == (["'self'", "'unsafe-eval'"] if path.startswith("/admin/") else ["'self'"])
    assert policy["default-src"] == "'self'" and policy["frame-ancestors"] == "'none'"
    assert policy["object-src"] == "'none'" and policy["form-action"] == "'self'"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_cookies_are_for_the_server_alone(client: Client) -> None:
    user = user_of(Role.VIEWER)
    user.set_password("correct horse battery")
    user.save()
    client.get("/admin/login/")
    client.post("/admin/login/", {"username": user.username, "password": "correct horse battery"})
    session = client.cookies["sessionid"]
    assert session["httponly"] and session["samesite"] == "Lax"
    assert client.cookies["csrftoken"]["samesite"] == "Lax"


def test_under_https_cookies_are_secure() -> None:
    environment = {"SWAPPER_EXTERNAL_URL": "https://swapper.example.com", "SWAPPER_ROLE": "web"}
    program = (
        "from django.conf import settings as s; "
        "print(s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.SECURE_SSL_REDIRECT, s.SECURE_HSTS_SECONDS > 0)"
    )
    assert run_manage("shell", "-v0", "-c", program, environment=environment).stdout.split() == ["True"] * 4


def test_the_admin_writes_with_its_csrf_token_alone() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(user_of(Role.ADMIN))
    answer = client.post("/admin/mirrors/filter/add/", {"name": "x", "jmespath": "`true`", "position": 0})
    assert answer.status_code == 403
    assert "This form is no longer valid" in answer.content.decode()
