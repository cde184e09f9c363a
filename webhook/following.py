"""Follows what others change in the database: operators' rows by revision, mappings by the time of their change.

Only the store's thread calls what is in here, but for ``row``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import structlog

from mirrors import selectors
from mirrors.known import KnownMapping
from mirrors.services import TargetAnswer
from webhook.memory import BoundedMap
from webhook.snapshot import OperatorRows

log = structlog.get_logger(__name__)

KNOWN: Final = 30_000
"""Mappings in memory; those asked for longest ago are forgotten first."""

BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Row:
    """A looked-up mapping, or that there is none."""

    known: KnownMapping | None


class Follower:
    """What this process knows of mappings. ``target`` gives endpoint and prefix of the target in force."""

    def __init__(self, *, target: Callable[[], tuple[str, str]], on_rows: Callable[[OperatorRows], None]) -> None:
        self._target = target
        self._on_rows = on_rows
        self._rows: BoundedMap[str, Row] = BoundedMap(KNOWN)
        self._sources: BoundedMap[str, str] = BoundedMap(KNOWN)
        self._registry_of: tuple[str, str] | None = None
        self._revisions: dict[str, int] | None = None
        self._forgotten: dict[str, int] | None = None
        self._watermark: datetime | None = None
        self._changes_full = False
        self.registry_id: int | None = None
        """Key of the target's row; None until ``prepare`` has written it."""

    def row(self, source: str) -> Row | None:
        """What is in memory of a source; None: not looked up yet."""
        return self._rows.get(source)

    def row_at(self, target: str) -> KnownMapping | None:
        """What is in memory of the mapping that owns a target's name."""
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
            log.warning("The database does not know this target yet: run manage.py prepare", target="/".join(target))
        self._registry_of = target
        self._rows.clear()
        self._sources.clear()
        self._watermark = None

    def look_up(self, targets: Mapping[str, str]) -> dict[str, KnownMapping]:
        """Mappings by source, also into memory; nothing is remembered while the target has no row."""
        if self.registry_id is None:
            return {}
        found = selectors.known_mappings(target_registry_id=self.registry_id, targets=targets)
        for source in targets:
            self._keep(source, found.get(source))
        return found

    def inside(self, repository: str) -> list[KnownMapping]:
        """Mappings whose target lies in a repository, from the database."""
        if self.registry_id is None:
            return []
        return selectors.targets_in(target_registry_id=self.registry_id, repository=repository)

    def _keep(self, source: str, known: KnownMapping | None) -> None:
        self._rows.put(source, Row(known))
        if known is not None and known.source == source:
            self._sources.put(known.target, source)

    def take_answers(self, answers: Mapping[str, TargetAnswer]) -> None:
        """What the target itself said, by source, into memory; the database follows."""
        for source, answer in answers.items():
            row = self._rows.get(source)
            asked_at = time.time() - (time.monotonic() - answer.asked_at)
            if row is not None and row.known is not None and row.known.verified_at < asked_at:
                known = replace(row.known, existence=answer.existence, verified_at=asked_at)
                self._keep(source, known)

    def poll(self) -> None:
        """Take over what has changed since the last poll."""
        revisions, forgotten = selectors.small_table_revisions()
        if forgotten != self._forgotten:
            self._rows.clear()
            self._sources.clear()
            self._forgotten = forgotten
        if revisions != self._revisions:
            self._on_rows(OperatorRows(tuple(selectors.operator_filters()), tuple(selectors.operator_sources())))
            self._revisions = revisions
        if self.registry_id is not None:
            self._take(*self._changes(self.registry_id))

    def _changes(self, registry_id: int) -> tuple[Iterable[KnownMapping], datetime | None]:
        since = self._watermark
        if since is not None and not self._changes_full:
            since -= selectors.CHANGES_OVERLAP
        changed, newest = selectors.changed_mappings(target_registry_id=registry_id, since=since)
        self._changes_full = len(changed) == selectors.CHANGES_LIMIT
        return changed, newest

    def _take(self, changed: Iterable[KnownMapping], newest: datetime | None) -> None:
        for known in changed:
            if known.source in self._rows:
                self._keep(known.source, known)
        self._watermark = max(self._watermark or BEGINNING, newest or BEGINNING)
