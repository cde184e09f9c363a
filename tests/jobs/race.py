"""Run as ``python -m tests.jobs.race``: processes that request or claim jobs at the same moment."""

from __future__ import annotations

import importlib
import json
import multiprocessing
import sys
from collections.abc import Callable
from typing import Any


def main(what: str, processes: int, *arguments: str) -> list[Any]:
    import django

    django.setup()
    # Import once, before the fork: otherwise the processes would import instead of competing at the same moment.
    importlib.import_module("tests.jobs.support")
    contest: dict[str, Callable[..., Any]] = {"order": _order, "claim": _claim, "person": _person}
    contest |= {"send": _send, "sign": _sign, "refresh": _refresh}
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(processes)
    responses = context.Queue()
    children = [
        context.Process(target=_run, args=(contest[what], number, barrier, responses, arguments))
        for number in range(processes)
    ]
    for child in children:
        child.start()
    collected = [responses.get(timeout=60) for _ in children]
    for child in children:
        child.join()
    return collected


def _run(work: Callable[..., Any], number: int, barrier: Any, answers: Any, arguments: tuple[str, ...]) -> None:
    from django.db import connection

    connection.ensure_connection()
    barrier.wait(30)
    try:
        answers.put(work(number, *arguments))
    except Exception as error:
        answers.put(f"{type(error).__name__}: {error}")


def _order(number: int, source: str, target: str) -> int:
    from tests.jobs.support import queue_copy

    return queue_copy(source, target=target, namespace=f"team-{number}").pk


def _person(number: int, image: str) -> list[int | bool]:
    """Return the job in the response to a user, and whether the request created it."""
    from mirrors.services import request_image

    job, is_new = request_image(image=image, requested_by=f"person {number}")
    return [job.pk, is_new]


def _claim(number: int) -> list[int]:
    """Claim until no job is left."""
    from mirrors.jobs.queue.claims import claim

    taken = []
    while (lease := claim(worker=f"worker {number}")) is not None:
        taken.append(lease.job_id)
    return taken


def _send(number: int, host: str, *seconds: str) -> list[float]:
    """Send as many requests as permitted from eight threads, for the number of seconds of this process. Return when
    each was sent, by the clock that all processes share."""
    import time
    from concurrent.futures import ThreadPoolExecutor

    from mirrors.images import ImageRef
    from mirrors.jobs.context.worker_context import WorkerContext
    from mirrors.jobs.process.tasks import config_source

    context = WorkerContext(config_source())
    access = context.catalog().anonymous_access_for(ImageRef(host, "app", "1.0"))
    end = time.monotonic() + float(seconds[number])

    def send(_: int) -> list[float]:
        sent = []
        while time.monotonic() < end:
            context.engine.head(ImageRef(host, "app", "1.0"), access)
            sent.append(time.monotonic())
        return sent

    with ThreadPoolExecutor(8) as threads:
        times = [at for sent in threads.map(send, range(8)) for at in sent]
    context.close()
    return sorted(times)


def _sign(number: int, source: str, target: str) -> tuple[str, ...]:
    """Copy an image with its referrers, each process from its own repository. Return the problems."""
    from mirrors.jobs.context.worker_context import WorkerContext
    from mirrors.jobs.process.tasks import config_source
    from tests.oci.referrers.mirroring import mirror
    from tests.support.registries import Registry

    context = WorkerContext(config_source())
    result = mirror(context.engine, Registry(source), Registry(target), rest=f"app{number}:1.0", to="app:1.0")
    context.close()
    return result.problems


def _refresh(number: int, checks: str) -> int:
    """Refresh existence until this many images were checked by any process. Return how many were checked."""
    from mirrors.jobs.context.worker_context import WorkerContext
    from mirrors.jobs.process.tasks import config_source
    from mirrors.jobs.timing import from_now
    from mirrors.jobs.upkeep.existence_refresh import ExistenceRefresh
    from mirrors.models import ImageMapping
    from tests.support.ports import wait_until

    context = WorkerContext(config_source())
    refresh = ExistenceRefresh(context)
    refresh.start()
    checked = ImageMapping.objects.filter(verified_at__gt=from_now(-300))
    wait_until(lambda: checked.count() >= int(checks), what="checks of existence")
    refresh.stop()
    context.close()
    return checked.count()


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])))
