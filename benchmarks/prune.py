"""``make bench-prune``: the response times of admission reviews while a year's history is pruned on a real Postgres.

The product waits a minute between two turns of pruning; this benchmark runs them without a pause.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles

import urllib3

from benchmarks.servers import Server, serve
from benchmarks.ui import database, history, prepare
from tests.support.system import pod_of, review_of

CLIENTS, PAUSE = 2, 0.05


@dataclass(slots=True)
class Seen:
    """Response times in milliseconds, and times of turns in seconds."""

    answers: list[float] = field(default_factory=list)
    refused: int = 0
    turns: list[float] = field(default_factory=list)
    deleted: int = 0

    def line(self, name: str) -> str:
        cuts = quantiles(self.answers, n=100)
        text = f"{name}: {len(self.answers)} reviews, {self.refused} not swapped; p50 {median(self.answers):.0f} ms, "
        text += f"p99 {cuts[98]:.0f} ms, slowest {max(self.answers):.0f} ms"
        if self.turns:
            text += f"; {self.deleted:,} rows in {len(self.turns)} turns, median {median(self.turns):.1f} s, "
            text += f"longest {max(self.turns):.1f} s"
        return text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--filled", help="URL of a Postgres that is filled already; rows of it will be deleted")
    parser.add_argument("--seconds", type=float, default=30)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="swapper-bench-") as name,
        database(Namespace(filled=options.filled, sqlite=False), Path(name)) as url,
    ):
        directory = Path(name)
        environment = prepare(directory, url)
        history(is_small=False)
        body = _review()
        conf, app = "swapper_project.gunicorn_conf", "swapper_project.wsgi"
        with serve("webhook", directory, path="/webhook", conf=conf, app=app, environment=environment) as server:
            _watch(server, body, 3, lambda seen: time.sleep(0.1))
            for title, act in (("idle", lambda seen: time.sleep(0.1)), ("pruning", _prune)) * 2:
                load = Path("/proc/loadavg").read_text().split()[0]
                print(_watch(server, body, options.seconds, act).line(f"{title} (load {load})"), flush=True)
    return 0


def _review() -> bytes:
    """Return the review of a pod whose image is at the target, and was checked recently."""
    from mirrors.models import ImageMapping

    known = ImageMapping.objects.filter(existence="present", access="anonymous", obstacle="", paused=False)
    return json.dumps(review_of(pod_of(known.latest("pk").source))).encode()


def _prune(seen: Seen) -> None:
    from mirrors.jobs.process.pruning import prune

    started = time.monotonic()
    seen.deleted += prune()
    seen.turns.append(time.monotonic() - started)


def _watch(server: Server, body: bytes, seconds: float, act: Callable[[Seen], None]) -> Seen:
    """Send reviews with a few clients while ``act`` is called repeatedly. Return the figures."""
    seen, stopping = Seen(), threading.Event()
    clients = [threading.Thread(target=_ask, args=(server, body, seen, stopping)) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        act(seen)
    stopping.set()
    for client in clients:
        client.join()
    return seen


def _ask(server: Server, body: bytes, seen: Seen, stopping: threading.Event) -> None:
    pool = urllib3.PoolManager()
    while not stopping.wait(PAUSE):
        started = time.perf_counter()
        response = pool.request("POST", server.url, body=body, retries=False, timeout=30)
        seen.answers.append((time.perf_counter() - started) * 1_000)
        seen.refused += response.status != 200 or "patch" not in response.json()["response"]


if __name__ == "__main__":
    sys.exit(main())
