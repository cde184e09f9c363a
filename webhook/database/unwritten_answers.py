"""Answers of the target that the database does not have yet; only the database thread touches these."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from mirrors import services
from mirrors.selectors.images.mapping_snapshot import MappingSnapshot
from mirrors.services import TargetAnswer
from webhook.database.chores import DATABASE_AWAY
from webhook.database.pending_writes import BUFFERED

ANSWERS_AT_ONCE: Final = 200
"""In one transaction: look-ups must not wait behind all of them."""


class UnwrittenAnswers:
    """By source; the newest one of each."""

    def __init__(self) -> None:
        self._answers: dict[str, TargetAnswer] = {}

    def add(self, answers: Mapping[str, TargetAnswer]) -> None:
        if len(self._answers) < BUFFERED:
            self._answers |= answers

    def applied_to(self, known: MappingSnapshot) -> MappingSnapshot:
        """The mapping as the target answered, where that is newer than what the database has."""
        answer = self._answers.get(known.source)
        if answer is None:
            return known
        asked_at = time.time() - (time.monotonic() - answer.asked_at)
        if known.verified_at >= asked_at:
            return known
        return replace(known, existence=answer.existence, verified_at=asked_at)

    def write(self, target_registry_id: int | None) -> bool:
        """Write a part of them, in a transaction of its own; whether more is left."""
        part = dict(itertools.islice(self._answers.items(), ANSWERS_AT_ONCE))
        if not part or target_registry_id is None:
            return False
        try:
            services.record_existence(target_registry_id=target_registry_id, answers=part)
        except DATABASE_AWAY:
            raise
        except Exception:
            # What the database can't take once it never takes, and the others must not wait behind it.
            self._drop(part)
            raise
        self._drop(part)
        return bool(self._answers)

    def _drop(self, part: Mapping[str, TargetAnswer]) -> None:
        for source in part:
            del self._answers[source]
