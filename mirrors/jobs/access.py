"""How the source of an image may be read for a job: the credential boundary of the worker."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

from mirrors.cluster.pull_secrets import Brought, Found
from mirrors.images import ImageRef
from mirrors.jobs.retry import JobRefusedError
from mirrors.models import Access, ErrorClass
from mirrors.oci import Descriptor, RegistryAccess, RegistryError
from mirrors.registries.sources import SourceCatalog

Head = Callable[[ImageRef, RegistryAccess], Descriptor | None]
PullSecrets = Callable[[ImageRef, Brought], Found]


@dataclass(frozen=True, slots=True)
class Asker:
    """On whose behalf a job reads its source: pods, or with the namespace "" an operator."""

    source: ImageRef
    brought: Collection[Brought]
    known: str
    """``Access`` as the mapping has it."""

    @property
    def namespaces(self) -> list[str]:
        return sorted({brought.namespace for brought in self.brought})

    @property
    def brings_secrets(self) -> bool:
        return any(b.secret_names or b.service_account for b in self.brought)


@dataclass(frozen=True, slots=True)
class SourceAccess:
    """How the engine reads the source, and what is to be recorded of it.

    ``grants`` says by namespace whether its own pull secrets read the source; those that were not tried are missing.
    """

    access: RegistryAccess
    how: str
    words: str
    grants: Mapping[str, bool] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finder:
    """Finds out how a source can be read. ``policy`` is ``privateImages``."""

    catalog: SourceCatalog
    policy: str
    head: Head
    pull_secrets: PullSecrets

    def find(self, asker: Asker) -> SourceAccess:
        """Raises JobRefusedError when nothing that may be used reads it, RegistryError when that can't be told now,
        and CredentialError."""
        source = asker.source
        configured = self.catalog.access_for(source)
        if mirrored := self._from_mirrors(asker):
            return mirrored
        if self._is_public(asker, configured):
            return SourceAccess(configured, Access.ANONYMOUS, _words(configured))
        if self.policy == "skip":
            raise JobRefusedError(
                ErrorClass.DENIED, f"{source} is not public, and privateImages: skip leaves such images alone."
            )
        if configured.credentials and self._may_serve(asker) and self._reads(source, configured):
            return SourceAccess(configured, Access.CONFIGURED, "with the configured log-in")
        return self._by_secrets(asker, has_log_in=bool(configured.credentials))

    def _from_mirrors(self, asker: Asker) -> SourceAccess | None:
        """The first mirror of the registry that shows the image; one that does not answer is passed over."""
        for access in self.catalog.mirrors_for(asker.source):
            if access.credentials and not self._may_serve(asker):
                continue
            try:
                if not self._reads(asker.source, access):
                    continue
            except RegistryError:
                continue
            how = Access.CONFIGURED if access.credentials else Access.ANONYMOUS
            return SourceAccess(access, how, f"from the mirror {access.host}")
        return None

    def _is_public(self, asker: Asker, configured: RegistryAccess) -> bool:
        # With a log-in at hand the proof is made anew: what was public may be private by now.
        is_proven = asker.known == Access.ANONYMOUS and not configured.credentials and not asker.brings_secrets
        return is_proven or self._reads(asker.source, self.catalog.anonymous_access_for(asker.source))

    def _may_serve(self, asker: Asker) -> bool:
        """Operators may use what they configured; pods only where the entry lists their namespace."""
        if self.policy == "mirror":
            return True
        return any(not name or self.catalog.serves(asker.source, name) for name in asker.namespaces)

    def _by_secrets(self, asker: Asker, *, has_log_in: bool) -> SourceAccess:
        """Each namespace by its own pull secrets alone; what one of them reads is copied for all that may use it."""
        grants: dict[str, bool] = {}
        problems: list[str] = []
        reading: RegistryAccess | None = None
        for brought in asker.brought:
            if not brought.namespace:
                continue
            found = self.pull_secrets(asker.source, brought)
            problems += [problem for problem in found.problems if problem not in problems]
            access = next(self._reading(asker.source, found), None)
            grants[brought.namespace] = grants.get(brought.namespace, False) or access is not None
            reading = reading or access
        if reading is None:
            raise JobRefusedError(*self._refusal(asker, problems, has_log_in=has_log_in), grants=grants)
        names = ", ".join(sorted(name for name, granted in grants.items() if granted))
        return SourceAccess(reading, Access.SECRETS, f"with a pull secret of {names}", grants, tuple(problems))

    def _reading(self, source: ImageRef, found: Found) -> Iterator[RegistryAccess]:
        """Accesses by these log-ins that show the image, tried in turn."""
        own = self.catalog.anonymous_access_for(source)
        for credential in found.credentials:
            access = RegistryAccess(
                own.host, (credential,), own.insecure, own.ca_file, own.private_allowed, own.connect_to
            )
            if self._reads(source, access):
                yield access

    def _reads(self, source: ImageRef, access: RegistryAccess) -> bool:
        """Whether the source shows the image. A registry may say 404 for what it does not want to show."""
        try:
            return self.head(source, access) is not None
        except RegistryError as error:
            if error.code in {"unauthorized", "denied"}:
                return False
            raise

    def _refusal(self, asker: Asker, problems: list[str], *, has_log_in: bool) -> tuple[ErrorClass, str]:
        source, host = asker.source, asker.source.registry
        tried = [f"{problem}." for problem in problems]
        if has_log_in and not self._may_serve(asker):
            return ErrorClass.DENIED, " ".join(
                (
                    f"{source} is not public, and the log-in for {host} serves other namespaces than "
                    f"{', '.join(asker.namespaces)}: add them to `namespaces` of its entry under source.registries, "
                    "give them pull secrets that read it, or order the copy as an operator.",
                    *tried,
                )
            )
        log_ins = "without a log-in or with the configured one" if has_log_in else "without a log-in"
        advice = (
            "check what that log-in may read."
            if has_log_in
            else f"add a log-in for {host} under source.registries, or name a pull secret in the pod that reads it."
        )
        words = f"{host} does not show {source} {log_ins}: check the image's name and tag; if it is private, {advice}"
        return ErrorClass.NOT_FOUND, " ".join((words, *tried))


def _words(access: RegistryAccess) -> str:
    return "with a log-in" if access.credentials else "anonymously"
