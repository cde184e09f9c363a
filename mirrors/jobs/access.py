"""How the source of an image may be read for a job: the credential boundary of the worker."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from mirrors.images import ImageRef
from mirrors.jobs.retry import JobRefusedError
from mirrors.models import Access, ErrorClass
from mirrors.oci import Credential, Descriptor, RegistryAccess, RegistryError
from mirrors.registries.resolve import SourceCatalog, SourceEntry

Head = Callable[[ImageRef, RegistryAccess], Descriptor | None]


@dataclass(frozen=True, slots=True)
class Asker:
    """On whose behalf a job reads its source. ``namespaces`` are those of the pods that asked; "" is an operator."""

    source: ImageRef
    namespaces: Collection[str]
    known: str
    """``Access`` as the mapping has it."""


@dataclass(frozen=True, slots=True)
class SourceAccess:
    """How the engine reads the source, and what is to be recorded of it."""

    access: RegistryAccess
    how: str


def find(asker: Asker, *, catalog: SourceCatalog, policy: str, head: Head) -> SourceAccess:
    """Find out how the source can be read; ``policy`` is ``privateImages``.

    Raises JobRefusedError when nothing that may be used reads it, RegistryError when that can't be told now, and
    CredentialError.
    """
    source = asker.source
    configured = catalog.access_for(source)
    if policy == "mirror":
        return SourceAccess(configured, asker.known)
    # With a log-in at hand the proof is made anew: what was public may be private by now.
    proven = asker.known == Access.ANONYMOUS and not configured.credentials
    if proven or _reads(head, source, catalog.anonymous_access_for(source)):
        return SourceAccess(configured, Access.ANONYMOUS)
    if policy == "skip":
        raise JobRefusedError(
            ErrorClass.DENIED, f"{source} is not public, and privateImages: skip leaves such images alone."
        )
    entry = catalog.entry_for(source.registry)
    if configured.credentials and _serves(entry, asker) and _reads(head, source, configured):
        return SourceAccess(configured, Access.CONFIGURED)
    for credential in pull_secrets(asker):
        own = catalog.anonymous_access_for(source)
        access = RegistryAccess(own.host, (credential,), own.insecure, own.ca_file, own.private_allowed)
        if _reads(head, source, access):
            return SourceAccess(access, Access.SECRETS)
    raise _refusal(asker, entry, has_log_in=bool(configured.credentials))


def pull_secrets(asker: Asker) -> tuple[Credential, ...]:
    """Log-ins of the pull secrets that the asking pods name. The seam for ``mirrors.cluster``: none are read yet."""
    return ()


def _reads(head: Head, source: ImageRef, access: RegistryAccess) -> bool:
    """Whether the source shows the image. A registry may say 404 for what it does not want to show."""
    try:
        return head(source, access) is not None
    except RegistryError as error:
        if error.code in {"unauthorized", "denied"}:
            return False
        raise


def _serves(entry: SourceEntry | None, asker: Asker) -> bool:
    """Operators may use what they configured; pods only where the entry lists their namespace."""
    return entry is not None and any(not name or entry.serves(name) for name in asker.namespaces)


def _refusal(asker: Asker, entry: SourceEntry | None, *, has_log_in: bool) -> JobRefusedError:
    source, host = asker.source, asker.source.registry
    if has_log_in and not _serves(entry, asker):
        names = ", ".join(sorted(asker.namespaces))
        return JobRefusedError(
            ErrorClass.DENIED,
            f"{source} is not public, and the log-in for {host} serves other namespaces than {names}: add them to "
            f"`namespaces` of its entry under source.registries, or order the copy as an operator.",
        )
    tried = "without a log-in or with the configured one" if has_log_in else "without a log-in"
    return JobRefusedError(
        ErrorClass.NOT_FOUND,
        f"{host} does not show {source} {tried}: check the image's name and tag; if it is private, "
        + ("check what that log-in may read." if has_log_in else f"add a log-in for {host} under source.registries."),
    )
