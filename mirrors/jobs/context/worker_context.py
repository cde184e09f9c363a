"""The context of a worker process: configuration, engine, mount index and heartbeat. Created after the fork."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

from django.conf import settings

from mirrors import selectors
from mirrors.jobs.context.database_mounts import DatabaseMounts
from mirrors.jobs.context.index_leases import DatabaseIndexLeases
from mirrors.jobs.limits.budget_keeper import BudgetKeeper
from mirrors.jobs.limits.pull_limits import PullLimits
from mirrors.jobs.queue.heartbeat import Heartbeat
from mirrors.jobs.timing import timing
from mirrors.kubernetes.api_server import cluster_credentials
from mirrors.kubernetes.api_server.api_client import ClusterError
from mirrors.oci import Engine, EngineSettings
from mirrors.oci.distribution.budgets import RequestBudgets
from mirrors.registries import cloud_tokens
from mirrors.registries.credentials import CredentialError
from mirrors.registries.registry_driver import RegistryDriver
from mirrors.registries.request_limits import budget_finder
from mirrors.registries.sources import SourceCatalog, SourceEntry
from mirrors.registries.targets import target_driver
from swapper_project.config import Config, ConfigSource
from swapper_project.process.monitoring import metrics


class WorkerContext:
    """The context of a worker process. It lives as long as the process, so that all drains share its connections,
    tokens and known blobs."""

    def __init__(self, source: ConfigSource) -> None:
        self._source = source
        self._next_poll = 0.0
        self._lock = threading.Lock()
        self.mounts = DatabaseMounts()
        self._index_leases = DatabaseIndexLeases()
        self.heartbeat = Heartbeat()
        self.pull_limits = PullLimits(lambda host: self._known_hosts.username(host), self._reserve)
        self.budgets = RequestBudgets(budget_finder(lambda: source.current))
        self._settings = engine_settings(source.current)
        self._known_hosts = self.catalog_of([])
        self._catalog_config: Config | None = None
        self._catalog_until = 0.0
        self.engine = self._new_engine()
        self._keeper = BudgetKeeper(self.budgets, lambda: self.engine)
        self.heartbeat.start()
        self._keeper.start()

    @property
    def config(self) -> Config:
        """The active configuration. The file is checked for changes every ``config_poll`` seconds."""
        with self._lock:
            if time.monotonic() >= self._next_poll:
                self._next_poll = time.monotonic() + timing().config_poll
                self._source.poll()
        return self._source.current

    @property
    def is_outdated(self) -> bool:
        """Whether the engine was created with other settings than the configuration now contains."""
        return engine_settings(self.config) != self._settings

    def renew_engine(self) -> None:
        """Replace the engine if the copy settings have changed. Call this only while no copy is running."""
        new_settings = engine_settings(self.config)
        if new_settings != self._settings:
            self.engine.close()
            self._settings = new_settings
            self.engine = self._new_engine()

    def catalog(self) -> SourceCatalog:
        """Return the source registries of the configuration file and of operators. Changes by operators apply within
        ``config_poll`` seconds."""
        config, now = self.config, time.monotonic()
        if config is not self._catalog_config or now >= self._catalog_until:
            self._known_hosts = selectors.catalog_of(config, read_secret=_password)
            self._catalog_config, self._catalog_until = config, now + timing().config_poll
        return self._known_hosts

    def catalog_of(self, entries: Iterable[SourceEntry]) -> SourceCatalog:
        """Return a catalog of only these registries."""
        return SourceCatalog(
            entries,
            credentials_dir=settings.ENVIRONMENT.credentials_dir,
            trusted_ca=self._source.current.trusted_ca,
            read_secret=_password,
        )

    def driver(self) -> RegistryDriver:
        return target_driver(self.config, credentials_dir=settings.ENVIRONMENT.credentials_dir)

    def _new_engine(self) -> Engine:
        return Engine(
            self._settings,
            mounts=self.mounts,
            on_request=metrics.request_counter(self._label),
            on_remaining=self.pull_limits.record,
            budgets=self.budgets,
            index_leases=self._index_leases,
        )

    def _reserve(self, authenticated: bool) -> int:
        reserve = self._source.current.pull_reserve
        return reserve.authenticated if authenticated else reserve.anonymous

    def _label(self, host: str) -> str:
        return host if host == self._source.current.target.name.endpoint else self._known_hosts.label(host)

    def close(self) -> None:
        self.engine.close()
        cloud_tokens.close_all()
        self.heartbeat.stop()
        self._keeper.stop()
        self.mounts.close()


def _password(reference: str) -> str:
    """Return the password in the Secret ``NAME/KEY``. Raises CredentialError if it cannot be read."""
    try:
        return cluster_credentials.password(reference)
    except ClusterError as error:
        raise CredentialError(str(error), says_step=error.says_step) from None


def engine_settings(config: Config) -> EngineSettings:
    copy = config.copy_
    return EngineSettings(
        images=copy.images, blobs=copy.blobs, max_image_bytes=copy.max_image_bytes, trusted_ca=config.trusted_ca
    )


Stop = Callable[[], bool]
