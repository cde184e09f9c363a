"""Why nothing read a source, in words: what was tried, and the one thing to do next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mirrors.images import ImageRef
from mirrors.jobs.copy.failures import JobRefusedError
from mirrors.models import ErrorClass
from mirrors.registries.sources import SourceEntry


def refusal(
    source: ImageRef,
    namespaces: Sequence[str],
    *,
    grants: Mapping[str, bool],
    problems: Sequence[str],
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
    message = " ".join((words, *(f"{problem}." for problem in problems)))
    return JobRefusedError(error_class, message, grants, is_unreadable=True, host=host)


def _names(namespaces: Sequence[str]) -> str:
    return ", ".join(name for name in namespaces if name)
