"""Which repositories of a registry are known to have a blob, for cross-repository mounts."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Protocol

MAX_DIGESTS = 20_000
MAX_REPOSITORIES = 4


class MountIndex(Protocol):
    """Called from blob threads. A wrong answer costs a request, no more."""

    def find(self, registry: str, digest: str) -> list[str]:
        """Repositories of this registry that have the blob, the most promising first."""

    def record(self, registry: str, digest: str, repository: str) -> None:
        """The repository has the blob now."""


class MemoryMounts:
    """What this process has seen, the oldest forgotten first."""

    def __init__(self) -> None:
        self._repositories: OrderedDict[tuple[str, str], list[str]] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, registry: str, digest: str) -> list[str]:
        with self._lock:
            return list(self._repositories.get((registry, digest), ()))

    def record(self, registry: str, digest: str, repository: str) -> None:
        with self._lock:
            known = self._repositories.pop((registry, digest), [])
            newest = [repository, *(name for name in known if name != repository)]
            self._repositories[registry, digest] = newest[:MAX_REPOSITORIES]
            if len(self._repositories) > MAX_DIGESTS:
                self._repositories.popitem(last=False)
