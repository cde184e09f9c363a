"""Passwords of source registries, stored in labelled Secrets of the namespace that this process runs in."""

from __future__ import annotations

import base64
from typing import Final

from mirrors.kubernetes.api_server.api_client import ClusterError, own_namespace, read_secret

LABEL: Final = "k8s-image-swapper/credential"


def password(reference: str) -> str:
    """Return the value of ``NAME/KEY``. Raises ClusterError.

    The Secret must have the label, so that no other Secret of the namespace can be sent to a registry.
    """
    name, _, key = reference.partition("/")
    try:
        namespace = own_namespace()
        secret = read_secret(namespace, name)
    except ClusterError as error:
        message = f"the password in Secret {reference} can't be read: {error}"
        raise ClusterError(message, says_step=error.says_step) from None
    labels = secret.metadata.labels if secret.metadata else None
    if (labels or {}).get(LABEL) != "true":
        raise ClusterError(
            f'Secret {namespace}/{name} lacks the label {LABEL}: "true", which is required for credentials'
        )
    try:
        value = base64.b64decode((secret.data or {})[key]).decode().rstrip("\r\n")
    except KeyError:
        raise ClusterError(f"Secret {namespace}/{name} has no key {key}") from None
    except ValueError:
        raise ClusterError(f"the key {key} of Secret {namespace}/{name} is not text") from None
    if not value:
        raise ClusterError(f"the key {key} of Secret {namespace}/{name} is empty")
    return value
