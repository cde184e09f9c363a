"""``manage.py readiness``: the workloads that could not start on a new node while a registry is unreachable."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management import CommandParser
from rich.console import Console
from rich.table import Table

from mirrors.readiness.drill import DrillRequest, NotListedError, run_drill
from mirrors.readiness.drill_results import Drill
from mirrors.readiness.registry_names import RegistryNameError
from swapper_project.config.sections.quantities import duration
from swapper_project.process import configured
from swapper_project.process.commands.base_command import ConfiguredCommand, environment_with
from swapper_project.process.commands.table_console import table_console


class Command(ConfiguredCommand):
    help = (
        "Fire drill: whether each image of each workload of the cluster could start on a new node if its registry "
        "could not be reached now. Exits with status 1 if a workload is not protected."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--without",
            default="",
            metavar="REGISTRY",
            help="registry that cannot be reached, such as docker.io; default: all sources",
        )
        parser.add_argument("--cluster", metavar="NAME", help="default: clusterName of the configuration")
        parser.add_argument("--namespace", default="", metavar="NAME", help="only workloads of this namespace")
        parser.add_argument(
            "--max-age",
            metavar="DURATION",
            help="maximum time since the target was checked for an image, such as 24h; default: existence.maxStale",
        )
        parser.add_argument(
            "--allow-changes", action="store_true", help="count images whose mirror has another digest as protected"
        )
        parser.add_argument("--drift", action="store_true", help="list images that run with another digest instead")
        parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON")

    def handle(self, *, config: Path | None, as_json: bool, drift: bool, **options: Any) -> None:
        loaded = configured.load(environment_with(config))
        request = DrillRequest(
            cluster=options["cluster"] or loaded.cluster_name,
            without=options["without"],
            namespace=options["namespace"],
            max_age=_seconds(options["max_age"]),
            allows_change=options["allow_changes"],
        )
        try:
            drill = run_drill(request, loaded)
        except (NotListedError, RegistryNameError) as error:
            configured.stop(str(error))
        if as_json:
            self.stdout.write(json.dumps(_as_json(drill, drift=drift), indent=2))
        else:
            _print(table_console(self.stdout), drill, drift=drift)
        if drill.drift if drift else drill.total.unprotected:
            sys.exit(1)


def _seconds(text: str | None) -> float | None:
    try:
        return duration(text) if text is not None else None
    except ValueError as error:
        configured.stop(f"--max-age: {error}")


def _as_json(drill: Drill, *, drift: bool) -> dict[str, Any]:
    if drift:
        return {"cluster": drill.cluster, "drift": [row.as_json() for row in drill.drift]}
    return {**drill.as_json(), "missing": [row.as_json() for row in drill.missing]}


def _print(console: Console, drill: Drill, *, drift: bool) -> None:
    for notice in drill.notices:
        console.print(f"Note: {notice}", markup=False)
    if drift:
        _print_drift(console, drill)
        return
    what = f"without {drill.without}" if drill.without else "without any source"
    if drill.total.percent is None:
        console.print(f"Cluster {drill.cluster} has no workload.", markup=False)
        return
    console.print(
        f"Cluster {drill.cluster} {what}: {drill.total.protected} of {drill.total.workloads} workloads are protected "
        f"({drill.total.percent} %).",
        markup=False,
    )
    console.print(_namespaces(drill))
    if drill.missing:
        console.print(_missing(drill))
        for gap in drill.gaps:
            for step in dict.fromkeys(row.next_step for row in drill.missing_of(gap=gap)):
                console.print(f"{gap.value}: {step}", markup=False)


def _namespaces(drill: Drill) -> Table:
    table = Table("Namespace", "Workloads", "Not protected", "Protected")
    for name, share in drill.namespaces.items():
        table.add_row(name, str(share.workloads), str(share.unprotected), f"{share.percent} %")
    return table


def _missing(drill: Drill) -> Table:
    table = Table("Workload", "Image", "Reason", "Why")
    for row in drill.missing:
        table.add_row(str(row.workload), row.source or row.image, row.gap.value, row.meaning)
    return table


def _print_drift(console: Console, drill: Drill) -> None:
    table = Table("Workload", "Image", "Runs", "Source, as last compared", "Mirror")
    for row in drill.drift:
        table.add_row(str(row.workload), row.source, row.running_digest, row.source_digest or "–", row.target_digest)
    console.print(table if drill.drift else "No image runs with another digest than its mirror has.")
