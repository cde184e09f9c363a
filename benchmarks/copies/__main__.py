"""``make bench-copy``: our engine, skopeo, crane and regclient copy the same images in turn.

They copy between two registries (CNCF Distribution) on the loopback, through a proxy with a delay. ``ARGS=--json=FILE``
writes the figures; ``--rounds=N`` and ``--only=TEXT`` (a part of a case's name) make the benchmark shorter.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.copies.cases import CASES, Case
from benchmarks.copies.delay import Network, Proxy, proxy
from benchmarks.copies.engines import CopyEngine, Ours, Run, engines
from mirrors.demo.images import SampleImage
from tests.support.faulty_registry import FaultyRegistry
from tests.support.registries import distribution

Figures = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    found = []
    memory = Path("/dev/shm")  # noqa: S108  (TemporaryDirectory makes a directory of its own)
    with tempfile.TemporaryDirectory(prefix="bench-copy-", dir=memory if memory.is_dir() else None) as name:
        compared = engines(Path(name))
        for case in CASES:
            if options.only in case.name:
                found.append(measure(case, compared, options.rounds, Path(name)))
                print(line(found[-1]), flush=True)
    if options.json:
        options.json.write_text(json.dumps({"cases": found}, indent=2) + "\n")


def measure(case: Case, compared: Sequence[CopyEngine], rounds: int, directory: Path) -> Figures:
    """Run each engine in each round, in turn, with an empty target registry, because some engines remember the contents
    of other repositories."""
    runs: dict[int, list[Run]] = defaultdict(list)
    requests: int | None = None
    with source(case, directory / "source") as origin:
        for _ in range(rounds):
            for number, engine in enumerate(compared):
                run, counted = one_run(case, engine, origin, directory / "target")
                runs[number].append(run)
                requests = counted if isinstance(engine, Ours) else requests
    return figures(case, compared, runs, requests)


def one_run(
    case: Case, engine: CopyEngine, origin: tuple[str, Proxy | None], directory: Path
) -> tuple[Run, int | None]:
    """Run one engine once. Return also the number of requests to both registries; None without a proxy, which counts
    them."""
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        registry = stack.enter_context(distribution(directory))
        if case.siblings:
            fill(case.images(), registry.host)
        target, line = stack.enter_context(delayed(case, registry.host, drop=0))
        lines = [each for each in (origin[1], line) if each]
        at = target if case.siblings else origin[0]
        pairs = [(f"{at}/images/{number}:1", f"{target}/copies/{number}:1") for number in range(case.count)]
        if case.again:
            engine.copy(pairs, at_once=case.at_once)
        for each in lines:
            each.requests()
        run = engine.copy(pairs, at_once=case.at_once)
        return run, sum(each.requests() for each in lines) if lines else None


@contextmanager
def source(case: Case, directory: Path) -> Iterator[tuple[str, Proxy | None]]:
    """Run a source registry with the images. Yield its host as in references, and its proxy if there is one."""
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        registry = stack.enter_context(distribution(directory))
        if not case.siblings:
            fill(case.images(), registry.host)
        yield stack.enter_context(delayed(case, registry.host, drop=case.drop))


@contextmanager
def delayed(case: Case, host: str, *, drop: int) -> Iterator[tuple[str, Proxy | None]]:
    """Run a proxy with the network of the case. Yield the host to use, and the proxy; None for the plain loopback."""
    if case.rtt_ms is None:
        yield host, None
        return
    network = Network(int(host.rpartition(":")[2]), case.rtt_ms / 1000, case.rate, drop)
    with proxy(network) as line:
        yield line.host, line


def fill(images: Sequence[SampleImage], host: str) -> None:
    with FaultyRegistry() as made:
        for number, image in enumerate(images):
            image.load(made.storage, f"images/{number}", "1")
        pairs = [(f"{made.host}/images/{number}:1", f"{host}/images/{number}:1") for number in range(len(images))]
        filled = Ours().copy(pairs, at_once=4)
        assert filled.seconds is not None, filled.error


def figures(case: Case, compared: Sequence[CopyEngine], runs: dict[int, list[Run]], requests: int | None) -> Figures:
    """Return the medians; for an engine with two settings, those of the better one. If a run failed, its engine has no
    time."""
    seconds: dict[str, float | None] = {}
    cpu: dict[str, float] = {}
    errors: dict[str, str] = {}
    for number, engine in enumerate(compared):
        times = [run.seconds for run in runs[number] if run.seconds is not None]
        found = median(times) if len(times) == len(runs[number]) else None
        before = seconds.get(engine.name)
        seconds[engine.name] = min(filter(None, (found, before)), default=None)
        spent = median(run.cpu for run in runs[number])
        cpu[engine.name] = round(min(spent, cpu.get(engine.name, spent)), 3)
        if found is None:
            errors[engine.name] = next(run.error for run in runs[number] if run.seconds is None)
    best = min((value for name, value in seconds.items() if value and name != "ours"), default=None)
    ours = seconds["ours"]
    return {
        "name": case.name,
        "rtt_ms": case.rtt_ms or 0,
        "seconds": seconds,
        "cpu_seconds": cpu,
        "ratio_to_best": round(ours / best, 3) if ours and best else None,
        "peak_mib": round(max(run.peak_mib for run in runs[0]), 1),
        "requests": requests,
        "errors": errors,
    }


def line(found: Figures) -> str:
    cells = [f"{name} {value:.2f}" if value else f"{name} fails" for name, value in found["seconds"].items()]
    return (
        f"{found['name']}: {', '.join(cells)}; CPU {found['cpu_seconds']}; ratio to the best {found['ratio_to_best']}, "
        f"peak {found['peak_mib']} MiB, {found['requests']} requests"
    )


if __name__ == "__main__":
    main()
