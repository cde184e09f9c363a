"""Whether an image could start from only its mirror: one case for each reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import time_machine

from mirrors.images import ImageRef
from mirrors.readiness.gaps import GAP_MEANING, NEXT_STEP, Conditions, Gap, IndexManifests, gap_of, has_changed
from mirrors.selectors.images.mapping_snapshot import Grant
from mirrors.vocabulary.clusters import ClusterNamespace
from tests.webhook.rows import HOUR, NOW, SOURCE, row, snapshot_in

RUNS, OTHER = "sha256:a", "sha256:f"
DENIED = {"access": "secrets", "grants": {ClusterNamespace("default", "blog"): Grant(False, NOW)}}
GRANTED = {"access": "secrets", "grants": {ClusterNamespace("default", "blog"): Grant(True, NOW)}}
LONG_AGO = {"access": "secrets", "grants": {ClusterNamespace("default", "blog"): Grant(True, NOW - 1_000 * HOUR)}}
INDEX = {"platforms": ("linux/amd64", "linux/arm64")}


@pytest.mark.parametrize(
    ("known", "asked", "digest", "expected"),
    [
        ({}, {}, RUNS, None),
        ({}, {}, "", None),
        ({"existence": "absent"}, {}, RUNS, Gap.NOT_MIRRORED),
        ({"existence": "unknown"}, {}, RUNS, Gap.NOT_MIRRORED),
        ({"paused": True}, {}, RUNS, Gap.BLOCKED),
        ({"obstacle": "tampered"}, {}, RUNS, Gap.BLOCKED),
        ({"obstacle": "immutable-conflict"}, {}, RUNS, Gap.BLOCKED),
        ({"source": "docker.io/library/other:1"}, {}, RUNS, Gap.BLOCKED),
        ({"verified_at": NOW - 3 * HOUR}, {}, RUNS, Gap.NOT_VERIFIED),
        ({"verified_at": NOW - 3 * HOUR}, {"max_age": 4 * HOUR}, RUNS, None),
        ({"verified_at": 0.0}, {}, RUNS, Gap.NOT_VERIFIED),
        ({}, {"platforms": frozenset({"linux/amd64", "linux/arm64"})}, RUNS, Gap.PLATFORM_MISSING),
        ({"platforms": ("linux/arm64/v8",)}, {"platforms": frozenset({"linux/arm64"})}, RUNS, None),
        ({"platforms": ()}, {"platforms": frozenset({"linux/arm64"})}, RUNS, None),
        ({"access": "unknown"}, {}, RUNS, Gap.NO_ACCESS),
        ({"access": "secrets"}, {}, RUNS, Gap.NO_ACCESS),
        (DENIED, {}, RUNS, Gap.NO_ACCESS),
        (LONG_AGO, {}, RUNS, Gap.NO_ACCESS),
        (GRANTED, {}, RUNS, None),
        ({"access": "configured"}, {}, RUNS, Gap.NO_ACCESS),
        ({"platforms": ()}, {}, OTHER, Gap.WOULD_CHANGE),
        ({"platforms": ()}, {"allows_change": True}, OTHER, None),
        ({}, {}, OTHER, None),
        ({}, {"reports_indexes": True}, OTHER, Gap.WOULD_CHANGE),
        ({}, {"nodes_have_pulled": False}, RUNS, Gap.NODES_UNTESTED),
    ],
)
def test_an_image_is_protected_or_has_a_reason(
    known: dict[str, Any], asked: dict[str, Any], digest: str, expected: Gap | None, tmp_path: Path
) -> None:
    conditions = Conditions(snapshot_in(tmp_path), NOW, **{"max_age": 2 * HOUR, **asked})
    with time_machine.travel(NOW, tick=False):
        found = gap_of(SOURCE, row(**known).mapping, "blog", digest, conditions)

    assert (found.gap if found else None) is expected


def test_an_image_without_source_or_mapping_has_a_reason(tmp_path: Path) -> None:
    conditions = Conditions(snapshot_in(tmp_path), NOW, 2 * HOUR)
    unknown, missing = gap_of(None, None, "blog", RUNS, conditions), gap_of(SOURCE, None, "blog", RUNS, conditions)

    assert unknown is not None and unknown.gap is Gap.UNKNOWN_SOURCE
    assert missing is not None and missing.gap is Gap.NOT_MIRRORED


def test_a_private_image_is_protected_only_in_configured_namespaces(tmp_path: Path) -> None:
    conditions = Conditions(snapshot_in(tmp_path), NOW, 2 * HOUR)
    with time_machine.travel(NOW, tick=False):
        found = [gap_of(SOURCE, row(access="configured").mapping, ns, RUNS, conditions) for ns in ("shop", "blog")]
    everywhere = Conditions(snapshot_in(tmp_path, privateImages="mirror"), NOW, 2 * HOUR)

    assert [entry.gap if entry else None for entry in found] == [None, Gap.NO_ACCESS]
    assert gap_of(SOURCE, row(access="configured").mapping, "blog", RUNS, everywhere) is None


@pytest.mark.parametrize(
    ("digest", "asked", "expected"),
    [
        (OTHER, {}, False),  # The digest may be that of a platform's manifest.
        (OTHER, {"reports_indexes": True}, True),
        (RUNS, {"reports_indexes": True}, False),
        (OTHER, {"manifests": IndexManifests({str(SOURCE)}, {(str(SOURCE), OTHER)}), "reports_indexes": True}, False),
        (OTHER, {"manifests": IndexManifests({str(SOURCE)}, {(str(SOURCE), "sha256:e")})}, True),
        (OTHER, {"manifests": IndexManifests({"docker.io/library/x:1"}, {("docker.io/library/x:1", OTHER)})}, False),
    ],
)
def test_a_digest_counts_as_changed_only_if_it_is_known_to_differ(
    digest: str, asked: dict[str, Any], expected: bool, tmp_path: Path
) -> None:
    mapping = row(**INDEX).mapping
    assert mapping is not None
    conditions = Conditions(snapshot_in(tmp_path), NOW, 2 * HOUR, **asked)
    pinned = ImageRef.parse(f"registry.example.com/team/app@sha256:{'c' * 64}")

    assert has_changed(SOURCE, mapping, digest, conditions) is expected
    assert not has_changed(pinned, mapping, digest, conditions)


def test_each_reason_has_a_description_and_a_next_step() -> None:
    assert set(GAP_MEANING) == set(NEXT_STEP) == set(Gap)


def test_details_do_not_repeat_the_reason(tmp_path: Path) -> None:
    conditions = Conditions(snapshot_in(tmp_path), NOW, 2 * HOUR)
    denied = row(**DENIED).mapping
    found = gap_of(SOURCE, denied, "blog", RUNS, conditions)

    assert found is not None and (found.gap, found.details) == (Gap.NO_ACCESS, "")
