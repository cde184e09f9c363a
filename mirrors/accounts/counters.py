"""Counters that all processes share: Django's cache in the database, with a counter that is one SQL statement."""

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
    """Django's database cache with a counter. Its own ``incr`` reads and then writes, so that two processes can count
    two events as one."""

    def count(self, key: str, *, seconds: int) -> Count:
        """Count an event, and return the count of its window. A window starts with its first event and lasts
        ``seconds``. Raises DatabaseError."""
        database = router.db_for_write(self.cache_model_class)
        connection = connections[database]
        now = datetime.now(tz=UTC).replace(microsecond=0)
        adapt = connection.ops.adapt_datetimefield_value
        ends_at = now + timedelta(seconds=seconds)
        table = connection.ops.quote_name(self.cache_model_class._meta.db_table)
        # Both expressions see the row before the update. SQLite and Postgres both support this form of an upsert.
        sql = f"""
            INSERT INTO {table} (cache_key, value, expires) VALUES (%s, '1', %s)
            ON CONFLICT (cache_key) DO UPDATE SET
                value = CASE WHEN {table}.expires > %s
                    THEN CAST(CAST({table}.value AS integer) + 1 AS text) ELSE '1' END,
                expires = CASE WHEN {table}.expires > %s THEN {table}.expires ELSE excluded.expires END
            RETURNING value, expires
        """  # noqa: S608
        with connection.cursor() as cursor:
            parameters = [self.make_and_validate_key(key), adapt(ends_at), adapt(now), adapt(now)]
            cursor.execute(sql, parameters)
            value, expires = cursor.fetchone()
        return Count(int(value), _aware_time(expires))


def network_of(address: str) -> str:
    """Return the network of a client by its address: the /64 of an IPv6 address, because one subscriber has a whole
    /64. Empty for an invalid IPv6 address."""
    try:
        return str(ipaddress.ip_network(f"{address}/64", strict=False)) if ":" in address else address
    except ValueError:
        return ""


def _aware_time(value: datetime | str) -> datetime:
    """Return a time with its zone. SQLite returns the text that was stored."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
