"""``manage.py policies``: additions for policies that match image names, for the configured target."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.management import CommandParser

from mirrors.management.image_policies import kyverno_policy, mirror_prefixes
from mirrors.registries.sources import source_entries
from mirrors.selectors import operator_sources
from mirrors.selectors.images.source_hosts import mirrored_hosts
from swapper_project.config import Config
from swapper_project.process import configured
from swapper_project.process.commands.base_command import ConfiguredCommand, environment_with


class Command(ConfiguredCommand):
    help = (
        "Print the data that policies on image names (Kyverno, Gatekeeper and others) need once images are swapped: "
        "the prefixes of images at the mirror, of their sources, and a ClusterPolicy for Kyverno."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--format",
            choices=("text", "prefixes", "kyverno", "json"),
            default="text",
            help="prefixes: only those of the mirror, one per line; kyverno: only the policy; text (default): all",
        )

    def handle(self, *, config: Path | None, format: str, **options: Any) -> None:
        loaded = configured.load(environment_with(config))
        hosts = _hosts(loaded)
        self.stdout.write(_printed(format, mirror_prefixes(loaded.target.name, hosts), [f"{host}/" for host in hosts]))


def _hosts(config: Config) -> list[str]:
    """Return the hosts of sources that are already mirrored, and of those that are configured without a wildcard."""
    target = config.target.name
    entries = (*source_entries(config), *operator_sources(config.cluster_name))
    named = {entry.host for entry in entries if "*" not in entry.host}
    return sorted(named.union(mirrored_hosts(endpoint=target.endpoint, prefix=target.prefix)))


def _printed(format: str, mirror: Sequence[str], sources: Sequence[str]) -> str:
    match format:
        case "prefixes":
            return "\n".join(mirror)
        case "kyverno":
            return kyverno_policy([*mirror, *sources]).rstrip()
        case "json":
            return json.dumps({"mirror": mirror, "sources": sources})
    return "\n".join(
        [
            "# Review these names: they are the registries that pods have used, and those that are configured.",
            "# Images from the mirror begin with:",
            *(f"#   {prefix}" for prefix in mirror),
            "# Images that are not mirrored yet begin with (Docker Hub's are often written without it):",
            *(f"#   {prefix}" for prefix in sources or ["any registry: nothing is mirrored yet"]),
            "# A policy of Kyverno that reports all others; failureAction: Enforce refuses them.",
            kyverno_policy([*mirror, *sources]).rstrip(),
        ]
    )
