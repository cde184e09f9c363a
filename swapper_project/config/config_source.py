"""The active configuration. It follows the file: valid changes are applied, invalid ones are not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog

from swapper_project.config.loading import parse, read_text
from swapper_project.config.models import Config
from swapper_project.config.text.config_problems import ConfigError

log = structlog.get_logger(__name__)
_NOTHING: Mapping[str, object] = {}


class ConfigSource:
    """Reads the file when created, raising :class:`ConfigError`, and again at each :meth:`poll`. Thread-safe.

    A ``path`` of None means an empty file. ``problem`` is the reason why the current file is not applied.
    """

    def __init__(self, path: Path | None, overrides: Mapping[str, object] = _NOTHING) -> None:
        self.path = path
        self.problem: str | None = None
        self._overrides = dict(overrides)
        self._lock = threading.Lock()
        self._seen = read_text(path) if path else ""
        self.current = self._parse(self._seen)

    def poll(self, apply: Callable[[], None] | None = None) -> bool:
        """Check the file, and return whether a changed configuration was applied; ``apply`` is called if it was.

        The content is compared, because the modification times of mounted ConfigMaps do not show changes.
        """
        if self.path is None:
            return False
        with self._lock:
            try:
                text = read_text(self.path)
            except ConfigError as error:
                return self._refuse(error, seen=f"\0{error}")
            if text == self._seen:
                return False
            try:
                config = self._parse(text)
            except ConfigError as error:
                return self._refuse(error, seen=text)
            return self._take(config, seen=text, apply=apply)

    def _parse(self, text: str) -> Config:
        return parse(text, name=str(self.path or "configuration"), overrides=self._overrides)

    def _refuse(self, error: ConfigError, *, seen: str) -> bool:
        if seen != self._seen:
            log.error(
                "The changed configuration is not valid; the last valid version stays active", problems=error.problems
            )
        self._seen, self.problem = seen, str(error)
        return False

    def _take(self, config: Config, *, seen: str, apply: Callable[[], None] | None) -> bool:
        self._seen, self.problem = seen, None
        if config.digest == self.current.digest:
            return False
        self.current = config
        if apply is not None:
            apply()
        log.info("The changed configuration is active", path=str(self.path))
        for warning in config.warnings:
            log.warning(warning)
        return True
