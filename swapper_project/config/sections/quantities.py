"""Durations and sizes in the configuration file, which have a unit: ``8s``, ``20GiB``."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

_UNITS = {"ns": "1e-9", "us": "1e-6", "µs": "1e-6", "μs": "1e-6", "ms": "1e-3", "s": "1", "m": "60", "h": "3600"}
_TERM = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_DURATION = r"\+?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+"
_SIZES = {"": 1, "B": 1, **{f"{unit}B": 1000**n for n, unit in enumerate("KMGT", 1)}}
_SIZES |= {f"{unit}i{tail}": 1024**n for n, unit in enumerate("KMGT", 1) for tail in ("B", "")}
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?([KMGT]i?B|[KMGT]i|B|)")


def duration(value: object) -> float:
    """Return the seconds of a Go duration such as ``8s``, ``1m30s``, ``1.5h``, ``300ms``. Raises ValueError."""
    if not isinstance(value, str) or len(value) > 64 or not re.fullmatch(_DURATION, value):
        raise ValueError("must be a duration with its unit, such as 300ms, 8s, 1m30s or 24h")
    return float(sum(Decimal(number) * Decimal(_UNITS[unit]) for number, unit in _TERM.findall(value)))


def format_duration(seconds: float) -> str:
    """Return the Go duration that ``duration`` parses as ``seconds``."""
    nanoseconds = round(seconds * 1_000_000_000)
    if nanoseconds % 1_000_000_000:
        unit = next(unit for unit, size in (("ms", 10**6), ("us", 10**3), ("ns", 1)) if nanoseconds % size == 0)
        return f"{nanoseconds // {'ms': 10**6, 'us': 10**3, 'ns': 1}[unit]}{unit}"
    minutes, rest = divmod(nanoseconds // 1_000_000_000, 60)
    hours, minutes = divmod(minutes, 60)
    return "".join(f"{number}{unit}" for number, unit in ((hours, "h"), (minutes, "m"), (rest, "s")) if number) or "0s"


def size(value: object) -> int:
    """Return the bytes of a number or of a text such as ``20GiB``. Raises ValueError."""
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("must be a size such as 20GiB or 500MB, or a number of bytes")
    return int(Decimal(match[1]) * _SIZES[match[2]])


def format_size(count: int) -> str | int:
    return next((f"{count >> n * 10}{'KMGT'[n - 1]}iB" for n in (4, 3, 2, 1) if count and count % 1024**n == 0), count)


Duration = Annotated[
    float,
    BeforeValidator(duration),
    Field(gt=0, le=366 * 86400),
    PlainSerializer(format_duration),
    WithJsonSchema({"type": "string", "pattern": f"^{_DURATION}$"}),
]
Size = Annotated[
    int,
    BeforeValidator(size),
    Field(ge=1 << 20, le=1 << 44),
    PlainSerializer(format_size),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 1 << 20}, {"type": "string", "pattern": f"^{_SIZE.pattern}$"}]}
    ),
]
