"""Sign-in: failed attempts lock a user out, with a page that contains what to do. Only users with a role can sign
in."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from axes.models import AccessAttempt, AccessFailureLog
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from mirrors.accounts.roles import Role
from mirrors.jobs.process.pruning import prune
from tests.api.conftest import user_of

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"
URL = "/admin/login/"


@pytest.fixture
def viewer() -> User:
    user = user_of(Role.VIEWER)
    user.set_password(PASSWORD)
    user.save()
    return user


def log_in(user: str, password: str, address: str = "192.0.2.1") -> int:
    client = Client(REMOTE_ADDR=address)
    return client.post(URL, {"username": user, "password": password, "next": "/admin/"}).status_code


def test_five_failed_sign_ins_lock_the_user_and_address_for_15_minutes(viewer: User) -> None:
    name = viewer.username
    assert [log_in(name, "wrong") for _ in range(5)] == [200, 200, 200, 200, 429]
    assert log_in(name, PASSWORD) == 429, "the right password does not help"
    assert log_in(name, PASSWORD, address="192.0.2.2") == 302, "the user is not shut out elsewhere"
    assert log_in("another", "wrong") == 200
    with time_machine.travel(timezone.now() + timedelta(minutes=14)):
        assert log_in(name, "wrong") == 429, "and a try does not make it longer"
    with time_machine.travel(timezone.now() + timedelta(minutes=15, seconds=1)):
        assert log_in(name, PASSWORD) == 302


def test_the_lockout_page_shows_the_remaining_time_and_what_to_do(viewer: User) -> None:
    for _ in range(5):
        log_in(viewer.username, "wrong")
    with time_machine.travel(timezone.now() + timedelta(minutes=5)):
        response = Client(REMOTE_ADDR="192.0.2.1").post(URL, {"username": viewer.username, "password": PASSWORD})
    page = " ".join(response.content.decode().split())
    assert response.status_code == 429
    assert 590 <= int(response.headers["Retry-After"]) <= 600
    assert "another 10 minutes" in page and "axes_reset_username" in page
    assert viewer.username not in page


def test_failed_sign_ins_of_an_address_are_limited_across_usernames(viewer: User) -> None:
    with time_machine.travel(timezone.now(), tick=False):
        reported = [log_in(f"guess-{number}", "wrong", address="2001:db8::1") for number in range(60)]
        assert set(reported) == {200}
        assert log_in(viewer.username, PASSWORD, address="2001:db8::2") == 429, "a /64 is one subscriber"
        page = Client(REMOTE_ADDR="2001:db8::3").post(URL, {"username": "x", "password": "y"})
        assert "SWAPPER_TRUSTED_PROXIES" in page.content.decode() and 0 < int(page.headers["Retry-After"]) <= 900
        assert log_in(viewer.username, PASSWORD, address="2001:db8:0:1::1") == 302
    with time_machine.travel(timezone.now() + timedelta(minutes=15, seconds=2)):
        assert log_in(viewer.username, PASSWORD, address="2001:db8::2") == 302


def test_a_successful_sign_in_resets_the_failure_count(viewer: User) -> None:
    for _ in range(3):
        assert [log_in(viewer.username, "wrong") for _ in range(4)] == [200] * 4
        assert log_in(viewer.username, PASSWORD) == 302


def test_an_admin_unlocks_a_user_by_deleting_the_attempt(viewer: User, client: Client) -> None:
    for _ in range(5):
        log_in(viewer.username, "wrong")
    client.force_login(user_of(Role.ADMIN))
    page = client.get("/admin/axes/accessattempt/").content.decode()
    assert viewer.username in page and PASSWORD not in page
    [row] = AccessAttempt.objects.all()
    client.post(f"/admin/axes/accessattempt/{row.pk}/delete/", {"post": "yes"})
    assert log_in(viewer.username, PASSWORD) == 302


def test_only_locked_sign_ins_are_listed(viewer: User, client: Client) -> None:
    def listed() -> list[tuple[str, str, int]]:
        rows = client.get("/admin/axes/accessattempt/").context["cl"].result_list
        return sorted((row.username, row.ip_address, row.failures_since_start) for row in rows)

    client.force_login(user_of(Role.ADMIN))
    log_in(viewer.username, "wrong")
    log_in(viewer.username, "wrong", address="192.0.2.2")
    assert AccessAttempt.objects.count() == 2 and listed() == []
    for agent, times in (("Firefox", 3), ("curl", 1)):
        for _ in range(times):
            form = {"username": viewer.username, "password": "wrong"}
            Client(REMOTE_ADDR="192.0.2.1", HTTP_USER_AGENT=agent).post(URL, form)
    assert log_in(viewer.username, PASSWORD) == 429
    assert listed() == [(viewer.username, "192.0.2.1", failures) for failures in (1, 1, 3)], "of all browsers"
    with time_machine.travel(timezone.now() + timedelta(minutes=15, seconds=1)):
        assert listed() == []


def test_invalid_tokens_do_not_count_as_failed_sign_ins(viewer: User) -> None:
    client = APIClient(HTTP_AUTHORIZATION="Token swp_wrong", REMOTE_ADDR="192.0.2.1")
    assert {client.get("/api/v1/jobs/").status_code for _ in range(8)} == {401}
    assert not AccessAttempt.objects.exists()
    assert log_in(viewer.username, PASSWORD) == 302


def test_passwords_of_failed_sign_ins_are_not_stored(viewer: User) -> None:
    log_in(viewer.username, "canary-of-a-guess")
    rows = [str(list(model.objects.values())) for model in (AccessAttempt, AccessFailureLog)]
    assert all(viewer.username in row for row in rows)
    assert "canary-of-a-guess" not in "".join(rows)


def test_old_failed_sign_ins_are_pruned(viewer: User) -> None:
    log_in(viewer.username, "wrong")
    prune()
    assert AccessFailureLog.objects.count() == 1
    AccessFailureLog.objects.update(attempt_time=timezone.now() - timedelta(days=91))
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(days=91))
    prune()
    assert not AccessFailureLog.objects.exists() and not AccessAttempt.objects.exists()


@pytest.mark.parametrize("is_staff", [True, False])
def test_only_users_with_a_role_can_sign_in(is_staff: bool) -> None:
    user = User.objects.create_user("new", password=PASSWORD, is_staff=is_staff)
    client = Client()
    response = client.post(URL, {"username": "new", "password": PASSWORD})
    assert response.status_code == 200 and "has no role yet" in response.content.decode()
    user.groups.add(user_of(Role.VIEWER).groups.get())
    assert client.post(URL, {"username": "new", "password": PASSWORD, "next": "/admin/"}).status_code == 302
    assert client.get("/admin/").status_code == 200
    user.groups.clear()
    assert client.get("/admin/").status_code == 302


@pytest.mark.parametrize("password", ["short", "123456789012345", "password1234", "somebody-new"])
def test_weak_passwords_are_rejected(password: str, client: Client) -> None:
    client.force_login(user_of(Role.ADMIN))
    fields = {"username": "somebody-new", "usable_password": "true", "password1": password, "password2": password}
    response = client.post("/admin/auth/user/add/", fields)
    assert response.status_code == 200 and response.context["errors"]
    assert not User.objects.filter(username="somebody-new").exists()


def test_pages_use_the_terms_sign_in_and_sign_out(viewer: User, client: Client) -> None:
    form = client.get(URL).content.decode()
    assert "<title>Sign in" in " ".join(form.split()).replace("> ", ">")
    assert "Log in" not in form and "Return to site" not in form
    client.force_login(viewer)
    page = client.get("/admin/").content.decode()
    assert "Sign out" in page and "Change password" in page and "Log out" not in page
    out = client.post("/admin/logout/")
    assert (out.status_code, out.headers["Location"]) == (302, URL)
    assert client.get("/admin/").status_code == 302


def test_a_user_whose_role_was_removed_sees_what_to_do(viewer: User, client: Client) -> None:
    client.force_login(viewer)
    viewer.groups.clear()
    response = client.get("/admin/", follow=True)
    page = " ".join(response.content.decode().split())
    assert f"{viewer.username} has no role. Ask an administrator to assign a role" in page
