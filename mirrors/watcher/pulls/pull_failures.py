"""The watcher's task for failing pulls: writes their rows, recovers missing images, and updates the target's health."""

from __future__ import annotations

from collections.abc import Callable

from mirrors import selectors, services
from mirrors.models import PullFailure
from mirrors.selectors.clusters.pull_failures import Mirrored, mirrored_images
from mirrors.services.clusters.pull_failures import SeenFailure, write_failures
from mirrors.vocabulary.pull_causes import PullCause, PullSide
from mirrors.watcher.inventory import Inventory
from mirrors.watcher.pulls.failing import FailingPulls
from mirrors.watcher.pulls.grouped import FailingImage, by_image
from mirrors.watcher.pulls.target_health import HealthWriter
from swapper_project.config import Config


class PullFailures:
    """The InventoryTask for failing pulls."""

    def __init__(self, config_source: Callable[[], Config]) -> None:
        self._config_source = config_source
        self._failing = FailingPulls()
        self._health = HealthWriter()

    def run(self, inventory: Inventory) -> None:
        config = self._config_source()
        with inventory.lock:
            pods, nodes = list(inventory.pods.items()), len(inventory.nodes)
        # Without permission to read nodes, count the nodes that run pods.
        nodes = nodes or len({pod.node for _, pod in pods if pod.node})
        rows = {row.key: row for row in PullFailure.objects.filter(cluster=config.cluster_name)}
        stored_causes = {row.image: (row.cause, row.message) for row in rows.values()}
        failing = self._failing.update(pods, config.target.name, stored_causes)
        images = by_image(failing)
        if images or rows:
            _write(config, list(images.values()), rows)
        self._health.update(config, pods, failing, nodes)


def _write(config: Config, images: list[FailingImage], rows: dict[str, PullFailure]) -> None:
    target = config.target.name
    registry_id = selectors.target_registry_id(endpoint=target.endpoint, prefix=target.prefix)
    mirrored = mirrored_images(registry_id, [image.name for image in images if image.name], cluster=config.cluster_name)
    everybody = config.private_images == "mirror"
    failures = [_failure_of(image, mirrored.get(image.name), everybody=everybody) for image in images]
    write_failures(cluster=config.cluster_name, failures=failures, rows=rows)
    missing = [s for s in failures if s.side is PullSide.TARGET and s.cause is PullCause.NOT_FOUND]
    if missing and registry_id is not None:
        services.recover_missing(
            target_registry_id=registry_id,
            cluster=config.cluster_name,
            mapping_ids=sorted({s.mapping_id for s in missing if s.mapping_id is not None}),
            copies=not config.dry_run and config.image_copy_policy != "none",
        )


def _failure_of(image: FailingImage, mirrored: Mirrored | None, *, everybody: bool) -> SeenFailure:
    source = mirrored.source if mirrored else (image.name if image.side is PullSide.SOURCE else "")
    return SeenFailure(
        image=image.image,
        source=source,
        side=image.side,
        cause=image.cause,
        message=image.message,
        pods=len(image.pods),
        nodes=len(image.nodes),
        namespaces=image.listed_namespaces,
        samples=image.listed_samples,
        is_mirrored=mirrored is not None and mirrored.is_usable_by(image.listed_namespaces, everybody=everybody),
        mapping_id=mirrored.mapping_id if mirrored else None,
    )
