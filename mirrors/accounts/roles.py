"""Three roles, which are Django groups: viewers can read, operators can change jobs and mappings, admins can
configure."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final

from auditlog.context import disable_auditlog
from django.apps import apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, Group, Permission
from django.db.models import Q
from django.http import HttpRequest


class Role(IntEnum):
    """A role. Each role includes the permissions of the roles before it."""

    NOBODY = 0
    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3

    @property
    def group(self) -> str:
        return self.name.lower()


ROLES: Final = (Role.VIEWER, Role.OPERATOR, Role.ADMIN)
ROLE_CHOICES: Final = [(role.value, role.group) for role in ROLES]
ROLE_NAMES: Final = [(role.group, role.group) for role in ROLES]

# Permissions of roles are fixed, so groups can be viewed but not changed.
_SEEN_BY_ADMINS: Final = (
    "view_group",
    "view_logentry",
    "view_accessattempt",
    "view_accessfailurelog",
    "view_accesslog",
)
_OPERATED: Final = (
    "mirrorjob",
    "imagemapping",
    "targetrepository",
    "hostbudget",
    "restartloop",
    "targethealth",
    "backfillrun",
)
_CONFIGURED: Final = ("mirrors_filter", "mirrors_registry")
_OPERATED_PAGES: Final = ("explain", "mirrors_registry_test")


def role_of(user: AbstractBaseUser | AnonymousUser) -> Role:
    """Return the highest role of a user."""
    if not user.is_active or user.is_anonymous:
        return Role.NOBODY
    if getattr(user, "is_superuser", False):
        return Role.ADMIN
    names = set(Group.objects.filter(user=user.pk).values_list("name", flat=True))
    return max((role for role in ROLES if role.group in names), default=Role.NOBODY)


def needed_role(url_name: str | None) -> Role | None:
    """Return the role that a page or action of the admin needs, by the name of its URL. Used for pages that were
    forbidden: viewers can open all others. None for adding and deleting rows that only the system writes."""
    model, _, page = (url_name or "").rpartition("_")
    if page in ("add", "delete") and model.startswith("mirrors_") and model not in _CONFIGURED:
        return None
    is_operated = (url_name or "").startswith(tuple(f"mirrors_{model}_" for model in _OPERATED))
    return Role.OPERATOR if is_operated or url_name in _OPERATED_PAGES else Role.ADMIN


def role_of_request(request: HttpRequest) -> Role:
    """Return the role of the user, or that of the token if it is lower."""
    user_role = role_of(request.user)
    token_role = getattr(getattr(request, "auth", None), "role", None)
    return user_role if token_role is None else min(user_role, Role(token_role))


def write_groups(sender: Any, **kwargs: Any) -> None:
    """Create the groups and set their permissions."""
    for config in apps.get_app_configs():
        create_permissions(config, verbosity=0)
    # Not recorded in the audit log: its table may not exist yet, and no user made this change.
    with disable_auditlog():
        for role in ROLES:
            group, _ = Group.objects.get_or_create(name=role.group)
            group.permissions.set(Permission.objects.filter(_permissions_of(role)))


def _permissions_of(role: Role) -> Q:
    ours = Q(content_type__app_label="mirrors")
    viewed = ours & Q(codename__startswith="view_")
    operated = ours & Q(codename__in=[f"change_{model}" for model in _OPERATED])
    match role:
        case Role.VIEWER:
            return viewed
        case Role.OPERATOR:
            return viewed | operated
        case _:
            access = Q(content_type__app_label="accounts", content_type__model="apitoken")
            users = Q(content_type__app_label="auth", content_type__model="user")
            seen = Q(codename__in=_SEEN_BY_ADMINS, content_type__app_label__in=("auth", "auditlog", "axes"))
            return ours | access | users | seen | Q(content_type__app_label="axes", codename="delete_accessattempt")
