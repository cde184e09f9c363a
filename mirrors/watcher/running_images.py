"""Conversion of pods and templates into rows: images counted by workload. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from mirrors.kubernetes.objects.pod_states import ContainerState, PodState, TemplateState
from mirrors.models import RunningImage, RunningState


class Place(NamedTuple):
    """The key of a row in a cluster."""

    namespace: str
    kind: str
    workload: str
    image: str
    digest: str


class ImageRow(NamedTuple):
    """The values of a row. A row with equal values is not written again."""

    source: str
    pods: int
    nodes: int
    pod_name: str
    in_template: bool
    state: str


@dataclass(slots=True)
class _Count:
    pods: int = 0
    nodes: set[str] = field(default_factory=set)
    pod_name: str = ""
    failing: bool = False
    started: bool = False

    def add(self, pod: PodState, container: ContainerState) -> None:
        self.pods += 1
        if pod.node:
            self.nodes.add(pod.node)
        if not self.pod_name or pod.name < self.pod_name:
            self.pod_name = pod.name
        self.failing |= container.fails_to_pull
        self.started |= container.started

    @property
    def state(self) -> str:
        if self.failing:
            return RunningState.FAILING.value
        return (RunningState.RUNNING if self.started else RunningState.STARTING).value


def running_rows(
    pods: Iterable[PodState], templates: Iterable[TemplateState], source_of: Callable[[str], str]
) -> dict[Place, ImageRow]:
    """Return the rows of the images in pods and templates.

    ``source_of`` returns the source of an image in a pod or template; empty if it is unknown.
    """
    counts = _count_images(pods)
    template_images = _template_images(templates, source_of)
    rows, running = {}, set()
    for place, count in counts.items():
        source = source_of(place.image)
        template_key = (place.namespace, place.kind, place.workload, source or place.image)
        in_template = template_key in template_images
        running.add(template_key)
        rows[place] = ImageRow(source, count.pods, len(count.nodes), count.pod_name, in_template, count.state)
    for template_key in template_images.keys() - running:
        (namespace, kind, workload, _), image = template_key, template_images[template_key]
        place = Place(namespace, kind, workload, image, "")
        rows.setdefault(place, ImageRow(source_of(image), 0, 0, "", True, RunningState.TEMPLATE.value))
    return rows


def key_of(place: Place) -> str:
    return RunningImage.key_of(*place)


def _count_images(pods: Iterable[PodState]) -> dict[Place, _Count]:
    counts: dict[Place, _Count] = {}
    for pod in pods:
        if pod.finished:
            continue
        workload = pod.workload
        # A pod with two containers of one image counts once.
        seen: dict[Place, ContainerState] = {}
        for container in pod.containers:
            place = Place(pod.namespace, workload.kind, workload.name, container.image, container.digest)
            if place not in seen or container.fails_to_pull:
                seen[place] = container
        for place, container in seen.items():
            if (count := counts.get(place)) is None:
                count = counts[place] = _Count()
            count.add(pod, container)
    return counts


def _template_images(
    templates: Iterable[TemplateState], source_of: Callable[[str], str]
) -> dict[tuple[str, str, str, str], str]:
    """Return the images as written in the templates, by workload and source."""
    return {
        (template.namespace, template.workload.kind, template.workload.name, source_of(image) or image): image
        for template in templates
        for image in template.images
    }
