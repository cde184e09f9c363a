"""What people see of a running attempt: its log lines, and live progress twice a second."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import structlog
from django.db import DatabaseError, InterfaceError, connection
from django.db.models.functions import Now
from django.utils import timezone

from mirrors.jobs.lease import AttemptReport, Lease
from mirrors.jobs.retry import Failure
from mirrors.models import JobProgress, MirrorAttempt
from mirrors.oci import Progress
from swapper_project import metrics

log = structlog.get_logger(__name__)

MAX_LOG = 50_000
"""Characters of an attempt's log; a traceback has a few thousand."""


class Attempt:
    """Belongs to the image's own thread. A database that is away costs lines and figures, never the copy."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._text = ""
        self._seen = self._shown = Progress()
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return time.monotonic() - self._began

    def count_bytes(self) -> None:
        """For the metrics, at its end, whatever that was."""
        for kind in ("copied", "mounted", "skipped"):
            metrics.COPY_BYTES.labels(kind).inc(getattr(self._seen, f"bytes_{kind}"))

    def start(self) -> None:
        """An attempt begins with empty figures, whatever the one before left."""
        empty = _columns(Progress()) | {"started_at": Now()}
        JobProgress.objects.update_or_create(job_id=self._lease.job_id, defaults=empty)

    def note(self, text: str) -> None:
        """A line of the log, to be seen at once."""
        self._write(text)
        try:
            rows = MirrorAttempt.objects.filter(job_id=self._lease.job_id, number=self._lease.number)
            rows.update(log=self._text)
        except (DatabaseError, InterfaceError):
            connection.close()

    def progress(self, seen: Progress) -> None:
        """The engine's callback, at most twice a second."""
        self._seen = seen
        if seen == self._shown:
            return
        try:
            rows = JobProgress.objects.filter(job_id=self._lease.job_id)
            rows.update(**_columns(seen), updated_at=Now())
            # Only now: what the database did not take is told it with the next look, though nothing has moved since.
            self._shown = seen
        except (DatabaseError, InterfaceError):
            connection.close()

    def report(self, failure: Failure | None = None, last_words: str = "") -> AttemptReport:
        """What is left behind of it."""
        for text in (last_words, failure.message if failure else "", failure.details if failure else ""):
            if text:
                self._write(text)
        return AttemptReport(
            error_class=failure.error_class if failure else "",
            error=failure.message if failure else "",
            error_host=failure.host if failure else "",
            bytes_copied=self._seen.bytes_copied,
            log=self._text,
        )

    def _write(self, text: str) -> None:
        line = f"{timezone.now():%H:%M:%S} {text.rstrip()}\n"
        self._text = (self._text + line)[:MAX_LOG]


def _columns(seen: Progress) -> dict[str, Any]:
    return {
        "bytes_total": seen.bytes_total,
        "bytes_copied": seen.bytes_copied,
        "bytes_mounted": seen.bytes_mounted,
        "bytes_skipped": seen.bytes_skipped,
        "blobs_total": seen.blobs_total,
        "blobs_done": seen.blobs_done,
        "moving": [asdict(blob) for blob in seen.moving],
    }
