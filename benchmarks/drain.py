"""``make bench-drain``: CPU, SQL and requests of one job in one worker process, compared with those of only the engine.

Unlike ``make bench-jobs``, it does not measure wall time, so that results are comparable on a shared machine.
``ARGS="--images=100 --postgres"``; ``--profile=FILE`` writes a profile of all threads for ``python -m pstats``.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import pstats
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.jobs import AT_ONCE, database, fill, prepare
from tests.support.registries import distribution

SHOWN = 40
"""The maximum number of kinds of statements that are listed; a job has fewer."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--referrers", default="none")
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--profile", default="", metavar="FILE")
    parser.add_argument("--inside", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        inside(json.loads(options.inside), options.profile)
        return
    with tempfile.TemporaryDirectory(prefix="bench-drain-") as name, ExitStack() as stack:
        directory = Path(name)
        source = stack.enter_context(distribution(directory / "source")).host
        target = stack.enter_context(distribution(directory / "target")).host
        images = fill(source, options.images)
        url, _ = stack.enter_context(database("postgres" if options.postgres else "sqlite", directory))
        environment = prepare(directory, url, source, target, options.referrers)
        given = json.dumps({"images": images, "target": target})
        command = [sys.executable, "-m", "benchmarks.drain", f"--inside={given}", f"--profile={options.profile}"]
        subprocess.run(command, env={**os.environ, **environment, "SWAPPER_ROLE": "worker"}, check=True)


def inside(given: dict[str, Any], profile: str) -> None:
    """Measure in a separate process, which has the database in its environment."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "swapper_project.settings"
    import django

    django.setup()
    from mirrors.images import ImageRef
    from mirrors.services.jobs.mirroring import active_target, request_images

    images, count = given["images"], len(given["images"])
    sources = [ImageRef.parse(image) for image in images]
    alone = cpu_ms(lambda: copy_alone(images, given["target"])) / count
    request_images(target=active_target(), sources=sources, requested_by="bench")
    statements, requests = count_statements(), count_requests()
    drained = cpu_ms(profiled(drain, profile) if profile else drain) / count
    print(f"CPU a job: engine alone {alone:.1f} ms, in a drain {drained:.1f} ms", flush=True)
    for title, found in (("statements", statements), ("requests", requests)):
        print(f"{title} a job: {sum(found.values()) / count:.1f}")
        for words, number in found.most_common(SHOWN):
            if number >= count / 10:
                print(f"  {number / count:5.2f}  {words}")


def copy_alone(images: list[str], target: str) -> None:
    from benchmarks.copies.ours import access
    from mirrors.images import ImageRef
    from mirrors.oci import CopyRequest, Engine

    engine = Engine()

    def copy(image: str) -> None:
        source, to = ImageRef.parse(image), ImageRef.parse(f"{target}/alone/{image.partition('/')[2]}")
        engine.copy(CopyRequest(source, to, access(source), access(to)))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(copy, images))
    engine.close()


def drain() -> None:
    from mirrors.jobs.context.worker_context import WorkerContext
    from mirrors.jobs.process.drain import Drain
    from mirrors.jobs.process.tasks import config_source
    from mirrors.models import JobStatus, MirrorJob

    context = WorkerContext(config_source())
    Drain(context, stop=lambda: False).run()
    context.close()
    left = MirrorJob.objects.exclude(status=JobStatus.SUCCEEDED).count()
    assert not left, f"{left} jobs have not succeeded"


def cpu_ms(work: Callable[[], None]) -> float:
    started = time.process_time()
    work()
    return (time.process_time() - started) * 1000


def count_statements() -> Counter[str]:
    """Return a counter of statements by thread and shape, from now on, on all connections."""
    from django.db import connections
    from django.db.backends.signals import connection_created

    found: Counter[str] = Counter()

    def count(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        words = re.sub(r"\(SELECT .*", "(SELECT …", sql)
        words = re.sub(r"^SELECT .*? FROM ", "SELECT … FROM ", words)
        words = re.sub(r"\b(IN|VALUES) \(.*?\)", r"\1 (…)", words).replace('"', "").replace("mirrors_", "")
        thread = threading.current_thread().name.split("-")[0]
        found[f"{thread}: {words[:110]}"] += 1
        return execute(sql, params, many, context)

    def watch(connection: Any, **_: Any) -> None:
        connection.execute_wrappers.append(count)

    connection_created.connect(watch, weak=False)
    connections.close_all()
    return found


def count_requests() -> Counter[str]:
    """Return a counter of requests by port of the host, method, status and path, from now on."""
    from mirrors.oci.http.transport import Transport

    found: Counter[str] = Counter()
    once = Transport._exchange_once

    def counted(self: Transport, request: Any, url: Any, *args: Any) -> Any:
        reply = once(self, request, url, *args)
        path = re.sub(r"[^/]{40,}|/images/\d+", "…", url.target.partition("?")[0])
        found[f"{url.port} {request.method} {reply.status} {path[:60]}"] += 1
        return reply

    Transport._exchange_once = counted  # type: ignore[method-assign, assignment]
    return found


def profiled(work: Callable[[], None], file: str) -> Callable[[], None]:
    """Return the work with a profile by cProfile of all threads that start during it. Profiling doubles the time, and
    affects calls more than system calls."""
    profiles: list[cProfile.Profile] = []
    run = threading.Thread.run

    def run_profiled(self: threading.Thread) -> None:
        profile = cProfile.Profile(time.thread_time)
        profiles.append(profile)
        profile.runcall(run, self)

    def measured() -> None:
        threading.Thread.run = run_profiled  # type: ignore[method-assign]
        own = cProfile.Profile(time.thread_time)
        own.runcall(work)
        threading.Thread.run = run  # type: ignore[method-assign]
        stats = pstats.Stats(own)
        for profile in profiles:
            stats.add(profile)
        stats.dump_stats(file)

    return measured


if __name__ == "__main__":
    main()
