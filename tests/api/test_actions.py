"""Actions of scripts in the API: verify, forget, change priority, retry by error, test registries, read health."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from pathlib import Path

from django.utils import timezone
from pytest_django import Settings
from rest_framework.response import Response
from rest_framework.test import APIClient

from mirrors import services
from mirrors.accounts.roles import Role
from mirrors.models import (
    HostBudget,
    ImageMapping,
    Instance,
    JobProgress,
    JobStatus,
    MirrorJob,
    OperatorAction,
    Priority,
    Registry,
    RegistryCheck,
    RegistryRole,
    Trigger,
)
from tests.api.conftest import Clients
from tests.api.test_resources import problem


def test_a_mapping_is_verified_by_a_job_and_deleted(operator: APIClient, job: MirrorJob) -> None:
    services.cancel_job(job_id=job.pk, requested_by="x")
    url = f"/api/v1/mappings/{job.mapping_id}/"
    first, again = operator.post(f"{url}verify/"), operator.post(f"{url}verify/")
    assert (first.status_code, again.status_code) == (201, 200)
    assert (first.json()["trigger"], again.json()["id"]) == (Trigger.VERIFY, first.json()["id"])

    fields = {"status": JobStatus.RUNNING, "lease_token": "0" * 32, "lease_expires_at": timezone.now()}
    MirrorJob.objects.filter(pk=first.json()["id"]).update(**fields)
    assert "cancel its job first" in problem(operator.delete(url), 409, "job-state")["detail"]
    MirrorJob.objects.update(status=JobStatus.CANCELLED, lease_token=None, lease_expires_at=None)
    assert operator.delete(url).status_code == 204
    assert not ImageMapping.objects.exists() and not MirrorJob.objects.exists()


def test_a_paused_mapping_cannot_be_mirrored(operator: APIClient, job: MirrorJob) -> None:
    services.cancel_job(job_id=job.pk, requested_by="x")
    url = f"/api/v1/mappings/{job.mapping_id}/"
    assert operator.post(f"{url}pause/").json()["paused"] is True
    assert "resume it first" in problem(operator.post(f"{url}mirror/"), 409, "job-state")["detail"]


def test_the_priority_can_be_changed_only_while_a_job_is_queued(operator: APIClient, job: MirrorJob) -> None:
    url = f"/api/v1/jobs/{job.pk}/priority/"
    assert operator.post(url, {"priority": Priority.FORCE}, format="json").json()["priority"] == Priority.FORCE
    problem(operator.post(url, {"priority": 3}, format="json"), 400, "invalid")
    services.cancel_job(job_id=job.pk, requested_by="x")
    problem(operator.post(url, {"priority": Priority.FORCE}, format="json"), 409, "job-state")


def test_all_jobs_that_failed_with_one_error_at_one_registry_are_retried(operator: APIClient, target: Registry) -> None:
    for host in ("quay.io", "ghcr.io"):
        for number in range(3):
            made = operator.post("/api/v1/jobs/", {"image": f"{host}/team/app-{number}:1"}, format="json").json()
            MirrorJob.objects.filter(pk=made["id"]).update(
                status=JobStatus.FAILED, error_class="denied", error_host=host, error_message="no"
            )
    requested = {"error_class": "denied", "error_host": "quay.io"}
    response = operator.post("/api/v1/jobs/retry-failed/", requested, format="json").json()
    assert (len(response["jobs"]), response["refusals"]) == (3, [])
    retried = MirrorJob.objects.filter(id__in=response["jobs"])
    assert {job.mapping.source.partition("/")[0] for job in retried.select_related("mapping")} == {"quay.io"}
    assert operator.post("/api/v1/jobs/retry-failed/", requested, format="json").json()["jobs"] == []
    problem(operator.post("/api/v1/jobs/retry-failed/", {"error_class": "nothing"}, format="json"), 400, "invalid")


def test_a_failed_job_includes_advice(operator: APIClient, job: MirrorJob) -> None:
    MirrorJob.objects.update(status=JobStatus.FAILED, error_class="tls", error_host="quay.io")
    shown = operator.get(f"/api/v1/jobs/{job.pk}/").json()
    assert "trustedCA" in shown["advice"] and shown["error_host"] == "quay.io"


def test_progress_includes_speed_and_blobs(operator: APIClient, job: MirrorJob) -> None:
    url = f"/api/v1/jobs/{job.pk}/progress/"
    assert operator.get(url).json()["bytes_total"] == 0
    now = timezone.now()
    blob = {"digest": "sha256:" + "a" * 64, "size": 1_000, "sent": 400}
    fields = {"started_at": now - timedelta(seconds=10), "updated_at": now, "moving": [blob]}
    JobProgress.objects.create(job=job, bytes_total=3_000, bytes_copied=1_000, bytes_skipped=500, **fields)
    seen = operator.get(url).json()
    assert (seen["bytes_done"], seen["bytes_per_second"], seen["seconds_left"]) == (1_500, 100.0, 15.0)
    assert seen["moving"] == [blob]
    JobProgress.objects.update(updated_at=now - timedelta(minutes=5), started_at=now - timedelta(minutes=6))
    assert operator.get(url).json()["seconds_left"] is None, "nothing is known of a copy whose worker is not heard of"


def test_a_registry_is_tested_once_at_a_time(operator: APIClient, target: Registry) -> None:
    url = f"/api/v1/registries/{target.pk}/"
    first, again = operator.post(f"{url}check/"), operator.post(f"{url}check/")
    assert (first.status_code, first.json()["status"]) == (201, "pending")
    assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])
    assert OperatorAction.objects.filter(action="test").count() == 1
    step = {"name": "Name", "status": "ok", "words": "has 1 address", "seconds": 0.1}
    RegistryCheck.objects.update(steps=[step])
    assert operator.get(f"{url}checks/").json()[0]["steps"] == [step]


def test_operator_actions_are_listed(operator: APIClient, job: MirrorJob) -> None:
    operator.post(f"/api/v1/jobs/{job.pk}/cancel/")
    acts = operator.get("/api/v1/actions/", {"action": "cancel"}).json()["results"]
    assert [(act["actor"], act["subject"], act["job"]) for act in acts] == [
        ("a-operator", "docker.io/library/nginx:1.27", job.pk)
    ]
    assert OperatorAction.objects.count() == 2, "the order and its end"


def test_health_reports_problems(client_of: Clients, job: MirrorJob) -> None:
    viewer = client_of(Role.VIEWER)
    ill = viewer.get("/api/v1/health/").json()
    assert ill["is_healthy"] is False
    assert [words.partition(":")[0] for words in ill["problems"]] == [
        "No worker is running",
        "No webhook is running",
    ]
    ends = timezone.now() + timedelta(days=30)
    Instance.objects.create(role="webhook", name="w:1", facts={"certificate_expires_at": ends.isoformat()})
    Instance.objects.create(role="worker", name="w:2")
    well = viewer.get("/api/v1/health/").json()
    assert (well["is_healthy"], well["problems"], well["webhooks"], well["workers"]) == (True, [], 1, 1)
    assert well["certificate_expires_at"].startswith(f"{ends:%Y-%m-%d}")
    Instance.objects.filter(name="w:2").update(facts={"problem": "line 3: an unknown key"})
    target = Registry.objects.get(role=RegistryRole.TARGET)
    MirrorJob.objects.update(error_class="unavailable", error_host=target.endpoint, attempts=1)
    for number in range(6):
        # Other errors, of more jobs than the target's, do not hide it.
        for image in ("busybox", "redis"):
            other, _ = services.request_image(image=f"source-{number}.example.com/{image}", requested_by="somebody")
            MirrorJob.objects.filter(pk=other.pk).update(
                error_class="timeout", error_host=f"source-{number}.example.com", attempts=1
            )
    problems = viewer.get("/api/v1/health/").json()["problems"]
    assert problems[0] == "The worker w:2 does not apply its configuration file: line 3: an unknown key"
    assert problems[1].startswith("Copies that wait for their next attempt after an error of the target mirror.")
    Instance.objects.update(seen_at=timezone.now() - timedelta(minutes=10))
    assert viewer.get("/api/v1/health/").json()["workers"] == 0


def test_lists_are_ordered(operator: APIClient, target: Registry) -> None:
    for name in ("a", "b", "c"):
        operator.post("/api/v1/jobs/", {"image": f"team/{name}:1"}, format="json")
    ids = [row["id"] for row in operator.get("/api/v1/jobs/", {"ordering": "id", "page_size": "2"}).json()["results"]]
    assert ids == sorted(ids) and len(ids) == 2
    newest = [row["id"] for row in operator.get("/api/v1/jobs/").json()["results"]]
    assert newest == sorted(newest, reverse=True)


def test_a_second_retry_returns_the_job_of_the_first(operator: APIClient, job: MirrorJob) -> None:
    services.cancel_job(job_id=job.pk, requested_by="x")
    first, again = (operator.post(f"/api/v1/jobs/{job.pk}/retry/") for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["id"] == first.json()["id"]
    assert OperatorAction.objects.filter(action="retry").count() == 1


def test_an_image_from_a_disallowed_host_is_rejected(
    operator: APIClient, target: Registry, tmp_path: Path, settings: Settings
) -> None:
    def order(image: str) -> Response:
        response: Response = operator.post("/api/v1/jobs/", {"image": image}, format="json")
        return response

    for host in ("localhost:5000", "169.254.169.254", "10.0.0.7:5000", "registry.svc", "127.1", "0x7f.1"):
        assert "add it to the source registries first" in problem(order(f"{host}/app:1"), 409, "job-state")["detail"]
    Registry.objects.create(name="ours", endpoint="localhost:5000")
    assert order("localhost:5000/app:1").status_code == 201

    config = tmp_path / "config.yaml"
    config.write_text(
        "target: {type: oci, oci: {endpoint: mirror.example.com}}\nsource: {allowedHosts: ['*.quay.io']}\n"
    )
    settings.ENVIRONMENT = dataclasses.replace(settings.ENVIRONMENT, config=config)
    assert "source.allowedHosts" in problem(order("nginx:1.27"), 409, "job-state")["detail"]
    assert order("eu.quay.io/team/app:1").status_code == 201


def test_a_paused_host_is_resumed_once(operator: APIClient) -> None:
    until = timezone.now() + timedelta(minutes=30)
    row = HostBudget.objects.create(host="quay.io", resting_until=until)
    url = f"/api/v1/hosts/{row.pk}/"
    assert operator.get("/api/v1/hosts/?host=quay.io").json()["results"][0]["paused_until"] is not None

    assert operator.post(f"{url}resume/").json()["paused_until"] is None
    assert "not rate limited" in problem(operator.post(f"{url}resume/"), 409, "job-state")["detail"]
    action = OperatorAction.objects.get()
    assert (action.actor, action.action, action.subject) == ("a-operator", "resume", "quay.io")
