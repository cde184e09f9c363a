"""The message about a source that no access could read: what was tried, and the next step."""

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
    """Return the error for a source that no access could read. ``entry`` is the configured entry of the source's
    registry, if any; ``may_serve`` is whether its credentials can be used for one of these namespaces.
    ``credentials_refused`` is the registry's error if it rejected these credentials."""
    error_class = ErrorClass.NOT_FOUND
    if entry is None or not entry.has_credentials:
        where = entry.origin if entry is not None else "Registries in the admin or source.registries"
        add = f"add credentials for {source.registry} to {where}, or name a pull secret in the pod."
        summary = _not_found(source, add)
    elif credentials_refused:
        error_class = ErrorClass.UNAUTHORIZED
        summary = _rejected(source, entry, credentials_refused)
    elif may_serve:
        summary = _not_shown(source, entry)
    elif asks_for_credentials:
        error_class = ErrorClass.DENIED
        summary = _not_allowed(source, entry, namespaces)
    else:
        summary = _not_found(source, f"add {_names(namespaces)} to the namespaces of {entry.origin}.")
    message = f"{summary} Details: {'; '.join(problems)}." if problems else summary
    return JobRefusedError(error_class, message, grants, is_unreadable=True, host=source.registry)


def _not_found(source: ImageRef, step: str) -> str:
    """Return the message for "not found". Registries also respond so for private images; ``step`` is the next step for
    those."""
    return (
        f"{source} was not found at {source.registry}, or needs authentication: check the image's name and tag; if it "
        f"is private, {step}"
    )


def _rejected(source: ImageRef, entry: SourceEntry, error: str) -> str:
    return (
        f"{source.registry} rejected the credentials of {entry.origin}: {error}. "
        "Correct the username or password, then retry."
    )


def _not_shown(source: ImageRef, entry: SourceEntry) -> str:
    return (
        f"{source} was not found at {source.registry}, neither without credentials nor with those of {entry.origin}: "
        "check the image's name and tag, and what these credentials are allowed to read."
    )


def _not_allowed(source: ImageRef, entry: SourceEntry, namespaces: Sequence[str]) -> str:
    names = _names(namespaces)
    return (
        f"{source} is not public, and the credentials of {entry.origin} are not allowed for {names}: add {names} to "
        f"the namespaces of {entry.origin}, or name a pull secret in the pod."
    )


def _names(namespaces: Sequence[str]) -> str:
    return ", ".join(name for name in namespaces if name)
