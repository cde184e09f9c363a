"""The pool that the transfers of all images share."""

from __future__ import annotations

import threading

from mirrors.oci.blobs.pools import FairPool

ROUNDS = 30


def test_tasks_submitted_together_run_concurrently() -> None:
    """A thread that has been woken up, but does not run yet, is not free for two tasks."""
    for _ in range(ROUNDS):
        pool = FairPool(8, name="test")
        first, met = threading.Event(), threading.Barrier(4)

        def meet(together: threading.Barrier = met) -> None:
            together.wait(10)

        pool.submit(("first",), first.set)
        assert first.wait(10)
        for number in range(3):
            pool.submit((f"image-{number}",), meet)
        meet()
        pool.shutdown()
