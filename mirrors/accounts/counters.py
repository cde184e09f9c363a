"""Counters over all processes: Django's cache in the database, with a counter in one statement."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.core.cache.backends.db import DatabaseCache
from django.db import connections, router


@dataclass(frozen=True, slots=True)
class Count:
    """The number of events in the window that ends at ``ends_at``."""

    number: int
    ends_at: datetime


class CountingCache(DatabaseCache):
    """Adds ``count``. The cache's own ``incr`` reads and writes, so that two processes count one for two."""

    def count(self, key: str, *, seconds: int) -> Count:
        """Counts an event; a window starts with its first event. Raises DatabaseError."""
        database = router.db_for_write(self.cache_model_class)
        connection = connections[database]
        now = datetime.now(tz=UTC).replace(microsecond=0)
        adapt = connection.ops.adapt_datetimefield_value
        ends_at = now + timedelta(seconds=seconds)
        table = connection.ops.quote_name(self.cache_model_class._meta.db_table)
        # Both columns see the row as it was; SQLite and Postgres know this form of an upsert alike.
        sql = f"""
            INSERT INTO {table} (cache_key, value, expires) VALUES (%s, '1', %s)
            ON CONFLICT (cache_key) DO UPDATE SET
                value = CASE WHEN {table}.expires > %s
                    THEN CAST(CAST({table}.value AS integer) + 1 AS text) ELSE '1' END,
                expires = CASE WHEN {table}.expires > %s THEN {table}.expires ELSE excluded.expires END
            RETURNING value, expires
        """  # noqa: S608
        with connection.cursor() as cursor:
            given = [self.make_and_validate_key(key), adapt(ends_at), adapt(now), adapt(now)]
            cursor.execute(sql, given)
            value, expires = cursor.fetchone()
        return Count(int(value), _moment(expires))


def network_of(address: str) -> str:
    """The client behind an address: one subscriber has a whole /64 of IPv6."""
    try:
        return str(ipaddress.ip_network(f"{address}/64", strict=False)) if ":" in address else address
    except ValueError:
        return ""


def _moment(value: datetime | str) -> datetime:
    """SQLite gives the text that it was given."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
