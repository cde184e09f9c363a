"""Secrets of the installation's namespace: functions to read, create and change them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import httpx2 as httpx
from lightkube.core.exceptions import ApiError
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Secret
from lightkube.types import PatchType

from mirrors.installation.api_refusals import CONFLICT, NOT_FOUND, api_error, status_of
from mirrors.kubernetes.api_server.api_client import client

FIELD_MANAGER: Final = "k8s-image-swapper-setup"
LABELS: Final = {"app.kubernetes.io/managed-by": FIELD_MANAGER}


class WriteConflictError(Exception):
    """Another client has created or changed the object since it was read. The caller must read it again."""


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """A Secret's values by key, and its resource version, which a change must pass."""

    values: Mapping[str, bytes]
    version: str


def read(namespace: str, name: str) -> StoredSecret | None:
    """Return a Secret; None if it does not exist. Raises InstallationError."""
    try:
        secret = client().get(Secret, name=name, namespace=namespace)
    except (ApiError, httpx.HTTPError) as error:
        if isinstance(error, ApiError) and status_of(error) == NOT_FOUND:
            return None
        raise api_error(error, f"read Secret {namespace}/{name}", permission="get secrets") from None
    values = {key: base64.b64decode(value) for key, value in (secret.data or {}).items()}
    return StoredSecret(values, str(secret.metadata.resourceVersion) if secret.metadata else "")


def create(namespace: str, name: str, values: Mapping[str, bytes]) -> None:
    """Create a Secret. Raises WriteConflictError if it exists already, InstallationError for other errors."""
    metadata = ObjectMeta(name=name, namespace=namespace, labels=LABELS)
    secret = Secret(metadata=metadata, type="Opaque", data=_encoded(values))
    try:
        client().create(secret, namespace=namespace, field_manager=FIELD_MANAGER)
    except (ApiError, httpx.HTTPError) as error:
        if _is_conflict(error):
            raise WriteConflictError from None
        raise api_error(error, f"create Secret {namespace}/{name}", permission="create secrets") from None


def change(namespace: str, name: str, values: Mapping[str, bytes], *, version: str) -> None:
    """Set these keys of a Secret, and change nothing else.

    Raises WriteConflictError if ``version`` is outdated, InstallationError for other errors.
    """
    patch = {"metadata": {"resourceVersion": version}, "data": _encoded(values)}
    try:
        client().patch(
            Secret, name, patch, namespace=namespace, patch_type=PatchType.MERGE, field_manager=FIELD_MANAGER
        )
    except (ApiError, httpx.HTTPError) as error:
        if _is_conflict(error):
            raise WriteConflictError from None
        raise api_error(error, f"change Secret {namespace}/{name}", permission="patch secrets") from None


def _encoded(values: Mapping[str, bytes]) -> dict[str, str]:
    return {key: base64.b64encode(value).decode() for key, value in values.items()}


def _is_conflict(error: Exception) -> bool:
    return isinstance(error, ApiError) and status_of(error) == CONFLICT
