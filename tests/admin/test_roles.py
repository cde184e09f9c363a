"""Every page of the admin in every role: who can see, add, change and delete rows. No page is omitted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from auditlog.models import LogEntry
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db.models import Model
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from mirrors.accounts.models import ApiToken
from mirrors.accounts.roles import ROLES, Role
from mirrors.models import BackfillRun, Filter, ImageMapping, MirrorJob, Registry, TargetRepository
from mirrors.services import request_image
from tests.api.conftest import user_of
from tests.support.shared_rows import rows_of_class

pytestmark = pytest.mark.django_db

SEE, ACT, SET = Role.VIEWER, Role.OPERATOR, Role.ADMIN
NEVER: Final = None
"""At most for superusers."""

PAGES = ("changelist", "add", "change", "delete")
READ_ONLY = (SEE, NEVER, SEE, NEVER)
OF_ADMINS = (SET, NEVER, SET, NEVER)
# The roles for list, form to add a row, form to change a row, and deletion.
MODELS: dict[str, tuple[Role | None, ...]] = {
    "mirrors.filter": (SEE, SET, SEE, SET),
    "mirrors.registry": (SEE, SET, SEE, SET),
    "accounts.apitoken": (SET, SET, SET, SET),
    "auth.user": (SET, SET, SET, SET),
    "auth.group": OF_ADMINS,
    "auditlog.logentry": OF_ADMINS,
    "axes.accessattempt": (SET, NEVER, SET, SET),
    "axes.accessfailurelog": OF_ADMINS,
    "axes.accesslog": OF_ADMINS,
}
# All other models: viewers see the rows, and only the system or services write them.
ROWS = {model._meta.label_lower: READ_ONLY for model in apps.get_app_config("mirrors").get_models()}
TABLE = {**ROWS, **MODELS}
# Pages that do not belong to a model. All users can sign in and out.
OTHERS: dict[str, Role] = {
    "index": SEE,
    "search": SEE,
    "jsi18n": SEE,
    "password_change": SEE,
    "password_change_done": SEE,
    "dashboard-live": SEE,
    "explain": SEE,
    "accounts_apitoken_own": SEE,
    "mirrors_filter_try": SEE,
    "mirrors_hostbudget_resume": ACT,
    "mirrors_mirrorjob_retry_failed": ACT,
    "mirrors_readinesssample_mirror": ACT,
}
# Pages of a row other than its form, with the HTTP method that they accept.
OF_ROWS: dict[str, tuple[str, str, Role]] = {
    "mirrors_imagemapping_live": ("GET", "mirrors.imagemapping", SEE),
    "mirrors_mirrorjob_live": ("GET", "mirrors.mirrorjob", SEE),
    "mirrors_mirrorjob_priority": ("POST", "mirrors.mirrorjob", ACT),
    "mirrors_backfillrun_live": ("GET", "mirrors.backfillrun", SEE),
    "mirrors_registry_test": ("POST", "mirrors.registry", ACT),
    "mirrors_registry_storage": ("GET", "mirrors.registry", SEE),
    "mirrors_registry_test_live": ("GET", "mirrors.registry", SEE),
}
# Forms on a list, with the role that can submit them.
POSTED: dict[str, Role] = {"mirrors_backfillrun_preview": ACT}
FOR_ALL = {"login", "logout"}
# Pages of a model or of one of its rows, which check permissions themselves.
OF_A_ROW = {"history", "app_list", "view_on_site", "autocomplete", "auth_user_password_change", "mirrors_filter_try_it"}
OF_ALL_USERS = {"accounts_apitoken_revoke_own"}
"""A POST that changes only rows of the user. The tests of tokens cover it."""
# Parts of the try-it page, whose own test covers their roles.
OF_THE_TRY_IT_PAGE = {"mirrors_filter_answers", "mirrors_filter_impact"}
EVERYBODY = (Role.NOBODY, *ROLES)


@pytest.fixture
def client_of(client: Client) -> Callable[[Role], Client]:
    def make(role: Role) -> Client:
        if role is not Role.NOBODY:
            client.force_login(user_of(role))
        return client

    return make


@pytest.fixture(scope="class")
def rows(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[dict[str, Any]]:
    """One row of each model whose rows are written by users or about users, by model."""
    with rows_of_class(django_db_blocker):
        Registry.objects.create(role="target", endpoint="mirror.example.com", managed_by="config")
        job, _ = request_image(image="nginx:1.27", requested_by="somebody")
        made: list[Model] = [
            job,
            job.mapping,
            Registry.objects.create(endpoint="quay.io"),
            Filter.objects.create(name="mine", jmespath="`true`"),
            TargetRepository.objects.create(registry=job.mapping.target_registry, name="library/nginx"),
            User.objects.create(username="somebody"),
            Group.objects.get(name="viewer"),
            BackfillRun.objects.create(cluster="default"),
            ApiToken.issue(user=user_of(SEE), name="t", role=SEE)[0],
            AccessAttempt.objects.create(username="x", failures_since_start=5, attempt_time=timezone.now()),
            AccessFailureLog.objects.create(username="x"),
            AccessLog.objects.create(username="x"),
        ]
        made.append(LogEntry.objects.all()[0])
        yield {row._meta.label_lower: row.pk for row in made}


class TestPages:
    @pytest.mark.parametrize("role", EVERYBODY, ids=lambda role: role.group)
    @pytest.mark.parametrize("label", TABLE)
    def test_each_model_page_requires_its_role(
        self, label: str, role: Role, rows: dict[str, Any], client_of: Callable[[Role], Client]
    ) -> None:
        client = client_of(role)
        name = label.replace(".", "_")
        for page, needed in zip(PAGES, TABLE[label], strict=True):
            if page in ("change", "delete") and label not in rows:
                continue
            arguments = [rows[label]] if page in ("change", "delete") else []
            status = client.get(reverse(f"admin:{name}_{page}", args=arguments)).status_code
            if role is Role.NOBODY:
                assert status == 302, page
            else:
                assert status == (200 if needed is not None and role >= needed else 403), page


@pytest.mark.parametrize("role", EVERYBODY, ids=lambda role: role.group)
@pytest.mark.parametrize("label", ["mirrors.mirrorjob", "auditlog.logentry"])
def test_a_list_can_be_exported_by_the_roles_that_can_view_it(
    label: str, role: Role, client_of: Callable[[Role], Client]
) -> None:
    status = client_of(role).get(reverse(f"admin:{label.replace('.', '_')}_export")).status_code
    needed = TABLE[label][0]
    allowed = 200 if needed is not None and role >= needed else 403
    assert status == (302 if role is Role.NOBODY else allowed)


@pytest.mark.parametrize("role", EVERYBODY, ids=lambda role: role.group)
@pytest.mark.parametrize("name", OTHERS)
def test_each_other_page_requires_its_role(name: str, role: Role, client_of: Callable[[Role], Client]) -> None:
    url = reverse(name if name in ("dashboard-live", "explain", "search") else f"admin:{name}")
    given = {"error_class": "denied"} if name.endswith("retry_failed") else {}
    status = client_of(role).get(url, given).status_code
    assert status == (302 if role is Role.NOBODY else 200 if role >= OTHERS[name] else 403)


@pytest.mark.parametrize("role", EVERYBODY, ids=lambda role: role.group)
@pytest.mark.parametrize("name", POSTED)
def test_each_list_form_requires_its_role(name: str, role: Role, client_of: Callable[[Role], Client]) -> None:
    response = client_of(role).post(reverse(f"admin:{name}"))
    if role >= POSTED[name]:
        assert response.status_code == 302 and "login" not in response.headers["Location"]
    else:
        assert response.status_code == (302 if role is Role.NOBODY else 403)


@pytest.mark.parametrize("role", EVERYBODY, ids=lambda role: role.group)
@pytest.mark.parametrize("name", OF_ROWS)
def test_each_row_page_requires_its_role(
    name: str, role: Role, rows: dict[str, Any], client_of: Callable[[Role], Client]
) -> None:
    method, label, needed = OF_ROWS[name]
    response = client_of(role).generic(method, reverse(f"admin:{name}", args=[rows[label]]))
    refused = 302 if role is Role.NOBODY else 403
    if role >= needed:
        assert response.status_code in (200, 286, 302) and "login" not in response.get("Location", "")
    else:
        assert response.status_code == refused


def test_all_admin_pages_are_in_the_role_tables() -> None:
    models = {model._meta.label_lower for model in admin.site._registry}
    assert models == set(TABLE)
    known = {f"{label.replace('.', '_')}_{page}" for label in TABLE for page in PAGES}
    known |= {f"{label.replace('.', '_')}_{page}" for label in TABLE for page in ("history", "export")}
    found = set(_names(get_resolver().url_patterns))
    assert (
        found
        - known
        - OF_A_ROW
        - FOR_ALL
        - OF_ALL_USERS
        - set(OTHERS)
        - set(POSTED)
        - set(OF_ROWS)
        - OF_THE_TRY_IT_PAGE
        == set()
    ), "give each a row in the tables above"


def _names(patterns: list[Any], before: str = "") -> list[str]:
    names: list[str] = []
    for entry in patterns:
        here = before + str(entry.pattern)
        if isinstance(entry, URLResolver):
            names += _names(entry.url_patterns, here)
        elif isinstance(entry, URLPattern) and here.startswith("admin/") and entry.name:
            names.append(entry.name)
    return names


@pytest.mark.parametrize("role", [SEE, ACT])
def test_viewers_and_operators_cannot_write_configuration_or_users(
    role: Role, rows: dict[str, Any], client_of: Callable[[Role], Client]
) -> None:
    client = client_of(role)
    fields = {"name": "x", "jmespath": "`false`", "position": 0, "username": "x", "is_superuser": "on", "groups": "3"}
    for label in ("mirrors.filter", "mirrors.registry", "accounts.apitoken", "auth.user", "auth.group"):
        name = label.replace(".", "_")
        assert client.post(reverse(f"admin:{name}_add"), fields).status_code == 403
        assert client.post(reverse(f"admin:{name}_change", args=[rows[label]]), fields).status_code == 403
        assert client.post(reverse(f"admin:{name}_delete", args=[rows[label]]), {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("role", ROLES)
def test_actions_require_at_least_the_operator_role(
    role: Role, rows: dict[str, Any], client_of: Callable[[Role], Client]
) -> None:
    client = client_of(role)
    for label, action in (("mirrorjob", "cancel"), ("imagemapping", "pause")):
        key = rows[f"mirrors.{label}"]
        chosen = {"action": action, "_selected_action": [key], "confirmed": key}
        client.post(reverse(f"admin:mirrors_{label}_changelist"), chosen)
    acted = role >= ACT
    assert (MirrorJob.objects.get().status == "cancelled") is acted
    assert ImageMapping.objects.get().paused is acted


def test_an_admin_cannot_create_or_change_superusers(client_of: Callable[[Role], Client]) -> None:
    client = client_of(SET)
    me, root = user_of(SET), User.objects.create_superuser("root", password="x")
    before = root.password
    more = {"is_superuser": "on", "is_staff": "on", "user_permissions": [1]}
    mine = {"username": me.username, "is_active": "on", "groups": [Group.objects.get(name="admin").pk], **more}
    assert client.post(reverse("admin:auth_user_change", args=[me.pk]), mine).status_code == 302
    new = {"username": "new", "usable_password": "false", **more}
    assert client.post(reverse("admin:auth_user_add"), new).status_code == 302
    assert [user.username for user in User.objects.filter(is_superuser=True)] == ["root"]
    assert not User.objects.exclude(user_permissions=None).exists()

    theirs = {"username": "mine", "is_active": ""}
    passwords = {"usable_password": "true", "password1": "quite another one", "password2": "quite another one"}
    for page, fields in (("change", theirs), ("delete", {"post": "yes"}), ("password_change", passwords)):
        assert client.post(reverse(f"admin:auth_user_{page}", args=[root.pk]), fields).status_code == 403, page
    chosen = {"action": "delete_selected", "_selected_action": [root.pk], "post": "yes"}
    client.post(reverse("admin:auth_user_changelist"), chosen)
    root.refresh_from_db()
    assert (root.username, root.is_active, root.password) == ("root", True, before)

    client.post(reverse("admin:accounts_apitoken_add"), {"name": "t", "user": root.pk, "role": 3})
    assert not ApiToken.objects.exists()
    client.post(reverse("admin:accounts_apitoken_add"), {"name": "t", "user": me.pk, "role": 3})
    assert ApiToken.objects.get().user == me


def test_a_role_can_be_assigned_in_the_form_that_adds_a_user(client_of: Callable[[Role], Client]) -> None:
    fields = {
        "username": "new",
        "usable_password": "true",
        "password1": "correct horse battery",
        "password2": "correct horse battery",
        "groups": [Group.objects.get(name="viewer").pk],
    }
    assert client_of(SET).post(reverse("admin:auth_user_add"), fields).status_code == 302
    log_in = {"username": "new", "password": "correct horse battery", "next": "/admin/"}
    new = Client()
    assert new.post(reverse("admin:login"), log_in).status_code == 302
    assert new.get(reverse("admin:mirrors_mirrorjob_changelist")).status_code == 200
    assert new.get(reverse("admin:auth_user_changelist")).status_code == 403


def test_a_role_shows_a_permission_summary_and_links_its_users(admin_client: Client) -> None:
    role = Group.objects.get(name="operator")
    for name in ("olga", "otto"):
        User.objects.create_user(name).groups.add(role)
    page = admin_client.get(reverse("admin:auth_group_change", args=[role.pk])).content.decode()
    users = f"{reverse('admin:auth_user_changelist')}?groups__id__exact={role.pk}"
    assert (
        "Everything that a viewer can do, and: change jobs, mappings and backfills" in page and "Can view" not in page
    )
    assert f'<a href="{users}">2</a>' in page
    listed = admin_client.get(users).content.decode()
    assert "olga" in listed and "otto" in listed
