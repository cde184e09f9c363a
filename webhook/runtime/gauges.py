"""Gauges of a webhook process. They are published every second, so that any process can serve current values."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from mirrors.vocabulary.reasons import Reason
from swapper_project.process.monitoring import metrics
from webhook.database.lru_cache import RecentMaximum
from webhook.database.thread import DatabaseThread
from webhook.decision.snapshot import Snapshots
from webhook.knowledge.circuit_breaker import CircuitBreaker

if TYPE_CHECKING:
    from swapper_project.process.private_files.certificates import ReloadingContext


class Gauges:
    """Publishes the gauges of this process. ``certificate`` is set if the process serves HTTPS."""

    def __init__(
        self, snapshots: Snapshots, database: DatabaseThread, breaker: CircuitBreaker, oldest_answer: RecentMaximum
    ) -> None:
        self._snapshots = snapshots
        self._database = database
        self._breaker = breaker
        self._oldest_answer = oldest_answer
        self._published_hosts: set[str] = set()
        self.certificate: ReloadingContext | None = None

    def initialize(self) -> None:
        """Start the counters that alerts use at 0, because Prometheus sees no increase in a series that starts at 1.
        Then publish the gauges."""
        for operation in ("CREATE", "UPDATE"):
            metrics.ADMISSIONS.labels(operation, "error")
        for reason in (Reason.TAMPERED, Reason.IMMUTABLE_CONFLICT):
            metrics.IMAGES.labels("keep", reason.value)
        self.publish()

    def publish(self) -> None:
        snapshot = self._snapshots.current
        for compiled in snapshot.policy.filters:
            metrics.FILTER_ERRORS.labels(compiled.name)
        metrics.DRY_RUN.set(snapshot.policy.dry_run)
        metrics.SWAP_ENABLED.set(not snapshot.policy.switched_off)
        metrics.CONFIG_PROBLEM.set(self._snapshots.problem is not None)
        metrics.DATABASE_AVAILABLE.set(not self._database.is_unavailable())
        metrics.EXISTENCE_STALE_SECONDS.set(self._oldest_answer.value())
        self._published_hosts.add(snapshot.label(snapshot.policy.target.endpoint))
        self._publish_breaker({snapshot.label(host) for host in self._breaker.open_hosts()})
        self.publish_certificate()

    def publish_certificate(self) -> None:
        """Publish the expiry and the problem of the certificate. This also checks its files, so that a pair that cannot
        be used, or an expired pair that is still in use, is reported before a client connects."""
        if self.certificate is None:
            return
        self.certificate.current()
        remaining = (self.certificate.expires_at - dt.datetime.now(dt.UTC)).total_seconds()
        metrics.CERTIFICATE_EXPIRY.set(remaining)
        metrics.CERTIFICATE_PROBLEM.set(bool(self.certificate.problem))

    def _publish_breaker(self, open_hosts: set[str]) -> None:
        """Publish 1 for hosts with an open breaker, and 0 for all hosts seen before: a series that disappears does not
        resolve an alert."""
        self._published_hosts |= open_hosts
        for host in self._published_hosts:
            metrics.BREAKER_OPEN.labels(host).set(host in open_hosts)
