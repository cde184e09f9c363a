"""The configured source registries, and how each is accessed. They are plain values, independent of the database."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from mirrors.images import ImageRef
from mirrors.oci import Credential, CredentialSource, RegistryAccess
from mirrors.oci.common.access import DOCKER_HUB, DOCKER_HUB_API
from mirrors.registries.credentials import Reference, resolve
from mirrors.vocabulary.clusters import ALL_CLUSTERS, ClusterNamespace
from swapper_project.config import AwsRegistry, Config, GcpRegistry, SourceRegistry


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """A source registry. ``host`` can start with ``*.``; ``aliases`` are other names of the host.

    The credentials are used only for repositories below ``path``, or for all without one. They are those of the cloud
    with ``cloud``, or a username and password with ``reference``.
    """

    host: str
    aliases: tuple[str, ...] = ()
    path: str = ""
    reference: Reference | None = None
    cloud: AwsRegistry | GcpRegistry | None = None
    insecure: bool = False
    ca_file: str | None = None
    connect_to: str | None = None
    cluster: str = ALL_CLUSTERS
    """The cluster whose namespaces the entry serves; empty: all clusters."""
    namespaces: tuple[str, ...] = ()
    """The namespaces that the entry serves, as ``NAMESPACE``, ``CLUSTER/NAMESPACE``, or ``*`` for all."""
    mirrors: tuple[str, ...] = ()
    origin: str = ""
    """Where operators find the entry, as messages name it."""

    @property
    def has_credentials(self) -> bool:
        return self.reference is not None or self.cloud is not None

    def matches(self, host: str) -> bool:
        if self.host.startswith("*."):
            return host.endswith(self.host[1:])
        return host == self.host or host in self.aliases

    def covers(self, ref: ImageRef) -> bool:
        """Return whether the entry's credentials are for this image."""
        return not self.path or ref.repository.startswith(f"{self.path}/")

    def serves(self, requester: ClusterNamespace) -> bool:
        """Return whether pods of a namespace may use private images that are read with these credentials."""
        if self.cluster not in {ALL_CLUSTERS, requester.cluster}:
            return False
        return "*" in self.namespaces or requester.namespace in self.namespaces or str(requester) in self.namespaces


