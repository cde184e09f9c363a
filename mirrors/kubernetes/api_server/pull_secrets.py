"""Credentials of pods: from their own pull secrets or their service account's. Read for one copy, never stored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from lightkube.resources.core_v1 import Secret

from mirrors.images import ImageRef
from mirrors.kubernetes.api_server.api_client import ClusterError, read_secret, read_service_account
from mirrors.kubernetes.objects import keyring
from mirrors.oci import Credential
from mirrors.vocabulary.clusters import DEFAULT_CLUSTER

DEFAULT_ACCOUNT: Final = "default"

MOST_SECRETS: Final = 20
"""The most Secrets of a pod that are read, and credentials that are tried: a pod can name any number of Secrets."""


@dataclass(frozen=True, slots=True)
class Requester:
    """A pod that requested an image: its namespace, service account and pull secrets."""

    namespace: str
    service_account: str = ""
    secret_names: tuple[str, ...] = ()
    cluster: str = DEFAULT_CLUSTER
    """The cluster of the namespace: only workers of that cluster read its Secrets."""


@dataclass(slots=True)
class FoundSecrets:
    """The credentials for an image, and problems as text. ``is_complete`` if every Secret was read or does not
    exist."""

    credentials: tuple[Credential, ...] = ()
    problems: list[str] = field(default_factory=list)
    is_complete: bool = True
    temporary_error: ClusterError | None = None
    """The last temporary error, which a retry may resolve."""

    def record(self, error: ClusterError, message: str = "") -> None:
        self.problems.append(message or str(error))
        self.is_complete = self.is_complete and error.is_missing
        if error.is_temporary:
            self.temporary_error = error


class PullSecrets:
    """A cache for one job: each Secret is read once, however many pods refer to it."""

    def __init__(self) -> None:
        self._read: dict[tuple[str, str], Secret | ClusterError] = {}

    def find(self, ref: ImageRef, requester: Requester) -> FoundSecrets:
        """Return all credentials for the image in these Secrets. Invalid Secrets are reported and skipped."""
        result = FoundSecrets()
        names = requester.secret_names
        if not names:
            try:
                names = _secret_names_of_account(requester)
            except ClusterError as error:
                result.record(error, f"the pull secrets of {requester.namespace} cannot be read: {error}")
                return result
        if len(names) > MOST_SECRETS:
            result.problems.append(
                f"only {MOST_SECRETS} of the {len(names)} pull secrets of {requester.namespace} are tried"
            )
        entries = list(self._entries(requester.namespace, names[:MOST_SECRETS], result))
        result.credentials = tuple(keyring.matching(entries, ref)[:MOST_SECRETS])
        if names and entries and not result.credentials:
            shown = ", ".join(names[:MOST_SECRETS])
            result.problems.append(
                f"the pull secrets of {requester.namespace} ({shown}) have no credentials for {ref.registry}"
            )
        return result

    def _entries(self, namespace: str, names: Iterable[str], result: FoundSecrets) -> Iterator[keyring.KeyringEntry]:
        for name in names:
            secret = self._secret(namespace, name)
            if isinstance(secret, ClusterError):
                result.record(secret)
                continue
            try:
                entries, problems = keyring.read(secret.type or "", secret.data)
            except keyring.InvalidSecretError as error:
                result.problems.append(f"Secret {namespace}/{name} {error}")
                continue
            result.problems += [f"Secret {namespace}/{name}: {problem}" for problem in problems]
            yield from entries

    def _secret(self, namespace: str, name: str) -> Secret | ClusterError:
        if (namespace, name) not in self._read:
            try:
                self._read[namespace, name] = read_secret(namespace, name)
            except ClusterError as error:
                self._read[namespace, name] = error
        return self._read[namespace, name]


def _secret_names_of_account(requester: Requester) -> tuple[str, ...]:
    """Return the pull secrets of the service account, which are used only if the pod names none."""
    account = read_service_account(requester.namespace, requester.service_account or DEFAULT_ACCOUNT)
    return tuple(secret.name for secret in account.imagePullSecrets or () if secret.name)
