"""``make bench-jobs``: the cost of the job system, compared with the engine alone. Many small images are requested at
the same time through the API, and two workers copy them, first with SQLite and then with Postgres.

``ARGS=--json=FILE`` writes the figures; ``--images=N`` and ``--only=sqlite`` make the benchmark shorter; ``--rounds=N``
repeats it and prints the median ratios; ``--single`` sends one POST per image.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg
import urllib3

from benchmarks.copies.engines import Ours
from benchmarks.servers import TICKS, serve
from mirrors.demo.images import sample_image
from tests.support.databases import query
from tests.support.faulty_registry import FaultyRegistry
from tests.support.ports import free_port, wait_until
from tests.support.postgres import running_server
from tests.support.registries import distribution
from tests.support.system import Process, run_manage, write_config

CLIENTS = 8
"""Connections that request copies at the same time."""

MOST_IMAGES = 500
"""The maximum number of images of one POST that the API accepts."""

WORKERS = 2
AT_ONCE = 8
"""Images that one worker copies concurrently by default, and that the engine alone copies concurrently."""

MAKE_USER = """\
from django.contrib.auth.models import Group, User
from mirrors.accounts.models import ApiToken
from mirrors.accounts.roles import Role
user = User.objects.create_user("bench")
user.groups.add(Group.objects.get(name="operator"))
print("token", ApiToken.issue(user=user, name="bench", role=Role.OPERATOR)[1])
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """The figures of one database. ``seconds`` is the time from the first request to the last succeeded job;
    ``engine_alone_seconds`` is the mean of a run before it and one after it, because runs differ by a fifth. CPU times
    are milliseconds per job; ``all_cpu_ms`` includes the registries and this program."""

    database: str
    images: int
    engine_alone_seconds: float
    seconds: float
    ratio: float
    workers_cpu_ms: float
    web_cpu_ms: float
    database_cpu_ms: float
    all_cpu_ms: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--referrers", default="none", help="policy; the engine alone copies none")
    parser.add_argument("--only", default="", choices=("", "sqlite", "postgres"))
    parser.add_argument("--single", action="store_true", help="one POST an image")
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    found: list[Measured] = []
    for _ in range(options.rounds):
        for kind in ("sqlite", "postgres"):
            if options.only in kind:
                found.append(measure(kind, options.images, options.referrers, is_single=options.single))
                print(line(found[-1]), flush=True)
    for kind in sorted({each.database for each in found}):
        ratio = statistics.median(each.ratio for each in found if each.database == kind)
        print(f"{kind}: median ratio {ratio:.2f}", flush=True)
    if options.json:
        options.json.write_text(json.dumps([asdict(each) for each in found], indent=2) + "\n")


def measure(kind: str, count: int, referrers: str, *, is_single: bool) -> Measured:
    with tempfile.TemporaryDirectory(prefix="bench-jobs-") as name, ExitStack() as stack:
        directory = Path(name)
        source = stack.enter_context(distribution(directory / "source")).host
        target = stack.enter_context(distribution(directory / "target")).host
        images = fill(source, count)
        alone = [seconds_alone(images, f"{target}/before")]
        url, server_group = stack.enter_context(database(kind, directory))
        environment = prepare(directory, url, source, target, referrers)
        token = run_manage("shell", "-c", MAKE_USER, environment=environment).stdout.split()[-1]
        web = stack.enter_context(
            serve(
                "web",
                directory,
                path="/",
                conf="swapper_project.gunicorn_conf",
                app="swapper_project.wsgi",
                environment=environment,
                role="web",
            )
        )
        workers = [stack.enter_context(running_worker(directory, environment, number)) for number in range(WORKERS)]
        wait_until(lambda: processes(url) >= WORKERS, timeout=60, what="the workers")
        groups = [[worker.popen.pid for worker in workers if worker.popen], [web.pid], server_group, [os.getpid()]]
        before = [cpu_seconds(group) for group in groups]
        succeeded = stack.enter_context(counting_succeeded(url))
        started = time.monotonic()
        request(web.base, token, images, is_single=is_single)
        wait_until(lambda: succeeded() == count, timeout=600, what=f"{count} succeeded jobs")
        seconds = time.monotonic() - started
        spent = [(cpu_seconds(group) - was) * 1000 / count for group, was in zip(groups, before, strict=True)]
        alone.append(seconds_alone(images, f"{target}/after"))
        engine_alone = statistics.mean(alone)
        return Measured(kind, count, engine_alone, seconds, seconds / engine_alone, *spent)


def seconds_alone(images: list[str], target: str) -> float:
    """Return the seconds that only the engine takes for these images."""
    run = Ours().copy([(image, f"{target}/{image.partition('/')[2]}") for image in images], at_once=AT_ONCE)
    assert run.seconds is not None, run.error
    return run.seconds


