"""Log-ins that pods bring along: their pull secrets, or their service account's. Read for one copy, never kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from mirrors.cluster import keyring
from mirrors.cluster.client import ClusterError, read_secret, read_service_account
from mirrors.images import ImageRef
from mirrors.oci import Credential

DEFAULT_ACCOUNT = "default"


@dataclass(frozen=True, slots=True)
class Brought:
    """Who asks for an image, and which Secrets its pod names."""

    namespace: str
    service_account: str = ""
    secret_names: tuple[str, ...] = ()


@dataclass(slots=True)
class Found:
    """Log-ins for the image, and in words what could not be read."""

    credentials: tuple[Credential, ...] = ()
    problems: list[str] = field(default_factory=list)


def find(ref: ImageRef, brought: Brought) -> Found:
    """All log-ins that these Secrets have for the image. Each Secret that can't be used is named and skipped."""
    found = Found()
    names = brought.secret_names
    try:
        if not names:
            names = _names_of_account(brought)
        entries = list(_entries(brought.namespace, names, found.problems))
    except ClusterError as error:
        found.problems.append(f"pull secrets of {brought.namespace}: {error}")
        return found
    found.credentials = tuple(keyring.matching(entries, ref))
    if names and entries and not found.credentials:
        found.problems.append(
            f"the pull secrets of {brought.namespace} ({', '.join(names)}) have no log-in for {ref.registry}"
        )
    return found


def _names_of_account(brought: Brought) -> tuple[str, ...]:
    """Only where the pod names none itself."""
    account = read_service_account(brought.namespace, brought.service_account or DEFAULT_ACCOUNT)
    return tuple(secret.name for secret in account.imagePullSecrets or () if secret.name)


def _entries(namespace: str, names: Iterable[str], problems: list[str]) -> Iterable[keyring.Entry]:
    for name in names:
        try:
            secret = read_secret(namespace, name)
            entries, broken = keyring.read(secret.type or "", secret.data)
        except ClusterError as error:
            problems.append(str(error))
            continue
        except keyring.InvalidSecretError as error:
            problems.append(f"Secret {namespace}/{name} {error}")
            continue
        problems += [f"Secret {namespace}/{name}: {problem}" for problem in broken]
        yield from entries
