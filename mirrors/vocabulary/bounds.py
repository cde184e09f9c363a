"""Bounds of columns: numbers, times and text of registries, pods and clocks, made to fit what a column can hold."""

from __future__ import annotations

import re
from typing import Any, Final

from django.db.models import DateTimeField

LARGEST_INTEGER: Final = 2**31 - 1
"""What an IntegerField holds."""

LARGEST_BIG_INTEGER: Final = 2**63 - 1
"""What a BigIntegerField holds."""

LONGEST_PAUSE: Final = 3_600.0
"""Seconds that a host may ask us to wait, and that a job is postponed at most."""

SHORTEST_PAUSE: Final = 1.0
"""The shortest pause of a host in seconds: ``Retry-After: 0`` must not become a loop."""

HOST_LENGTH: Final = 260
"""Characters of the longest registry host with its port."""

_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")


def within(number: int, largest: int) -> int:
    """The number, or the end of the range from 0 to ``largest`` that it lies beyond."""
    return max(0, min(number, largest))


def pause_of(seconds: float) -> float:
    """Return how long we wait for a host that asked for so many seconds; NaN and negative numbers are the shortest
    pause."""
    return min(seconds, LONGEST_PAUSE) if seconds > SHORTEST_PAUSE else SHORTEST_PAUSE


def storable(text: str, length: int | None = None) -> str:
    """The text without what Postgres refuses (NUL, lone surrogates), cut to ``length`` characters."""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)[:length]


def host_of(reference: str) -> str:
    """The registry's host of a canonical reference, as a column holds it."""
    return reference.partition("/")[0][:HOST_LENGTH]


class ReadableDateTimeField(DateTimeField):  # type: ignore[type-arg]
    """A time that can be read whatever is stored: a row of the year 10000 must not break the query that meets it.

    Python knows the years 1 to 9999. Postgres stores more of them, and SQLite any text.
    """

    def select_format(self, compiler: Any, sql: str, params: Any) -> tuple[str, Any]:
        if compiler.connection.vendor == "postgresql":
            least, most = "TIMESTAMPTZ '0001-01-02 00:00+00'", "TIMESTAMPTZ '9999-12-30 00:00+00'"
            # GREATEST and LEAST pass over NULL, which has to stay NULL.
            return f"CASE WHEN {sql} IS NOT NULL THEN GREATEST({least}, LEAST({most}, {sql})) END", (*params, *params)
        return f"CASE WHEN julianday({sql}) IS NOT NULL THEN {sql} END", (*params, *params)

    def deconstruct(self) -> Any:
        """As the column that it is: migrations know nothing of how it is read."""
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.DateTimeField", args, kwargs
