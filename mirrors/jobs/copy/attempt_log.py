"""What users see of a running attempt: its log lines, and its progress up to twice a second.

A copy that takes less than ``SHORT_COPY_SECONDS`` usually writes nothing while it runs: everything is written when it
ends.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import timedelta
from typing import Any, Final

import structlog
from django.db import DatabaseError, InterfaceError, connection
from django.db.models import DateTimeField, DurationField, ExpressionWrapper
from django.db.models.functions import Now
from django.utils import timezone

from mirrors.jobs.copy.failures import Failure
from mirrors.jobs.limits import host_limits
from mirrors.jobs.queue.leases import AttemptReport, Lease
from mirrors.models import JobProgress, MirrorAttempt
from mirrors.oci import Progress
from mirrors.oci.common.exchanges import ExchangeLog
from mirrors.selectors.queries.fixed_query import Argument, as_stored, fixed_insert
from mirrors.vocabulary.bounds import HOST_LENGTH, LARGEST_BIG_INTEGER, LARGEST_INTEGER, storable, within
from swapper_project.process.monitoring import metrics

log = structlog.get_logger(__name__)

MAX_LOG: Final = 50_000
"""The maximum length of an attempt's log in characters. A traceback has a few thousand."""

MOST_ERROR_CHARACTERS: Final = 5_000
"""The maximum length of the error that lists and pages show."""

SHORT_COPY_SECONDS: Final = 2.0
"""Seconds before a running copy saves its log lines. Most small images take less, even on a busy machine."""

PROGRESS_COLUMNS: Final = (
    "bytes_total",
    "bytes_copied",
    "bytes_mounted",
    "bytes_skipped",
    "blobs_total",
    "blobs_done",
    "moving",
)
"""The columns of a job's progress, without its times."""

OMISSION_MARK: Final = "\n… {count} characters are omitted here …\n"


class Log:
    """A log of limited length. The middle of a long log is omitted; its start and its end, which has the error, are
    kept."""

    HALF: Final = MAX_LOG // 2

    def __init__(self) -> None:
        self._head = self._tail = ""
        self._omitted = 0

    def write(self, text: str) -> None:
        room = self.HALF - len(self._head)
        self._head += text[:room]
        tail = self._tail + text[room:]
        self._omitted += max(0, len(tail) - self.HALF)
        self._tail = tail[-self.HALF :]

    def __str__(self) -> str:
        omission = OMISSION_MARK.format(count=self._omitted) if self._omitted else ""
        return f"{self._head}{omission}{self._tail}"


