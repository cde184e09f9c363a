"""The pages of users: the rows that are deleted with a user."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from django.urls import reverse

from mirrors.accounts.models import ApiToken
from mirrors.accounts.roles import Role
from tests.api.conftest import user_of
from tests.support.pages import text_of

pytestmark = pytest.mark.django_db


def test_user_deletion_lists_the_tokens_but_no_internal_rows(admin_client: Client) -> None:
    user = user_of(Role.OPERATOR)
    ApiToken.issue(user=user, name="nightly", role=Role.VIEWER)
    ApiToken.issue(user=user_of(Role.VIEWER), name="of another", role=Role.VIEWER)
    kind = ContentType.objects.get_for_model(User)
    LogEntry.objects.create(user=user, content_type=kind, object_id="1", object_repr="new", action_flag=ADDITION)
    page = reverse("admin:auth_user_delete", args=[user.pk])
    requested = text_of(admin_client.get(page).content.decode())
    assert f"User: {user.username}" in requested and "API token: nightly" in requested and "of another" not in requested
    assert "User_groups object" not in requested and "Log entr" not in requested

    admin_client.post(page, {"post": "yes"})
    assert not User.objects.filter(pk=user.pk).exists()
    assert [token.name for token in ApiToken.objects.all()] == ["of another"]
