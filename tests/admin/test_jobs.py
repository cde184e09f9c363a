"""The pages of jobs: progress, priority and actions; and the page of a registry with its test and its last errors."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from mirrors import services
from mirrors.jobs.queue import leases
from mirrors.jobs.queue.claims import claim
from mirrors.jobs.queue.leases import AttemptReport
from mirrors.models import (
    ErrorClass,
    JobProgress,
    JobStatus,
    MirrorAttempt,
    MirrorJob,
    OperatorAction,
    Priority,
    Registry,
    RegistryCheck,
    Trigger,
)
from tests.admin.operating import JOBS, failed, ordered
from tests.support.pages import text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("target")]


def test_a_job_shows_its_progress_and_stops_refreshing_when_finished(operator: Client) -> None:
    job = ordered("quay.io/team/app:1")
    MirrorAttempt.objects.create(job=job, number=1, worker="worker-0", log="copying\n")
    blob = {"digest": "sha256:" + "a" * 64, "size": 2048, "sent": 512}
    JobProgress.objects.create(job=job, bytes_total=4096, bytes_copied=1024, blobs_total=2, moving=[blob])
    live = reverse("admin:mirrors_mirrorjob_live", args=[job.pk])

    running = operator.get(live)
    assert running.status_code == 200
    page = running.content.decode()
    for words in ("1.0 KiB of 4.0 KiB", "512 B of 2.0 KiB", "sha256:aaaaaaaaaaaa", "worker-0", "copying"):
        assert words in page

    MirrorJob.objects.update(status=JobStatus.CANCELLED)
    assert operator.get(live).status_code == 286


def test_a_job_cancelled_before_its_start_does_not_wait_for_a_worker(operator: Client) -> None:
    job = ordered("quay.io/team/app:1")
    page = reverse("admin:mirrors_mirrorjob_change", args=[job.pk])
    assert "No worker has started this job yet." in operator.get(page).content.decode()
    services.cancel_jobs(job_ids=[job.pk], requested_by="olga")
    over = operator.get(page).content.decode()
    assert "No worker started this job." in over and "check that a worker is running" not in over


def test_a_job_shows_how_many_attempts_were_not_counted(operator: Client) -> None:
    def attempts() -> str:
        page = operator.get(f"{JOBS}{job.pk}/change/").content.decode()
        return text_of(page.partition("<dt>Attempts</dt>")[2].partition("</dd>")[0])

    job = ordered("quay.io/team/app:1")
    assert attempts() == "0 of 5"
    limited, counted = AttemptReport(ErrorClass.RATE_LIMITED), AttemptReport(ErrorClass.TIMEOUT)
    for report, is_counted in ((limited, False), (limited, False), (counted, True)):
        assert (lease := claim(worker="worker-0")) is not None
        assert leases.reschedule(lease, report, delay=0, is_counted=is_counted)
    assert attempts() == "1 of 5 (2 more not counted)"


def test_a_job_shows_who_requested_it(operator: Client) -> None:
    def requester(job: MirrorJob) -> str:
        page = operator.get(f"{JOBS}{job.pk}/change/").content.decode()
        return text_of(page.partition("<h2>Requested by</h2>")[2].partition("</span>")[0])

    job = failed("quay.io/team/app:1")
    assert requester(job) == "somebody"
    assert requester(services.retry_jobs(job_ids=[job.pk], requested_by="olga").jobs[0]) == "olga"
    MirrorJob.objects.update(trigger=Trigger.REFRESH, requested_by="")
    assert requester(job) == "a refresh"
    MirrorJob.objects.update(trigger=Trigger.ADMISSION, requested_by="system:serviceaccount:kube-system:replicaset")
    assert requester(job) == "a user", "who asked for what was queued for a pod"


def test_the_priority_can_be_changed_only_for_queued_jobs(operator: Client) -> None:
    job = ordered("quay.io/team/app:1")
    url = reverse("admin:mirrors_mirrorjob_priority", args=[job.pk])
    assert operator.get(url).status_code == 405

    operator.post(url, {"priority": Priority.FORCE})
    job.refresh_from_db()
    assert job.priority == Priority.FORCE
    assert OperatorAction.objects.latest("id").details == "Operator → Force"

    for wrong in ("5", "", "urgent"):
        operator.post(url, {"priority": wrong})
    MirrorJob.objects.update(status=JobStatus.CANCELLED)
    page = operator.post(url, {"priority": Priority.REFRESH}, follow=True)
    assert "the priority of queued jobs only" in page.content.decode()
    job.refresh_from_db()
    assert job.priority == Priority.FORCE


def test_all_unresolved_failures_with_one_error_are_retried_together(operator: Client) -> None:
    for number in range(40):
        failed(f"quay.io/team/app-{number}:1")
    failed("ghcr.io/team/other:1", ErrorClass.TLS)
    mended = failed("quay.io/team/mended:1")
    newer = services.retry_jobs(job_ids=[mended.pk], requested_by="x").jobs[0]
    MirrorJob.objects.filter(pk=newer.pk).update(status=JobStatus.SUCCEEDED)
    listed = operator.get(f"{JOBS}?status__exact=failed&error_class__exact=unauthorized").content.decode()
    assert "retry-failed/?error_class=unauthorized" in listed

    url = reverse("admin:mirrors_mirrorjob_retry_failed")
    requested = operator.get(url, {"error_class": "unauthorized"}).content.decode()
    assert "40 images whose last job failed with this error, at any time," in requested, (
        "the dashboard counts a time range"
    )
    assert "did not accept the credentials" in requested
    assert MirrorJob.objects.filter(trigger=Trigger.RETRY).count() == 1

    done = operator.post(url, {"error_class": "unauthorized"}, follow=True)
    assert "40 queued again" in done.content.decode()
    new = MirrorJob.objects.filter(trigger=Trigger.RETRY, status=JobStatus.PENDING)
    assert new.count() == 40 and new.filter(retry_of__isnull=False).count() == 40
    assert "there is nothing to retry" in operator.get(url, {"error_class": "unauthorized"}).content.decode()


@pytest.mark.parametrize(
    ("narrowed", "query"),
    [
        ("", "error_class=unauthorized"),
        ("&error_host__exact=quay.io", "error_class=unauthorized&amp;error_host=quay.io"),
        ("&finished_at_from_0=2026-01-01", "error_class=unauthorized"),
        ("&namespace=shop", ""),
        ("&q=app", ""),
    ],
)
def test_the_retry_all_link_depends_on_the_filters_of_the_list(operator: Client, narrowed: str, query: str) -> None:
    failed("quay.io/team/app:1")
    page = operator.get(f"{JOBS}?status__exact=failed&error_class__exact=unauthorized{narrowed}").content.decode()
    assert re.findall(r'retry-failed/\?([^"]+)"', page) == ([query] if query else [])


def test_the_actions_of_a_job_depend_on_its_state(operator: Client) -> None:
    job = ordered("quay.io/team/app:1")
    live = reverse("admin:mirrors_mirrorjob_live", args=[job.pk])
    assert 'id="swapper-actions"' not in operator.get(live).content.decode()
    assert 'value="cancel"' in operator.get(f"{JOBS}{job.pk}/change/").content.decode()
    MirrorJob.objects.filter(pk=job.pk).update(status=JobStatus.SUCCEEDED)
    over = operator.get(live).content.decode()
    assert 'id="swapper-actions" hx-swap-oob="innerHTML"' in over and 'value="retry"' in over and "csrf" in over


def test_an_action_redirects_to_the_job_and_a_retry_to_the_new_job(operator: Client) -> None:
    job = ordered("quay.io/team/app:1")
    page = f"{JOBS}{job.pk}/change/"

    def act(action: str) -> tuple[str, str]:
        """Return the location after confirming an action, and the link to keep the job as it is."""
        found = re.search(r'name="back" value="([^"]+)"', operator.get(page).content.decode())
        assert found is not None
        form = {"action": action, "_selected_action": [job.pk], "back": found[1]}
        kept = re.findall(r'href="([^"]+)">Keep', operator.post(JOBS, form).content.decode())
        return operator.post(JOBS, {**form, "confirmed": job.pk}).headers["Location"], kept[0]

    assert act("cancel") == (page, page)
    led = act("retry")
    new = MirrorJob.objects.get(retry_of=job)
    assert led == (f"{JOBS}{new.pk}/change/", page)
    assert act("retry")[0] == page, "it made none: the image has a job"
    MirrorJob.objects.update(status=JobStatus.CANCELLED)
    form = {"action": "retry", "_selected_action": [new.pk], "confirmed": new.pk}
    assert operator.post(f"{JOBS}?q=app", form).headers["Location"] == f"{JOBS}?q=app", "a list leads back to itself"


def test_a_registry_shows_its_test_and_its_last_failed_jobs(operator: Client) -> None:
    row = Registry.objects.create(name="quay", endpoint="quay.io")
    job = failed("quay.io/team/app:1")
    url = reverse("admin:mirrors_registry_change", args=[row.pk])
    assert "Not tested yet" in operator.get(url).content.decode()

    operator.post(reverse("admin:mirrors_registry_test", args=[row.pk]))
    page = operator.get(url).content.decode()
    assert "Queued" in page and f"{JOBS}{job.pk}/change/" in page
    live = reverse("admin:mirrors_registry_test_live", args=[row.pk])
    assert operator.get(live).status_code == 200

    step = {"name": "Authentication", "status": "failed", "words": "check the credentials", "seconds": 0.1}
    RegistryCheck.objects.update(status="failed", steps=[step])
    done = operator.get(live)
    assert done.status_code == 286 and "check the credentials" in done.content.decode()


def test_a_nonexistent_job_returns_404(operator: Client) -> None:
    assert operator.get(f"{JOBS}999999/change/").status_code == 404
