"""Answers of the target that are not in the database yet; only the database thread uses this module."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from mirrors import services
from mirrors.selectors.images.mapping_snapshot import MappingSnapshot
from mirrors.services import TargetAnswer
from webhook.database.chores import DATABASE_UNAVAILABLE
from webhook.database.pending_writes import MOST_PENDING_ENTRIES

ANSWERS_AT_ONCE: Final = 200
"""The maximum number of answers written in one transaction, because lookups wait for it."""


class UnwrittenAnswers:
    """The newest answer for each source."""

    def __init__(self) -> None:
        self._answers: dict[str, TargetAnswer] = {}

    def add(self, answers: Mapping[str, TargetAnswer]) -> None:
        if len(self._answers) < MOST_PENDING_ENTRIES:
            self._answers |= answers

    def applied_to(self, mapping: MappingSnapshot) -> MappingSnapshot:
        """Return the mapping with the target's answer applied, if the answer is newer than the mapping."""
        answer = self._answers.get(mapping.source)
        if answer is None:
            return mapping
        asked_at = time.time() - (time.monotonic() - answer.asked_at)
        if mapping.verified_at >= asked_at:
            return mapping
        return replace(mapping, existence=answer.existence, verified_at=asked_at)

    def write(self, target_registry_id: int | None) -> bool:
        """Write a part of the answers in a separate transaction. Return whether more are left."""
        part = dict(itertools.islice(self._answers.items(), ANSWERS_AT_ONCE))
        if not part or target_registry_id is None:
            return False
        try:
            services.record_existence(target_registry_id=target_registry_id, results=part)
        except DATABASE_UNAVAILABLE:
            raise
        except Exception:
            # If the database rejects these answers, it always will, and they must not block the others.
            self._drop(part)
            raise
        self._drop(part)
        return bool(self._answers)

    def _drop(self, part: Mapping[str, TargetAnswer]) -> None:
        for source in part:
            del self._answers[source]
