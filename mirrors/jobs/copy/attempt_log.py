"""What users see of a running attempt: its log lines, and its progress up to twice a second.

A copy that takes less than ``MOMENT`` usually writes nothing while it runs: everything is written when it ends.
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

MOMENT: Final = 2.0
"""Seconds before a running copy saves its log lines. Most small images take less, even on a busy machine."""

FIGURES: Final = (
    "bytes_total",
    "bytes_copied",
    "bytes_mounted",
    "bytes_skipped",
    "blobs_total",
    "blobs_done",
    "moving",
)
"""The columns of a job's progress, without its times."""

CUT: Final = "\n… {count} characters are omitted here …\n"


class Log:
    """A log of limited length. The middle of a long log is omitted; its start and its end, which has the error, are
    kept."""

    HALF: Final = MAX_LOG // 2

    def __init__(self) -> None:
        self._head = self._tail = ""
        self._left_out = 0

    def write(self, text: str) -> None:
        room = self.HALF - len(self._head)
        self._head += text[:room]
        tail = self._tail + text[room:]
        self._left_out += max(0, len(tail) - self.HALF)
        self._tail = tail[-self.HALF :]

    def __str__(self) -> str:
        cut = CUT.format(count=self._left_out) if self._left_out else ""
        return f"{self._head}{cut}{self._tail}"


class Attempt:
    """The log and progress of an attempt. Used only on the image's own thread. If the database is unavailable, lines
    and figures are missing, but the copy continues."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._log = Log()
        self._has_new_lines = False
        self._seen = self._shown = Progress()
        self._began = time.monotonic()
        self._probes = lease.probes
        self.exchanges = ExchangeLog()

    @property
    def seconds(self) -> float:
        """The duration of the attempt so far, in seconds."""
        return time.monotonic() - self._began

    def count_bytes(self) -> None:
        """Add the attempt's bytes to the metrics. Called once, when the attempt has ended in any way."""
        for kind in ("copied", "mounted", "skipped"):
            metrics.COPY_BYTES.labels(kind).inc(getattr(self._seen, f"bytes_{kind}"))

    def start(self) -> None:
        """Replace the figures of a previous attempt by empty ones."""
        _restart_figures(*self._figures(Progress()))

    def log_line(self, text: str) -> None:
        """Add a line to the log, and save the log immediately."""
        self.add(text)
        self._write_log()

    def add(self, text: str) -> None:
        """Add a line to the log, which the next ``show`` saves."""
        self._write(text)
        self._has_new_lines = True

    def show(self) -> None:
        """Save new lines if the copy has taken longer than ``MOMENT``. Called often, on the image's own thread."""
        if self._has_new_lines and self.seconds >= MOMENT:
            self._write_log()

    def _write_log(self) -> None:
        try:
            rows = MirrorAttempt.objects.filter(job_id=self._lease.job_id, number=self._lease.number)
            rows.update(log=str(self._log))
            self._has_new_lines = False
        except (DatabaseError, InterfaceError):
            connection.close()

    def progress(self, seen: Progress) -> None:
        """Save the progress. The engine calls this at most twice a second."""
        self._seen = seen
        if seen == self._shown or (seen.is_complete and self.seconds < MOMENT):
            return
        try:
            _write_figures(*self._figures(seen))
            if self._probes and _both_have_answered(seen):
                host_limits.end_probe(self._probes, answered=self._probes)
                self._probes = ()
            # Set this after the write: figures that could not be written are written by the next call, even if they
            # have not changed.
            self._shown = seen
        except (DatabaseError, InterfaceError):
            connection.close()

    def end(self) -> None:
        """Write the last figures, in the transaction that ends the job."""
        if self._seen != self._shown:
            _write_figures(*self._figures(self._seen))

    def _figures(self, seen: Progress) -> tuple[Any, ...]:
        """Return the arguments of the statements below, converted for the database."""
        took = DurationField().get_db_prep_value(timedelta(seconds=self.seconds), connection)
        columns = _columns(seen)
        return self._lease.job_id, took, *(as_stored(JobProgress, name, columns[name]) for name in FIGURES)

    def report(self, failure: Failure | None = None, last_words: str = "") -> AttemptReport:
        """Return the report to store. Its log lists each request only if the attempt failed or was slow."""
        for line in self.exchanges.lines(each=failure is not None or self.seconds >= MOMENT):
            self._write(line)
        for text in (last_words, failure.message if failure else "", failure.details if failure else ""):
            if text:
                self._write(text)
        return AttemptReport(
            error_class=failure.error_class if failure else "",
            error=storable(failure.message, MOST_ERROR_CHARACTERS) if failure else "",
            error_host=storable(failure.host, HOST_LENGTH) if failure else "",
            error_says_step=failure.says_step if failure else False,
            bytes_copied=within(self._seen.bytes_copied, LARGEST_BIG_INTEGER),
            log=str(self._log),
        )

    def _write(self, text: str) -> None:
        line = f"{timezone.now():%H:%M:%S} {text.rstrip()}\n"
        self._log.write(storable(line))


def _both_have_answered(seen: Progress) -> bool:
    """Return whether blobs were copied, mounted or skipped, which shows that source and target respond."""
    return bool(seen.bytes_copied or seen.bytes_mounted or seen.bytes_skipped)


def _progress(job_id: Argument, took: Argument, *figures: Argument) -> JobProgress:
    started_at = ExpressionWrapper(
        Now() - ExpressionWrapper(took, output_field=DurationField()), output_field=DateTimeField()
    )
    columns = dict(zip(FIGURES, figures, strict=True))
    return JobProgress(job_id=job_id, started_at=started_at, updated_at=Now(), **columns)


_write_figures: Final = fixed_insert(_progress, unique=("job",), updated=(*FIGURES, "updated_at"))
_restart_figures: Final = fixed_insert(_progress, unique=("job",), updated=(*FIGURES, "started_at", "updated_at"))


def _columns(seen: Progress) -> dict[str, Any]:
    return {
        "bytes_total": within(seen.bytes_total, LARGEST_BIG_INTEGER),
        "bytes_copied": within(seen.bytes_copied, LARGEST_BIG_INTEGER),
        "bytes_mounted": within(seen.bytes_mounted, LARGEST_BIG_INTEGER),
        "bytes_skipped": within(seen.bytes_skipped, LARGEST_BIG_INTEGER),
        "blobs_total": within(seen.blobs_total, LARGEST_INTEGER),
        "blobs_done": within(seen.blobs_done, LARGEST_INTEGER),
        "moving": [asdict(blob) for blob in seen.moving],
    }
