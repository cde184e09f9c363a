"""The engine that sends requests to registries. A replaced engine is closed when its last request has finished."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from mirrors.images import ImageRef
from mirrors.oci import Descriptor, Engine, EngineSettings, RegistryAccess


@dataclass(slots=True)
class _Held:
    engine: Engine
    questions: int = 0
    is_retired: bool = False


class Engines:
    """Holds the engine in use. ``make`` creates a new one. Thread-safe."""

    def __init__(self, make: Callable[[], Engine]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._held = _Held(make())

    @property
    def settings(self) -> EngineSettings:
        """The settings of the engine in use."""
        return self._held.engine.settings

    def head(self, ref: ImageRef, access: RegistryAccess, timeout: float, confirm: bool) -> Descriptor | None:
        """Send a HEAD request with the engine in use. ``timeout`` is in seconds. ``confirm``: if HEAD does not find the
        image, a GET decides."""
        with self._lock:
            held = self._held
            held.questions += 1
        try:
            return held.engine.head(ref, access, timeout=timeout, confirm=confirm)
        finally:
            self._release(held)

    def replace(self) -> None:
        """Create a new engine and use it from now on."""
        new = _Held(self._make())
        with self._lock:
            old, self._held = self._held, new
            old.questions += 1
            old.is_retired = True
        self._release(old)

    def close(self) -> None:
        """Close the engine when the process stops, even if requests are in progress."""
        self._held.engine.close()

    def _release(self, held: _Held) -> None:
        with self._lock:
            held.questions -= 1
            is_over = held.is_retired and not held.questions
        if is_over:
            held.engine.close()
