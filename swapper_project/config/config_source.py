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
_NO_OVERRIDES: Mapping[str, object] = {}


class ConfigSource:
    """Reads the file when created, raising :class:`ConfigError`, and again at each :meth:`poll`. Thread-safe.

    A ``path`` of None means an empty file. ``problem`` is the reason why the current file is not applied.
    """

    def __init__(self, path: Path | None, overrides: Mapping[str, object] = _NO_OVERRIDES) -> None:
        self.path = path
        self.problem: str | None = None
        self._overrides = dict(overrides)
        self._lock = threading.Lock()
        self._last_text = read_text(path) if path else ""
        self.current = self._parse(self._last_text)

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
                return self._reject(error, text=f"\0{error}")
            if text == self._last_text:
                return False
            try:
                config = self._parse(text)
            except ConfigError as error:
                return self._reject(error, text=text)
            return self._activate(config, text=text, apply=apply)

    def _parse(self, text: str) -> Config:
        return parse(text, name=str(self.path or "configuration"), overrides=self._overrides)

    def _reject(self, error: ConfigError, *, text: str) -> bool:
        if text != self._last_text:
            log.error(
                "The changed configuration is not valid; the last valid version stays active", problems=error.problems
            )
        self._last_text, self.problem = text, str(error)
        return False

    def _activate(self, config: Config, *, text: str, apply: Callable[[], None] | None) -> bool:
        self._last_text, self.problem = text, None
        if config.digest == self.current.digest:
            return False
        self.current = config
        if apply is not None:
            apply()
        log.info("The changed configuration is active", path=str(self.path))
        for warning in config.warnings:
            log.warning(warning)
        return True
