"""One user per role, for tests that sign in to a running system.

``create_users()`` writes into the database that Django uses; for a running system's, give it to ``manage.py shell -c``.
"""

from __future__ import annotations

from typing import Final

PASSWORD: Final = "a long sentence of the tests"
USERS: Final = {"viewer": "vera", "operator": "olga", "admin": "adam"}
"""Username by role."""


def create_users() -> None:
    from django.contrib.auth.models import Group, User

    for role, name in USERS.items():
        user = User.objects.create_user(name, password=PASSWORD, is_staff=True)
        user.groups.add(Group.objects.get(name=role))
