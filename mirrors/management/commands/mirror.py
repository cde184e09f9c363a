"""``manage.py mirror IMAGE…``: copies that run immediately, in this process."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management import CommandError, CommandParser
from django.db import close_old_connections, connection

from mirrors.images import ImageRef, InvalidReferenceError
from mirrors.jobs.context.worker_context import WorkerContext
from mirrors.jobs.process.drain import Drain
from mirrors.jobs.queue import database_outage
from mirrors.management.own_images import helm_values, own_images
from mirrors.management.show_copies import show_on
from mirrors.management.terminal import user_of_process
from mirrors.models import Registry
from mirrors.selectors.jobs import job_snapshots
from mirrors.selectors.jobs.job_snapshots import JobView
from mirrors.services import refusal_of, request_images
from mirrors.services.configuration.config_rows import sync_config
from swapper_project import config as configuration
from swapper_project.config import Config, ConfigSource
from swapper_project.process import configured, logs, release
from swapper_project.process.commands.base_command import ConfiguredCommand, environment_with

PROGRESS_EVERY = 0.25
"""Seconds between two queries of the jobs, short enough for a smooth progress bar."""


class Command(ConfiguredCommand):
    help = (
        "Mirror images now, whether or not a worker runs and regardless of dryRun. "
        "Exits with status 1 if one of them could not be mirrored, with 2 if all of them were refused."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "images", nargs="*", metavar="IMAGE", help="as in a pod: nginx:1.27, ghcr.io/org/app@sha256:…"
        )
        parser.add_argument(
            "--self",
            action="store_true",
            dest="own",
            help="mirror the images of this installation, and print the Helm values that run them from the mirror",
        )
        parser.add_argument(
            "--release", default=release.VERSION, metavar="VERSION", help="for --self: another release, for an upgrade"
        )
        parser.add_argument(
            "--json", action="store_true", dest="as_json", help="print one JSON object per image at the end"
        )
        parser.add_argument("--queue", action="store_true", help="only request the copies; workers run them")

    def handle(self, *, images: list[str], own: bool, as_json: bool, queue: bool, **options: Any) -> None:
        images = [*images, *(own_images(options["release"]) if own else ())]
        if not images:
            raise CommandError("Name an image, or --self for the images of this installation.")
        source = _config_source(options["config"])
        logs.configure(source.current.log_level, source.current.log_format)
        target = sync_config(config=source.current)
        refs, refused = _parse(images, target, source.current)
        if source.current.dry_run:
            self.stderr.write("dryRun is set: pods are not changed, but the copies requested here run.")
        outcomes = (
            request_images(target=target, sources=refs, requested_by=user_of_process("mirror command")) if refs else []
        )
        ids = [outcome.job_id for outcome in outcomes if outcome.job_id is not None]
        refused |= {o.source: o.refusal for o in outcomes if o.problem}
        for image, reason in refused.items():
            self.stderr.write(f"{image}: {reason}")
            if as_json:
                self.stdout.write(json.dumps({"image": image, "status": "refused", "error": reason}))
        views = (
            job_snapshots.job_views(ids)
            if queue or not ids
            else _run_jobs(source, ids, sys.stderr if as_json or own else sys.stdout)
        )
        self._report(views, as_json=as_json, queued=queue)
        if refused and not ids:
            sys.exit(2)
        expected = {"succeeded", "pending", "running"} if queue else {"succeeded"}
        if refused or not all(view.status in expected for view in views):
            sys.exit(1)
        if own and not (as_json or queue):
            self.stdout.write(helm_values(options["release"], source.current.target.name), ending="")

    def _report(self, views: Sequence[JobView], *, as_json: bool, queued: bool) -> None:
        for view in views:
            if as_json:
                self.stdout.write(json.dumps(view.as_json()))
            elif queued:
                self.stdout.write(f"{view.source}: requested, job {view.job_id}")


def _config_source(explicit: Path | None) -> ConfigSource:
    environment = environment_with(explicit)
    path = configuration.find(str(environment.config) if environment.config else None)
    if path is None:
        configured.stop(configured.MISSING)
    try:
        return ConfigSource(path, environment.config_overrides)
    except configuration.ConfigError as error:
        configured.stop(str(error))


def _parse(images: Sequence[str], target: Registry, config: Config) -> tuple[list[ImageRef], dict[str, str]]:
    """Return the references to request, and the other images with the reasons why they are refused."""
    refs: list[ImageRef] = []
    refused: dict[str, str] = {}
    for image in images:
        try:
            ref = ImageRef.parse(image)
        except InvalidReferenceError as error:
            refused[image] = f"{error}."
            continue
        if refusal := refusal_of(ref, target, config.source.allowed_hosts):
            refused[image] = refusal
        else:
            refs.append(ref)
    return list(dict.fromkeys(refs)), refused


def _run_jobs(source: ConfigSource, ids: list[int], stream: Any) -> list[JobView]:
    """Run the jobs in this process, and show them until they finish, including those that a worker has leased first.

    Raises CommandError if the disk of the database is full, because this command does not wait for space.
    """
    stop = threading.Event()
    with _stop_on_signals(stop), _draining(source, ids, stop) as thread, show_on(stream) as show:
        while True:
            close_old_connections()
            views = job_snapshots.job_views(ids)
            show.update(views)
            if database_outage.out_of_space():
                stop.set()
            if stop.is_set() or not thread.is_alive() or all(view.is_finished for view in views):
                break
            time.sleep(PROGRESS_EVERY)
    if full := database_outage.out_of_space():
        raise CommandError(f"{full} Then run the command again, or let workers run the copies, which stay queued.")
    if stop.is_set():
        print("Stopped: unfinished copies stay queued, and workers run them.", file=sys.stderr)
    return job_snapshots.job_views(ids)


@contextmanager
def _stop_on_signals(stop: threading.Event) -> Iterator[None]:
    """Let SIGTERM and SIGINT only set the event."""
    signals = (signal.SIGTERM, signal.SIGINT)
    previous = [signal.signal(number, lambda *_: stop.set()) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, previous, strict=True):
            signal.signal(number, handler)


@contextmanager
def _draining(source: ConfigSource, ids: list[int], stop: threading.Event) -> Iterator[threading.Thread]:
    """Yield a thread that runs these jobs until the end of the block, or until ``stop`` is set."""
    finished = threading.Event()
    context = WorkerContext(source)

    def drain() -> None:
        while not (stop.is_set() or finished.is_set()):
            Drain(context, stop=stop.is_set, only=ids, keep_running=lambda: not finished.is_set()).run()
        connection.close()

    thread = threading.Thread(target=drain, name="drain", daemon=True)
    thread.start()
    try:
        yield thread
    finally:
        finished.set()
        thread.join()
        context.close()
