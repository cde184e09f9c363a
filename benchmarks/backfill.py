"""``make bench-backfill``: a backfill with 50,000 running images of 20,000 sources, in a separate database."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.filled import measure_beside_rows
from benchmarks.readiness import peak_mib, row_of

ROWS, IMAGES = 50_000, 20_000
CLUSTERS = ("default", "default", "west")
"""The cluster of each round over all images: the images run twice in one cluster, and half of them in the other too."""


def main() -> int:
    return measure_beside_rows("benchmarks.backfill", __doc__, _measure)


def fill() -> None:
    """Create clusters and running images. No image is mirrored."""
    from django.db import connection
    from django.utils import timezone

    from mirrors.models import Cluster, RunningImage

    for name in set(CLUSTERS):
        Cluster.objects.create(name=name, platforms=["linux/amd64"], listed_at=timezone.now())
    rows = [RunningImage(**{**row_of(n % IMAGES, n), "cluster": CLUSTERS[n // IMAGES]}) for n in range(ROWS)]
    RunningImage.objects.bulk_create(rows, batch_size=2_000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _measure() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "swapper_project.settings")
    import django

    django.setup()
    from mirrors.backfill.running import record_finished_jobs
    from mirrors.models import BackfillImage, BackfillRun
    from mirrors.selectors.clusters import backfill as backfills
    from mirrors.selectors.overview.backfill_metrics import backfill_metrics
    from mirrors.services.clusters.backfill import cancel_run, request_preview, start_run
    from mirrors.watcher.kept_images import due

    runs: list[BackfillRun] = []
    _step("clusters of the page", backfills.of_clusters)
    _step("rows to decide", lambda: list(due("default", "x")[:500]))
    _step("preview", lambda: runs.append(request_preview(cluster="default", requested_by="")))
    run = runs[0]
    source = BackfillImage.objects.filter(run=run)[0].source
    _step("one image's pods", lambda: backfills.representatives(cluster="default", source=source, limit=5))
    _step("next images", lambda: backfills.due(run, ["found"], 200))
    BackfillImage.objects.filter(run=run).update(state="ready")
    BackfillRun.objects.filter(pk=run.pk).update(previewed_at=run.created_at)
    _step("start", lambda: start_run(run_id=run.pk, requested_by=""))
    _step("end of jobs", lambda: record_finished_jobs(run, 0))
    _step("progress", lambda: backfills.backfill_progress(run))
    _step("metric", backfill_metrics)
    _step("cancel", lambda: cancel_run(run_id=run.pk, requested_by=""))


def _step(name: str, work: Callable[[], Any]) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    before, started, cpu = peak_mib(), time.monotonic(), time.process_time()
    with CaptureQueriesContext(connection) as queries:
        work()
    found = {
        "step": name,
        "seconds": round(time.monotonic() - started, 3),
        "cpu_seconds": round(time.process_time() - cpu, 3),
        "statements": len(queries),
        "mib_more": peak_mib() - before,
    }
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    sys.exit(main())
