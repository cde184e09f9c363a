"""The view that people have of a running attempt: its log lines, and live progress twice a second.

A copy that is over within a moment writes nothing while it runs: its end has all of it.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any, Final

import structlog
from django.db import DatabaseError, InterfaceError, connection
from django.db.models.functions import Now
from django.utils import timezone

from mirrors.jobs.copy.failures import Failure
from mirrors.jobs.limits import host_limits
from mirrors.jobs.queue.leases import AttemptReport, Lease
from mirrors.jobs.timing import from_now
from mirrors.models import JobProgress, MirrorAttempt
from mirrors.oci import Progress
from mirrors.oci.common.exchanges import ExchangeLog
from mirrors.vocabulary.bounds import HOST_LENGTH, LARGEST_BIG_INTEGER, LARGEST_INTEGER, storable, within
from swapper_project.process.monitoring import metrics

log = structlog.get_logger(__name__)

MAX_LOG: Final = 50_000
"""Characters of an attempt's log; a traceback has a few thousand."""

MOST_ERROR_CHARACTERS: Final = 5_000
"""Characters of the error that lists and pages show."""

MOMENT: Final = 2.0
"""Seconds after which people may look at a running copy; most small images take less, on a busy machine too."""

CUT: Final = "\n… {count} characters are left out here …\n"


class Log:
    """Its beginning and its end, where the error is; what lies between is left out of a long one."""

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
    """Belongs to the image's own thread. An unavailable database costs lines and figures, never the copy."""

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
        """The time that it has taken so far."""
        return time.monotonic() - self._began

    def count_bytes(self) -> None:
        """For the metrics, at its end, whatever that was."""
        for kind in ("copied", "mounted", "skipped"):
            metrics.COPY_BYTES.labels(kind).inc(getattr(self._seen, f"bytes_{kind}"))

    def start(self) -> None:
        """Empty figures in place of those that an attempt before this one left."""
        self._write_figures(Progress(), "started_at")

    def note(self, text: str) -> None:
        """A line of the log, to be seen at once."""
        self.add(text)
        self._write_log()

    def add(self, text: str) -> None:
        """A line of the log, to be seen with the next ``show``."""
        self._write(text)
        self._has_new_lines = True

    def show(self) -> None:
        """Let lines be seen, once the copy has taken a moment. Called often, on the image's own thread."""
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
        """The engine's callback, at most twice a second."""
        self._seen = seen
        if seen == self._shown or (seen.is_complete and self.seconds < MOMENT):
            return
        try:
            self._write_figures(seen)
            if self._probes and _both_have_answered(seen):
                host_limits.end_probe(self._probes, answered=self._probes)
                self._probes = ()
            # Only now: what the database did not take is written with the next look, though nothing has moved since.
            self._shown = seen
        except (DatabaseError, InterfaceError):
            connection.close()

    def end(self) -> None:
        """Writes the last figures, in the transaction that ends the job."""
        if self._seen != self._shown:
            self._write_figures(self._seen)

    def _write_figures(self, seen: Progress, *renewed: str) -> None:
        columns = _columns(seen)
        row = JobProgress(job_id=self._lease.job_id, **columns, started_at=from_now(-self.seconds), updated_at=Now())
        JobProgress.objects.bulk_create(
            [row], update_conflicts=True, unique_fields=["job"], update_fields=[*columns, "updated_at", *renewed]
        )

    def report(self, failure: Failure | None = None, last_words: str = "") -> AttemptReport:
        """Return the attempt as it is stored; each request only where somebody may ask why it failed or was slow."""
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
    """Blobs move, or need not: source and target have both done what was asked of them."""
    return bool(seen.bytes_copied or seen.bytes_mounted or seen.bytes_skipped)


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
