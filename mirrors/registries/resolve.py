"""Which driver a target has, and how a source host may be reached: from plain values, for webhook and workers alike."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mirrors.images import ImageRef
from mirrors.oci import Credential, RegistryAccess
from mirrors.oci.access import DOCKER_HUB, DOCKER_HUB_API
from mirrors.registries.base import DriverMissingError, RegistryDriver
from mirrors.registries.credentials import CredentialError, resolve
from mirrors.registries.generic import OciDriver
from swapper_project.config import Config, OciTarget

KIND_NAMES = {"aws": "Amazon ECR", "gcp": "Google Artifact Registry"}


def target_driver(config: Config, *, credentials_dir: Path) -> RegistryDriver:
    """The driver of the configured target; raises DriverMissingError where there is none yet."""
    chosen = config.target.chosen
    if isinstance(chosen, OciTarget):
        return OciDriver(chosen, credentials_dir)
    raise DriverMissingError(
        f"target.type {config.target.type} ({KIND_NAMES[config.target.type]}) cannot be copied to in this version: "
        "choose type oci."
    )


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """A source registry that somebody configured. ``host`` may start with ``*.``."""

    host: str
    username: str | None = None
    password_file: str | None = None
    password_env: str | None = None
    insecure: bool = False
    ca_file: str | None = None
    namespaces: tuple[str, ...] = ()
    confined: bool = False
    """Whether its password file must lie in the credentials directory: it is a row that people edit."""

    def matches(self, host: str) -> bool:
        return host == self.host or (self.host.startswith("*.") and host.endswith(self.host[1:]))

    def serves(self, namespace: str) -> bool:
        """Whether pods of a namespace may be served private images by this log-in."""
        return "*" in self.namespaces or namespace in self.namespaces


class SourceCatalog:
    """The configured source registries. Hosts that are not among them are reached anonymously, at public addresses."""

    def __init__(self, entries: Iterable[SourceEntry], *, credentials_dir: Path) -> None:
        # An exact host goes before a wildcard, a longer wildcard before a shorter one.
        self._entries = sorted(entries, key=lambda e: (e.host.startswith("*."), -len(e.host)))
        self._credentials_dir = credentials_dir

    def entry_for(self, host: str) -> SourceEntry | None:
        return next((entry for entry in self._entries if entry.matches(host)), None)

    def is_configured(self, host: str) -> bool:
        return self.entry_for(host) is not None

    def label(self, host: str) -> str:
        """The host as metrics name it: pods choose hosts, and each label is kept for ever."""
        entry = self.entry_for(DOCKER_HUB if host == DOCKER_HUB_API else host)
        return entry.host if entry else "other"

    def access_for(self, ref: ImageRef) -> RegistryAccess:
        """How the engine reaches a source, with the configured log-in. Raises CredentialError."""
        entry = self.entry_for(ref.registry)
        credential = self._credential(entry) if entry else None
        return self._access(ref, entry, (credential,) if credential else ())

    def anonymous_access_for(self, ref: ImageRef) -> RegistryAccess:
        """The same without a log-in: what anybody may read."""
        return self._access(ref, self.entry_for(ref.registry), ())

    def _access(self, ref: ImageRef, entry: SourceEntry | None, credentials: tuple[Credential, ...]) -> RegistryAccess:
        if entry is None:
            return RegistryAccess(host=ref.registry)
        return RegistryAccess(
            host=ref.registry,
            credentials=credentials,
            insecure=entry.insecure,
            ca_file=entry.ca_file,
            private_allowed=True,
        )

    def _credential(self, entry: SourceEntry) -> Credential | None:
        return resolve(
            username=entry.username,
            password_file=entry.password_file,
            password_env=entry.password_env,
            credentials_dir=self._credentials_dir,
            confined=entry.confined,
        )


def source_entries(config: Config) -> list[SourceEntry]:
    """The configuration file's source registries that log in by name and password, or not at all."""
    return [
        SourceEntry(
            host=entry.registry_host,
            username=entry.username,
            password_file=entry.password_file,
            password_env=entry.password_env,
            insecure=entry.insecure,
            ca_file=entry.ca_file,
            namespaces=("*",) if entry.serves_all_namespaces else entry.namespaces,
        )
        for entry in config.source.registries
    ]


def entry_from_reference(*, host: str, username: str, reference: str, insecure: bool, ca_file: str) -> SourceEntry:
    """An operator's row as an entry; its reference is ``env:NAME`` or ``file:NAME``."""
    kind, _, name = reference.partition(":")
    return SourceEntry(
        host=host,
        username=username or None,
        password_file=name if kind == "file" else None,
        password_env=name if kind == "env" else None,
        insecure=insecure,
        ca_file=ca_file or None,
        confined=True,
    )


__all__ = [
    "CredentialError",
    "DriverMissingError",
    "SourceCatalog",
    "SourceEntry",
    "entry_from_reference",
    "source_entries",
    "target_driver",
]
