"""Bounds of columns. Numbers, times and text from registries, pods and clocks are adjusted to them."""

from __future__ import annotations

import re
from typing import Any, Final

from django.db.models import DateTimeField

LARGEST_INTEGER: Final = 2**31 - 1
"""The largest value of an IntegerField."""

LARGEST_BIG_INTEGER: Final = 2**63 - 1
"""The largest value of a BigIntegerField."""

LONGEST_PAUSE: Final = 3_600.0
"""The longest pause in seconds, both of a host that requests one and of a job that is postponed."""

SHORTEST_PAUSE: Final = 1.0
"""The shortest pause of a host in seconds, so that ``Retry-After: 0`` does not cause a busy loop."""

HOST_LENGTH: Final = 260
"""Characters of the longest registry host with its port."""

_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")


def within(number: int, largest: int) -> int:
    """Return the number, limited to the range from 0 to ``largest``."""
    return max(0, min(number, largest))


def pause_of(seconds: float) -> float:
    """Return the seconds to wait for a host that requested a pause of so many seconds. NaN and negative numbers count
    as the shortest pause."""
    return min(seconds, LONGEST_PAUSE) if seconds > SHORTEST_PAUSE else SHORTEST_PAUSE


def storable(text: str, length: int | None = None) -> str:
    """Return the text without characters that Postgres refuses (NUL, lone surrogates), cut to ``length`` characters."""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)[:length]


def host_of(reference: str) -> str:
    """Return the registry host of a canonical reference, cut to the length of a column."""
    return reference.partition("/")[0][:HOST_LENGTH]


class ReadableDateTimeField(DateTimeField):  # type: ignore[type-arg]
    """A time that can be read whatever value is stored: a row with the year 10000 must not fail a query that reads it.

    Python supports the years 1 to 9999. Postgres stores more of them, and SQLite any text.
    """

    def select_format(self, compiler: Any, sql: str, params: Any) -> tuple[str, Any]:
        if compiler.connection.vendor == "postgresql":
            least, most = "TIMESTAMPTZ '0001-01-02 00:00+00'", "TIMESTAMPTZ '9999-12-30 00:00+00'"
            # GREATEST and LEAST ignore NULL, but NULL has to stay NULL.
            return f"CASE WHEN {sql} IS NOT NULL THEN GREATEST({least}, LEAST({most}, {sql})) END", (*params, *params)
        return f"CASE WHEN julianday({sql}) IS NOT NULL THEN {sql} END", (*params, *params)

    def deconstruct(self) -> Any:
        """Return the field as a plain DateTimeField, because migrations do not depend on how the column is read."""
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.DateTimeField", args, kwargs
