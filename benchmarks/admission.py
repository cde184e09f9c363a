"""``make bench-admission``: the cost of one review, compared with a bare DRF view and a bare Django view.

The three servers run in turn, for several rounds of each case; figures are medians. On a shared machine, requests per
second are unreliable. The CPU time of the server's own processes is more reliable, and its ratio within one run most.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, fields
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.load import Measured, drive
from benchmarks.reviews import FILTERS, SIZES, image, review
from benchmarks.servers import serve
from mirrors.images import ImageRef, TargetName
from swapper_project.process.private_files.certificates import ensure_self_signed
from tests.support.databases import ROOT
from tests.support.system import PRODUCT, write_config

NAMES = ("ours", "drf", "django")
Case = tuple[bool, int, int]
"""TLS, containers, connections."""

CASES: list[Case] = [(tls, containers, n) for tls in (False, True) for containers in SIZES for n in (1, 8)]
MIRRORED = tuple(image(number) for number in range(max(SIZES)))
HEADLINE: Case = (True, 5, 8)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2, help="of load a case and round")
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed: apt-get install wrk")
    with tempfile.TemporaryDirectory(prefix="swapper-bench-") as name:
        measured = run(Path(name), rounds=options.rounds, seconds=options.seconds)
    show(measured)
    if options.json:
        options.json.write_text(json.dumps(summary(measured), indent=2) + "\n")
    return 0


def run(directory: Path, *, rounds: int, seconds: int) -> dict[tuple[Case, str], Measured]:
    """Run all cases on all servers. Return the medians by case and server."""
    environment = prepare(directory)
    certificate = ensure_self_signed(directory, names=["127.0.0.1"])
    seen: dict[tuple[Case, str], list[Measured]] = {}
    with ExitStack() as stack:
        servers = {
            (tls, name): stack.enter_context(start(name, directory, environment, certificate if tls else None))
            for tls in (False, True)
            for name in NAMES
        }
        for server in servers.values():
            drive(server, review(5), connections=8, seconds=1, directory=directory)
        for number in range(rounds):
            # Each round starts with another server, because the first one is slower with a cold cache.
            order = NAMES[number % 3 :] + NAMES[: number % 3]
            for case in CASES:
                tls, containers, connections = case
                for name in order:
                    server = servers[tls, name]
                    got = drive(
                        server, review(containers), connections=connections, seconds=seconds, directory=directory
                    )
                    seen.setdefault((case, name), []).append(got)
            print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    return {key: _median(runs) for key, runs in seen.items()}


def prepare(
    directory: Path, *, target: str = "registry.example.com", mirrored: Sequence[str] = MIRRORED, **keys: Any
) -> dict[str, str]:
    """Create a database in which these images are mirrored. Return the environment of the webhook."""
    name = TargetName(target, "mirror")
    keys |= {"source": {"filters": [{"jmespath": text} for text in FILTERS]}, "existence": {"maxAge": "24h"}}
    config = write_config(directory / "config.yaml", target=name.endpoint, prefix=name.prefix, **keys)
    environment = {
        "SWAPPER_CONFIG": str(config),
        "SWAPPER_DATA_DIR": str(directory),
        "SWAPPER_SECRET_KEY": "only-for-benchmarks-0123456789-abcdefghijklmnopqrstuvwxyz-0123456789",
        "SWAPPER_DATABASE_URL": f"sqlite:///{directory}/bench.sqlite3",
    }
    subprocess.run(
        [sys.executable, "manage.py", "prepare"], cwd=ROOT, env={**os.environ, **PRODUCT, **environment}, check=True
    )
    with closing(sqlite3.connect(directory / "bench.sqlite3")) as connection, connection:
        registry = connection.execute("SELECT id FROM mirrors_registry WHERE role = 'target'").fetchone()[0]
        for text in mirrored:
            source = ImageRef.parse(text)
            connection.execute(
                "INSERT INTO mirrors_imagemapping (source, target, target_registry_id, source_digest, target_digest,"
                " platforms, existence, access, paused, verified_at, source_checked_at)"
                " VALUES (?, ?, ?, '', '', '[]', 'present', 'anonymous', 0, datetime('now'), datetime('now'))",
                (str(source), str(name.retarget(source)), registry),
            )
    return environment


def start(name: str, directory: Path, environment: dict[str, str], tls: tuple[Path, Path] | None):  # type: ignore[no-untyped-def]
    if name == "ours":
        conf, app, path = "swapper_project.gunicorn_conf", "swapper_project.wsgi", "/webhook"
    else:
        conf, app, path = "benchmarks.bare.gunicorn_conf", "benchmarks.bare.wsgi", f"/{name}"
    return serve(name, directory, path=path, conf=conf, app=app, environment=environment, tls=tls)


def summary(measured: dict[tuple[Case, str], Measured]) -> dict[str, object]:
    """Return the figures that ``--json`` writes."""
    return {
        "cpu_ratio_to_bare_drf": round(ratio(measured, HEADLINE), 3),
        "p99_ms": measured[HEADLINE, "ours"].p99_ms,
        "cases": [
            {"tls": tls, "containers": containers, "connections": connections, "server": name, **asdict(figures)}
            for ((tls, containers, connections), name), figures in measured.items()
        ],
    }


def ratio(measured: dict[tuple[Case, str], Measured], case: Case) -> float:
    """Return the ratio of the webhook's CPU time per request to that of the bare DRF view."""
    return measured[case, "ours"].cpu_us / measured[case, "drf"].cpu_us


def show(measured: dict[tuple[Case, str], Measured]) -> None:
    table = Table(title="One review: medians of all rounds")
    for column in (
        "",
        "containers",
        "connections",
        "server",
        "CPU µs",
        "of DRF",
        "req/s",
        "p50 ms",
        "p99 ms",
        "RSS MiB",
    ):
        table.add_column(column, justify="left" if column in ("", "server") else "right")
    for (case, name), figures in measured.items():
        tls, containers, connections = case
        table.add_row(
            "TLS" if tls else "plain",
            str(containers),
            str(connections),
            name,
            f"{figures.cpu_us:.0f}",
            f"{figures.cpu_us / measured[case, 'drf'].cpu_us:.2f}",
            f"{figures.per_second:.0f}",
            f"{figures.p50_ms:.2f}",
            f"{figures.p99_ms:.2f}",
            f"{figures.resident_mib:.0f}",
        )
    Console(width=120).print(table)
    headline = measured[HEADLINE, "ours"]
    growth = measured[(False, 10, 8), "ours"].cpu_us / measured[(False, 5, 8), "ours"].cpu_us
    print(f"CPU to bare DRF (TLS, 5 containers, 8 connections): {ratio(measured, HEADLINE):.2f}")
    print(f"p99 to bare DRF: {headline.p99_ms / measured[HEADLINE, 'drf'].p99_ms:.2f}")
    print(f"10 containers to 5 (plain): {growth:.2f}")


def _median(runs: list[Measured]) -> Measured:
    return Measured(**{field.name: median(getattr(run, field.name) for run in runs) for field in fields(Measured)})


if __name__ == "__main__":
    sys.exit(main())
