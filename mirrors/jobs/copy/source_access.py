"""How a job accesses the source of its image, and with which credentials: the credential boundary of the worker."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from mirrors.images import ImageRef
from mirrors.jobs.copy.failures import JobRefusedError
from mirrors.jobs.copy.unreadable_sources import refusal
from mirrors.kubernetes.api_server.api_client import ClusterError
from mirrors.kubernetes.api_server.pull_secrets import FoundSecrets, Requester
from mirrors.models import Access, ErrorClass
from mirrors.oci import CopyCancelledError, Descriptor, Manifest, RegistryAccess, RegistryError
from mirrors.registries.credentials import CredentialError
from mirrors.registries.sources import SourceCatalog
from mirrors.vocabulary.clusters import DEFAULT_CLUSTER, ClusterNamespace

MOST_TRIED_REQUESTERS: Final = 50
"""The maximum number of requests of one job whose pull secrets are tried. Other pods request the image again."""

SourceReader = Callable[[ImageRef, RegistryAccess], Descriptor | Manifest | None]
PullSecretFinder = Callable[[ImageRef, Requester], FoundSecrets]


@dataclass(frozen=True, slots=True)
class SourceRequest:
    """The requesters on whose behalf a job reads its source: pods, or an operator, whose namespace is ""."""

    source: ImageRef
    requesters: Collection[Requester]
    known_access: str
    """The mapping's current ``Access``."""
    cluster: str = DEFAULT_CLUSTER
    """The cluster of the worker, which cannot read Secrets of other clusters."""

    @property
    def requester_namespaces(self) -> list[ClusterNamespace]:
        return sorted({ClusterNamespace(requester.cluster, requester.namespace) for requester in self.requesters})

    @property
    def namespaces(self) -> list[str]:
        """The requesters' namespaces for messages, with the cluster if it is not the worker's."""
        return [
            namespace.namespace if namespace.cluster == self.cluster else str(namespace)
            for namespace in self.requester_namespaces
        ]

    @property
    def readable_requesters(self) -> list[Requester]:
        """The requesters whose Secrets this worker can read."""
        return [requester for requester in self.requesters if requester.namespace and requester.cluster == self.cluster]

    @property
    def has_secrets(self) -> bool:
        return any(requester.secret_names or requester.service_account for requester in self.requesters)


@dataclass(frozen=True, slots=True)
class SourceAccess:
    """The engine's access to the source, and its description: ``kind`` is an ``Access``, ``description`` is for the
    log. ``grants`` is by namespace whether its own pull secrets read the source; namespaces that were not tried are
    missing."""

    access: RegistryAccess
    kind: str
    description: str
    grants: Mapping[str, bool] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


@dataclass(slots=True)
class TriedSecrets:
    """The result of trying the pull secrets of all requesters."""

    grants: dict[str, bool] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    cluster_error: ClusterError | None = None
    uncertain: set[str] = field(default_factory=set)
    """Namespaces of which not all Secrets were read."""

    def record(self, namespace: str, secrets: FoundSecrets, *, is_readable: bool) -> None:
        """Record the result of one requester. A namespace is refused only if all Secrets of all its requesters were
        read."""
        self.problems += [problem for problem in secrets.problems if problem not in self.problems]
        if not secrets.is_complete:
            self.uncertain.add(namespace)
        if is_readable:
            self.grants[namespace] = True
        elif namespace in self.uncertain and not self.grants.get(namespace):
            self.grants.pop(namespace, None)
        else:
            self.grants.setdefault(namespace, False)
        self.cluster_error = self.cluster_error or secrets.temporary_error


