"""The page of a row uses the names of its list, and shows values as words. All lists are checked automatically."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from typing import Any

import pytest
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoDbBlocker

from mirrors.accounts.models import ApiToken
from mirrors.accounts.roles import Role
from mirrors.models import Filter, MirrorJob, Registry, RegistryCheck, TargetRepository
from tests.support.operators_cluster import write_cluster
from tests.support.operators_data import seed
from tests.support.pages import text_of
from tests.support.shared_rows import rows_of_class
from tests.watcher.rows import failing_pull, restart_loop, unhealthy_target

pytestmark = pytest.mark.django_db

OF_NUMBERS = {"Select row", "ID", "Next attempt", "Finished", "Duration", "Error type"}
OF_DECISIONS = {"Images", "Reasons"}
OF_FORMS = {"Hits (24 h)", "Managed by", "Last test", "Prefix", "Role", "Kind"}
"""Columns that only lists have: the number is in the title of a page, a job shows only the fields of its state, the
decisions on images are a table, and forms contain only fields that can be changed."""

TECHNICAL = re.compile(r"\{&#x27;|\[&#x27;|\[\]|\{\}|\bNone\b|\bTrue\b|\bFalse\b|\b\w+_\w+:")


@pytest.fixture(scope="class")
def rows(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Rows of nearly all models."""
    with rows_of_class(django_db_blocker):
        seed(mappings=80)
        write_cluster()
        for row in (failing_pull, unhealthy_target, restart_loop):
            row()
        ApiToken.issue(user=User.objects.create(username="ci"), name="ci", role=Role.OPERATOR)
        repository = TargetRepository.objects.first()
        assert repository is not None
        steps = [{"name": "connect", "status": "ok", "words": "It answers.", "seconds": 0.1}]
        RegistryCheck.objects.create(registry=repository.registry, status="passed", steps=steps)
        yield


@pytest.fixture
def signed_in(admin_client: Client) -> None:
    """Sign-ins after the client's own."""
    sign_in = {"username": "vera", "ip_address": "10.0.0.1", "user_agent": "Firefox"}
    AccessLog.objects.create(**sign_in)
    AccessFailureLog.objects.create(**sign_in, locked_out=True)
    AccessAttempt.objects.create(**sign_in, failures_since_start=5)


def first_row(page: str) -> tuple[str, list[str]]:
    """Return the link and the column names of the first row, both empty if the list has no rows."""
    table = page.partition('id="result_list"')[2].partition("</tr>")[2].partition("</tr>")[0]
    link = re.search(r'href="(/admin/[^"?]+/change/)', table)
    return (link[1] if link else ""), [unescape(name) for name in re.findall(r'data-label="([^"]+)"', table)]


def names_on(page: str) -> list[str]:
    main = page.partition('id="content')[2]
    parts = re.findall(r"<(?:label|dt|h2)\b[^>]*>(.*?)</(?:label|dt|h2)>", main, re.S)
    return [text_of(part).rstrip(":* ") for part in parts]


@dataclass(frozen=True)
class Walked:
    """A list and the page of its first row."""

    model: str
    columns: list[str]
    table: str
    page: str


def walk(client: Client) -> Iterator[Walked]:
    """Yield all lists that have rows."""
    for model in admin.site._registry:
        listed = client.get(_list(model)).content.decode()
        link, names = first_row(listed)
        if link:
            table = listed.partition('id="result_list"')[2].partition("</table>")[0]
            yield Walked(model.__name__, names, table, client.get(link).content.decode())


def _list(model: type[Any]) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


@pytest.mark.usefixtures("rows", "signed_in")
class TestRows:
    def test_row_pages_use_the_column_names_and_readable_values(self, admin_client: Client) -> None:
        seen = 0
        for found in walk(admin_client):
            seen += 1
            missing = set(found.columns) - set(names_on(found.page)) - OF_NUMBERS - OF_DECISIONS - OF_FORMS - {""}
            assert not missing, (found.model, missing, names_on(found.page))
            values = re.findall(r'<div class="readonly[^>]*>(.*?)</div>', found.page, re.S)
            technical = [value for value in values if TECHNICAL.search(value)]
            assert not technical, (found.model, technical)
            # On a phone, each row shows the names of its columns.
            assert all(name[:1] == name[:1].upper() for name in found.columns), found.model
            assert "before:capitalize" not in found.table, found.model
        assert seen > 25

    def test_third_party_models_are_shown_with_our_names(self, admin_client: Client) -> None:
        lists = {"axes_accesslog": "sign-ins", "axes_accessattempt": "locked sign-in", "auth_group": "roles"}
        for model, names in lists.items():
            page = admin_client.get(reverse(f"admin:{model}_changelist")).content.decode()
            assert re.search(rf" \d {names} ", text_of(page)), model
        for model in ("accesslog", "accessattempt", "accessfailurelog"):
            link, _ = first_row(admin_client.get(reverse(f"admin:axes_{model}_changelist")).content.decode())
            page = text_of(admin_client.get(link).content.decode())
            assert "vera, 20" in page and not re.search("access (log|attempt)|attempted|failed access", page, re.I)

    def test_advice_is_shown_only_if_the_too_large_error_does_not_contain_it(self, admin_client: Client) -> None:
        of_limit, other = MirrorJob.objects.filter(error_class="too-large").order_by("-id")[:2]
        MirrorJob.objects.filter(pk=other.pk).update(error_message="It has more than 1000 blobs", error_says_step=False)
        for job, advice in ((of_limit, 0), (other, 1)):
            page = text_of(admin_client.get(reverse("admin:mirrors_mirrorjob_change", args=[job.pk])).content.decode())
            assert page.count("What to do: Raise copy.maxImageBytes") == page.count("What to do:") == advice

    def test_a_repository_difference_starts_with_the_setting_name(self, admin_client: Client) -> None:
        difference = {"setting": "tags", "found": "MUTABLE", "wanted": "IMMUTABLE", "problem": "needs a permission"}
        repository = TargetRepository.objects.order_by("-has_differences", "name")[0]
        TargetRepository.objects.filter(pk=repository.pk).update(differences=[difference])
        page = text_of(
            admin_client.get(reverse("admin:mirrors_targetrepository_change", args=[repository.pk])).content.decode()
        )
        assert "tags: MUTABLE, configured: IMMUTABLE (needs a permission)" in page
        assert "Settings at the registry" in page


@pytest.mark.parametrize("role", ["viewer", "operator", "admin"])
def test_only_admins_see_the_history_and_its_link(role: str, client: Client) -> None:
    user = User.objects.create_user(role, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client.force_login(user)
    row = Filter.objects.create(name="mine", jmespath="`true`")
    page = client.get(reverse("admin:mirrors_filter_change", args=[row.pk])).content.decode()
    link = reverse("admin:mirrors_filter_history", args=[row.pk])
    assert (link in page) == (role == "admin")
    response = client.get(link, follow=True)
    assert response.status_code == (200 if role == "admin" else 403)
    if role == "admin":
        assert "mine" in response.content.decode()


def test_a_read_only_registry_shows_namespaces_without_json_syntax(client: Client) -> None:
    user = User.objects.create_user("olga", is_staff=True)
    user.groups.add(Group.objects.get(name="operator"))
    client.force_login(user)
    row = Registry.objects.create(endpoint="ghcr.io", namespaces=["shop"])
    page = client.get(reverse("admin:mirrors_registry_change", args=[row.pk])).content.decode()
    assert ">shop</a>" in page and "[" not in text_of(page.partition('id="content')[2].partition("<script")[0])
