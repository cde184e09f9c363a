"""Keeps the sources of images whose swaps are suspended, but swaps a few pods as a test of the target."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from mirrors.kubernetes.objects.workloads import workload_of
from mirrors.vocabulary.reasons import Reason
from webhook.decision.decision import Decision
from webhook.decision.review_limits import ReviewLimits
from webhook.decision.suspensions import Suspensions
from webhook.review.admission_review import AdmissionRequest, namespace_of

TEST_EVERY: Final = 60.0
"""Seconds between two pods that a process swaps as a test. If a test fails, the owner of the pod waits for it."""


class Suspender:
    """Applies suspensions to decisions; one instance per process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next_test = 0.0

    def apply(
        self, request: AdmissionRequest, decisions: list[Decision], suspensions: Suspensions, limits: ReviewLimits
    ) -> list[Decision]:
        """Return the decisions, with the source kept wherever the swap is suspended."""
        if not suspensions or not any(d.swap for d in decisions):
            return decisions
        decisions = _suspend_loops(request, decisions, suspensions)
        if not suspensions.target or not any(d.swap for d in decisions):
            return decisions
        if suspensions.target == "testing" and limits.can_record and self._claim_test():
            return decisions
        return [_keep_source(d, Reason.TARGET_UNHEALTHY) if d.swap else d for d in decisions]

    def _claim_test(self) -> bool:
        with self._lock:
            if time.monotonic() < self._next_test:
                return False
            self._next_test = time.monotonic() + TEST_EVERY
            return True


def _suspend_loops(
    request: AdmissionRequest, decisions: Sequence[Decision], suspensions: Suspensions
) -> list[Decision]:
    if not suspensions.loops:
        return list(decisions)
    owner, now = (namespace_of(request), *workload_of(request.obj)), time.time()
    return [
        _keep_source(d, Reason.RESTART_LOOP) if d.swap and suspensions.loops.get((*owner, d.key), 0.0) > now else d
        for d in decisions
    ]


def _keep_source(decision: Decision, reason: Reason) -> Decision:
    return replace(decision, reason=reason, swap=False)
