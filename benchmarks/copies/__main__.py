"""``make bench-copy``: our engine, skopeo, crane and regclient copy the same images in turn.

Two registries of the CNCF distribution on the loopback, through a proxy that delays. ``ARGS=--json=FILE`` writes the
figures, ``--rounds=N`` and ``--only=TEXT`` (a part of a case's name) make it quicker.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.copies.cases import CASES, Case
from benchmarks.copies.delay import Network, Proxy, proxy
from benchmarks.copies.engines import CopyEngine, Ours, Pairs, Run, engines
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
    """Each engine in each round, in turn, into repositories of its own."""
    runs: dict[int, list[Run]] = defaultdict(list)
    requests = 0
    with ExitStack() as stack:
        source, target, proxies = stack.enter_context(network(case, directory / "registries"))
        for turn in range(rounds):
            for number, engine in enumerate(compared):
                pairs = references(case, source, target, f"r{turn}e{number}")
                if case.again:
                    engine.copy(pairs, at_once=case.at_once)
                _ = [each.requests() for each in proxies]
                runs[number].append(engine.copy(pairs, at_once=case.at_once))
                counted = sum(each.requests() for each in proxies)
                if isinstance(engine, Ours):
                    requests = counted
    return figures(case, compared, runs, requests if proxies else None)


@contextmanager
def network(case: Case, directory: Path) -> Iterator[tuple[str, str, list[Proxy]]]:
    """Source and target as references name them, with the images at the source."""
    with ExitStack() as stack:
        hosts = [stack.enter_context(distribution(directory / side)).host for side in ("source", "target")]
        fill(case.images(), hosts[1] if case.siblings else hosts[0])
        if case.rtt_ms is None:
            yield hosts[0], hosts[1], []
            return
        ports = [int(host.rpartition(":")[2]) for host in hosts]
        drops = (case.drop, 0)
        lines = [Network(port, case.rtt_ms / 1000, case.rate, drop) for port, drop in zip(ports, drops, strict=True)]
        proxies = [stack.enter_context(proxy(each)) for each in lines]
        yield proxies[0].host, proxies[1].host, proxies


def fill(images: Sequence[SampleImage], host: str) -> None:
    with FaultyRegistry() as made:
        for number, image in enumerate(images):
            image.load(made.storage, f"images/{number}", "1")
        pairs = [(f"{made.host}/images/{number}:1", f"{host}/images/{number}:1") for number in range(len(images))]
        filled = Ours().copy(pairs, at_once=4)
        assert filled.seconds is not None, filled.error


def references(case: Case, source: str, target: str, place: str) -> Pairs:
    """Those of one turn: ``place`` makes the repositories of the target new ones."""
    at = target if case.siblings else source
    return [(f"{at}/images/{number}:1", f"{target}/{place}/{number}:1") for number in range(case.count)]


def figures(case: Case, compared: Sequence[CopyEngine], runs: dict[int, list[Run]], requests: int | None) -> Figures:
    """Medians; of a peer with two settings the better one. An engine of which one run failed has none."""
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