class SourceCatalog:
    """The configured source registries. All other hosts are accessed anonymously, and only at public addresses.

    ``read_secret`` returns the password in a Secret ``NAME/KEY``; only workers pass it.
    """

    def __init__(
        self,
        entries: Iterable[SourceEntry],
        *,
        credentials_dir: Path,
        trusted_ca: str | None = None,
        read_secret: Callable[[str], str] | None = None,
    ) -> None:
        # Exact hosts precede wildcards, and longer wildcards precede shorter ones.
        self._entries = sorted(entries, key=lambda e: (e.host.startswith("*."), -len(e.host)))
        self._credentials_dir = credentials_dir
        self._trusted_ca = trusted_ca
        self._read_secret = read_secret

    @classmethod
    def of(
        cls,
        config: Config | None,
        rows: Iterable[SourceEntry],
        *,
        credentials_dir: Path,
        read_secret: Callable[[str], str] | None = None,
    ) -> SourceCatalog:
        """Return the catalog of the registries in the configuration file, if there is one, and in operators' rows."""
        if config is None:
            return cls(rows, credentials_dir=credentials_dir, read_secret=read_secret)
        entries = [*source_entries(config), *rows]
        return cls(entries, credentials_dir=credentials_dir, trusted_ca=config.trusted_ca, read_secret=read_secret)

    def entry_for(self, host: str) -> SourceEntry | None:
        return next((entry for entry in self._entries if entry.matches(host)), None)

    def is_configured(self, host: str) -> bool:
        return self.entry_for(host) is not None

    def serves(self, ref: ImageRef, requester: ClusterNamespace) -> bool:
        """Return whether pods of a namespace may use this image by configured credentials, if it is private."""
        entry = self.entry_of(ref)
        return entry is not None and entry.serves(requester)

    def entry_of(self, ref: ImageRef) -> SourceEntry | None:
        """Return the entry whose credentials are for this image, or None."""
        entry = self._entry_of(ref)
        return entry if entry is not None and entry.covers(ref) else None

    def label(self, host: str) -> str:
        """Return the host's label in metrics: ``other`` for a host that is not configured, because pods choose hosts,
        and each label is kept permanently."""
        entry = self.entry_for(DOCKER_HUB if host == DOCKER_HUB_API else host)
        return entry.host if entry else "other"

    def username(self, host: str) -> str:
        """Return the username for images of this host; empty without credentials, and for the credentials of clouds."""
        entry = self.entry_for(host)
        return entry.reference.username if entry and entry.reference else ""

    def access_for(self, ref: ImageRef) -> RegistryAccess:
        """Return how the engine accesses a source with the configured credentials. Raises CredentialError."""
        entry = self._entry_of(ref)
        credential = self._credential(entry, ref) if entry else None
        return _access(ref.registry, entry, (credential,) if credential else ())

    def anonymous_access_for(self, ref: ImageRef) -> RegistryAccess:
        """Return how the engine accesses a source without credentials, for public images."""
        return _access(ref.registry, self.entry_for(ref.registry), ())

    def mirrors_of(self, ref: ImageRef) -> tuple[str, ...]:
        """Return the hosts with the same image, which are tried before the registry of the image."""
        entry = self.entry_for(ref.registry)
        return entry.mirrors if entry else ()

    def _entry_of(self, ref: ImageRef) -> SourceEntry | None:
        """Return the entry whose credentials are for the image, else any entry of its host, else None."""
        entries = [entry for entry in self._entries if entry.matches(ref.registry)]
        return next((entry for entry in entries if entry.covers(ref)), entries[0] if entries else None)

    def _credential(self, entry: SourceEntry, ref: ImageRef) -> Credential | CredentialSource | None:
        if not entry.covers(ref):
            return None
        if isinstance(entry.cloud, AwsRegistry):
            from mirrors.registries.aws.accounts import AwsAccount
            from mirrors.registries.aws.login import log_in as log_in_at_ecr

            account = AwsAccount(entry.cloud.region, entry.cloud.role, trusted_ca=self._trusted_ca)
            return log_in_at_ecr(account, entry.cloud.host)
        if isinstance(entry.cloud, GcpRegistry):
            from mirrors.registries.gcp.login import log_in as log_in_at_gar

            return log_in_at_gar(entry.cloud.host, self._trusted_ca)
        if entry.reference is None:
            return None
        return resolve(entry.reference, self._credentials_dir, read_secret=self._read_secret)


def _access(
    host: str, entry: SourceEntry | None, credentials: tuple[Credential | CredentialSource, ...]
) -> RegistryAccess:
    if entry is None:
        return RegistryAccess(host=host)
    return RegistryAccess(
        host=host,
        credentials=credentials,
        insecure=entry.insecure,
        ca_file=entry.ca_file,
        private_allowed=True,
        connect_to=entry.connect_to,
    )


def source_entries(config: Config) -> list[SourceEntry]:
    """Return the source registries of the configuration file."""
    return [_source_entry(entry, index, config.cluster_name) for index, entry in enumerate(config.source.registries)]


def _source_entry(entry: SourceRegistry, index: int, cluster: str) -> SourceEntry:
    cloud = entry.cloud
    return SourceEntry(
        host=entry.registry_host,
        aliases=entry.aliases,
        path=cloud.path if isinstance(cloud, GcpRegistry) else "",
        reference=Reference(entry.username, entry.password_file, entry.password_env, entry.password_secret)
        if entry.username
        else None,
        cloud=cloud,
        insecure=entry.insecure,
        ca_file=cloud.ca_file if cloud else entry.ca_file,
        connect_to=cloud.connect_to if cloud else entry.connect_to,
        cluster=cluster,
        namespaces=("*",) if entry.serves_all_namespaces else entry.namespaces,
        mirrors=entry.mirrors,
        origin=f"source.registries[{index}] in the configuration file",
    )
