"""The input of decisions: configuration file, operators' rows and kill switch, compiled and replaced as a whole.

A separate thread watches the file and the switch, so that a slow database cannot delay it. The database thread delivers
the rows within two seconds of an edit.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog

from mirrors.filters import CompiledFilter, InvalidFilterError, compile_filter
from mirrors.oci import RegistryAccess
from mirrors.registries.allowed import AllowedSources
from mirrors.registries.credentials import CredentialError
from mirrors.registries.sources import SourceCatalog, SourceEntry
from mirrors.registries.targets import target_driver
from swapper_project.config import Config, ConfigSource
from swapper_project.process import logs
from swapper_project.process.environment import Environment
from swapper_project.process.kill_switch import Switch
from webhook.decision.decision import ReviewPolicy
from webhook.decision.suspensions import NO_SUSPENSIONS, RestartLoopKey, Suspensions, TargetState, suspensions_of

log = structlog.get_logger(__name__)

WATCH_EVERY: Final = 1.0
"""Seconds between two checks of the configuration file and the kill switch file."""


@dataclass(frozen=True, slots=True)
class OperatorRows:
    """Rows of the database that decisions use: filters, as (name, expression), and source registries that operators
    added in the admin or by API; and, from the watchers, the states of targets and the restart loops, each with the
    time at which it expires (seconds since the epoch)."""

    filters: Sequence[tuple[str, str]] = ()
    sources: Sequence[SourceEntry] = ()
    targets: Sequence[TargetState] = ()
    loops: Mapping[RestartLoopKey, float] = field(default_factory=dict)
    node_platforms: tuple[str, ...] | None = None
    """Platforms of the cluster's nodes; empty: no watcher has listed the nodes. None: not looked up."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One consistent view of the configuration, the operators' rows and the kill switch."""

    config: Config
    policy: ReviewPolicy
    sources: SourceCatalog
    target_access: RegistryAccess | None
    """None if the target cannot be queried, because its credentials cannot be read."""
    suspensions: Suspensions = NO_SUSPENSIONS
    node_platforms: tuple[str, ...] | None = None
    """As in ``OperatorRows``, but None unless ``platforms: auto`` is configured."""

    def label(self, host: str) -> str:
        """Return the label of a registry's host in metrics."""
        return host if host == self.policy.target.endpoint else self.sources.label(host)

    @property
    def waits_for_copies(self) -> bool:
        return self.policy.copy_policy in {"immediate", "force"}


class Snapshots:
    """Holds the active snapshot, and replaces it when one of its inputs changes."""

    def __init__(self, *, source: ConfigSource, environment: Environment) -> None:
        self._source = source
        self._environment = environment
        self._rows = OperatorRows()
        self._problem = ""
        self._lock = threading.Lock()
        self._switch = Switch(environment)
        self._switched_off = self._switch.is_off()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="configuration", daemon=True)
        self.current = self._compose()
        self.after_check: Callable[[], None] = lambda: None
        """Called after each check of the file and the switch."""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(5)

    @property
    def problem(self) -> str | None:
        """The reason why the current content of the configuration file is not active; None if it is."""
        return self._source.problem

    def target(self) -> tuple[str, str]:
        """Return endpoint and prefix of the active target."""
        name = self.current.policy.target
        return name.endpoint, name.prefix

    def apply_rows(self, rows: OperatorRows) -> None:
        with self._lock:
            self._rows = rows
            self.current = self._compose()

    def _watch(self) -> None:
        while not self._stopping.wait(WATCH_EVERY):
            try:
                self._check()
                self.after_check()
            except Exception:
                log.exception("Checking for a changed configuration failed; the last valid version stays active")

    def _check(self) -> None:
        switched_off = self._switch.is_off()
        self._source.poll(self._apply_config)
        # The password file is read again: it may have been created after the start, or rotated.
        access = self._target_access(self._source.current)
        if switched_off != self._switched_off or access != self.current.target_access:
            with self._lock:
                if switched_off != self._switched_off:
                    log.warning("Swapping is switched off" if switched_off else "Swapping is switched on again")
                self._switched_off = switched_off
                self.current = self._compose()

    def _apply_config(self) -> None:
        """Apply the changed configuration: reviews use it from now on."""
        logs.configure(self._source.current.log_level, self._source.current.log_format)
        with self._lock:
            self.current = self._compose()

    def _compose(self) -> Snapshot:
        config = self._source.current
        return compose(
            config,
            self._rows,
            credentials_dir=self._environment.credentials_dir,
            switched_off=self._switched_off,
            target_access=self._target_access(config),
        )

    def _target_access(self, config: Config) -> RegistryAccess | None:
        try:
            access = target_driver(config, credentials_dir=self._environment.credentials_dir).access()
            # The problem is solved: if it occurs again later, it is logged again.
            self._problem = ""
            return access
        except CredentialError as error:
            if str(error) != self._problem:
                log.error("The target registry cannot be used", error=str(error))
            self._problem = str(error)
            return None


def compose(
    config: Config,
    rows: OperatorRows,
    *,
    credentials_dir: Path,
    switched_off: bool = False,
    target_access: RegistryAccess | None = None,
) -> Snapshot:
    """Return the snapshot of a configuration and the operators' rows."""
    sources = SourceCatalog.of(config, rows.sources, credentials_dir=credentials_dir)
    return Snapshot(
        config=config,
        policy=policy_of(config, rows.filters, sources, switched_off=switched_off),
        sources=sources,
        suspensions=suspensions_of(
            config.cluster_name,
            config.target.name.endpoint,
            targets=rows.targets,
            loops=rows.loops,
            keeps_sources=config.on_target_unhealthy == "keep",
        ),
        target_access=target_access,
        node_platforms=rows.node_platforms if config.platforms == "auto" else None,
    )


def policy_of(
    config: Config, filters: Sequence[tuple[str, str]], sources: SourceCatalog, *, switched_off: bool = False
) -> ReviewPolicy:
    """Return the policy of a configuration, with the filters that operators added."""
    file_filters = [(f"source.filters[{i}]", f.jmespath) for i, f in enumerate(config.source.filters)]
    return ReviewPolicy(
        target=config.target.name,
        filters=_compiled([*file_filters, *filters]),
        swap_policy=config.image_swap_policy,
        copy_policy=config.image_copy_policy,
        private_images=config.private_images,
        respects_opt_out=config.opt_out == "pods",
        skips_known_operators=config.skip_known_operators,
        dry_run=config.dry_run,
        switched_off=switched_off,
        annotate=config.annotate,
        refresh_age=config.refresh_age,
        allows_source=AllowedSources(config.source.allowed_hosts, sources.is_configured),
    )


def _compiled(filters: Sequence[tuple[str, str]]) -> tuple[CompiledFilter, ...]:
    compiled: list[CompiledFilter] = []
    for name, expression in filters:
        try:
            compiled.append(compile_filter(name, expression))
        except InvalidFilterError as error:
            log.error("A filter does not compile and is left out", filter=name, error=str(error))
    return tuple(compiled)
