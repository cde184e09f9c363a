"""Mappings in the API: state, error of the last job, and filters by both; and the time ranges of all lists."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from mirrors.accounts.roles import Role
from mirrors.models import ImageMapping, ImageUse, JobStatus, MirrorJob, Registry
from mirrors.selectors.images.mapping_states import LISTED, STATES
from mirrors.services import request_image
from tests.api.conftest import Clients

CASES: dict[str, tuple[dict[str, Any], str]] = {
    # state: columns of the mapping, and status of its last job, or "" without a job
    "mirrored": ({"existence": "present"}, "failed"),
    "copying": ({"existence": "absent"}, "running"),
    "queued": ({}, "pending"),
    "failed": ({"existence": "absent"}, "failed"),
    "absent": ({"existence": "absent"}, "cancelled"),
    "unknown": ({}, ""),
    "paused": ({"paused": True, "obstacle": "tampered"}, "failed"),
    "tampered": ({"existence": "present", "obstacle": "tampered"}, "succeeded"),
    "immutable-conflict": ({"obstacle": "immutable-conflict"}, "failed"),
}


def mapping_in(state: str) -> ImageMapping:
    columns, status = CASES[state]
    job, _ = request_image(image=f"ghcr.io/acme/{state}:1", requested_by="somebody")
    rows = MirrorJob.objects.filter(pk=job.pk)
    if status == "running":
        lease = {"lease_token": "0" * 32, "lease_expires_at": timezone.now() + timedelta(minutes=1)}
        rows.update(status=status, **lease)
    elif status:
        error = {"error_class": "denied", "error_message": "no", "error_host": "ghcr.io"} if status == "failed" else {}
        rows.update(status=status, **error)
    else:
        rows.delete()
    ImageMapping.objects.filter(pk=job.mapping_id).update(**columns)
    return ImageMapping.objects.get(pk=job.mapping_id)


def sources(client: APIClient, query: str) -> list[str]:
    response = client.get(f"/api/v1/mappings/?{query}")
    assert response.status_code == 200, response.data
    return [row["source"].rpartition("/")[2].removesuffix(":1") for row in response.json()["results"]]


def test_each_mapping_state_is_shown_and_can_be_filtered(operator: APIClient, target: Registry) -> None:
    assert set(CASES) == set(STATES)
    rows = {state: mapping_in(state) for state in CASES}
    for state, row in rows.items():
        assert operator.get(f"/api/v1/mappings/{row.pk}/").json()["state"] == state
        assert sources(operator, f"state={state}") == [state]
    assert operator.get("/api/v1/mappings/?state=lost").status_code == 400


def test_each_mapping_matches_one_entry_of_the_state_list(target: Registry) -> None:
    rows = {state: mapping_in(state) for state in CASES}
    for state, row in rows.items():
        found = [
            name
            for name, (_, condition) in LISTED.items()
            if ImageMapping.objects.filter(condition, pk=row.pk).exists()
        ]
        assert found == [state if state in LISTED else "obstacle"]


def test_the_error_of_the_last_job_is_shown_and_can_be_filtered(operator: APIClient, target: Registry) -> None:
    failed, absent = mapping_in("failed"), mapping_in("absent")
    shown = operator.get(f"/api/v1/mappings/{failed.pk}/").json()
    assert (shown["error_class"], shown["error_message"], shown["error_host"]) == ("denied", "no", "ghcr.io")
    assert "permission to pull" in shown["advice"]
    without = operator.get(f"/api/v1/mappings/{absent.pk}/").json()
    assert [without[name] for name in ("error_class", "error_message", "error_host", "advice")] == [""] * 4
    assert sources(operator, "error_class=denied") == ["failed"]
    assert sources(operator, "error_class=not-found") == []
    assert sources(operator, "error_host=ghcr.io") == ["failed"]
    assert sources(operator, "error_host=quay.io") == []


def test_the_number_of_queries_does_not_grow_with_the_mappings(
    operator: APIClient, target: Registry, django_assert_num_queries: Any
) -> None:
    mapping_in("failed")
    sources(operator, "")
    with django_assert_num_queries(4):  # token, rate limit, groups, rows
        sources(operator, "")
    mapping_in("mirrored")
    with django_assert_num_queries(4):
        assert len(sources(operator, "")) == 2


@pytest.mark.parametrize("micro", [0, 345_000, 345_678])
def test_a_time_range_includes_its_start_and_excludes_its_end(
    operator: APIClient, target: Registry, micro: int
) -> None:
    at = timezone.now().replace(microsecond=micro)
    first, second = mapping_in("mirrored"), mapping_in("absent")
    ImageMapping.objects.filter(pk=first.pk).update(last_seen_at=at - timedelta(hours=1))
    ImageMapping.objects.filter(pk=second.pk).update(last_seen_at=at)
    moment = f"{at:%Y-%m-%dT%H:%M:%S.%f}Z"
    assert sources(operator, f"last_seen_after={moment}") == ["absent"]
    assert sources(operator, f"last_seen_before={moment}") == ["mirrored"]
    assert sources(operator, "last_seen_after=0001-01-01T00:00:00%2B14:00&last_seen_before=9999-12-31T23:59:59Z") != []
    assert sources(operator, "last_seen_before=5261-11-27T15:50:11%2B23:04") != []
    assert operator.get("/api/v1/mappings/?last_seen_after=yesterday").status_code == 400


def test_lists_have_time_ranges_with_the_same_names(client_of: Clients, job: MirrorJob) -> None:
    viewer = client_of(Role.VIEWER)
    ImageUse.objects.create(mapping=job.mapping, namespace="shop", workload="web")
    MirrorJob.objects.update(status=JobStatus.SUCCEEDED, finished_at=timezone.now())
    names = {"jobs": ("created", "finished"), "mappings": ("last_seen",), "uses": ("last_seen",)}
    for resource, ranges in names.items():
        for name in ranges:
            for end, count in (("after", 0), ("before", 1)):
                rows = viewer.get(f"/api/v1/{resource}/?{name}_{end}=2100-01-01T00:00:00Z").json()["results"]
                assert len(rows) == count, (resource, name, end)
    for resource, name in {
        "actions": "created",
        "admissions": "created",
        "filters": "updated",
        "registries": "updated",
        "repositories": "checked",
        "hosts": "updated",
        "instances": "seen",
    }.items():
        assert viewer.get(f"/api/v1/{resource}/?{name}_after=2026-01-01T00:00:00Z").status_code == 200, resource