def fill(source: str, count: int) -> list[str]:
    """Create images of one platform, each with distinct layers. Return their references."""
    with FaultyRegistry() as made:
        names = [f"images/{number}" for number in range(count)]
        for number, name in enumerate(names):
            image = sample_image(seed=number + 1, platforms=("linux/amd64",), layers=2, layer_bytes=16 * 1024)
            image.load(made.storage, name, "1")
        filled = Ours().copy([(f"{made.host}/{name}:1", f"{source}/{name}:1") for name in names], at_once=AT_ONCE)
        assert filled.seconds is not None, filled.error
        return [f"{source}/{name}:1" for name in names]


@contextmanager
def database(kind: str, directory: Path) -> Iterator[tuple[str, list[int]]]:
    """Run a database. Yield its URL, and the process IDs of its server."""
    if kind == "sqlite":
        yield f"sqlite:///{directory}/bench.sqlite3", []
        return
    with running_server() as server:
        yield f"{server.url}/postgres", [server.pid]


def prepare(directory: Path, url: str, source: str, target: str, referrers: str) -> dict[str, str]:
    registries = [{"type": "oci", "host": source, "insecure": True}]
    config = write_config(
        directory / "config.yaml",
        target=target,
        source={"registries": registries, "filters": []},
        referrers=referrers,
        quotas={"newImagesPerHour": 100_000, "pendingJobs": 100_000},
    )
    environment = {
        "SWAPPER_CONFIG": str(config),
        "SWAPPER_DATA_DIR": str(directory),
        "SWAPPER_SECRET_KEY": "only-for-benchmarks-0123456789-abcdefghijklmnopqrstuvwxyz-0123456789",
        "SWAPPER_DATABASE_URL": url,
        "SWAPPER_API_REQUESTS_PER_MINUTE": "0",
    }
    run_manage("prepare", environment=environment)
    return environment


@contextmanager
def running_worker(directory: Path, environment: dict[str, str], number: int) -> Iterator[Process]:
    worker = Process(
        [sys.executable, "manage.py", "worker"],
        {**environment, "SWAPPER_ROLE": "worker", "SWAPPER_BIND": f"127.0.0.1:{free_port()}"},
        directory / f"worker-{number}.log",
        is_forked=False,
    )
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()


def request(base: str, token: str, images: list[str], *, is_single: bool) -> None:
    """Request copies with as many images per POST as the API accepts, or with one POST per image."""
    pool = urllib3.PoolManager(maxsize=CLIENTS, headers={"Authorization": f"Token {token}"}, timeout=60, retries=False)

    def post(body: dict[str, object]) -> None:
        response = pool.request("POST", f"{base}/api/v1/jobs/", json=body)
        assert response.status in (200, 201, 207), response.data

    if is_single:
        bodies: list[dict[str, object]] = [{"image": image} for image in images]
    else:
        bodies = [{"images": images[start : start + MOST_IMAGES]} for start in range(0, len(images), MOST_IMAGES)]
    with ThreadPoolExecutor(CLIENTS) as threads:
        list(threads.map(post, bodies))


def processes(url: str) -> int:
    (row,) = query(url, "SELECT count(*) FROM mirrors_instance WHERE role = 'worker'")
    return int(row[0])


@contextmanager
def counting_succeeded(url: str) -> Iterator[Callable[[], int]]:
    """Yield a function that counts succeeded jobs over one connection: a new connection for each count would cost the
    server as much CPU as several jobs."""
    is_file = url.startswith("sqlite")
    opened = sqlite3.connect(url.removeprefix("sqlite:///")) if is_file else psycopg.connect(url, autocommit=True)

    def count() -> int:
        rows = opened.execute("SELECT count(*) FROM mirrors_mirrorjob WHERE status = 'succeeded'").fetchall()
        time.sleep(0.1)  # Limits the cost of counting, which is not to be measured.
        return int(rows[0][0])

    with closing(opened):
        yield count


def cpu_seconds(leaders: list[int]) -> float:
    """Return the CPU seconds of these processes and all their descendants, including those that have exited."""
    children: dict[int, list[int]] = {}
    own: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        pid, parent = int(entry.parent.name), int(fields[1])
        own[pid] = sum(map(int, fields[11:15]))
        children.setdefault(parent, []).append(pid)
    waiting, ticks = list(leaders), 0
    while waiting:
        pid = waiting.pop()
        ticks += own.get(pid, 0)
        waiting += children.get(pid, [])
    return ticks / TICKS


def line(found: Measured) -> str:
    return (
        f"{found.database}: {found.images} images in {found.seconds:.2f} s, engine alone "
        f"{found.engine_alone_seconds:.2f} s, ratio {found.ratio:.2f}; CPU a job: "
        f"workers {found.workers_cpu_ms:.1f} ms, web {found.web_cpu_ms:.1f} ms, "
        f"database {found.database_cpu_ms:.1f} ms, with registries and this program {found.all_cpu_ms:.1f} ms"
    )


if __name__ == "__main__":
    main()
