"""Why nothing read a source, in words: what was tried, and the one thing to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mirrors.images import ImageRef
from mirrors.jobs.copy.failures import JobRefusedError
from mirrors.kubernetes.client import ClusterError
from mirrors.kubernetes.pull_secrets import Found
from mirrors.models import ErrorClass
from mirrors.registries.sources import SourceEntry


@dataclass(slots=True)
class Tried:
    """What came of the pull secrets of all that asked."""

    grants: dict[str, bool] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    trouble: ClusterError | None = None

    def note(self, namespace: str, found: Found, *, reads: bool) -> None:
        """A namespace is refused only where all that it has was read."""
        self.problems += [problem for problem in found.problems if problem not in self.problems]
        if reads or (found.is_sure and namespace not in self.grants):
            self.grants[namespace] = reads
        elif not found.is_sure and not self.grants.get(namespace):
            self.grants.pop(namespace, None)
        self.trouble = self.trouble or found.trouble


def refusal(
    source: ImageRef,
    namespaces: Sequence[str],
    tried: Tried,
    *,
    entry: SourceEntry | None,
    may_serve: bool,
    asks_for_credentials: bool,
    credentials_refused: str = "",
) -> JobRefusedError:
    """``entry`` is the one of the source's registry, if any; ``may_serve`` says whether one of these namespaces may be
    served by its credentials. ``credentials_refused`` is what the registry said where it did not accept them."""
    host = source.registry
    error_class = ErrorClass.NOT_FOUND
    if entry is None or not entry.has_credentials:
        where = entry.origin if entry is not None else "Registries in the admin or source.registries"
        words = (
            f"{source} was not found at {host}, or needs authentication: check the image's name and tag; if it "
            f"is private, add credentials for {host} to {where}, or name a pull secret in the pod."
        )
    elif credentials_refused:
        error_class = ErrorClass.UNAUTHORIZED
        words = (
            f"{host} rejected the credentials of {entry.origin}: {credentials_refused}. "
            "Correct the username or password, then retry."
        )
    elif not may_serve:
        where = f"add {_names(namespaces)} to the namespaces of {entry.origin}"
        if asks_for_credentials:
            error_class = ErrorClass.DENIED
            words = (
                f"{source} is not public, and the credentials of {entry.origin} are not allowed for "
                f"{_names(namespaces)}: {where}, or name a pull secret in the pod."
            )
        else:
            words = (
                f"{source} was not found at {host}, or needs authentication: check the image's name and tag; if it "
                f"is private, {where}."
            )
    else:
        words = (
            f"{source} was not found at {host}, neither without credentials nor with those of {entry.origin}: "
            "check the image's name and tag, and what these credentials are allowed to read."
        )
    message = " ".join((words, *(f"{problem}." for problem in tried.problems)))
    return JobRefusedError(error_class, message, tried.grants, is_unreadable=True, host=host)


def _names(namespaces: Sequence[str]) -> str:
    return ", ".join(name for name in namespaces if name)
