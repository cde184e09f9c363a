"""Security headers of every page: no frames, only the product's own scripts, and no referrer for other hosts."""

from __future__ import annotations

import pytest
from django.test import Client

from mirrors.accounts.roles import Role
from tests.api.conftest import user_of
from tests.support.system import run_manage

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["/admin/login/", "/admin/", "/api/v1/jobs/", "/api/docs/", "/not/there/"])
def test_responses_have_security_headers(path: str, client: Client) -> None:
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


def test_the_session_cookie_is_httponly_and_cookies_are_samesite_lax(client: Client) -> None:
    user = user_of(Role.VIEWER)
    user.set_password("correct horse battery")
    user.save()
    client.get("/admin/login/")
    client.post("/admin/login/", {"username": user.username, "password": "correct horse battery"})
    session = client.cookies["sessionid"]
    assert session["httponly"] and session["samesite"] == "Lax"
    assert client.cookies["csrftoken"]["samesite"] == "Lax"


def test_an_https_url_enables_secure_cookies_the_redirect_and_hsts() -> None:
    environment = {"SWAPPER_EXTERNAL_URL": "https://swapper.example.com", "SWAPPER_ROLE": "web"}
    program = (
        "from django.conf import settings as s; "
        "print(s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.SECURE_SSL_REDIRECT, s.SECURE_HSTS_SECONDS > 0)"
    )
    assert run_manage("shell", "-v0", "-c", program, environment=environment).stdout.split() == ["True"] * 4


def test_an_admin_form_without_a_csrf_token_is_rejected() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(user_of(Role.ADMIN))
    response = client.post("/admin/mirrors/filter/add/", {"name": "x", "jmespath": "`true`", "position": 0})
    assert response.status_code == 403
    assert "This form is no longer valid" in response.content.decode()
