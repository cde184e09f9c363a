"""The display of running copies: progress bars on a terminal, plain lines otherwise."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Protocol, Self, TextIO

from django.utils import timezone
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from mirrors.selectors.jobs.job_progress import BlobView
from mirrors.selectors.jobs.job_snapshots import JobView
from mirrors.templatetags.humanise import size

SHOWN_DIGEST_DIGITS = 12
"""Hexadecimal digits of a digest that are shown, as many as in Docker."""


class CopyDisplay(Protocol):
    """A display of copies, whose ``update`` is called repeatedly with all jobs."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def update(self, views: Iterable[JobView]) -> None: ...


def show_on(stream: TextIO) -> CopyDisplay:
    return Bars(stream) if stream.isatty() else Lines(stream)


class Lines:
    """A display that prints a line for each change of a job's state."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._printed: dict[int, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.flush()

    def update(self, views: Iterable[JobView]) -> None:
        for view in views:
            line = f"{view.source}: {status_text(view)}"
            if self._printed.get(view.job_id) != line:
                self._printed[view.job_id] = line
                print(line, file=self._stream, flush=True)


class Bars:
    """A display with a bar for each job, and below these, one for each blob in transfer: bytes, speed, time left."""

    def __init__(self, stream: TextIO) -> None:
        self._tasks: dict[int, TaskID] = {}
        self._blobs: dict[tuple[int, str], TaskID] = {}
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[status]}"),
            console=Console(file=stream),
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def update(self, views: Iterable[JobView]) -> None:
        views = list(views)
        self._update_jobs(views)
        self._update_blobs({(view.job_id, blob.digest): blob for view in views for blob in view.moving})

    def _update_blobs(self, moving: dict[tuple[int, str], BlobView]) -> None:
        for key in self._blobs.keys() - moving.keys():
            self._progress.remove_task(self._blobs.pop(key))
        for key, blob in moving.items():
            if key not in self._blobs:
                description = f"  {blob.digest.partition(':')[2][:SHOWN_DIGEST_DIGITS]}"
                self._blobs[key] = self._progress.add_task(description, total=blob.size, status="")
            self._progress.update(self._blobs[key], completed=blob.sent)

    def _update_jobs(self, views: Iterable[JobView]) -> None:
        for view in views:
            if view.job_id not in self._tasks:
                self._tasks[view.job_id] = self._progress.add_task(view.source, total=None, status="")
            self._progress.update(
                self._tasks[view.job_id],
                # A job that succeeded without copying any bytes is shown as complete.
                total=view.bytes_total or (1 if view.status == "succeeded" else None),
                completed=view.bytes_done or (1 if view.status == "succeeded" else 0),
                status=status_text(view),
            )


def status_text(view: JobView) -> str:
    """Return the state of a job as text for users."""
    match view.status:
        case "succeeded":
            copied = f"{size(view.bytes_copied)} copied of {size(view.bytes_total)}"
            return f"at {view.target} ({copied if view.bytes_total else 'it was already there, unchanged'})"
        case "failed":
            return f"failed: {view.error}"
        case "cancelled":
            return view.error or "cancelled"
        case "running":
            return "copying"
    if view.error and view.available_at > timezone.now():
        return f"waiting until {view.available_at:%H:%M:%S} to try again: {view.error}"
    return "waiting"
