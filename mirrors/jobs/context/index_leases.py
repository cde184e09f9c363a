"""Leases to write an index of referrers, in the database: the engine's lock over all workers."""

from __future__ import annotations

from typing import Final

import structlog
from django.db import DatabaseError, InterfaceError, connection

from mirrors.jobs.queue import work_leases
from mirrors.services import holder_name

log = structlog.get_logger(__name__)

INDEX_LEASE_SECONDS: Final = 30.0
"""Renewed before each write: longer than what comes between two of them, and short for those who wait after a kill."""

LEASE_PREFIX: Final = "index "
"""Of the leases' names: the digest of what is written follows."""


class DatabaseIndexLeases:
    """Held by the engine's threads, which have no connection at any other time: each question closes its own."""

    def __init__(self) -> None:
        self._holder = holder_name()

    def hold(self, name: str) -> bool:
        """False also where the database is unavailable: then nobody can say that no other process writes."""
        try:
            return work_leases.hold(f"{LEASE_PREFIX}{name}", self._holder, INDEX_LEASE_SECONDS)
        except (DatabaseError, InterfaceError) as error:
            log.warning("Cannot read the lease of a referrers index; waiting", error=str(error))
            return False
        finally:
            connection.close()

    def give_back(self, name: str) -> None:
        try:
            work_leases.give_back(f"{LEASE_PREFIX}{name}", self._holder)
        except (DatabaseError, InterfaceError) as error:
            log.info("The lease of an index of referrers expires by itself", error=str(error))
        finally:
            connection.close()
