"""The engine that asks registries. One that is replaced is closed when the last of its questions is answered."""

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
    """``make`` makes a new one. Thread-safe."""

    def __init__(self, make: Callable[[], Engine]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._held = _Held(make())

    @property
    def settings(self) -> EngineSettings:
        """Those of the one in use."""
        return self._held.engine.settings

    def head(self, ref: ImageRef, access: RegistryAccess, timeout: float, confirm: bool) -> Descriptor | None:
        """Ask by the engine in use. ``timeout`` is in seconds; ``confirm``: a GET settles what a HEAD denies."""
        with self._lock:
            held = self._held
            held.questions += 1
        try:
            return held.engine.head(ref, access, timeout=timeout, confirm=confirm)
        finally:
            self._release(held)

    def replace(self) -> None:
        """Use a new one from now on."""
        new = _Held(self._make())
        with self._lock:
            old, self._held = self._held, new
            old.questions += 1
            old.is_retired = True
        self._release(old)

    def close(self) -> None:
        """At the end of the process, whatever is under way."""
        self._held.engine.close()

    def _release(self, held: _Held) -> None:
        with self._lock:
            held.questions -= 1
            is_over = held.is_retired and not held.questions
        if is_over:
            held.engine.close()
