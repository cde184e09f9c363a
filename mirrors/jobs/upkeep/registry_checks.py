"""Connection tests of registries, which users request. The result of each step is saved as soon as the step is done."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Final

import structlog
from django.db import DatabaseError, InterfaceError, close_old_connections, connection
from django.db.models import QuerySet
from django.db.models.functions import Now

from mirrors.images import ImageRef
from mirrors.jobs.context.worker_context import WorkerContext
from mirrors.jobs.copy.failures import JobRefusedError, classify_failure
from mirrors.jobs.timing import from_now
from mirrors.models import (
    CheckStatus,
    ErrorClass,
    ImageMapping,
    ManagedBy,
    Registry,
    RegistryCheck,
    RegistryKind,
    RegistryRole,
)
from mirrors.oci import RegistryAccess
from mirrors.oci.probe import Probe
from mirrors.selectors import source_entry
from mirrors.selectors.queries.fixed_query import fixed_query

log = structlog.get_logger(__name__)

LOST_AFTER: Final = timedelta(minutes=5)
"""The time after which a running test counts as lost. The steps of a test take at most two minutes."""

NO_IMAGE: Final = "no image from this registry is known yet: test again after the first copy"

Step = tuple[str, Callable[[], str]]


class RegistryChecks:
    """The running connection tests, one thread for each. The drain starts requested tests between its claims."""

    def __init__(self, context: WorkerContext) -> None:
        self._context = context
        self._threads: list[threading.Thread] = []

    def start_requested(self) -> None:
        if not _requested():
            return
        for check in RegistryCheck.objects.filter(status=CheckStatus.PENDING).select_related("registry")[:5]:
            # Claim the test before it runs, so that only one of several workers runs it.
            claimed = RegistryCheck.objects.filter(pk=check.pk, status=CheckStatus.PENDING)
            if claimed.update(status=CheckStatus.RUNNING, started_at=Now()):
                thread = threading.Thread(target=self._run, args=(check,), name="registry-test", daemon=True)
                self._threads = [*(t for t in self._threads if t.is_alive()), thread]
                thread.start()

    def is_busy(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def _run(self, check: RegistryCheck) -> None:
        close_old_connections()
        try:
            run(check, self._context)
        except (DatabaseError, InterfaceError) as error:
            log.warning("The test of a registry cannot be recorded", registry=str(check.registry), error=str(error))
        finally:
            connection.close()


@fixed_query
def _requested() -> QuerySet[RegistryCheck, Any]:
    return RegistryCheck.objects.filter(status=CheckStatus.PENDING).values_list("pk")[:1]


def run(check: RegistryCheck, context: WorkerContext) -> None:
    """Run the steps of a test until one fails, and record their results, which contain no secrets."""
    steps: list[dict[str, Any]] = []
    passed = True
    for name, step in _Steps(check.registry, context).all():
        started = time.monotonic()
        try:
            message, status = step(), "ok"
        except _SkippedError as skipped:
            message, status = str(skipped), "skipped"
        except Exception as error:
            message, status, passed = classify_failure(error).message, "failed", False
        steps.append(
            {"name": name, "status": status, "words": message, "seconds": round(time.monotonic() - started, 3)}
        )
        RegistryCheck.objects.filter(pk=check.pk).update(steps=steps)
        if not passed:
            break
    result = CheckStatus.PASSED if passed else CheckStatus.FAILED
    RegistryCheck.objects.filter(pk=check.pk).update(status=result, finished_at=Now())


def fail_lost_tests() -> None:
    """Mark tests as failed whose worker has stopped."""
    step = {"name": "Worker", "status": "failed", "words": "the worker that ran this test has stopped: test again"}
    lost = RegistryCheck.objects.filter(
        status=CheckStatus.RUNNING, started_at__lt=from_now(-LOST_AFTER.total_seconds())
    )
    lost.update(status=CheckStatus.FAILED, finished_at=Now(), steps=[step])


class _SkippedError(Exception):
    """The step was skipped; the message gives the reason."""


class _Steps:
    def __init__(self, registry: Registry, context: WorkerContext) -> None:
        self._registry = registry
        self._context = context
        self._access: RegistryAccess | None = None

    def all(self) -> Iterator[Step]:
        yield "Credentials", self._credential
        if self._access is None:
            return
        probe = self._context.engine.probe(self._access)
        yield "Name", probe.name
        yield "Connection", probe.connection
        yield "Authentication", probe.log_in
        yield "Permission", lambda: self._permission(probe)
        yield "Round trip", probe.round_trip

    def _credential(self) -> str:
        self._access = self._registry_access()
        if not self._registry.credential_ref and not self._access.credentials:
            return "not configured: access is anonymous"
        return f"{self._registry.credential_ref or 'the configured credentials'} can be read"

    def _registry_access(self) -> RegistryAccess:
        row, context = self._registry, self._context
        if row.role == RegistryRole.TARGET:
            name = context.config.target.name
            if (row.endpoint, row.prefix) != (name.endpoint, name.prefix):
                raise JobRefusedError(
                    ErrorClass.INVALID, f"{row} is not the active target, so no images are copied to it."
                )
            return context.driver().access()
        example = self._example_image()
        host = example.registry if example else row.endpoint
        if host.startswith("*."):
            raise JobRefusedError(ErrorClass.INVALID, f"{row.endpoint} matches many hosts, and {NO_IMAGE}.")
        ref = example or ImageRef(host, "library/none", "latest")
        catalog = context.catalog()
        if row.managed_by == ManagedBy.OPERATOR:
            catalog = context.catalog_of([source_entry(row)])
        return catalog.access_for(ref)

    def _permission(self, probe: Probe) -> str:
        if self._registry.role == RegistryRole.TARGET:
            return probe.write(self._test_repository())
        example = self._example_image()
        if example is None:
            raise _SkippedError(NO_IMAGE)
        return probe.read(example.repository, example.manifest_reference)

    def _test_repository(self) -> str:
        """Return the target repository to test. At a cloud's registry it must exist, because a test creates none."""
        newest = (
            ImageMapping.objects.filter(target_registry=self._registry, existence="present").order_by("-id").first()
        )
        if newest is not None:
            return ImageRef.parse(newest.target).repository
        if self._registry.kind != RegistryKind.OCI:
            raise _SkippedError("it has no repository yet: test again after the first copy")
        return "/".join(filter(None, (self._registry.prefix, "k8s-image-swapper-test")))

    def _example_image(self) -> ImageRef | None:
        """Return the newest image that was mirrored from this registry; None if there is none."""
        host = self._registry.endpoint
        rows = ImageMapping.objects.filter(existence="present").order_by("-id")
        if host.startswith("*."):
            newest = rows.filter(source__iregex=rf"^[a-z0-9.-]+{re.escape(host[1:])}(:[0-9]+)?/").first()
        else:
            newest = rows.filter(source__startswith=f"{host}/").first()
        return ImageRef.parse(newest.source) if newest else None
