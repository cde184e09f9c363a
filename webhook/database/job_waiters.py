"""Reviews that wait for a job to finish; only the database thread uses this module."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from mirrors import selectors
from webhook.database.thread_messages import JobWait, Message

JOB_WAIT_EXPIRES_AFTER: Final = 30.0
"""Seconds after which no review waits for a job any longer, because Kubernetes waits for at most 30 s."""


class JobWaiters:
    """The reviews that wait, each with the job that it waits for."""

    def __init__(self) -> None:
        self._waits: list[JobWait] = []

    def __bool__(self) -> bool:
        return bool(self._waits)

    def __contains__(self, message: Message) -> bool:
        return message in self._waits

    def resolve(self, new: Sequence[JobWait]) -> None:
        """Add new waits, and answer those whose job has finished."""
        waits = [*self._waits, *new]
        # Store the waits before the query: if the database does not respond, they continue to wait.
        self._waits = waits
        if not waits:
            return
        states = selectors.job_states({wait.job_id for wait in waits})
        oldest = time.monotonic() - JOB_WAIT_EXPIRES_AFTER
        self._waits = []
        for wait in waits:
            state = states.get(wait.job_id, "cancelled")
            if state not in {"pending", "running"}:
                wait.future.set_result(state)
            elif wait.since > oldest:
                self._waits.append(wait)
