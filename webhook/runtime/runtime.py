"""The runtime of a webhook process: snapshots, database thread, registry prober. It is created after the fork."""

from __future__ import annotations

import math
import threading
from functools import cache
from typing import Any, Final

import structlog
from django.conf import settings

from mirrors.oci import Engine, EngineSettings
from swapper_project import config as configuration
from swapper_project.config import ConfigSource
from swapper_project.process import logs
from swapper_project.process.environment import Environment
from swapper_project.process.monitoring import metrics
from swapper_project.process.private_files.certificates import ReloadingContext
from webhook.database.thread import FLUSH_EVERY, DatabaseThread
from webhook.decision.snapshot import Snapshots
from webhook.knowledge.circuit_breaker import BREAKER_REST
from webhook.knowledge.engine_pool import Engines
from webhook.knowledge.gatherer import FactsGatherer
from webhook.knowledge.registry_prober import RegistryProber
from webhook.review.reviewer import Reviewer
from webhook.runtime.gauges import Gauges

log = structlog.get_logger(__name__)

REQUEST_THREADS: Final = 32
"""Request threads of a webhook process; at most half of them can wait at the same time."""


class Runtime:
    """The components of a webhook, connected to each other. ``start`` starts the threads, ``stop`` flushes and stops
    them.

    An observer decides like a webhook, but publishes no gauges. Raises ConfigError.
    """

    def __init__(self, environment: Environment, *, is_observer: bool = False) -> None:
        self.environment = environment
        self.is_observer = is_observer
        path = configuration.find(str(environment.config) if environment.config else None)
        source = ConfigSource(path, environment.config_overrides)
        self.snapshots = Snapshots(source=source, environment=environment)
        self._engines = Engines(self._new_engine)
        self.database = DatabaseThread(
            target=self.snapshots.target,
            cluster=lambda: self.snapshots.current.config.cluster_name,
            quotas=lambda: self.snapshots.current.config.quotas,
            on_rows=self.snapshots.apply_rows,
            facts=self._facts if settings.WEBHOOK else None,
            preloads=not is_observer,
            flush_every=getattr(settings, "FLUSH_EVERY", FLUSH_EVERY),
        )
        self.prober = RegistryProber(self._engines.head, breaker_rest=getattr(settings, "BREAKER_REST", BREAKER_REST))
        gatherer = FactsGatherer(database=self.database, prober=self.prober, slots=REQUEST_THREADS // 2)
        self.reviewer = Reviewer(snapshots=self.snapshots, database=self.database, gatherer=gatherer)
        self._gauges = Gauges(self.snapshots, self.database, self.prober.breaker, gatherer.oldest_answer)
        self.snapshots.after_check = self._after_check

    def set_certificate(self, certificate: ReloadingContext | None) -> None:
        """Publish in the metrics when this certificate expires, and whether a newer one cannot be used."""
        self._gauges.certificate = certificate
        self._gauges.publish_certificate()

    def start(self) -> None:
        if not self.is_observer:
            self._gauges.initialize()
        self.snapshots.start()
        self.database.start()

    def stop(self) -> None:
        self.snapshots.stop()
        self.database.stop()
        self.prober.close()
        self._engines.close()

    def _facts(self) -> dict[str, Any]:
        """Return the facts of this webhook that the dashboard shows."""
        policy, certificate = self.snapshots.current.policy, self._gauges.certificate
        return {
            "target": "/".join(filter(None, self.snapshots.target())),
            "dry_run": policy.dry_run,
            "switched_off": policy.switched_off,
            "problem": self.snapshots.problem or "",
            "certificate_expires_at": certificate.expires_at.isoformat() if certificate else None,
            "certificate_problem": certificate.problem if certificate else "",
        }

    def is_ready(self) -> bool:
        """Return whether known images are in memory, or waiting for them is pointless, because the database is slow or
        unavailable."""
        return self.database.is_ready()

    def budget(self, timeout: float | None = None) -> float:
        """Return the seconds that a review can take. ``timeout`` is the time that the API server waits, if its request
        specifies one."""
        snapshot = self.snapshots.current
        base = snapshot.config.image_copy_deadline if snapshot.waits_for_copies else 2.0
        api_timeout = min(timeout or math.inf, self.environment.webhook_timeout)
        return max(0.2, min(base, api_timeout - 1.0))

    def _new_engine(self) -> Engine:
        # One connection for each request thread; threads for blobs never start, because this process copies nothing.
        return Engine(
            EngineSettings(images=REQUEST_THREADS, blobs=1, trusted_ca=self.snapshots.current.config.trusted_ca),
            on_request=metrics.request_counter(lambda host: self.snapshots.current.label(host)),
        )

    def _after_check(self) -> None:
        if self.snapshots.current.config.trusted_ca != self._engines.settings.trusted_ca:
            self._engines.replace()
        if not self.is_observer:
            self._gauges.publish()


_LOCK = threading.Lock()


@cache
def _create_runtime() -> Runtime:
    runtime = Runtime(settings.ENVIRONMENT)
    config = runtime.snapshots.current.config
    logs.configure(config.log_level, config.log_format)
    for warning in config.warnings:
        log.warning(warning)
    runtime.start()
    return runtime


def runtime() -> Runtime:
    """Return the runtime of this process, which the first call creates. Raises ConfigError."""
    with _LOCK:
        return _create_runtime()


@cache
def _create_observer() -> Runtime:
    created = Runtime(settings.ENVIRONMENT, is_observer=True)
    created.start()
    return created


def observer() -> Runtime:
    """Return the runtime that the web process uses to explain the webhook's decisions; the first call creates it.
    Raises ConfigError."""
    with _LOCK:
        return _create_observer()


def stop() -> None:
    """Stop the runtimes that this process has created, if any."""
    for create in (_create_runtime, _create_observer):
        if create.cache_info().currsize:
            create().stop()
            create.cache_clear()
