"""``manage.py explain POD.yaml``: explains what the webhook would do with each image of a pod, and why."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

from django.core.management import CommandParser
from rich.console import Console
from rich.table import Table

from mirrors.kubernetes.objects.pod_manifests import MOST_FILE_BYTES, ManifestError, read_file, read_pods, text_of
from mirrors.selectors.images.last_errors import LastError
from swapper_project.process import configured, logs
from swapper_project.process.commands.base_command import ConfiguredCommand, environment_with
from swapper_project.process.commands.table_console import table_console
from webhook.explain.explainer import ExplainedPod, explain
from webhook.runtime.runtime import Runtime


class Command(ConfiguredCommand):
    help = (
        "Show what the webhook would do with the images of a Pod, Deployment, StatefulSet, DaemonSet, Job or CronJob, "
        "and why. Reads the database and queries registries; changes nothing."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("manifest", help="YAML or JSON file of one or more objects; - for standard input")
        parser.add_argument("--namespace", default="default", help="for objects without a namespace (default: default)")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *, manifest: str, config: Path | None, namespace: str, **options: Any) -> None:
        logs.configure("info", "console")
        environment = environment_with(config)
        configured.load(environment)
        try:
            text = text_of(sys.stdin.buffer.read(MOST_FILE_BYTES + 1)) if manifest == "-" else read_file(Path(manifest))
            pods = read_pods(text, namespace=namespace)
        except OSError as error:
            configured.stop(f"{manifest}: {error.strerror}")
        except ManifestError as error:
            configured.stop(f"{manifest}: {error}")
        runtime = Runtime(environment, is_observer=True)
        runtime.start()
        try:
            explained = list(explain(runtime, pods))
        finally:
            runtime.stop()
        if options["json"]:
            self.stdout.write(json.dumps([_as_json(pod) for pod in explained], indent=2))
        else:
            for pod in explained:
                _print(table_console(sys.stdout), pod)


def _as_json(pod: ExplainedPod) -> dict[str, Any]:
    fields = ("container", "image", "decision", "reason", "meaning", "would", "target", "existence", "access", "filter")
    return {
        "object": pod.object,
        "namespace": pod.namespace,
        "images": [
            {**{name: getattr(image, name) for name in fields}, "last_error": _error_as_json(image.last_error)}
            for image in pod.images
        ],
        "patch": list(pod.patch),
        **({"warnings": list(pod.warnings)} if pod.warnings else {}),
        **({"denied": pod.denied} if pod.denied else {}),
    }


def _error_as_json(error: LastError | None) -> dict[str, Any] | None:
    return dataclasses.asdict(error) if error is not None else None


def _print(console: Console, pod: ExplainedPod) -> None:
    if not pod.images:
        console.print(f"{pod.object} in namespace {pod.namespace}: this pod has no images.", highlight=False)
        return
    table = Table(title=f"{pod.object} in namespace {pod.namespace}", title_justify="left", title_style="bold")
    table.add_column("Image", overflow="fold", ratio=2)
    table.add_column("Decision")
    table.add_column("Reason", no_wrap=True)
    table.add_column("Target", overflow="fold", ratio=3)
    table.add_column("Known state", overflow="fold")
    table.add_column("Filter", overflow="fold")
    for image in pod.images:
        table.add_row(
            image.image or "(empty)",
            "[green]swap[/]" if image.decision == "swap" else "[yellow]keep[/]",
            image.reason,
            image.target or "–",
            f"{image.existence}, source {image.access}" if image.existence else "–",
            image.filter or "–",
        )
    console.print(table)
    meanings = {i.reason: i.meaning for i in pod.images} | {i.would: i.would_meaning for i in pod.images if i.would}
    for reason, meaning in meanings.items():
        console.print(f"  [bold]{reason}[/]: {meaning}", highlight=False)
    for would in dict.fromkeys(i.would for i in pod.images if i.would):
        console.print(f"  Otherwise it would have been: [bold]{would}[/]", highlight=False)
    for image in pod.images:
        if error := image.last_error:
            line = f"  {image.image}: its last copy (job {error.job}) failed: {error.error_message} {error.advice}"
            console.print(line.rstrip(), highlight=False, markup=False)
    for line in pod.warnings:
        console.print(f"  {line}", highlight=False, markup=False)
    if pod.denied:
        console.print(f"  The pod would be denied: {pod.denied}", style="red", highlight=False, markup=False)
