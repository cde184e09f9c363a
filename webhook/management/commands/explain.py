"""``manage.py explain POD.yaml``: what would happen to this pod, image by image, and why."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandParser
from rich.console import Console
from rich.table import Table

from mirrors.manifests import ManifestError, PodManifest, read_pods
from swapper_project import configured, logs
from webhook.admission import AdmissionRequest
from webhook.decision import Decision
from webhook.reasons import MEANING
from webhook.runtime import Runtime
from webhook.terms import Terms

SECONDS = 10.0
"""How long registries and database get for their answers."""


class Command(BaseCommand):
    help = (
        "Say what the webhook would do with the images of a Pod, Deployment, StatefulSet, DaemonSet, Job or CronJob, "
        "and why. Asks database and registries, and changes nothing."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("manifest", help="YAML or JSON file of one or more objects; - for standard input")
        parser.add_argument("--config", type=Path, help="configuration file")
        parser.add_argument("--namespace", default="default", help="for objects that name none (default: default)")
        parser.add_argument("--json", action="store_true", help="for programs")

    def handle(self, *, manifest: str, config: Path | None, namespace: str, **options: Any) -> None:
        logs.configure("info", "console")
        environment = settings.ENVIRONMENT
        if config is not None:
            environment = dataclasses.replace(environment, config=config)
        configured.load(environment)
        try:
            text = sys.stdin.read() if manifest == "-" else Path(manifest).read_text()
            pods = read_pods(text, namespace=namespace)
        except (OSError, ManifestError) as error:
            configured.stop(str(error))
        runtime = Runtime(environment)
        runtime.start()
        try:
            explained = [(pod, _decisions(runtime, pod)) for pod in pods]
        finally:
            runtime.stop()
        if options["json"]:
            self.stdout.write(json.dumps([_as_json(pod, decisions) for pod, decisions in explained], indent=2))
        else:
            for pod, decisions in explained:
                _print(Console(), pod, decisions)


def _decisions(runtime: Runtime, pod: PodManifest) -> list[Decision]:
    request = AdmissionRequest(
        api_version="admission.k8s.io/v1",
        uid="explain",
        kind="Pod",
        operation="CREATE",
        resource="pods",
        sub_resource="",
        namespace=pod.namespace,
        name=pod.title,
        dry_run=True,
        obj=pod.pod,
        old_obj={},
    )
    terms = Terms(deadline=time.monotonic() + SECONDS, namespace=pod.namespace, may_write=False)
    return list(runtime.reviewer.review(request, terms).decisions)


def _as_json(pod: PodManifest, decisions: list[Decision]) -> dict[str, Any]:
    return {
        "object": pod.title,
        "namespace": pod.namespace,
        "images": [
            {
                "container": d.slot.name,
                "image": d.slot.image,
                "decision": "swap" if d.swap else "keep",
                "reason": d.reason.value,
                "would": d.would.value if d.would else None,
                "target": str(d.target) if d.target else None,
                "existence": d.known.existence if d.known else None,
                "access": d.known.access if d.known else None,
                "filter": d.filter or None,
            }
            for d in decisions
        ],
    }


def _print(console: Console, pod: PodManifest, decisions: list[Decision]) -> None:
    table = Table(title=f"{pod.title} in namespace {pod.namespace}", title_justify="left", title_style="bold")
    table.add_column("Image", overflow="fold", ratio=2)
    table.add_column("Decision")
    table.add_column("Reason", no_wrap=True)
    table.add_column("Target", overflow="fold", ratio=3)
    table.add_column("Known of it", overflow="fold")
    table.add_column("Filter", overflow="fold")
    for d in decisions:
        table.add_row(
            d.slot.image or "(empty)",
            "[green]swap[/]" if d.swap else "[yellow]keep[/]",
            d.reason.value,
            str(d.target) if d.target else "–",
            f"{d.known.existence}, source {d.known.access}" if d.known else "–",
            d.filter or "–",
        )
    console.print(table)
    for reason in dict.fromkeys(r for d in decisions for r in (d.reason, d.would) if r is not None):
        console.print(f"  [bold]{reason.value}[/]: {MEANING[reason]}", highlight=False)
    for would in dict.fromkeys(d.would for d in decisions if d.would is not None):
        console.print(f"  Otherwise it would have been: [bold]{would.value}[/]", highlight=False)
