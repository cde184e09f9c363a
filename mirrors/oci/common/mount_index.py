"""Records which repositories of a registry have a blob, for cross-repository mounts."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

from mirrors.vocabulary.clusters import ClusterNamespace

MAX_DIGESTS: Final = 20_000
"""Blobs that are remembered, some MB of memory. The one that was recorded longest ago is forgotten."""

MAX_REPOSITORIES: Final = 4
"""Repositories remembered for each blob; one is enough to mount from."""


@dataclass(frozen=True, slots=True)
class Audience:
    """Who will be able to run a copy: everybody, these namespaces, or all users of the configured credentials of a
    source host (`configured_host`)."""

    is_public: bool = False
    namespaces: frozenset[ClusterNamespace] = frozenset()
    configured_host: str = ""


FoundRepositories = Callable[[], list[str]]
"""Waits for the repositories that have a blob, and returns them."""


class MountIndex(Protocol):
    """Finds repositories to mount blobs from. Called from blob threads. `audience` would be able to read the mounted
    blob; None means that their access is not checked."""

    def start_find(self, registry: str, digests: Sequence[str], audience: Audience | None) -> list[FoundRepositories]:
        """Start to find repositories of this registry that have the blobs, those of all blobs together. Return for each
        blob a function that waits for its repositories: the most promising first, and only those whose images everyone
        in `audience` can read already."""

    def holds(self, registry: str, digest: str, repository: str) -> bool:
        """Return whether a copy that was entitled to the content put it into this repository."""

    def record(self, registry: str, digest: str, repository: str) -> None:
        """Record that the repository now has the content, and was entitled to it."""


class MemoryMounts:
    """A mount index of the blobs that this process recorded. It finds nothing if an audience is given. The blob that
    was recorded longest ago is forgotten first."""

    def __init__(self) -> None:
        self._repositories: OrderedDict[tuple[str, str], list[str]] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, registry: str, digest: str, audience: Audience | None = None) -> list[str]:
        with self._lock:
            return list(self._repositories.get((registry, digest), ())) if audience is None else []

    def start_find(self, registry: str, digests: Sequence[str], audience: Audience | None) -> list[FoundRepositories]:
        return [partial(self.find, registry, digest, audience) for digest in digests]

    def holds(self, registry: str, digest: str, repository: str) -> bool:
        with self._lock:
            return repository in self._repositories.get((registry, digest), ())

    def record(self, registry: str, digest: str, repository: str) -> None:
        with self._lock:
            repositories = self._repositories.pop((registry, digest), [])
            newest_first = [repository, *(name for name in repositories if name != repository)]
            self._repositories[registry, digest] = newest_first[:MAX_REPOSITORIES]
            if len(self._repositories) > MAX_DIGESTS:
                self._repositories.popitem(last=False)
