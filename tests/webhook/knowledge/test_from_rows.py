"""What a mapping's row says of an image, for one namespace and moment: one line a rule."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mirrors.images import ImageRef
from mirrors.kubernetes.pods import ImageSlot
from mirrors.selectors.mapping_snapshot import Grant, MappingSnapshot
from mirrors.vocabulary.reasons import Reason
from swapper_project.config import ConfigSource
from swapper_project.process import environment
from tests.support.system import write_config
from webhook.database.mapping_cache import Row
from webhook.decision.decision import Decision
from webhook.decision.review_limits import ReviewLimits
from webhook.decision.snapshot import Snapshot, Snapshots
from webhook.knowledge import from_rows

HOUR = 3_600.0
SOURCE = ImageRef.parse("registry.example.com/team/app:1.0")
PRIVATE = {"access": "secrets"}


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Snapshot]:
    directory: Path = tmp_path_factory.mktemp("snapshot")
    entry = {
        "type": "oci",
        "host": "registry.example.com",
        "username": "robot",
        "passwordEnv": "SWAPPER_CRED_ROBOT",
        "namespaces": ["shop"],
    }
    config = write_config(
        directory / "config.yaml",
        target="mirror.example.com:5000",
        source={"registries": [entry]},
        existence={"maxAge": "10m", "maxStale": "2h"},
        platforms=["linux/amd64"],
    )
    made = Snapshots(source=ConfigSource(config), environment=environment.read({"SWAPPER_DATA_DIR": str(directory)}))
    yield made.current


def row(**fields: Any) -> Row:
    now = time.time()
    made = MappingSnapshot(
        mapping_id=1,
        source=str(SOURCE),
        target="mirror.example.com:5000/registry.example.com/team/app:1.0",
        existence="present",
        access="anonymous",
        source_digest="sha256:a",
        target_digest="sha256:a",
        verified_at=now,
        source_checked_at=now,
        platforms=("linux/amd64",),
        obstacle="",
        paused=False,
        last_job_id=1,
        last_job_status="succeeded",
    )
    return Row(replace(made, **fields))


def knowledge(snapshot: Snapshot, known: Row | None, *, namespace: str = "other", platforms: Any = ()) -> Any:
    slot = ImageSlot("/spec/containers/0/image", "app", str(SOURCE), container={})
    undecided = Decision(slot, Reason.UNKNOWN, source=SOURCE, key=str(SOURCE))
    limits = ReviewLimits(time.monotonic() + 2, namespace=namespace, platforms=frozenset(platforms))
    return from_rows.of_row(undecided, known, snapshot, limits)


@pytest.mark.parametrize(
    ("age", "is_stale"),
    # Images verified at one time are not verified again at one time: ten minutes, more or less by a tenth.
    [(0.0, False), (500.0, False), (700.0, True), (100 * HOUR, True)],
)
def test_an_old_answer_is_stale(snapshot: Snapshot, age: float, is_stale: bool) -> None:
    assert knowledge(snapshot, row(verified_at=time.time() - age)).stale is is_stale


def test_only_what_is_present_can_be_stale(snapshot: Snapshot) -> None:
    assert not knowledge(snapshot, row(existence="absent", verified_at=0.0)).stale


@pytest.mark.parametrize(
    ("fields", "platforms", "obstacle"),
    [
        ({}, (), None),
        ({"paused": True}, (), Reason.PAUSED),
        ({"obstacle": "tampered"}, (), Reason.TAMPERED),
        ({"source": "docker.io/library/other:1.0"}, (), Reason.TARGET_NAME_TAKEN),
        ({}, ["linux/amd64"], None),
        ({}, ["linux/arm64"], Reason.PLATFORM_NOT_MIRRORED),
        ({"platforms": ("linux/arm64/v8",)}, ["linux/arm64"], None),
        ({"platforms": ()}, ["linux/arm64"], None),
    ],
)
def test_obstacles(snapshot: Snapshot, fields: dict[str, Any], platforms: Any, obstacle: Reason | None) -> None:
    assert knowledge(snapshot, row(**fields), platforms=platforms).obstacle == obstacle


def grant(granted: bool, age: float) -> dict[str, Any]:
    return {**PRIVATE, "grants": {"other": Grant(granted, time.time() - age)}}


@pytest.mark.parametrize(
    ("fields", "namespace", "granted", "is_due", "is_barred"),
    [
        ({}, "other", False, False, False),
        ({"access": "configured"}, "shop", True, False, False),
        ({"access": "configured"}, "other", False, True, False),
        (PRIVATE, "shop", False, True, False),
        (grant(True, 60.0), "other", True, False, False),
        (grant(False, 60.0), "other", False, False, True),
        (grant(False, 700.0), "other", False, True, True),
        ({"access": "unreadable"}, "other", False, True, False),
    ],
)
def test_who_may_use_an_image(
    snapshot: Snapshot, fields: dict[str, Any], namespace: str, granted: bool, is_due: bool, is_barred: bool
) -> None:
    known = knowledge(snapshot, row(**fields), namespace=namespace)

    assert (known.granted, known.access_due, known.barred) == (granted, is_due, is_barred)


def test_what_has_no_row_is_unknown(snapshot: Snapshot) -> None:
    known = knowledge(snapshot, None)

    assert (known.existence, known.access, known.mapping_id) == ("unknown", "unknown", None)
    assert knowledge(snapshot, Row(None)) == known
