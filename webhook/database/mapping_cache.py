"""Follows what others change in the database: operators' rows by revision, mappings by the time of their change.

Only the database thread calls what is in here, but for ``row``.
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
from webhook.decision.suspensions import Looping, TargetState

log = structlog.get_logger(__name__)

KNOWN: Final = 30_000
"""Mappings in memory; those asked for longest ago are forgotten first."""

MOST_LOADED: Final = 20_000
"""Mappings that are loaded before anybody asks for them: room is left for what comes next."""

LOADED_AT_ONCE: Final = 1_000
"""Mappings a query: look-ups wait behind it."""

LOOKED_UP_AT_ONCE: Final = 1_000
"""Sources a query: databases bound the number of its parameters."""

BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class CachedMapping:
    """A looked-up mapping, or that there is none."""

    known: MappingSnapshot | None


class MappingCache:
    """The mappings that this process knows. ``target`` gives endpoint and prefix of the active target, ``cluster`` the
    name of the cluster whose pods are reviewed. ``unwritten`` answers are applied to what is read from the database,
    which may be older."""

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
        self._rows_of = ""
        self._on_rows = on_rows
        self._rows: LRUCache[str, CachedMapping] = LRUCache(KNOWN)
        self._sources: LRUCache[str, str] = LRUCache(KNOWN)
        self._registry_of: tuple[str, str] | None = None
        self._revisions: dict[str, int] | None = None
        self._seen_revisions: dict[str, int] | None = None
        self._forgotten: dict[str, int] | None = None
        self._watermark: datetime | None = None
        self._changes_full = False
        self.loaded = 0
        """How many mappings were brought into memory before anybody asked for them."""
        self._loaded_until: selectors.Seen | None = None
        self.is_loaded = False
        """Whether the mappings seen most recently are in memory, as many as may be."""
        self.registry_id: int | None = None
        """Key of the target's row; None until ``prepare`` has written it."""

    def row(self, source: str) -> CachedMapping | None:
        """Return what is in memory of a source; None: not looked up yet."""
        return self._rows.get(source)

    def row_at(self, target: str) -> MappingSnapshot | None:
        """Return what is in memory of the mapping that owns a target's name."""
        source = self._sources.get(target)
        row = self._rows.get(source) if source is not None else None
        return row.known if row is not None else None

    def find_registry(self) -> None:
        """Look the target's row up where the configuration names another one than before, or it was missing."""
        target = self._target()
        if self.registry_id is not None and self._registry_of == target:
            return
        self.registry_id = selectors.target_registry_id(endpoint=target[0], prefix=target[1])
        if self.registry_id is None and self._registry_of != target:
            log.warning("The database does not have this target yet: run manage.py prepare", target="/".join(target))
        self._registry_of = target
        self._forget()
        self._watermark = None

    def look_up(self, targets: Mapping[str, str]) -> dict[str, MappingSnapshot]:
        """Mappings by source, also into memory; nothing is remembered while the target has no row."""
        if self.registry_id is None:
            return {}
        found: dict[str, MappingSnapshot] = {}
        names = iter(targets.items())
        while part := dict(itertools.islice(names, LOOKED_UP_AT_ONCE)):
            rows = selectors.known_mappings(target_registry_id=self.registry_id, targets=part)
            found |= {source: self._unwritten.applied_to(known) for source, known in rows.items()}
        for source in targets:
            self._keep(source, found.get(source))
        return found

    def load(self) -> bool:
        """Take one more page of the mappings seen most recently into memory; whether more are left.

        Nothing before the first ``poll``, from which on changes of what is loaded are followed.
        """
        if self._forgotten is None:
            return False
        if self.registry_id is None:
            self.is_loaded = True
            return False
        page, self._loaded_until = selectors.recent_mappings(
            target_registry_id=self.registry_id, before=self._loaded_until, limit=LOADED_AT_ONCE
        )
        for known in page:
            self._rows.put_behind(known.source, CachedMapping(self._unwritten.applied_to(known)))
            self._sources.put_behind(known.target, known.source)
        self.loaded += len(page)
        self.is_loaded = self._loaded_until is None or self.loaded >= MOST_LOADED
        return not self.is_loaded

    def _forget(self) -> None:
        """Begin again with nothing in memory."""
        self._rows.clear()
        self._sources.clear()
        self.loaded, self._loaded_until, self.is_loaded = 0, None, False

    def inside(self, repositories: Sequence[str]) -> list[MappingSnapshot]:
        """Mappings of private images whose target lies in one of the repositories, from the database."""
        if self.registry_id is None:
            return []
        return selectors.not_public_in(target_registry_id=self.registry_id, repositories=repositories)

    def _keep(self, source: str, known: MappingSnapshot | None) -> None:
        self._rows.put(source, CachedMapping(known))
        if known is not None and known.source == source:
            self._sources.put(known.target, source)

    def take_answers(self, answers: Mapping[str, TargetAnswer]) -> None:
        """Take the target's own answers, by source, into memory; the database follows."""
        self._unwritten.add(answers)
        for source in answers:
            row = self._rows.get(source)
            if row is not None and row.known is not None:
                self._keep(source, self._unwritten.applied_to(row.known))

    def poll(self) -> None:
        """Take over what has changed of mappings since the last poll."""
        self._seen_revisions, forgotten = selectors.small_table_revisions()
        if forgotten != self._forgotten:
            if self._forgotten is not None:
                self._forget()
            self._forgotten = forgotten
        if self.registry_id is not None:
            self._take(*self._changes(self.registry_id))

    def poll_rows(self) -> None:
        """Take over operators' rows where the last ``poll`` has seen that they changed."""
        cluster = self._cluster()
        if self._seen_revisions != self._revisions or cluster != self._rows_of:
            self._on_rows(
                OperatorRows(
                    filters=tuple(selectors.operator_filters(cluster)),
                    sources=tuple(selectors.operator_sources(cluster)),
                    targets=tuple(TargetState(*row) for row in selectors.suspended_targets()),
                    loops={Looping(*row): end for row, end in selectors.active_loops().items()},
                    node_platforms=platforms_of_nodes(cluster),
                )
            )
            self._revisions, self._rows_of = self._seen_revisions, cluster

    def _changes(self, registry_id: int) -> tuple[Iterable[MappingSnapshot], datetime | None]:
        since = self._watermark
        if since is not None and not self._changes_full:
            since -= selectors.CHANGES_OVERLAP
        changed, newest = selectors.changed_mappings(target_registry_id=registry_id, since=since)
        self._changes_full = len(changed) == selectors.CHANGES_LIMIT
        return changed, newest

    def _take(self, changed: Iterable[MappingSnapshot], newest: datetime | None) -> None:
        for known in changed:
            if known.source in self._rows:
                self._keep(known.source, self._unwritten.applied_to(known))
        self._watermark = max(self._watermark or BEGINNING, newest or BEGINNING)
