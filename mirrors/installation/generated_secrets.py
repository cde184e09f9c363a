"""Secrets with random values, so that operators need not choose passwords. Values are never printed or changed."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from mirrors.installation import stored_secrets
from mirrors.installation.api_refusals import InstallationError
from mirrors.installation.stored_secrets import WriteConflictError

Values = Mapping[str, Callable[[], str]]
"""Functions that generate the value of each key."""


def _random(size: int) -> Callable[[], str]:
    """Return a generator of values of ``size`` random bytes, in characters that need no escaping in URLs and shells."""
    return lambda: secrets.token_urlsafe(size)


# The webhook token is hexadecimal because the API server accepts only lower case in the path of a Service.
APP: Final[Values] = {"secret-key": _random(48), "webhook-token": lambda: secrets.token_hex(32)}
DATABASE_SECRET: Final[Values] = {"password": _random(32)}
ADMIN: Final[Values] = {"username": lambda: "admin", "password": _random(18)}


def ensure(namespace: str, name: str, values: Values) -> bool:
    """Create the Secret if it does not exist. Return whether it was created.

    Raises InstallationError if an existing Secret lacks a key: it may be the operator's own, so it is not changed.
    """
    stored = stored_secrets.read(namespace, name)
    if stored is None:
        with suppress(WriteConflictError):
            stored_secrets.create(namespace, name, {key: generate().encode() for key, generate in values.items()})
            return True
        stored = stored_secrets.read(namespace, name)
    missing = [key for key in values if stored is None or not stored.values.get(key)]
    if missing:
        raise InstallationError(
            f"Secret {namespace}/{name} has no {' and no '.join(missing)}, and existing Secrets are not changed. "
            f"Add the missing {'keys' if len(missing) > 1 else 'key'} with: kubectl edit secret -n {namespace} {name}"
        )
    return False
