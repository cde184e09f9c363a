"""Clients of the API in each role, by token; and a job to act on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group, User
from rest_framework.test import APIClient

from mirrors.accounts.models import ApiToken
from mirrors.accounts.roles import Role
from mirrors.models import MirrorJob, Registry, RegistryRole
from mirrors.services import request_image

Clients = Callable[[Role], APIClient]


def user_of(role: Role) -> User:
    user, _ = User.objects.get_or_create(username=f"a-{role.group}")
    if role is not Role.NOBODY:
        user.groups.add(Group.objects.get(name=role.group))
    return user


@pytest.fixture
def client_of(db: None) -> Clients:
    def make(role: Role) -> APIClient:
        client = APIClient()
        if role is not Role.NOBODY:
            _, token = ApiToken.issue(user=user_of(role), name="test", role=role)
            client.credentials(HTTP_AUTHORIZATION=f"Token {token}")
        return client

    return make


@pytest.fixture
def operator(client_of: Clients) -> APIClient:
    return client_of(Role.OPERATOR)


@pytest.fixture
def target(db: None) -> Registry:
    return Registry.objects.create(role=RegistryRole.TARGET, endpoint="mirror.example.com", managed_by="config")


@pytest.fixture
def job(target: Registry) -> MirrorJob:
    return request_image(image="nginx:1.27", requested_by="somebody")[0]
