"""Outages of the API server and the database, and a compacted history: known state is kept, and then updated."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.cluster.api import Api
from tests.support.controlplane import ControlPlane, control_plane
from tests.support.ports import wait_until
from tests.watcher.objects import Objects
from tests.watcher.watching import Watcher, Watching

SHOP = "shop"


@pytest.fixture(scope="module")
def own_plane() -> Iterator[ControlPlane]:
    """An API server that these tests can stop."""
    with control_plane() as plane:
        Objects(Api(plane)).namespace(SHOP)
        yield plane


@pytest.fixture
def objects(own_plane: ControlPlane) -> Iterator[Objects]:
    made = Objects(Api(own_plane))
    yield made
    for pod in made.api.get(f"/api/v1/namespaces/{SHOP}/pods")["items"]:
        made.delete_pod(SHOP, pod["metadata"]["name"])


@pytest.fixture
def watching(database_url: str, tmp_path: Path, own_plane: ControlPlane) -> Watching:
    return Watching(database_url, tmp_path, own_plane)


def sources(watching: Watching) -> set[str]:
    return {row[2] for row in watching.images(SHOP)}


def lists(watcher: Watcher) -> float:
    return watcher.requests("list")


def test_rows_survive_an_api_server_outage_and_are_updated_after_compaction(
    watching: Watching, objects: Objects, own_plane: ControlPlane
) -> None:
    objects.pod(SHOP, "stays", "quay.io/org/stays:1")
    objects.pod(SHOP, "goes", "quay.io/org/goes:1")
    with watching.running() as watcher:
        wait_until(lambda: sources(watching) == {"quay.io/org/stays:1", "quay.io/org/goes:1"}, what="the rows")
        before = lists(watcher)
        with own_plane.outage():
            sql = "SELECT count(*) FROM mirrors_cluster WHERE problem LIKE '%does not respond%'"
            wait_until(lambda: watching.value(sql), timeout=60, what="the problem")
            assert sources(watching) == {"quay.io/org/stays:1", "quay.io/org/goes:1"}, "nothing is missing"
            own_plane.compact()
        objects.delete_pod(SHOP, "goes")
        objects.pod(SHOP, "comes", "quay.io/org/comes:1")

        expected = {"quay.io/org/stays:1", "quay.io/org/comes:1"}
        wait_until(lambda: sources(watching) == expected, timeout=90, what="what runs now")
        wait_until(lambda: watching.value("SELECT problem FROM mirrors_cluster") == "", timeout=60, what="no problem")
        assert before == 8 and lists(watcher) <= 3 * before


def test_changes_arrive_through_watches_without_new_lists(watching: Watching, objects: Objects) -> None:
    objects.pod(SHOP, "app", "quay.io/org/app:1")
    with watching.running() as watcher:
        wait_until(lambda: sources(watching) == {"quay.io/org/app:1"}, what="the rows")
        for number in range(20):
            objects.pod(SHOP, f"more-{number}", f"quay.io/org/more{number}:1")
        wait_until(lambda: len(sources(watching)) == 21, what="the rows of all pods")
        assert lists(watcher) == 8


def test_two_clusters_on_one_database_have_separate_rows(
    watching: Watching, objects: Objects, plane: ControlPlane, tmp_path: Path
) -> None:
    namespace = f"shop-{uuid.uuid4().hex[:8]}"
    theirs = Objects(Api(plane))
    theirs.namespace(namespace)
    objects.namespace(namespace)
    other = Watching(watching.database_url, tmp_path / "other", plane, cluster="staging")
    other.directory.mkdir()

    def shown(one: Watching) -> set[str]:
        return {row[2] for row in one.images(namespace)}

    for place, tag in ((objects, "production"), (theirs, "staging")):
        place.pod(namespace, "app", f"quay.io/org/app:{tag}")
    with watching.running(), other.running():
        rows = {"quay.io/org/app:production"}, {"quay.io/org/app:staging"}
        wait_until(
            lambda: (
                ({row[2] for row in watching.images(namespace)}, {row[2] for row in other.images(namespace)}) == rows
            ),
            what="the rows of both clusters",
        )
        theirs.delete_pod(namespace, "app")
        wait_until(lambda: not other.images(namespace), what="the row of the other cluster to end")
        assert watching.images(namespace), "what ends in one cluster runs on in the other"
        sql = "SELECT count(*) FROM mirrors_worklease WHERE name IN ('watcher production', 'watcher staging')"
        assert watching.value(sql) == 2
