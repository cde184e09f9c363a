"""``manage.py backfill``: mirror the images that the cluster already runs."""

from __future__ import annotations

import sys
import threading
import time
from typing import Any, Final

from django.core.management import CommandError, CommandParser
from django.db import close_old_connections
from rich.console import Console

from mirrors.backfill.task import BackfillTask
from mirrors.management.show_backfill import preview_table, progress_line
from mirrors.management.terminal import until_signal, user_of_process
from mirrors.models import BackfillImage, BackfillImageState, BackfillRun, BackfillState
from mirrors.selectors.clusters.backfill import backfill_progress, open_run
from mirrors.selectors.queries.known_clusters import known_clusters
from mirrors.services import ActionRefusedError, request_preview, start_run
from mirrors.services.clusters.backfill import NothingToMirrorError, discard_preview
from mirrors.services.configuration.config_rows import sync_config
from swapper_project.process import configured, logs
from swapper_project.process.commands.base_command import ConfiguredCommand, environment_with

LINE_SECONDS: Final = 2.0
"""Seconds of work between two lines of progress."""

IDLE_SECONDS: Final = 1.0
"""The least seconds of a turn, also if no work is due: jobs take seconds."""

FAILED_SHOWN: Final = 5
"""The most failed images that are listed at the end."""


class Command(ConfiguredCommand):
    help = (
        "Mirror images of running pods and of workloads that are not mirrored yet, with the same decisions as the "
        "webhook. Shows a preview, starts, and follows the progress until Ctrl-C, which leaves it running. Exits with "
        "status 1 if an image could not be mirrored."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="show the preview and exit; nothing is copied")
        parser.add_argument(
            "--cluster",
            metavar="NAME",
            help="default: clusterName of the configuration file; for another cluster, its watcher does the work",
        )

    def handle(self, *, dry_run: bool, cluster: str | None, **options: Any) -> None:
        config = configured.load(environment_with(options["config"]))
        logs.configure("warning", "console")
        sync_config(config=config)
        self._console = Console(file=sys.stdout, soft_wrap=True)
        self._task = BackfillTask(lambda: config)
        self._is_own_cluster = cluster in (None, config.cluster_name)
        name = cluster or config.cluster_name
        _check_cluster(name)
        with until_signal() as stop:
            try:
                self._run(name, dry_run, stop)
            finally:
                self._task.close()

    def _run(self, cluster: str, dry_run: bool, stop: threading.Event) -> None:
        run = open_run(cluster)
        try:
            if run is None or run.state == BackfillState.PREVIEW:
                run = request_preview(cluster=cluster, requested_by=user_of_process("backfill command"))
        except NothingToMirrorError as error:
            self.stdout.write(str(error))
            return
        except ActionRefusedError as error:
            raise CommandError(str(error)) from None
        try:
            run = self._until_previewed(run, stop)
        except CommandError:
            if dry_run:
                discard_preview(run_id=run.pk)
            raise
        if run.previewed_at is None:
            self.stderr.write("Stopped: the preview stays, and the watcher completes it.")
            return
        self._console.print(preview_table(run))
        if dry_run:
            return
        if not run.images:
            self.stdout.write("No images remain that an admission would mirror.")
            return
        if run.state == BackfillState.PREVIEW:
            run = start_run(run_id=run.pk, requested_by=run.requested_by)
        self._follow(run, stop)

    def _until_previewed(self, run: BackfillRun, stop: threading.Event) -> BackfillRun:
        """Wait until the preview is complete, and work on it in this process if the run is of the configured cluster.

        Raises CommandError if that run has a problem, for example because the cluster cannot be read.
        """
        while run.previewed_at is None and run.is_open and not stop.is_set():
            self._work(stop)
            run.refresh_from_db()
            if run.problem and self._is_own_cluster:
                raise CommandError(run.problem)
        return run

    def _follow(self, run: BackfillRun, stop: threading.Event) -> None:
        last_line = ""
        while run.is_open and not stop.is_set():
            self._work(stop)
            run.refresh_from_db()
            line = progress_line(run, backfill_progress(run))
            if line != last_line:
                self.stdout.write(line)
            last_line = line
        progress = backfill_progress(run)
        if run.is_open:
            self.stderr.write("Stopped following. The backfill continues: the watcher requests its copies.")
        elif progress.failed or run.state == BackfillState.CANCELLED:
            self._show_failed(run, progress.failed)
            sys.exit(1)

    def _show_failed(self, run: BackfillRun, number: int) -> None:
        """Print the first images that failed, and where all of them are listed."""
        failed = BackfillImage.objects.filter(run=run, state=BackfillImageState.FAILED).select_related("job")
        for image in failed.order_by("rank")[:FAILED_SHOWN]:
            self.stderr.write(f"{image.source}: {image.job.error_message if image.job else 'its job was deleted'}")
        if number:
            self.stderr.write(
                f"{number} image{'s' if number > 1 else ''} failed. Backfill {run.pk} in the admin lists all of them: "
                "fix the cause, then start another backfill, which mirrors the missing images."
            )

    def _work(self, stop: threading.Event) -> None:
        close_old_connections()
        started_at = time.monotonic()
        if self._is_own_cluster:
            self._task.work(LINE_SECONDS)
        stop.wait(max(0.0, IDLE_SECONDS - (time.monotonic() - started_at)))


def _check_cluster(cluster: str) -> None:
    clusters = known_clusters()
    if clusters and cluster not in clusters:
        raise CommandError(
            f"There is no cluster named {cluster} (known: {', '.join(clusters)}). Check the name; to add a cluster, "
            f"run manage.py prepare with a configuration file that has clusterName: {cluster}."
        )
