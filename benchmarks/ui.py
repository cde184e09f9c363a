"""``make bench-ui``: each page of admin and API with a year of history, on a real Postgres or on SQLite.

Times are measured over HTTP with the real web process, signed in as an operator; queries are counted for the same pages
in this process. The exit status is 1 if a page is too slow, or sends too many queries.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from benchmarks.servers import serve
from tests.support.postgres import running_server
from tests.support.system import PRODUCT, run_manage, write_config

if TYPE_CHECKING:
    from benchmarks.visits import Visited

NAME, PASSWORD = "olga", "only-for-benchmarks-0123456789"  # noqa: S105


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sqlite", action="store_true", help="a tenth of the rows, in an SQLite file")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--only", default="", help="pages whose name matches this regular expression")
    parser.add_argument("--requests", type=int, default=20, help="of each page, after one that does not count")
    parser.add_argument("--filled", help="URL of a database that is there, and stays; filled if it is empty")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="swapper-bench-") as name, database(options, Path(name)) as url:
        directory = Path(name)
        environment = prepare(directory, url)
        history(is_small=options.sqlite)
        load = Path("/proc/loadavg").read_text().split()[:3]
        print(f"Load of the machine before: {load}", file=sys.stderr)
        seen = measure(directory, environment, only=options.only, requests=options.requests)
        print(f"Load of the machine after: {Path('/proc/loadavg').read_text().split()[:3]}", file=sys.stderr)
    show(seen)
    if options.json:
        options.json.write_text(json.dumps([asdict(page) for page in seen], indent=2) + "\n")
    return int(any(page.is_slow for page in seen))


@contextmanager
def database(options: argparse.Namespace, directory: Path) -> Iterator[str]:
    """Yield the URL of a database that is deleted afterwards, or of the one in ``options.filled``."""
    if options.filled:
        yield options.filled
        return
    if options.sqlite:
        yield f"sqlite:///{directory}/bench.sqlite3"
        return
    with running_server() as server:
        yield f"{server.url}/postgres"


def prepare(directory: Path, url: str) -> dict[str, str]:
    """Migrate the database, and set up Django in this process. Return the environment for other processes."""
    environment = {
        "SWAPPER_CONFIG": str(write_config(directory / "config.yaml", target="mirror.example.com", prefix="mirror")),
        "SWAPPER_DATA_DIR": str(directory),
        "SWAPPER_SECRET_KEY": "only-for-benchmarks-0123456789-abcdefghijklmnopqrstuvwxyz-0123456789",
        "SWAPPER_DATABASE_URL": url,
        "SWAPPER_API_REQUESTS_PER_MINUTE": "0",
    }
    run_manage("prepare", environment=environment)
    os.environ |= {**PRODUCT, **environment}
    import django

    django.setup()
    return environment


def history(*, is_small: bool) -> None:
    from django.db import connection

    from benchmarks.history.filling import fill
    from benchmarks.history.rows import Size
    from mirrors.models import MirrorJob, Registry

    if MirrorJob.objects.exists():
        return
    started = time.monotonic()
    size = Size().tenth() if is_small else Size()
    target = Registry.objects.get(role="target")
    written = fill(size, registry_id=target.pk, now=datetime.now(UTC))
    connection.close()
    print(f"{sum(written.values()):,} rows in {time.monotonic() - started:.0f} s: {written}", file=sys.stderr)


def measure(directory: Path, environment: dict[str, str], *, only: str, requests: int) -> list[Visited]:
    from django.contrib.auth.models import Group, User

    from benchmarks.pages import pages
    from benchmarks.visits import Visitor, inside_as, visit

    user, _ = User.objects.get_or_create(username=NAME)
    user.set_password(PASSWORD)
    user.save()
    user.groups.add(Group.objects.get(name="operator"))
    inside = inside_as(user)
    seen = []
    with serve(
        "web",
        directory,
        path="/",
        conf="swapper_project.gunicorn_conf",
        app="swapper_project.wsgi",
        environment=environment,
        role="web",
    ) as server:
        visitor = Visitor(server.base.replace("127.0.0.1", "localhost"))
        visitor.log_in(NAME, PASSWORD)
        for page in pages(user):
            if re.search(only, page.name):
                seen.append(visit(page, visitor, inside, server, requests=requests))
                print(_line(seen[-1]), file=sys.stderr, flush=True)
        print(f"The web process holds {server.resident_mib():.0f} MiB", file=sys.stderr)
    return seen


def show(seen: list[Visited]) -> None:
    table = Table(title=f"{len(seen)} pages")
    for column in ("", "page", "p50 ms", "p95 ms", "CPU ms", "SQL ms", "queries"):
        table.add_column(column, justify="left" if column in ("", "page") else "right")
    for page in sorted(seen, key=lambda page: -page.p95_ms):
        mark = "!" if page.is_slow else ""
        times = (page.p50_ms, page.p95_ms, page.cpu_ms, page.sql_ms)
        table.add_row(mark, page.name, *(f"{time:.0f}" for time in times), str(page.queries))
    Console(width=120).print(table)
    slow = sum(page.is_slow for page in seen)
    print(f"{slow} of {len(seen)} pages take more than 200 ms or 14 queries, or fail")


def _line(page: Visited) -> str:
    times = f"{page.p50_ms:6.0f} {page.p95_ms:6.0f} {page.cpu_ms:5.0f} {page.sql_ms:5.0f}"
    text = f"{'!' if page.is_slow else ' '} {times} {page.queries:3} {page.status} {page.name}"
    return f"{text}\n    {page.slowest_query_ms:.0f} ms: {page.slowest_query[:1500]}" if page.is_slow else text


if __name__ == "__main__":
    sys.exit(main())
