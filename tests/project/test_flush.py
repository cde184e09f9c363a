"""After a test that commits, the database is as ``migrate`` leaves it, whatever the test did."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command

from mirrors.models import ImageMapping, Registry, RegistryRole
from mirrors.services import request_image

pytestmark = pytest.mark.django_db(transaction=True)


def flush() -> None:
    call_command("flush", interactive=False, verbosity=0)


def roles() -> dict[str, list[str]]:
    groups = Group.objects.order_by("id")
    return {group.name: sorted(group.permissions.values_list("codename", flat=True)) for group in groups}


def test_flush_deletes_created_users_and_keeps_the_roles() -> None:
    flush()
    before = roles()
    User.objects.create_user("otto").groups.add(Group.objects.get(name="operator"))

    flush()

    assert roles() == before and before
    assert not User.objects.exists()


def test_flush_deletes_rows_that_reference_each_other() -> None:
    Registry.objects.create(role=RegistryRole.TARGET, endpoint="mirror.example.com")
    request_image(image="nginx:1", requested_by="somebody")

    flush()

    assert not ImageMapping.objects.exists()


def test_flush_restores_changed_roles() -> None:
    flush()
    before = roles()
    Group.objects.get(name="operator").permissions.clear()
    Group.objects.get(name="viewer").delete()
    Permission.objects.filter(codename="view_filter").delete()

    flush()

    assert roles() == before
