"""Leases for writing an index of referrers, in the database: the engine's lock across all workers."""

from __future__ import annotations

from typing import Final

import structlog
from django.db import DatabaseError, InterfaceError, connection

from mirrors.jobs.queue import work_leases
from mirrors.services import holder_name

log = structlog.get_logger(__name__)

INDEX_LEASE_SECONDS: Final = 30.0
"""The duration of a lease, which is renewed before each write: longer than the time between two writes, and short
enough for processes that wait after the holder was killed."""

LEASE_PREFIX: Final = "index "
"""The prefix of the leases' names. The engine's name for the index follows, a SHA-256 digest."""


class DatabaseIndexLeases:
    """Leases that the engine's threads hold. These threads use the database for nothing else, so each call closes its
    connection."""

    def __init__(self) -> None:
        self._holder = holder_name()

    def hold(self, name: str) -> bool:
        """Acquire or renew a lease. Returns False if another process holds it, or if the database is unavailable,
        because another process may be writing then."""
        try:
            return work_leases.hold(f"{LEASE_PREFIX}{name}", self._holder, INDEX_LEASE_SECONDS)
        except (DatabaseError, InterfaceError) as error:
            log.warning("Cannot read the lease of a referrers index; waiting", error=str(error))
            return False
        finally:
            connection.close()

    def release(self, name: str) -> None:
        try:
            work_leases.release_lease(f"{LEASE_PREFIX}{name}", self._holder)
        except (DatabaseError, InterfaceError) as error:
            log.info("The lease of a referrers index cannot be released and will expire", error=str(error))
        finally:
            connection.close()
