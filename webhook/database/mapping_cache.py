"""Follows the changes that other processes make in the database: of operators' rows by revision, of mappings by the
time of their change.

Only the database thread calls these methods, except ``row`` and ``row_at``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog

from mirrors import selectors
from mirrors.selectors.clusters.node_platforms import platforms_of_nodes
from mirrors.selectors.images.mapping_snapshot import MappingSnapshot
from mirrors.services import TargetAnswer
from webhook.database.lru_cache import LRUCache
from webhook.database.unwritten_answers import UnwrittenAnswers
from webhook.decision.snapshot import OperatorRows
from webhook.decision.suspensions import RestartLoopKey, TargetState

log = structlog.get_logger(__name__)

MOST_CACHED_MAPPINGS: Final = 30_000
"""The maximum number of mappings in memory; the least recently used ones are dropped first."""

MOST_LOADED: Final = 20_000
"""The maximum number of mappings that are loaded in advance: this leaves room for those that reviews look up later."""

MAPPINGS_PER_LOAD: Final = 1_000
"""The maximum number of mappings per query, because lookups wait for it."""

SOURCES_PER_QUERY: Final = 1_000
"""The maximum number of sources per query: databases limit the number of its parameters."""

BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class CachedMapping:
    """The result of a lookup: a mapping, or None if the database has no mapping."""

    mapping: MappingSnapshot | None


class MappingCache:
    """The mappings in the memory of this process. ``target`` returns endpoint and prefix of the active target,
    ``cluster`` the name of the cluster whose pods are reviewed. ``unwritten`` answers are applied to the rows that are
    read from the database, because these may be older."""

    def __init__(
        self,
        *,
        unwritten: UnwrittenAnswers,
        target: Callable[[], tuple[str, str]],
        cluster: Callable[[], str],
        on_rows: Callable[[OperatorRows], None],
    ) -> None:
        self._unwritten = unwritten
        self._target = target
        self._cluster = cluster
        self._rows_cluster = ""
        self._on_rows = on_rows
        self._rows: LRUCache[str, CachedMapping] = LRUCache(MOST_CACHED_MAPPINGS)
        self._sources: LRUCache[str, str] = LRUCache(MOST_CACHED_MAPPINGS)
        self._registry_target: tuple[str, str] | None = None
        self._revisions: dict[str, int] | None = None
        self._seen_revisions: dict[str, int] | None = None
        self._deletion_revisions: dict[str, int] | None = None
        self._watermark: datetime | None = None
        self._changes_full = False
        self.loaded = 0
        """The number of mappings that were loaded in advance."""
        self._loaded_until: selectors.Seen | None = None
        self.is_loaded = False
        """Whether the most recently seen mappings are in memory: all, or at least ``MOST_LOADED``."""
        self.registry_id: int | None = None
        """Key of the target's row; None until ``prepare`` has written it."""

    def row(self, source: str) -> CachedMapping | None:
        """Return the cached result for a source; None if it is not in memory."""
        return self._rows.get(source)

    def row_at(self, target: str) -> MappingSnapshot | None:
        """Return the cached mapping that owns the name of a target image; None if it is not in memory."""
        source = self._sources.get(target)
        row = self._rows.get(source) if source is not None else None
        return row.mapping if row is not None else None

    def find_registry(self) -> None:
        """Look up the row of the target registry, if the configured target has changed or the row did not exist."""
        target = self._target()
        if self.registry_id is not None and self._registry_target == target:
            return
        self.registry_id = selectors.target_registry_id(endpoint=target[0], prefix=target[1])
        if self.registry_id is None and self._registry_target != target:
            log.warning("The database does not have this target yet: run manage.py prepare", target="/".join(target))
        self._registry_target = target
        self._clear()
        self._watermark = None

    def look_up(self, targets: Mapping[str, str]) -> dict[str, MappingSnapshot]:
        """Return mappings by source, and cache the results. While the target has no row, return and cache nothing."""
        if self.registry_id is None:
            return {}
        found: dict[str, MappingSnapshot] = {}
        names = iter(targets.items())
        while part := dict(itertools.islice(names, SOURCES_PER_QUERY)):
            rows = selectors.known_mappings(target_registry_id=self.registry_id, targets=part)
            found |= {source: self._unwritten.applied_to(mapping) for source, mapping in rows.items()}
        for source in targets:
            self._store(source, found.get(source))
        return found

    def load(self) -> bool:
        """Load one more page of the most recently seen mappings into memory. Return whether more are left.

        Load nothing before the first ``poll``, because changes are followed only from that poll on.
        """
        if self._deletion_revisions is None:
            return False
        if self.registry_id is None:
            self.is_loaded = True
            return False
        page, self._loaded_until = selectors.recent_mappings(
            target_registry_id=self.registry_id, before=self._loaded_until, limit=MAPPINGS_PER_LOAD
        )
        for mapping in page:
            self._rows.put_oldest(mapping.source, CachedMapping(self._unwritten.applied_to(mapping)))
            self._sources.put_oldest(mapping.target, mapping.source)
        self.loaded += len(page)
        self.is_loaded = self._loaded_until is None or self.loaded >= MOST_LOADED
        return not self.is_loaded

    def _clear(self) -> None:
        """Clear the memory, so that loading starts again."""
        self._rows.clear()
        self._sources.clear()
        self.loaded, self._loaded_until, self.is_loaded = 0, None, False

    def private_mappings_in(self, repositories: Sequence[str]) -> list[MappingSnapshot]:
        """Return the mappings of private images whose target is in one of the repositories, from the database."""
        if self.registry_id is None:
            return []
        return selectors.not_public_in(target_registry_id=self.registry_id, repositories=repositories)

    def _store(self, source: str, mapping: MappingSnapshot | None) -> None:
        self._rows.put(source, CachedMapping(mapping))
        if mapping is not None and mapping.source == source:
            self._sources.put(mapping.target, source)

    def apply_answers(self, answers: Mapping[str, TargetAnswer]) -> None:
        """Apply the target's own answers, by source, to the mappings in memory. The database is written later."""
        self._unwritten.add(answers)
        for source in answers:
            row = self._rows.get(source)
            if row is not None and row.mapping is not None:
                self._store(source, self._unwritten.applied_to(row.mapping))

    def poll(self) -> None:
        """Apply the changes of mappings since the last poll. Clear the memory if mappings were deleted."""
        self._seen_revisions, deletions = selectors.small_table_revisions()
        if deletions != self._deletion_revisions:
            if self._deletion_revisions is not None:
                self._clear()
            self._deletion_revisions = deletions
        if self.registry_id is not None:
            self._apply_changes(*self._read_changes(self.registry_id))

    def poll_rows(self) -> None:
        """Read operators' rows if the last ``poll`` found that they changed, or the cluster has another name."""
        cluster = self._cluster()
        if self._seen_revisions != self._revisions or cluster != self._rows_cluster:
            self._on_rows(
                OperatorRows(
                    filters=tuple(selectors.operator_filters(cluster)),
                    sources=tuple(selectors.operator_sources(cluster)),
                    targets=tuple(TargetState(*row) for row in selectors.suspended_targets()),
                    loops={RestartLoopKey(*row): end for row, end in selectors.active_loops().items()},
                    node_platforms=platforms_of_nodes(cluster),
                )
            )
            self._revisions, self._rows_cluster = self._seen_revisions, cluster

    def _read_changes(self, registry_id: int) -> tuple[Iterable[MappingSnapshot], datetime | None]:
        since = self._watermark
        if since is not None and not self._changes_full:
            since -= selectors.CHANGES_OVERLAP
        changed, newest = selectors.changed_mappings(target_registry_id=registry_id, since=since)
        self._changes_full = len(changed) == selectors.CHANGES_LIMIT
        return changed, newest

    def _apply_changes(self, changed: Iterable[MappingSnapshot], newest: datetime | None) -> None:
        for mapping in changed:
            if mapping.source in self._rows:
                self._store(mapping.source, self._unwritten.applied_to(mapping))
        self._watermark = max(self._watermark or BEGINNING, newest or BEGINNING)
