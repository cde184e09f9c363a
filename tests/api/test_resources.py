"""Responses of the API: jobs, filters, registries and numbers. Each refusal is a problem document with a code."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from rest_framework.test import APIClient

from mirrors.accounts.roles import Role
from mirrors.models import (
    PULLS,
    DecisionCount,
    Filter,
    HostBudget,
    JobProgress,
    JobStatus,
    MappingAccess,
    MirrorAttempt,
    MirrorJob,
    Registry,
)
from mirrors.selectors.jobs.job_queue import queue
from tests.api.conftest import Clients


def problem(response: Any, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.data
    assert response["Content-Type"] == "application/problem+json"
    details: dict[str, Any] = response.json()
    assert (details["status"], details["code"], details["type"]) == (status, code, f"urn:k8s-image-swapper:{code}")
    assert details["title"] and details["detail"] and "{" not in details["title"]
    return details


def test_repeated_requests_for_an_image_return_the_same_job(operator: APIClient, target: Registry) -> None:
    first = operator.post("/api/v1/jobs/", {"image": "nginx"}, format="json")
    again = operator.post("/api/v1/jobs/", {"image": "docker.io/library/nginx:latest"}, format="json")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    assert first.json()["target"] == "mirror.example.com/docker.io/library/nginx:latest"
    assert first.json()["requested_by"] == "a-operator"
    by_mapping = operator.post(f"/api/v1/mappings/{first.json()['mapping']}/mirror/")
    assert (by_mapping.status_code, by_mapping.json()["id"]) == (200, first.json()["id"])


def test_a_job_can_be_cancelled_and_retried_and_shows_its_attempts(operator: APIClient, job: MirrorJob) -> None:
    url = f"/api/v1/jobs/{job.pk}/"
    assert operator.post(f"{url}retry/").json()["id"] == job.pk, "while it is live, it is the answer"
    assert operator.post(f"{url}cancel/").json()["status"] == "cancelled"
    problem(operator.post(f"{url}cancel/"), 409, "job-state")
    retried = operator.post(f"{url}retry/")
    assert (retried.status_code, retried.json()["retry_of"]) == (201, job.pk)
    MirrorAttempt.objects.create(job=job, number=1, worker="w", error="why", log="a line")
    assert operator.get(f"{url}attempts/").json()[0]["log"] == "a line"
    assert operator.get(f"{url}progress/").json()["bytes_total"] == 0


def test_lists_are_filtered_searched_and_paged(operator: APIClient, target: Registry) -> None:
    for number in range(7):
        operator.post("/api/v1/jobs/", {"image": f"team/app-{number}:1"}, format="json")
    MirrorJob.objects.filter(mapping__source__contains="app-3").update(
        status=JobStatus.FAILED, error_class="denied", finished_at=timezone.now()
    )
    page = operator.get("/api/v1/jobs/?page_size=3").json()
    seen = [row["source"] for row in page["results"]]
    while page["next"]:
        page = operator.get(page["next"]).json()
        seen += [row["source"] for row in page["results"]]
    assert seen == [f"docker.io/team/app-{number}:1" for number in reversed(range(7))]
    assert "count" not in page
    failed = operator.get("/api/v1/jobs/?status=failed&error_class=denied").json()["results"]
    assert [row["source"] for row in failed] == ["docker.io/team/app-3:1"]
    assert len(operator.get("/api/v1/mappings/?search=APP-5").json()["results"]) == 1


def test_a_mapping_shows_its_permitted_namespaces_and_can_be_paused(operator: APIClient, job: MirrorJob) -> None:
    MappingAccess.objects.create(mapping=job.mapping, namespace="shop", granted=True)
    url = f"/api/v1/mappings/{job.mapping_id}/"
    assert operator.get(url).json()["accesses"][0]["namespace"] == "shop"
    assert operator.post(f"{url}pause/").json()["paused"] is True
    operator.post(f"/api/v1/jobs/{job.pk}/cancel/")
    details = problem(operator.post(f"{url}mirror/"), 409, "job-state")
    assert "paused" in details["detail"]
    assert operator.post(f"{url}resume/").json()["paused"] is False


def test_a_filter_is_validated_saved_and_tested(client_of: Clients) -> None:
    admin = client_of(Role.ADMIN)
    broken = problem(admin.post("/api/v1/filters/", {"name": "x", "jmespath": "a =="}, format="json"), 400, "invalid")
    assert "jmespath" in broken["errors"]
    made = admin.post("/api/v1/filters/", {"name": "x", "jmespath": "container.name == 'a'"}, format="json")
    assert (made.status_code, made.json()["managed_by"]) == (201, "operator")
    pod = {"spec": {"containers": [{"name": "a", "image": "nginx"}, {"name": "b", "image": "redis"}]}}
    tried = admin.post("/api/v1/filters/test/", {"jmespath": "container.name == 'a'", "pod": pod}, format="json")
    assert [response["matches"] for response in tried.json()] == [True, False]
    problem(admin.post("/api/v1/filters/test/", {"jmespath": "a ==", "pod": pod}, format="json"), 400, "invalid")


def test_a_filter_with_text_in_double_quotes_is_saved_with_a_warning(client_of: Clients) -> None:
    admin = client_of(Role.ADMIN)
    query = 'obj.metadata.namespace == "kube-system"'
    made = admin.post("/api/v1/filters/", {"name": "mine", "jmespath": query}, format="json")
    assert made.status_code == 201, made.data
    assert made.data["warning"].startswith('"kube-system" in double quotes is the name of a field')
    path = f"/api/v1/filters/{made.data['id']}/"
    assert admin.patch(path, {"jmespath": query.replace('"', "'")}, format="json").data["warning"] == ""


def test_rows_from_the_configuration_file_cannot_be_changed(client_of: Clients, target: Registry) -> None:
    admin = client_of(Role.ADMIN)
    query = Filter.objects.create(name="f", jmespath="`true`", managed_by="config")
    for url in (f"/api/v1/filters/{query.pk}/", f"/api/v1/registries/{target.pk}/"):
        for response in (admin.patch(url, {"enabled": False}, format="json"), admin.delete(url)):
            assert "configuration file" in problem(response, 403, "permission-denied")["detail"]


def test_a_registry_loses_its_credential_reference_when_its_host_changes(client_of: Clients) -> None:
    admin = client_of(Role.ADMIN)
    fields = {"name": "hub", "endpoint": "docker.io", "username": "robot", "credential_ref": "env:SWAPPER_CRED_HUB"}
    made = admin.post("/api/v1/registries/", fields, format="json").json()
    assert (made["role"], made["credential_ref"]) == ("source", "env:SWAPPER_CRED_HUB")
    moved = admin.patch(f"/api/v1/registries/{made['id']}/", {"endpoint": "evil.example.com"}, format="json").json()
    assert (moved["endpoint"], moved["username"], moved["credential_ref"]) == ("evil.example.com", "", "")
    for bad in ({"endpoint": "no host!"}, {"credential_ref": "env:SWAPPER_SECRET_KEY"}, {"username": "alone"}):
        problem(admin.post("/api/v1/registries/", {"endpoint": "quay.io", **bad}, format="json"), 400, "invalid")


def test_statistics_match_the_stored_rows(operator: APIClient, job: MirrorJob) -> None:
    now = timezone.now().replace(minute=0, second=0, microsecond=0)
    rows = [
        ("swap", "present", 30, now),
        ("keep", "already-at-target", 10, now),
        ("keep", "absent", 20, now),
        ("keep", "filtered", 500, now),
        ("swap", "present", 1_000, now - timedelta(hours=30)),
    ]
    for decision, reason, images, hour in rows:
        DecisionCount.objects.create(
            hour=hour, namespace="a", source_host="b", decision=decision, reason=reason, images=images
        )
    numbers = operator.get("/api/v1/stats/").json()
    assert (numbers["images_admitted"], numbers["images_from_mirror"]) == (60, 40)
    assert numbers["coverage"] == pytest.approx(2 / 3)
    assert numbers["jobs"] == {"pending": 1, "running": 0}
    assert operator.get("/api/v1/stats/?hours=48").json()["images_admitted"] == 1_060
    problem(operator.get("/api/v1/stats/?hours=0"), 400, "invalid")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("get", "/api/v1/jobs/999999/", 404, "not-found"),
        ("get", "/api/v1/nothing/", 404, "not-found"),
        ("get", "/api/nothing", 404, "not-found"),
        ("delete", "/api/v1/jobs/", 405, "method-not-allowed"),
        ("post", "/api/v1/stats/", 405, "method-not-allowed"),
        ("post", "/api/v1/jobs/", 400, "invalid"),
        ("post", "/api/v1/jobs", 404, "not-found"),
        ("post", "/api/v1/nothing", 404, "not-found"),
        ("get", "/api/v1/jobs/?stauts=failed", 400, "invalid"),
        ("get", "/api/v1/jobs/?ordering=namespace", 400, "invalid"),
        ("get", "/api/v1/uses/?ordering=namespace", 400, "invalid"),
        ("get", "/api/v1/jobs/?status=failed&status=pending", 400, "invalid"),
        ("get", "/api/v1/jobs/?page_size=many", 400, "invalid"),
        ("get", "/api/v1/jobs/?cursor=zzz", 400, "invalid"),
        ("get", "/api/v1/jobs/?cursor=!!!!", 400, "invalid"),
        ("get", "/api/v1/jobs/?cursor=ej0x", 400, "invalid"),
        ("get", "/api/v1/jobs/?cursor=%C3%A4", 400, "invalid"),
        ("get", "/api/v1/jobs/?cursor=cD0lMDA%3D", 400, "invalid"),
        ("get", "/api/v1/jobs/?cursor=cD0yMDI2LTExLTI2&ordering=id", 400, "invalid"),
        ("get", "/api/v1/jobs/?cursor=cD01MDA%3D&ordering=created_at", 400, "invalid"),
        ("get", "/api/v1/mappings/?paused=maybe", 400, "invalid"),
        ("get", "/api/v1/stats/?hourss=3", 400, "invalid"),
        ("get", "/api/v1/jobs/?status=%00", 400, "bad-request"),
    ],
)
def test_errors_are_problem_documents(method: str, path: str, status: int, code: str, operator: APIClient) -> None:
    problem(getattr(operator, method)(path), status, code)


def test_an_invalid_body_returns_a_problem_document(operator: APIClient) -> None:
    problem(operator.generic("POST", "/api/v1/jobs/", "{", content_type="application/json"), 400, "parse-error")
    problem(operator.post("/api/v1/jobs/", "x", content_type="text/plain"), 415, "unsupported-media-type")


def test_an_unauthenticated_request_returns_the_authentication_scheme(db: None) -> None:
    response = APIClient().get("/api/v1/jobs/")
    problem(response, 401, "not-authenticated")
    assert response["WWW-Authenticate"] == "Token"


def test_a_url_without_a_trailing_slash_returns_the_correct_url(operator: APIClient, target: Registry) -> None:
    order = {"image": "nginx:1.27"}
    assert "/api/v1/jobs/" in problem(operator.post("/api/v1/jobs", order, format="json"), 404, "not-found")["detail"]
    assert "/nothing/" not in problem(operator.post("/api/v1/nothing", order), 404, "not-found")["detail"]
    assert operator.get("/api/v1/jobs?status=failed").headers["Location"] == "/api/v1/jobs/?status=failed"


def test_a_token_with_non_ascii_bytes_is_rejected(db: None) -> None:
    problem(APIClient().get("/api/v1/jobs/", HTTP_AUTHORIZATION="Token \xff"), 401, "authentication-failed")


@pytest.mark.parametrize(
    ("path", "body", "wrong"),
    [
        ("filters/", {"name": "a", "jmespath": "`true`", "enabld": False}, "enabld"),
        ("registries/", {"name": "a", "endpoint": "x.example.com", "insecur": True}, "insecur"),
        ("filters/test/", {"jmespath": "`true`", "pod": {}, "pods": {}}, "pods"),
        ("filters/impact/", {"jmespath": "`true`", "postion": 3}, "postion"),
        ("explain/", {"manifest": {"kind": "Pod"}, "namspace": "a"}, "namspace"),
    ],
)
def test_a_misspelled_field_is_rejected(path: str, body: Any, wrong: str, client_of: Clients) -> None:
    details = problem(client_of(Role.ADMIN).post(f"/api/v1/{path}", body, format="json"), 400, "invalid")
    assert list(details["errors"]) == [wrong]
    assert Filter.objects.count() == Registry.objects.filter(endpoint="x.example.com").count() == 0


def test_a_returned_filter_can_be_sent_back_with_put(client_of: Clients) -> None:
    admin = client_of(Role.ADMIN)
    made = admin.post("/api/v1/filters/", {"name": "a", "jmespath": "`true`", "position": 7}, format="json").json()
    again = admin.put(f"/api/v1/filters/{made['id']}/", {**made, "enabled": False}, format="json")
    assert (again.status_code, again.json()["enabled"], again.json()["position"]) == (200, False, 7)


def after(**time: float) -> datetime:
    return timezone.now() + timedelta(**time)


def test_filters_are_listed_by_position(client_of: Clients) -> None:
    for name, position in (("last", 30), ("first", -1), ("middle", 2)):
        Filter.objects.create(name=name, jmespath="`true`", position=position)
    rows = client_of(Role.VIEWER).get("/api/v1/filters/?ordering=position").json()["results"]
    assert [row["name"] for row in rows] == ["first", "middle", "last"]


def test_an_unchanged_response_returns_304(operator: APIClient, job: MirrorJob) -> None:
    url = f"/api/v1/jobs/{job.pk}/progress/"
    first = operator.get(url)
    again = operator.get(url, headers={"If-None-Match": first["ETag"]})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    JobProgress.objects.create(job=job, bytes_copied=5)
    assert operator.get(url, headers={"If-None-Match": first["ETag"]}).status_code == 200


def test_a_queue_without_due_jobs_shows_the_next_attempt(operator: APIClient, job: MirrorJob) -> None:
    later = timezone.now().replace(microsecond=0) + timedelta(minutes=9)
    MirrorJob.objects.update(available_at=later)
    (line,) = [line for line in operator.get("/api/v1/stats/").json()["queue"] if line["waiting"]]
    assert (line["oldest_due_at"], datetime.fromisoformat(line["next_attempt_at"])) == (None, later)
    MirrorJob.objects.update(available_at=later - timedelta(hours=1))
    (line,) = [line for line in operator.get("/api/v1/stats/").json()["queue"] if line["waiting"]]
    assert (datetime.fromisoformat(line["oldest_due_at"]), line["next_attempt_at"]) == (
        later - timedelta(hours=1),
        None,
    )


@pytest.mark.parametrize(
    "waits",
    [
        lambda job: HostBudget.objects.create(host=job.source_host, resting_until=after(minutes=15)),
        lambda job: HostBudget.objects.create(host=job.target_host, resting_until=after(minutes=15)),
        lambda job: HostBudget.objects.create(
            host=job.source_host, operation=PULLS, held_until=after(seconds=50), held_from=0
        ),
        lambda job: MirrorJob.objects.update(needs_cluster="elsewhere"),
    ],
    ids=["source", "target", "pulls", "cluster"],
)
def test_jobs_waiting_for_a_limit_or_another_cluster_are_not_due(
    operator: APIClient, job: MirrorJob, waits: Callable[[MirrorJob], object]
) -> None:
    MirrorJob.objects.update(available_at=timezone.now() - timedelta(hours=1))
    before = operator.get("/api/v1/health/").json()
    assert any("over ten minutes" in problem for problem in before["problems"])
    waits(job)
    after_it = operator.get("/api/v1/health/").json()
    assert not any("over ten minutes" in problem for problem in after_it["problems"])
    (line,) = [line for line in operator.get("/api/v1/stats/").json()["queue"] if line["waiting"]]
    assert (line["waiting"], line["oldest_due_at"], line["next_attempt_at"]) == (1, None, None)
    assert sum(line.oldest_due_seconds for line in queue()) == 0


def test_statistics_are_unchanged_while_a_job_waits(operator: APIClient, job: MirrorJob) -> None:
    MirrorJob.objects.update(available_at=timezone.now() - timedelta(minutes=3))
    with time_machine.travel(timezone.now().replace(second=10)) as clock:
        first = operator.get("/api/v1/stats/")
        assert any(line["oldest_due_at"] for line in first.json()["queue"])
        clock.shift(20)
        again = operator.get("/api/v1/stats/", headers={"If-None-Match": first["ETag"]})
    assert (first.status_code, again.status_code) == (200, 304)


@pytest.mark.parametrize("order", ["id", "-id", "created_at", "-created_at", "finished_at", "-finished_at"])
def test_pages_contain_each_row_once_in_each_order(order: str, operator: APIClient, target: Registry) -> None:
    now = timezone.now()
    for number in range(12):
        made = operator.post("/api/v1/jobs/", {"image": f"team/app:{number}"}, format="json").json()
        if number % 3:
            result = {"status": "succeeded", "finished_at": now - timedelta(minutes=number // 4)}
            MirrorJob.objects.filter(pk=made["id"]).update(**result)
    seen: list[int] = []
    address = f"/api/v1/jobs/?ordering={order}&page_size=5"
    while address:
        page = operator.get(address).json()
        seen += [row["id"] for row in page["results"]]
        address, last = page["next"], page
    back = [row["id"] for row in last["results"]]
    while address := last["previous"]:
        last = operator.get(address).json()
        back = [row["id"] for row in last["results"]] + back
    assert back == seen, "the other way too"
    rows = MirrorJob.objects.exclude(finished_at=None) if "finished" in order else MirrorJob.objects.all()
    assert sorted(seen) == sorted(rows.values_list("id", flat=True))


def test_unknown_fields_invalid_values_and_large_bodies_are_rejected(operator: APIClient, target: Registry) -> None:
    misspelt = {"error_class": "timeout", "errorhost": "quay.io"}
    response = operator.post("/api/v1/jobs/retry-failed/", misspelt, format="json")
    assert "error_host" in problem(response, 400, "invalid")["errors"]["errorhost"][0]
    wrong = operator.post("/api/v1/jobs/retry-failed/", {"error_class": "no"}, format="json")
    assert "rate-limited" in problem(wrong, 400, "invalid")["errors"]["error_class"][0], "it names those that there are"
    large = operator.post("/api/v1/jobs/", {"image": "x" * 3_000_000}, format="json")
    assert "2560 KiB" in problem(large, 413, "too-large")["detail"]
