"""Many images requested with one POST: each entry has a separate result."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_q.models import OrmQ
from rest_framework.test import APIClient

from mirrors import services
from mirrors.accounts.roles import Role
from mirrors.models import ImageMapping, JobStatus, MirrorJob, OperatorAction, Priority, Registry, RegistryRole, Trigger
from mirrors.services import RequestedCopy, request_copies
from tests.api.conftest import Clients
from tests.api.test_resources import problem

URL = "/api/v1/jobs/"

STATEMENTS = 90
"""For 500 images, including authentication. On SQLite, Django inserts at most 999 values with one statement, which are
47 jobs. Postgres needs fewer statements."""


def results(client: APIClient, images: list[Any]) -> list[dict[str, Any]]:
    response = client.post(URL, {"images": images}, format="json")
    assert response.status_code == 207, response.content
    found: list[dict[str, Any]] = response.json()["results"]
    assert len(found) == len(images)
    return found


def test_each_image_gets_the_same_job_as_in_a_single_request(operator: APIClient, target: Registry) -> None:
    alone = operator.post(URL, {"image": "team/alone:1"}, format="json").json()
    found = results(operator, [f"team/app-{number}:1" for number in range(30)])
    assert [each["source"] for each in found] == [f"docker.io/team/app-{number}:1" for number in range(30)]
    assert all(each["is_new"] and not each["error"] for each in found)
    for each in found:
        job = operator.get(f"{URL}{each['job']}/").json()
        assert (job["source"], job["mapping"]) == (each["source"], each["mapping"])
        same = ("status", "priority", "trigger", "requested_by", "cluster", "namespace", "attempts", "max_attempts")
        assert {name: job[name] for name in same} == {name: alone[name] for name in same}
    mappings = ImageMapping.objects.select_related("last_job")
    assert all(mapping.last_job and mapping.last_job.mapping_id == mapping.pk for mapping in mappings)
    actions = OperatorAction.objects.filter(action="mirror", actor="a-operator")
    assert set(actions.values_list("subject", "job_id")) == {
        (each["source"], each["job"] if "job" in each else each["id"]) for each in [*found, alone]
    }


def test_invalid_entries_do_not_affect_the_others(operator: APIClient, target: Registry) -> None:
    services.set_paused(
        mapping_ids=[operator.post(URL, {"image": "team/paused:1"}, format="json").json()["mapping"]],
        paused=True,
        requested_by="x",
    )
    MirrorJob.objects.update(status=JobStatus.SUCCEEDED)
    images = [
        "team/good:1",
        "team/Bad Name:1",
        "",
        [1],
        {"image": "x"},
        None,
        "a" * 1_025,
        "nul\0:1",
        "mirror.example.com/docker.io/team/app:1",
        "registry.internal/app:1",
        "team/paused:1",
        "team/good:2",
    ]
    found = results(operator, images)
    assert [each["code"] for each in found] == ["", *["invalid"] * 7, *["job-state"] * 3, ""]
    assert [bool(each["error"]) for each in found] == [bool(each["code"]) for each in found]
    assert "already at the target" in found[8]["error"]
    assert "add it to the source registries first" in found[9]["error"]
    assert "resume it first" in found[10]["error"]
    assert MirrorJob.objects.live().count() == 2


def test_active_jobs_are_returned_and_duplicate_images_share_one_job(operator: APIClient, target: Registry) -> None:
    pod = RequestedCopy("docker.io/team/app:1", "mirror.example.com/docker.io/team/app:1", Trigger.ADMISSION)
    (active,) = request_copies(target_registry_id=target.pk, requests=[pod])
    found = results(operator, ["team/app:1", "team/new:1", "docker.io/team/new:1"])
    assert [(each["job"] == active.job_id, each["is_new"]) for each in found] == [
        (True, False),
        (False, True),
        (False, True),
    ]
    assert found[1]["job"] == found[2]["job"]
    assert MirrorJob.objects.get(id=active.job_id or 0).priority == Priority.OPERATOR
    assert OperatorAction.objects.filter(action="mirror").count() == 1


def test_many_images_need_few_statements_and_wakeups(operator: APIClient, target: Registry) -> None:
    Registry.objects.create(role=RegistryRole.SOURCE, endpoint="registry.internal", managed_by="config")
    images = [f"registry.internal/team/app-{number}:1" for number in range(500)]
    with CaptureQueriesContext(connection) as statements:
        assert all(each["is_new"] for each in results(operator, images))
    assert len(statements) <= STATEMENTS, [each["sql"][:90] for each in statements]
    assert MirrorJob.objects.count() == 500
    assert OrmQ.objects.count() == 2 * settings.Q_CLUSTER["workers"]


@pytest.mark.parametrize(("images", "wakeups"), [(1, 1), (8, 1), (9, 2), (24, 3)])
def test_one_process_is_woken_for_each_eight_images(
    operator: APIClient, target: Registry, images: int, wakeups: int
) -> None:
    results(operator, [f"team/app-{number}:1" for number in range(images)])
    assert OrmQ.objects.count() == wakeups


@pytest.mark.django_db(transaction=True)
def test_the_first_jobs_are_committed_before_all_images_are_requested(operator: APIClient, target: Registry) -> None:
    """Record the jobs that another connection sees at each insert of jobs."""
    seen = set()

    def look(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if sql.startswith("INSERT") and "mirrors_mirrorjob" in sql:
            with ThreadPoolExecutor(1) as pool:
                seen.add(pool.submit(visible_jobs).result())
        return execute(sql, *rest)

    with connection.execute_wrapper(look):
        results(operator, [f"team/app-{number}:1" for number in range(250)])
    assert min(seen) == 0
    assert 0 < max(seen) <= 100


def visible_jobs() -> int:
    try:
        return MirrorJob.objects.count()
    finally:
        connection.close()


def test_an_invalid_list_of_images_is_rejected(operator: APIClient, client_of: Clients, target: Registry) -> None:
    bodies: list[Any] = [
        5,
        ["images"],
        {"images": []},
        {"images": "nginx"},
        {"images": ["nginx"] * 501},
        {"images": ["a"], "image": "b"},
    ]
    for body in bodies:
        assert problem(operator.post(URL, body, format="json"), 400, "invalid")["errors"]
    problem(client_of(Role.VIEWER).post(URL, {"images": ["nginx"]}, format="json"), 403, "permission-denied")
    assert not MirrorJob.objects.exists()


def test_a_request_without_a_target_returns_409(operator: APIClient) -> None:
    assert (
        "manage.py prepare" in problem(operator.post(URL, {"images": ["a"]}, format="json"), 409, "job-state")["detail"]
    )
