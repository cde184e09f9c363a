"""The change history: user, change and time, for admin and API, without secrets."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from auditlog.models import LogEntry
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from mirrors.accounts.models import ApiToken
from mirrors.accounts.roles import Role
from mirrors.jobs.process.pruning import prune
from mirrors.models import Filter
from mirrors.services.configuration.config_rows import sync_config
from swapper_project import config
from tests.api.conftest import user_of
from tests.support.pages import text_of

pytestmark = pytest.mark.django_db
FILTER = {"name": "mine", "jmespath": "`true`", "position": 0, "enabled": "on"}
CANARY = "canary-of-a-password-71d0"


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(user_of(Role.ADMIN))
    LogEntry.objects.all().delete()
    return client


def told() -> list[tuple[str, str, int]]:
    """Return actor, object and action of each entry, in order."""
    rows = LogEntry.objects.order_by("id")
    return [(str(row.actor or "-"), row.object_repr, row.action) for row in rows]


CREATE, UPDATE, DELETE = LogEntry.Action.CREATE, LogEntry.Action.UPDATE, LogEntry.Action.DELETE


def test_admin_changes_record_the_user_and_the_address(admin: Client) -> None:
    admin.post("/admin/mirrors/filter/add/", FILTER, REMOTE_ADDR="192.0.2.9")
    row = Filter.objects.get()
    admin.post(f"/admin/mirrors/filter/{row.pk}/change/", {**FILTER, "jmespath": "`false`"})
    admin.post(f"/admin/mirrors/filter/{row.pk}/delete/", {"post": "yes"})
    assert told() == [("a-admin", "mine", CREATE), ("a-admin", "mine", UPDATE), ("a-admin", "mine", DELETE)]
    made, changed, _ = LogEntry.objects.order_by("id")
    assert made.remote_addr == "192.0.2.9"
    assert changed.changes == {"jmespath": ["`true`", "`false`"]}


def test_api_changes_record_the_user_and_the_token(admin: Client) -> None:
    _, token = ApiToken.issue(user=User.objects.create_superuser("script"), name="ci", role=Role.ADMIN)
    LogEntry.objects.all().delete()
    api = APIClient(HTTP_AUTHORIZATION=f"Token {token}")
    assert api.post("/api/v1/filters/", {"name": "mine", "jmespath": "`true`"}, format="json").status_code == 201
    row = Filter.objects.get()
    assert api.patch(f"/api/v1/filters/{row.pk}/", {"enabled": False}, format="json").status_code == 200
    assert api.delete(f"/api/v1/filters/{row.pk}/").status_code == 204
    assert told() == [("script", "mine", CREATE), ("script", "mine", UPDATE), ("script", "mine", DELETE)]
    assert {str(row.additional_data) for row in LogEntry.objects.all()} == {str({"user": "script", "token": "ci"})}
    assert "script, token ci" in admin.get("/admin/auditlog/logentry/").content.decode()


def test_role_and_token_changes_are_recorded(admin: Client) -> None:
    user = user_of(Role.NOBODY)
    LogEntry.objects.all().delete()
    viewer = Group.objects.get(name="viewer")
    fields = {"username": user.username, "is_active": "on", "groups": [viewer.pk]}
    admin.post(f"/admin/auth/user/{user.pk}/change/", fields)
    admin.post("/admin/accounts/apitoken/add/", {"name": "ci", "user": user.pk, "role": 1})
    assert told() == [("a-admin", user.username, UPDATE), ("a-admin", "ci", CREATE)]
    assert LogEntry.objects.first().changes["name"][1] == "ci"  # type: ignore[union-attr]
    assert LogEntry.objects.last().changes["groups"]["objects"] == ["viewer"]  # type: ignore[union-attr]


def test_the_history_uses_the_terms_and_formats_of_other_pages(admin: Client) -> None:
    user = user_of(Role.NOBODY)
    token, _ = ApiToken.issue(user=user, name="ci", role=Role.VIEWER)
    fields = {"username": user.username, "is_active": "on", "groups": [Group.objects.get(name="viewer").pk]}
    admin.post(f"/admin/auth/user/{user.pk}/change/", fields)

    def shown(name: str) -> str:
        entry = LogEntry.objects.filter(object_repr=name).latest("id")
        return admin.get(f"/admin/auditlog/logentry/{entry.pk}/change/").content.decode()

    assert token.expiry is not None
    assert "<strong>roles</strong>: – → viewer" in shown(user.username)
    exact = f'<time datetime="{token.expiry.isoformat()}" title="{token.expiry:%Y-%m-%d %H:%M:%S} UTC">'
    assert f"<strong>expiry</strong>: – → {exact}in " in shown("ci")
    listed = text_of(admin.get("/admin/auditlog/logentry/").content.decode())
    assert f"{user.username} roles" in listed and "groups" not in listed


def test_the_history_of_an_object_shows_its_name(admin: Client) -> None:
    for name in ("mine", "other"):
        admin.post("/admin/mirrors/filter/add/", {**FILTER, "name": name})
    row = Filter.objects.get(name="mine")

    page = admin.get(f"/admin/mirrors/filter/{row.pk}/history/", follow=True).content.decode()

    assert "Object: mine" in text_of(page) and f"<b>{row.pk}</b>" not in page
    unknown = text_of(admin.get("/admin/auditlog/logentry/?object_pk__exact=77").content.decode())
    assert "Object: 77" in unknown, "of which kind is not said"


def test_the_history_contains_no_secrets(admin: Client) -> None:
    fields = {"username": "new", "usable_password": "true", "password1": CANARY, "password2": CANARY}
    admin.post("/admin/auth/user/add/", fields)
    new = User.objects.get(username="new")
    hashes = [new.password]
    passwords = {"usable_password": "true", "password1": f"{CANARY}2", "password2": f"{CANARY}2"}
    admin.post(f"/admin/auth/user/{new.pk}/password/", passwords)
    new.refresh_from_db()
    hashes.append(new.password)
    row, text = ApiToken.issue(user=new, name="ci", role=Role.VIEWER)
    digest, key = row.digest, row.token_key
    row.delete()
    kept = str(list(LogEntry.objects.values()))
    assert "(hidden)" in kept and "'ci'" in kept
    assert hashes[0] != hashes[1]
    for secret in (CANARY, *hashes, text, digest, digest[:40], key):
        assert secret not in kept


def test_changes_by_the_configuration_file_are_attributed_to_it(admin: Client) -> None:
    before = "source: {filters: [{jmespath: 'a'}, {jmespath: 'b'}]}"
    target = "target: {type: oci, oci: {endpoint: mirror.example.com}}"
    sync_config(config=config.parse(f"{before}\n{target}"))
    count = LogEntry.objects.count()
    sync_config(config=config.parse(f"{before}\n{target}"))
    assert LogEntry.objects.count() == count == 3, "the same file changes nothing"
    sync_config(config=config.parse(f"source: {{filters: [{{jmespath: 'c'}}]}}\n{target.replace('mirror.', 'new.')}"))
    changes = [(row.object_repr, row.action) for row in LogEntry.objects.order_by("id")[count:]]
    assert sorted(changes) == [
        ("mirror.example.com", UPDATE),
        ("new.example.com", CREATE),
        ("source.filters[0]", UPDATE),
        ("source.filters[1]", DELETE),
    ]
    assert {row.actor for row in LogEntry.objects.all()} == {None}
    page = admin.get("/admin/auditlog/logentry/").content.decode()
    assert page.count("configuration file") >= 7


def test_history_entries_are_escaped_and_cannot_be_deleted(admin: Client) -> None:
    admin.post("/admin/mirrors/filter/add/", {**FILTER, "name": "<b>mine</b>"})
    [row] = LogEntry.objects.all()
    page = admin.get(f"/admin/auditlog/logentry/{row.pk}/change/").content.decode()
    assert "before and after" in page.lower() and "&lt;b&gt;mine" in page and "<b>mine" not in page
    assert admin.post(f"/admin/auditlog/logentry/{row.pk}/delete/", {"post": "yes"}).status_code == 403


def test_history_entries_are_pruned_after_a_year(admin: Client) -> None:
    Filter.objects.create(**{**FILTER, "enabled": True})
    LogEntry.objects.update(timestamp=timezone.now() - timedelta(days=364))
    prune()
    assert LogEntry.objects.count() == 1
    LogEntry.objects.update(timestamp=timezone.now() - timedelta(days=366))
    prune()
    assert not LogEntry.objects.exists()


def test_migrations_create_no_history_entries(tmp_path: Path) -> None:
    LogEntry.objects.all().delete()
    Group.objects.get(name="viewer").permissions.clear()
    LogEntry.objects.all().delete()
    call_command("migrate", verbosity=0)
    assert Group.objects.get(name="viewer").permissions.exists()
    assert not LogEntry.objects.exists()
