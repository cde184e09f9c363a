"""Which repositories of a registry are known to have a blob, for cross-repository mounts."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, Protocol

from mirrors.vocabulary.clusters import ClusterNamespace

MAX_DIGESTS: Final = 20_000
"""Blobs that are remembered, some MB; the one that was recorded longest ago is forgotten."""

MAX_REPOSITORIES: Final = 4
"""Repositories remembered for each blob; one is enough to mount from."""


@dataclass(frozen=True, slots=True)
class Readers:
    """Who will be able to run a copy: everybody, or these namespaces, or those whom the configured credentials of a
    source host serve (`configured_host`)."""

    is_everybody: bool = False
    namespaces: frozenset[ClusterNamespace] = frozenset()
    configured_host: str = ""


class MountIndex(Protocol):
    """Called from blob threads. `readers` are those who would get to read the blob; None asks about nobody."""

    def find(self, registry: str, digest: str, readers: Readers | None) -> list[str]:
        """Repositories of this registry that have the blob, the most promising first: those alone whose images each
        of `readers` may read already."""

    def holds(self, registry: str, digest: str, repository: str) -> bool:
        """Whether the content was put into this repository by a copy that was entitled to it."""

    def record(self, registry: str, digest: str, repository: str) -> None:
        """The repository has the content now, and was entitled to it."""


class MemoryMounts:
    """What this process has seen, without readers. What was recorded longest ago is forgotten first."""

    def __init__(self) -> None:
        self._repositories: OrderedDict[tuple[str, str], list[str]] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, registry: str, digest: str, readers: Readers | None = None) -> list[str]:
        with self._lock:
            return list(self._repositories.get((registry, digest), ())) if readers is None else []

    def holds(self, registry: str, digest: str, repository: str) -> bool:
        with self._lock:
            return repository in self._repositories.get((registry, digest), ())

    def record(self, registry: str, digest: str, repository: str) -> None:
        with self._lock:
            known = self._repositories.pop((registry, digest), [])
            newest = [repository, *(name for name in known if name != repository)]
            self._repositories[registry, digest] = newest[:MAX_REPOSITORIES]
            if len(self._repositories) > MAX_DIGESTS:
                self._repositories.popitem(last=False)
