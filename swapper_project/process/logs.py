"""Logging: one line an event, as JSON or for a console, of our own loggers and of the libraries'.

Field names are those that users of the earlier tool search for: ``level``, ``time``, ``message``, ``error``. What comes
from pods can't break a line or steer a terminal: control characters are escaped.
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
NOISY: Final = {
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
    """The destination and form of lines: one object for ever, as loggers keep what they first got."""

    def __init__(self) -> None:
        self.level = logging.INFO
        self.is_console = False
        self._lock = threading.Lock()
        self._console = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), event_key="message", timestamp_key="time"
        )

    def drop_unwanted(self, logger: Any, method: str, event: EventDict) -> EventDict:
        """Runs first, so that suppressed lines cost nothing."""
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
    """structlog's idea of a logger: something that takes finished lines."""

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
# One list for ever: loggers keep the one that they first got.
_PROCESSORS: Final[list[Processor]] = [_output.drop_unwanted, *_SHARED, _output.render]


def configure(level: str = "info", style: str = "json") -> None:
    """Send every line to standard error; ``style`` is ``json`` or ``console``. May be called again."""
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
            "loggers": {name: {"level": level} for name, level in NOISY.items()},
        }
    )


class _NoTokens(logging.Filter):
    """Django logs a request's path, and the webhook's may hold its secret token. Rejected requests are logged by its
    view."""

    def filter(self, record: logging.LogRecord) -> bool:
        path = getattr(getattr(record, "request", None), "path", "")
        if not path.startswith("/webhook"):
            return True
        record.msg, record.args = record.getMessage().replace(path, "/webhook"), ()
        return record.levelno >= logging.ERROR


logging.getLogger("django.request").addFilter(_NoTokens())


def _escaped(value: Any) -> Any:
    """Text with its control characters written out, in lists and mappings too; line ends of tracebacks stay."""
    if isinstance(value, str):
        return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), value)
    if isinstance(value, dict):
        return {_escaped(k): v if k == "exception" else _escaped(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_escaped(item) for item in value]
    return value


def _escaped_bytes(found: re.Match[bytes]) -> bytes:
    return f"\\u{ord(found[0].decode()):04x}".encode()
