"""Failing pulls grouped by image and cause, as rows store them. Does not use the database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from mirrors.vocabulary.pull_causes import PullCause, PullSide
from mirrors.watcher.pulls.failing import FailingPull

SAMPLE_PODS: Final = 5
"""The most pods that a row lists: enough to find the others."""

NAMESPACES_IN_ROW: Final = 20
"""The most namespaces that a row lists."""


@dataclass(slots=True)
class FailingImage:
    """The failing pulls of one image with one cause. ``name`` is as in FailingPull."""

    image: str
    name: str
    side: PullSide
    cause: PullCause
    message: str
    pods: set[str] = field(default_factory=set)
    nodes: set[str] = field(default_factory=set)
    namespaces: set[str] = field(default_factory=set)
    samples: dict[tuple[str, str, str, str], dict[str, Any]] = field(default_factory=dict)
    """One pod per workload; each bare pod or pod of a Job counts separately."""

    def add(self, pull: FailingPull) -> None:
        pod = pull.pod
        self.pods.add(pull.uid)
        if pod.node:
            self.nodes.add(pod.node)
        self.namespaces.add(pod.namespace)
        # The order of pods varies from turn to turn, so take the smallest name.
        owner = (pod.namespace, *pod.workload, "" if pod.workload.name else pod.name)
        if owner not in self.samples or pod.name < self.samples[owner]["pod"]:
            self.samples[owner] = {
                "namespace": pod.namespace,
                "kind": pod.workload.kind,
                "name": pod.workload.name,
                "pod": pod.name,
                "node": pod.node,
            }

    @property
    def listed_namespaces(self) -> list[str]:
        return sorted(self.namespaces)[:NAMESPACES_IN_ROW]

    @property
    def listed_samples(self) -> list[dict[str, Any]]:
        return [self.samples[owner] for owner in sorted(self.samples)[:SAMPLE_PODS]]


def by_image(pulls: Iterable[FailingPull]) -> dict[tuple[str, str], FailingImage]:
    """Group the pulls by image and cause."""
    found: dict[tuple[str, str], FailingImage] = {}
    for pull in pulls:
        key = (pull.image, pull.cause.value)
        if key not in found:
            found[key] = FailingImage(pull.image, pull.name, pull.side, pull.cause, pull.message)
        found[key].add(pull)
    return found
