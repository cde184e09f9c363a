"""Answers the messages of request threads to the database thread: lookups first, then requests, then waits for jobs.

Only the database thread calls these methods, except ``is_over_quota``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from mirrors import services
from swapper_project.config import Quotas
from webhook.database.chores import ErrorBarrier
from webhook.database.job_waiters import JobWaiters
from webhook.database.lru_cache import LRUCache
from webhook.database.mapping_cache import MappingCache
from webhook.database.thread_messages import JobWait, Lookup, Message, RepositoryLookup, RequestedCopies

OUT_OF_QUOTA_FOR: Final = 10.0
"""Seconds for which a namespace that is out of quota requests no new images, so that it causes no queries."""

MOST_NAMESPACES_OUT_OF_QUOTA: Final = 10_000
"""The maximum number of remembered namespaces out of quota; Kubernetes is tested with this number of namespaces."""


class MessageHandler:
    """Answers messages by means of the cache and the services. ``quotas`` returns the active quotas."""

    def __init__(self, cache: MappingCache, quotas: Callable[[], Quotas], barrier: ErrorBarrier) -> None:
        self._cache = cache
        self._quotas = quotas
        self._barrier = barrier
        self._over_quota: LRUCache[str, float] = LRUCache(MOST_NAMESPACES_OUT_OF_QUOTA)
        self.waits = JobWaiters()

    def is_over_quota(self, namespace: str) -> bool:
        """Return whether the namespace was refused a new image within the last ``OUT_OF_QUOTA_FOR`` seconds."""
        return (self._over_quota.get(namespace) or 0.0) > time.monotonic()

    def handle(self, messages: Sequence[Message]) -> None:
        """Set the futures of the messages. Raises if the database is unavailable; after any other error, the futures of
        the messages concerned stay open."""
        lookups = [m for m in messages if isinstance(m, Lookup)]
        self._barrier.run("look-ups", lambda: self._look_up(lookups))
        for message in messages:
            if isinstance(message, RepositoryLookup):
                self._barrier.run("repositories", partial(self._look_up_repositories, message))
        requests = [m for m in messages if isinstance(m, RequestedCopies)]
        self._barrier.run("requests for copies", lambda: self._request_copies(requests))
        waits = [m for m in messages if isinstance(m, JobWait)]
        self._barrier.run("waits", lambda: self.waits.resolve(waits))

    def _look_up(self, lookups: Sequence[Lookup]) -> None:
        if not lookups:
            return
        mappings = self._cache.look_up({s: target for lookup in lookups for s, target in lookup.targets.items()})
        for lookup in lookups:
            lookup.future.set_result({s: mappings[s] for s in lookup.targets if s in mappings})

    def _look_up_repositories(self, message: RepositoryLookup) -> None:
        message.future.set_result(self._cache.private_mappings_in(message.repositories))

    def _request_copies(self, messages: Sequence[RequestedCopies]) -> None:
        registry_id = self._cache.registry_id
        if not messages or registry_id is None:
            return
        requests = list(dict.fromkeys(request for message in messages for request in message.requests))
        outcomes = services.request_copies(target_registry_id=registry_id, requests=requests, quotas=self._quotas())
        for request, outcome in zip(requests, outcomes, strict=True):
            if outcome.problem == "quota":
                self._over_quota.put(request.namespace, time.monotonic() + OUT_OF_QUOTA_FOR)
        by_source = {outcome.source: outcome for outcome in outcomes}
        for message in messages:
            message.future.set_result([by_source[request.source] for request in message.requests])
