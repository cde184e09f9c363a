"""The refresh of existence: one process checks whether the target still has the known images, so that webhooks seldom
have to.

An image is checked before the last result is too old for webhooks (``existence.maxAge``). The checks use a small part
of the target's budget.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import structlog
from django.db import DatabaseError, InterfaceError, close_old_connections, connection

from mirrors.images import ImageRef
from mirrors.jobs.context.worker_context import WorkerContext
from mirrors.jobs.queue import work_leases
from mirrors.jobs.queue.work_leases import EXISTENCE
from mirrors.jobs.timing import from_now, timing
from mirrors.models import Existence, ImageMapping, Registry, RegistryRole
from mirrors.oci import CopyCancelledError, RegistryAccess, RegistryError
from mirrors.registries.credentials import CredentialError
from mirrors.registries.request_limits import budget_finder
from mirrors.services import holder_name, record_existence
from mirrors.services.images.recording import TargetAnswer
from swapper_project.process import outage_log

log = structlog.get_logger(__name__)

SHARE_OF_BUDGET: Final = 0.05
"""The share of the target's budget that checks use. The rest is for copies."""

PER_SECOND: Final = 20.0
"""Checks per second of a target without a budget: 10,000 images in eight minutes."""

SHARE_OF_AGE: Final = 0.8
"""The share of ``existence.maxAge`` after which an image is checked again. Webhooks check it after nine tenths."""

CHECK_THREADS: Final = 4
"""The number of concurrent checks: at 200 ms each, they reach ``PER_SECOND``."""

HEAD_SECONDS: Final = 5.0
"""The timeout of one check, including its retries. No pod waits for a check."""

MOST_FAILED: Final = 1_000
"""The maximum number of images that are skipped because their check failed. If more fail, the target does not respond,
and the turn ends."""


@dataclass(frozen=True, slots=True)
class _Image:
    pk: int
    source: str
    target: str


class ExistenceRefresh:
    """The thread that refreshes existence. It runs in each process that copies; only the one with the lease works."""

    def __init__(self, context: WorkerContext) -> None:
        self._context = context
        self._budget_of = budget_finder(lambda: context.config)
        self._holder = ""
        self._failed: dict[int, float] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="existence", daemon=True)

    def start(self) -> None:
        self._holder = holder_name()
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(5)

    def _run(self) -> None:
        while not self._stopping.wait(timing().existence_period * random.uniform(0.9, 1.1)):
            try:
                close_old_connections()
                if work_leases.hold(EXISTENCE, self._holder, timing().existence_lease):
                    self._refresh()
            except (DatabaseError, InterfaceError) as error:
                outage_log.warn("Existence is not refreshed", error)
                connection.close()
            except (CredentialError, RegistryError) as error:
                log.warning("Existence is not refreshed; webhooks check it themselves", error=str(error))
            except Exception:
                log.exception("Existence is not refreshed; trying again")
        self._release_lease()
        connection.close()

    def _refresh(self) -> None:
        """Check the images with the oldest results, as many as one turn has time for."""
        name = self._context.config.target.name
        registry = Registry.objects.filter(role=RegistryRole.TARGET, endpoint=name.endpoint, prefix=name.prefix).first()
        if registry is None:
            return
        per_second = self._per_second(name.endpoint)
        due = self._due(registry, max(1, int(per_second * timing().existence_period)))
        results = self._check_images(due, self._context.driver().access(), 1 / per_second) if due else {}
        if results:
            record_existence(target_registry_id=registry.pk, results=results)

    def _per_second(self, host: str) -> float:
        budget = self._budget_of(host)
        limits = [budget.limits[op] for op in ("head", "request") if op in budget.limits] if budget else []
        return min(limits) * SHARE_OF_BUDGET if limits else PER_SECOND

    def _due(self, registry: Registry, count: int) -> list[_Image]:
        existence, now = self._context.config.existence, time.monotonic()
        self._failed = {pk: at for pk, at in self._failed.items() if now - at < existence.max_age}
        rows = ImageMapping.objects.filter(
            target_registry=registry,
            existence=Existence.PRESENT,
            paused=False,
            verified_at__lt=from_now(-existence.max_age * SHARE_OF_AGE),
            last_seen_at__gt=from_now(-existence.max_stale),
        ).exclude(pk__in=self._failed)
        return [_Image(*row) for row in rows.order_by("verified_at").values_list("pk", "source", "target")[:count]]

    def _check_images(
        self, images: Iterable[_Image], access: RegistryAccess, spacing: float
    ) -> dict[str, TargetAnswer]:
        """Check the images at the target. Returns the results by source, without images whose check failed."""
        results: dict[str, TargetAnswer] = {}

        def check(image: _Image) -> Callable[[], None]:
            return lambda: self._record(image, self._check_image(image, access), results)

        with ThreadPoolExecutor(CHECK_THREADS, thread_name_prefix="existence") as threads:
            for image in images:
                threads.submit(check(image))
                if self._stopping.wait(spacing) or len(self._failed) >= MOST_FAILED:
                    break
        return results

    def _record(self, image: _Image, result: TargetAnswer | None, results: dict[str, TargetAnswer]) -> None:
        if result is not None:
            results[image.source] = result
        elif len(self._failed) < MOST_FAILED:
            self._failed[image.pk] = time.monotonic()

    def _check_image(self, image: _Image, access: RegistryAccess) -> TargetAnswer | None:
        started_at = time.monotonic()
        try:
            descriptor = self._context.engine.head(
                ImageRef.parse(image.target), access, timeout=HEAD_SECONDS, confirm=True
            )
        except (RegistryError, CopyCancelledError) as error:
            log.info("The check for an image at the target failed", image=image.target, error=str(error))
            return None
        state = Existence.PRESENT if descriptor else Existence.ABSENT
        return TargetAnswer(image.target, state, descriptor.digest if descriptor else "", started_at)

    def _release_lease(self) -> None:
        try:
            work_leases.release_lease(EXISTENCE, self._holder)
        except (DatabaseError, InterfaceError):
            log.info("The lease of existence checks cannot be released and will expire: the database does not respond")
