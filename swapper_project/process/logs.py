"""Logging: one line per event, as JSON or for a console, for the project's own loggers and those of libraries.

Field names are those of the earlier tool (estahn/k8s-image-swapper), so that existing searches work: ``level``,
``time``, ``message``, ``error``. Control characters are escaped, so that values from pods cannot break a line or
control a terminal.
"""

from __future__ import annotations

import logging
import logging.config
import re
import sys
import threading
from typing import Any, Final

import orjson
import structlog
from structlog.typing import EventDict, Processor

LEVELS: Final = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "fatal": logging.CRITICAL,
    "panic": logging.CRITICAL,
}
LIBRARY_LEVELS: Final = {
    "urllib3": "WARNING",
    "django_q": "WARNING",
    "django-q": "WARNING",
    "django.request": "WARNING",
    "botocore": "WARNING",
    "google": "ERROR",
    "httpx2": "WARNING",
    "httpcore2": "WARNING",
    "axes": "WARNING",
}

_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# orjson escapes the first 32 only.
_CONTROL_IN_JSON: Final = re.compile(rb"\x7f|\xc2[\x80-\x9f]|\xe2\x80[\xa8\xa9]")


class _Output:
    """The destination and format of log lines. A single object for the life of the process, because loggers cache the
    one that they get first."""

    def __init__(self) -> None:
        self.level = logging.INFO
        self.is_console = False
        self._lock = threading.Lock()
        self._console = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), event_key="message", timestamp_key="time"
        )

    def drop_unwanted(self, logger: Any, method: str, event: EventDict) -> EventDict:
        """Drop events below the level. This processor runs first, so that dropped events cost nothing."""
        if LEVELS.get("error" if method == "exception" else method, logging.INFO) < self.level:
            raise structlog.DropEvent
        return event

    def render(self, logger: Any, method: str, event: EventDict) -> str:
        if self.is_console:
            return str(self._console(logger, method, _escaped(event)))
        line = orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS)
        return _CONTROL_IN_JSON.sub(_escaped_bytes, line).decode()

    def write(self, line: str) -> None:
        with self._lock:
            sys.stderr.write(line + "\n")
            sys.stderr.flush()


class _Writer:
    """A logger for structlog, which passes complete lines to it."""

    def msg(self, line: str) -> None:
        _output.write(line)

    debug = info = warning = error = critical = exception = fatal = msg


_output = _Output()
_SHARED: Final[list[Processor]] = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    structlog.processors.EventRenamer("message"),
    structlog.processors.format_exc_info,
]
# A single list for the life of the process, because loggers cache the one that they get first.
_PROCESSORS: Final[list[Processor]] = [_output.drop_unwanted, *_SHARED, _output.render]


def configure(level: str = "info", style: str = "json") -> None:
    """Send every line to standard error; ``style`` is ``json`` or ``console``. This can be called repeatedly."""
    _output.level, _output.is_console = LEVELS.get(level, logging.INFO), style == "console"
    structlog.configure(
        processors=_PROCESSORS,
        logger_factory=lambda *_: _Writer(),
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "structured": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "foreign_pre_chain": _SHARED[:-1],
                    "processors": [
                        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                        structlog.processors.format_exc_info,
                        _output.render,
                    ],
                }
            },
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
            "root": {"handlers": ["stderr"], "level": _output.level},
            "loggers": {name: {"level": level} for name, level in LIBRARY_LEVELS.items()},
        }
    )


class _TokenFilter(logging.Filter):
    """Removes the webhook's path from Django's log lines, because it can contain the secret token. Lines below
    level error are dropped, because the webhook's view logs rejected requests itself."""

    def filter(self, record: logging.LogRecord) -> bool:
        path = getattr(getattr(record, "request", None), "path", "")
        if not path.startswith("/webhook"):
            return True
        record.msg, record.args = record.getMessage().replace(path, "/webhook"), ()
        return record.levelno >= logging.ERROR


logging.getLogger("django.request").addFilter(_TokenFilter())


def _escaped(value: Any) -> Any:
    """Return a value with escaped control characters, also in lists and mappings. Tracebacks keep their line ends."""
    if isinstance(value, str):
        return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), value)
    if isinstance(value, dict):
        return {_escaped(k): v if k == "exception" else _escaped(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_escaped(item) for item in value]
    return value


def _escaped_bytes(match: re.Match[bytes]) -> bytes:
    return f"\\u{ord(match[0].decode()):04x}".encode()
