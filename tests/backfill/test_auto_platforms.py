"""With ``platforms: auto``, a preview measures the platforms of the nodes, and reads the nodes once for many images."""

from __future__ import annotations

from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from mirrors.models import BackfillImage, Cluster
from mirrors.services.clusters.backfill import request_preview
from tests.backfill.conftest import Shop, Watcher
from tests.jobs.support import load
from tests.support.faulty_registry import FaultyRegistry

IMAGES = 12


def test_node_platforms_are_read_at_most_once_per_turn(watcher: Watcher, source: FaultyRegistry, shop: Shop) -> None:
    Cluster.objects.update_or_create(
        name="default", defaults={"platforms": ["linux/arm64"], "seen_at": Now(), "listed_at": Now()}
    )
    watcher.configure(platforms="auto")
    for seed in range(IMAGES):
        load(source, tag=f"t{seed}", seed=seed, platforms=("linux/amd64", "linux/arm64"))
        shop.pod(f"p{seed}", f"{source.host}/app:t{seed}")
    run, turns = request_preview(cluster="default", requested_by="ann"), 0

    with CaptureQueriesContext(connection) as queries:
        while run.previewed_at is None:
            watcher.turn()
            turns += 1
            run.refresh_from_db()

    looks = [query for query in queries if '"mirrors_cluster"."platforms"' in query["sql"]]
    assert 1 <= len(looks) <= turns
    assert BackfillImage.objects.filter(run=run, is_measured=True, manifests=2).count() == IMAGES, "of one platform"
