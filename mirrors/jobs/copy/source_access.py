"""Access to the source of an image for a job: the credential boundary of the worker."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from mirrors.images import ImageRef
from mirrors.jobs.copy.failures import JobRefusedError
from mirrors.jobs.copy.unreadable_sources import refusal
from mirrors.kubernetes.api_server.api_client import ClusterError
from mirrors.kubernetes.api_server.pull_secrets import Brought, FoundSecrets
from mirrors.models import Access, ErrorClass
from mirrors.oci import CopyCancelledError, Descriptor, Manifest, RegistryAccess, RegistryError
from mirrors.registries.credentials import CredentialError
from mirrors.registries.sources import SourceCatalog
from mirrors.vocabulary.clusters import DEFAULT_CLUSTER, ClusterNamespace

MOST_ASKERS: Final = 50
"""Requests of one job whose pull secrets are tried; the others request it again."""

SourceLook = Callable[[ImageRef, RegistryAccess], Descriptor | Manifest | None]
PullSecretFinder = Callable[[ImageRef, Brought], FoundSecrets]


@dataclass(frozen=True, slots=True)
class Asker:
    """On whose behalf a job reads its source: pods, or with the namespace "" an operator."""

    source: ImageRef
    brought: Collection[Brought]
    known: str
    """``Access`` as the mapping has it."""
    cluster: str = DEFAULT_CLUSTER
    """The cluster of the worker: it reads no Secrets of another one."""

    @property
    def places(self) -> list[ClusterNamespace]:
        return sorted({ClusterNamespace(brought.cluster, brought.namespace) for brought in self.brought})

    @property
    def namespaces(self) -> list[str]:
        """As messages name them."""
        return [place.namespace if place.cluster == self.cluster else str(place) for place in self.places]

    @property
    def within_reach(self) -> list[Brought]:
        """Those whose Secrets this worker may read."""
        return [b for b in self.brought if b.namespace and b.cluster == self.cluster]

    @property
    def brings_secrets(self) -> bool:
        return any(b.secret_names or b.service_account for b in self.brought)


@dataclass(frozen=True, slots=True)
class SourceAccess:
    """The way in which the engine reads the source, and what is to be recorded of it. ``grants`` says by namespace
    whether its own pull secrets read the source; those that were not tried are missing."""

    access: RegistryAccess
    how: str
    words: str
    grants: Mapping[str, bool] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


@dataclass(slots=True)
class Tried:
    """The result of trying the pull secrets of all that asked."""

    grants: dict[str, bool] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    trouble: ClusterError | None = None

    def note(self, namespace: str, found: FoundSecrets, *, reads: bool) -> None:
        """A namespace is refused only where all that it has was read."""
        self.problems += [problem for problem in found.problems if problem not in self.problems]
        if reads or (found.is_sure and namespace not in self.grants):
            self.grants[namespace] = reads
        elif not found.is_sure and not self.grants.get(namespace):
            self.grants.pop(namespace, None)
        self.trouble = self.trouble or found.trouble


@dataclass(frozen=True, slots=True)
class SourceFinder:
    """Finds out how a source can be read. ``policy`` is ``privateImages``; ``cancelled`` ends it between two trials."""

    catalog: SourceCatalog
    policy: str
    look: SourceLook
    pull_secrets: PullSecretFinder
    cancelled: Callable[[], bool] = lambda: False
    uses_mirrors: bool = True

    def find(self, asker: Asker) -> SourceAccess:
        """Raises JobRefusedError when nothing that may be used reads it; RegistryError, ClusterError and
        CredentialError when that can't be determined now; CopyCancelledError."""
        problems: list[str] = []
        mirrors = list(self._mirrors(asker, problems))
        found = self._from_open_mirror(mirrors) or self._from_the_registry(asker, mirrors, problems)
        return replace(found, problems=(*problems, *found.problems))

    def _from_the_registry(self, asker: Asker, mirrors: list[RegistryAccess], problems: list[str]) -> SourceAccess:
        source = asker.source
        configured = self.catalog.access_for(source)
        demands: list[RegistryError] = []
        try:
            is_public = self._is_public(asker, configured, demands)
        except RegistryError as error:
            # Its mirrors with credentials are there for just that; then it counts as not public.
            if not mirrors:
                raise
            problems.append(str(error))
            is_public = False
        if is_public:
            chosen = mirrors[0] if mirrors else configured
            return SourceAccess(chosen, Access.ANONYMOUS, _words(source, chosen))
        if self.policy == "skip":
            raise self._refusal_to_mirror(asker, demands)
        for access in mirrors:
            if self._may_serve(asker) and self._may_serve(asker, access.host):
                return SourceAccess(access, Access.CONFIGURED, _words(source, access))
        refused: list[RegistryError] = []
        if configured.credentials and self._may_serve(asker) and self._reads(source, configured, refused):
            return SourceAccess(configured, Access.CONFIGURED, _words(source, configured))
        return self._by_secrets(asker, demands, refused)

    def _mirrors(self, asker: Asker, problems: list[str]) -> Iterator[RegistryAccess]:
        """Mirrors of the registry that show the image; one that does not answer is passed over, and named."""
        for host in self.catalog.mirrors_of(asker.source) if self.uses_mirrors else ():
            try:
                access = self.catalog.access_for(replace(asker.source, registry=host))
                if self._reads(asker.source, access):
                    yield access
            except (RegistryError, CredentialError) as error:
                problems.append(f"the mirror {host} was skipped: {error}")

    def _from_open_mirror(self, mirrors: list[RegistryAccess]) -> SourceAccess | None:
        """What a mirror shows to everybody, the registry does too: that is what it is configured for."""
        access = next((access for access in mirrors if not access.credentials), None)
        return SourceAccess(access, Access.ANONYMOUS, f"from the mirror {access.host}") if access else None

    def _is_public(self, asker: Asker, configured: RegistryAccess, demands: list[RegistryError]) -> bool:
        # With credentials at hand the proof is repeated: what was public may be private by now.
        is_proven = asker.known == Access.ANONYMOUS and not configured.credentials and not asker.brings_secrets
        return is_proven or self._reads(asker.source, self.catalog.anonymous_access_for(asker.source), demands)

    def _may_serve(self, asker: Asker, mirror: str = "") -> bool:
        """Operators may use what they configured; pods only where the entry lists their namespace."""
        if self.policy == "mirror":
            return True
        ref = replace(asker.source, registry=mirror) if mirror else asker.source
        return any(not place.namespace or self.catalog.serves(ref, place) for place in asker.places)

    def _by_secrets(
        self, asker: Asker, demands: Sequence[RegistryError], refused: Sequence[RegistryError]
    ) -> SourceAccess:
        """Each namespace by its own pull secrets alone; what one of them reads is copied for all that may use it."""
        tried = Tried()
        reading: RegistryAccess | None = None
        for brought in asker.within_reach[:MOST_ASKERS]:
            if self.cancelled():
                raise CopyCancelledError
            found = self.pull_secrets(asker.source, brought)
            access = next(self._reading(asker.source, brought, found), None)
            tried.note(brought.namespace, found, reads=access is not None)
            reading = reading or access
        if reading is not None:
            names = ", ".join(sorted(name for name, granted in tried.grants.items() if granted))
            return SourceAccess(
                reading, Access.SECRETS, f"with a pull secret of {names}", tried.grants, tuple(tried.problems)
            )
        if tried.trouble is not None:
            raise tried.trouble
        raise self._refusal(asker, tried, demands, refused)

    def _refusal_to_mirror(self, asker: Asker, demands: Sequence[RegistryError]) -> JobRefusedError:
        """Under ``privateImages: skip``."""
        if not demands:
            return self._refusal(asker, Tried(), demands)
        words = (
            f"{asker.source} is not public, and privateImages: skip does not mirror such images. To mirror it, set "
            "privateImages: guard."
        )
        return JobRefusedError(ErrorClass.DENIED, words, is_unreadable=True, host=asker.source.registry)

    def _refusal(
        self,
        asker: Asker,
        tried: Tried,
        demands: Sequence[RegistryError],
        refused: Sequence[RegistryError] = (),
    ) -> JobRefusedError:
        entry = self.catalog.entry_of(asker.source)
        return refusal(
            asker.source,
            asker.namespaces,
            grants=tried.grants,
            problems=tried.problems,
            entry=entry,
            may_serve=self._may_serve(asker),
            asks_for_credentials=bool(demands),
            credentials_refused=" ".join(str(error) for error in refused if error.code == "unauthorized"),
        )

    def _reading(self, source: ImageRef, brought: Brought, found: FoundSecrets) -> Iterator[RegistryAccess]:
        """Accesses by these credentials that show the image, tried in turn. A failure of one affects no other."""
        own = self.catalog.anonymous_access_for(source)
        for credential in found.credentials:
            if self.cancelled():
                raise CopyCancelledError
            access = replace(own, credentials=(credential,))
            try:
                if self._reads(source, access):
                    yield access
            except RegistryError as error:
                if not error.permanent:
                    raise
                found.problems.append(f"a pull secret of {brought.namespace} was rejected: {error}")

    def _reads(self, source: ImageRef, access: RegistryAccess, refused: list[RegistryError] | None = None) -> bool:
        """Whether the source shows the image. A registry may say 404 for what it does not want to show; ``refused``
        hears where it says that other credentials are needed."""
        try:
            return self.look(source, access) is not None
        except RegistryError as error:
            if error.code not in {"unauthorized", "denied"}:
                raise
            if refused is not None:
                refused.append(error)
            return False


def _words(source: ImageRef, access: RegistryAccess) -> str:
    if access.host != source.registry:
        return f"from the mirror {access.host}"
    return "with the configured credentials" if access.credentials else "anonymously"
