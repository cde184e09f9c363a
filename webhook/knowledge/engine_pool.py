"""The engine that sends requests to registries. A replaced engine is closed when its last request has finished."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from mirrors.images import ImageRef
from mirrors.oci import Descriptor, Engine, EngineSettings, RegistryAccess


@dataclass(slots=True)
class _CountedEngine:
    engine: Engine
    requests: int = 0
    is_retired: bool = False


class Engines:
    """Holds the engine in use. ``create_engine`` creates a new one. Thread-safe."""

    def __init__(self, create_engine: Callable[[], Engine]) -> None:
        self._create_engine = create_engine
        self._lock = threading.Lock()
        self._current = _CountedEngine(create_engine())

    @property
    def settings(self) -> EngineSettings:
        """The settings of the engine in use."""
        return self._current.engine.settings

    def head(self, ref: ImageRef, access: RegistryAccess, timeout: float, confirm: bool) -> Descriptor | None:
        """Send a HEAD request with the engine in use. ``timeout`` is in seconds. ``confirm``: if HEAD does not find the
        image, a GET decides."""
        with self._lock:
            current = self._current
            current.requests += 1
        try:
            return current.engine.head(ref, access, timeout=timeout, confirm=confirm)
        finally:
            self._release(current)

    def replace(self) -> None:
        """Create a new engine and use it from now on."""
        new = _CountedEngine(self._create_engine())
        with self._lock:
            old, self._current = self._current, new
            old.requests += 1
            old.is_retired = True
        self._release(old)

    def close(self) -> None:
        """Close the engine when the process stops, even if requests are in progress."""
        self._current.engine.close()

    def _release(self, counted: _CountedEngine) -> None:
        with self._lock:
            counted.requests -= 1
            is_unused = counted.is_retired and not counted.requests
        if is_unused:
            counted.engine.close()