@dataclass(frozen=True, slots=True)
class SourceFinder:
    """Finds an access that can read a source. ``policy`` is ``privateImages``. ``read_source`` checks whether a source
    has the image. The search stops once ``cancelled`` returns true."""

    catalog: SourceCatalog
    policy: str
    read_source: SourceReader
    pull_secrets: PullSecretFinder
    cancelled: Callable[[], bool] = lambda: False
    uses_mirrors: bool = True

    def find(self, request: SourceRequest) -> SourceAccess:
        """Return an access that reads the source. Raises JobRefusedError if no access that is allowed reads it;
        RegistryError, ClusterError or CredentialError if that cannot be determined now; CopyCancelledError."""
        problems: list[str] = []
        mirrors = list(self._mirrors(request, problems))
        found = self._from_anonymous_mirror(mirrors) or self._from_the_registry(request, mirrors, problems)
        return replace(found, problems=(*problems, *found.problems))

    def _from_the_registry(
        self, request: SourceRequest, mirrors: list[RegistryAccess], problems: list[str]
    ) -> SourceAccess:
        source = request.source
        configured = self.catalog.access_for(source)
        auth_errors: list[RegistryError] = []
        try:
            is_public = self._is_public(request, configured, auth_errors)
        except RegistryError as error:
            # The registry failed, so its mirrors with credentials are used. The image counts as not public.
            if not mirrors:
                raise
            problems.append(str(error))
            is_public = False
        if is_public:
            chosen = mirrors[0] if mirrors else configured
            return SourceAccess(chosen, Access.ANONYMOUS, _description(source, chosen))
        if self.policy == "skip":
            raise self._not_public_error(request, auth_errors)
        for access in mirrors:
            if self._may_serve(request) and self._may_serve(request, access.host):
                return SourceAccess(access, Access.CONFIGURED, _description(source, access))
        credential_errors: list[RegistryError] = []
        if (
            configured.credentials
            and self._may_serve(request)
            and self._is_readable(source, configured, credential_errors)
        ):
            return SourceAccess(configured, Access.CONFIGURED, _description(source, configured))
        return self._by_pull_secrets(request, auth_errors, credential_errors)

    def _mirrors(self, request: SourceRequest, problems: list[str]) -> Iterator[RegistryAccess]:
        """Yield the accesses of the registry's mirrors that have the image. ``problems`` lists mirrors that failed."""
        for host in self.catalog.mirrors_of(request.source) if self.uses_mirrors else ():
            try:
                access = self.catalog.access_for(replace(request.source, registry=host))
                if self._is_readable(request.source, access):
                    yield access
            except (RegistryError, CredentialError) as error:
                problems.append(f"the mirror {host} was skipped: {error}")

    def _from_anonymous_mirror(self, mirrors: list[RegistryAccess]) -> SourceAccess | None:
        """Return the first mirror without credentials. An image that such a mirror serves counts as public, because the
        mirror is configured to serve the content of the registry."""
        access = next((access for access in mirrors if not access.credentials), None)
        return SourceAccess(access, Access.ANONYMOUS, f"from the mirror {access.host}") if access else None

    def _is_public(self, request: SourceRequest, configured: RegistryAccess, auth_errors: list[RegistryError]) -> bool:
        # If credentials are available, check again: an image that was public may be private by now.
        is_proven = request.known_access == Access.ANONYMOUS and not configured.credentials and not request.has_secrets
        return is_proven or self._is_readable(
            request.source, self.catalog.anonymous_access_for(request.source), auth_errors
        )

    def _may_serve(self, request: SourceRequest, mirror: str = "") -> bool:
        """Return whether configured credentials can be used for a requester. Operators can always use them; pods only
        if the registry's entry lists their namespace."""
        if self.policy == "mirror":
            return True
        ref = replace(request.source, registry=mirror) if mirror else request.source
        return any(
            not namespace.namespace or self.catalog.serves(ref, namespace) for namespace in request.requester_namespaces
        )

    def _by_pull_secrets(
        self, request: SourceRequest, auth_errors: Sequence[RegistryError], credential_errors: Sequence[RegistryError]
    ) -> SourceAccess:
        """Try each namespace with only its own pull secrets, which decides whether it is granted the image. The copy
        uses the first access that reads the source."""
        tried = TriedSecrets()
        readable_access: RegistryAccess | None = None
        for requester in request.readable_requesters[:MOST_TRIED_REQUESTERS]:
            if self.cancelled():
                raise CopyCancelledError
            secrets = self.pull_secrets(request.source, requester)
            access = next(self._readable_accesses(request.source, requester, secrets), None)
            tried.record(requester.namespace, secrets, is_readable=access is not None)
            readable_access = readable_access or access
        if readable_access is not None:
            names = ", ".join(sorted(name for name, granted in tried.grants.items() if granted))
            return SourceAccess(
                readable_access, Access.SECRETS, f"with a pull secret of {names}", tried.grants, tuple(tried.problems)
            )
        if tried.cluster_error is not None:
            raise tried.cluster_error
        raise self._refusal(request, tried, auth_errors, credential_errors)

    def _not_public_error(self, request: SourceRequest, auth_errors: Sequence[RegistryError]) -> JobRefusedError:
        """Return the error for an image that is not public under ``privateImages: skip``."""
        if not auth_errors:
            return self._refusal(request, TriedSecrets(), auth_errors)
        message = (
            f"{request.source} is not public, and privateImages: skip does not mirror such images. To mirror it, set "
            "privateImages: guard."
        )
        return JobRefusedError(ErrorClass.DENIED, message, is_unreadable=True, host=request.source.registry)

    def _refusal(
        self,
        request: SourceRequest,
        tried: TriedSecrets,
        auth_errors: Sequence[RegistryError],
        credential_errors: Sequence[RegistryError] = (),
    ) -> JobRefusedError:
        entry = self.catalog.entry_of(request.source)
        return refusal(
            request.source,
            request.namespaces,
            grants=tried.grants,
            problems=tried.problems,
            entry=entry,
            may_serve=self._may_serve(request),
            asks_for_credentials=bool(auth_errors),
            credentials_refused=" ".join(str(error) for error in credential_errors if error.code == "unauthorized"),
        )

    def _readable_accesses(
        self, source: ImageRef, requester: Requester, secrets: FoundSecrets
    ) -> Iterator[RegistryAccess]:
        """Try these credentials one after the other, and yield the accesses that show the image. A permanent error of
        one does not affect the others."""
        own = self.catalog.anonymous_access_for(source)
        for credential in secrets.credentials:
            if self.cancelled():
                raise CopyCancelledError
            access = replace(own, credentials=(credential,))
            try:
                if self._is_readable(source, access):
                    yield access
            except RegistryError as error:
                if not error.permanent:
                    raise
                secrets.problems.append(f"a pull secret of {requester.namespace} was rejected: {error}")

    def _is_readable(
        self, source: ImageRef, access: RegistryAccess, auth_errors: list[RegistryError] | None = None
    ) -> bool:
        """Return whether the source shows the image. A registry can respond 404 to hide an image. Responses that demand
        other credentials are added to ``auth_errors``."""
        try:
            return self.read_source(source, access) is not None
        except RegistryError as error:
            if error.code not in {"unauthorized", "denied"}:
                raise
            if auth_errors is not None:
                auth_errors.append(error)
            return False


def _description(source: ImageRef, access: RegistryAccess) -> str:
    if access.host != source.registry:
        return f"from the mirror {access.host}"
    return "with the configured credentials" if access.credentials else "anonymously"