class Attempt:
    """The log and progress of an attempt. Used only on the image's own thread. If the database is unavailable, lines
    and figures are missing, but the copy continues."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._log = Log()
        self._has_new_lines = False
        self._latest = self._saved = Progress()
        self._started_at = time.monotonic()
        self._probes = lease.probes
        self.exchanges = ExchangeLog()

    @property
    def seconds(self) -> float:
        """The duration of the attempt so far, in seconds."""
        return time.monotonic() - self._started_at

    def count_bytes(self) -> None:
        """Add the attempt's bytes to the metrics. Called once, when the attempt has ended in any way."""
        for kind in ("copied", "mounted", "skipped"):
            metrics.COPY_BYTES.labels(kind).inc(getattr(self._latest, f"bytes_{kind}"))

    def reset_progress(self) -> None:
        """Replace the figures of a previous attempt by empty ones."""
        _reset_progress(*self._progress_values(Progress()))

    def log_line(self, text: str) -> None:
        """Add a line to the log, and save the log immediately."""
        self.add(text)
        self._write_log()

    def add(self, text: str) -> None:
        """Add a line to the log, which the next ``save_lines`` saves."""
        self._write(text)
        self._has_new_lines = True

    def save_lines(self) -> None:
        """Save new lines if the copy has taken longer than ``SHORT_COPY_SECONDS``. Called often, on the image's own
        thread."""
        if self._has_new_lines and self.seconds >= SHORT_COPY_SECONDS:
            self._write_log()

    def _write_log(self) -> None:
        try:
            rows = MirrorAttempt.objects.filter(job_id=self._lease.job_id, number=self._lease.number)
            rows.update(log=str(self._log))
            self._has_new_lines = False
        except (DatabaseError, InterfaceError):
            connection.close()

    def progress(self, progress: Progress) -> None:
        """Save the progress. The engine calls this at most twice a second."""
        self._latest = progress
        if progress == self._saved or (progress.is_complete and self.seconds < SHORT_COPY_SECONDS):
            return
        try:
            _write_progress(*self._progress_values(progress))
            if self._probes and _both_hosts_responded(progress):
                host_limits.end_probe(self._probes, responded=self._probes)
                self._probes = ()
            # Set this after the write: figures that could not be written are written by the next call, even if they
            # have not changed.
            self._saved = progress
        except (DatabaseError, InterfaceError):
            connection.close()

    def save_last_progress(self) -> None:
        """Write the last figures, in the transaction that ends the job."""
        if self._latest != self._saved:
            _write_progress(*self._progress_values(self._latest))

    def _progress_values(self, progress: Progress) -> tuple[Any, ...]:
        """Return the arguments of the statements below, converted for the database."""
        duration = DurationField().get_db_prep_value(timedelta(seconds=self.seconds), connection)
        columns = _columns(progress)
        return self._lease.job_id, duration, *(as_stored(JobProgress, name, columns[name]) for name in PROGRESS_COLUMNS)

    def report(self, failure: Failure | None = None, last_line: str = "") -> AttemptReport:
        """Return the report to store. Its log lists each request only if the attempt failed or was slow."""
        for line in self.exchanges.lines(each=failure is not None or self.seconds >= SHORT_COPY_SECONDS):
            self._write(line)
        for text in (last_line, failure.message if failure else "", failure.details if failure else ""):
            if text:
                self._write(text)
        return AttemptReport(
            error_class=failure.error_class if failure else "",
            error=storable(failure.message, MOST_ERROR_CHARACTERS) if failure else "",
            error_host=storable(failure.host, HOST_LENGTH) if failure else "",
            error_says_step=failure.says_step if failure else False,
            bytes_copied=within(self._latest.bytes_copied, LARGEST_BIG_INTEGER),
            log=str(self._log),
        )

    def _write(self, text: str) -> None:
        line = f"{timezone.now():%H:%M:%S} {text.rstrip()}\n"
        self._log.write(storable(line))


def _both_hosts_responded(progress: Progress) -> bool:
    """Return whether blobs were copied, mounted or skipped, which shows that source and target respond."""
    return bool(progress.bytes_copied or progress.bytes_mounted or progress.bytes_skipped)


def _progress_row(job_id: Argument, duration: Argument, *values: Argument) -> JobProgress:
    started_at = ExpressionWrapper(
        Now() - ExpressionWrapper(duration, output_field=DurationField()), output_field=DateTimeField()
    )
    columns = dict(zip(PROGRESS_COLUMNS, values, strict=True))
    return JobProgress(job_id=job_id, started_at=started_at, updated_at=Now(), **columns)


_write_progress: Final = fixed_insert(_progress_row, unique=("job",), updated=(*PROGRESS_COLUMNS, "updated_at"))
_reset_progress: Final = fixed_insert(
    _progress_row, unique=("job",), updated=(*PROGRESS_COLUMNS, "started_at", "updated_at")
)


def _columns(progress: Progress) -> dict[str, Any]:
    return {
        "bytes_total": within(progress.bytes_total, LARGEST_BIG_INTEGER),
        "bytes_copied": within(progress.bytes_copied, LARGEST_BIG_INTEGER),
        "bytes_mounted": within(progress.bytes_mounted, LARGEST_BIG_INTEGER),
        "bytes_skipped": within(progress.bytes_skipped, LARGEST_BIG_INTEGER),
        "blobs_total": within(progress.blobs_total, LARGEST_INTEGER),
        "blobs_done": within(progress.blobs_done, LARGEST_INTEGER),
        "moving": [asdict(blob) for blob in progress.moving],
    }
