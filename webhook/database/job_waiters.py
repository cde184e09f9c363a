"""Reviews that wait for the end of a job; only the database thread touches these."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from mirrors import selectors
from webhook.database.thread_messages import JobWait, Message

ABANDONED: Final = 30.0
"""Seconds after which nobody waits for a job any longer."""


class JobWaiters:
    """Reviews by the job that they wait for."""

    def __init__(self) -> None:
        self._waits: list[JobWait] = []

    def __bool__(self) -> bool:
        return bool(self._waits)

    def __contains__(self, message: Message) -> bool:
        return message in self._waits

    def answer(self, new: Sequence[JobWait]) -> None:
        """Take new ones, and answer those whose job has ended."""
        waits = [*self._waits, *new]
        # Kept first: where the database does not answer, they continue to wait.
        self._waits = waits
        if not waits:
            return
        states = selectors.job_states({wait.job_id for wait in waits})
        oldest = time.monotonic() - ABANDONED
        self._waits = []
        for wait in waits:
            state = states.get(wait.job_id, "cancelled")
            if state not in {"pending", "running"}:
                wait.future.set_result(state)
            elif wait.since > oldest:
                self._waits.append(wait)
