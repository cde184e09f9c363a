"""What operators do on the pages of mappings, jobs and registries, and what these show."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from mirrors import services
from mirrors.models import (
    ErrorClass,
    ImageMapping,
    ImageUse,
    JobProgress,
    JobStatus,
    MirrorAttempt,
    MirrorJob,
    OperatorAction,
    Priority,
    Registry,
    RegistryCheck,
    RegistryRole,
    Trigger,
)
from mirrors.services import request_image

pytestmark = pytest.mark.django_db
MAPPINGS = "/admin/mirrors/imagemapping/"
JOBS = "/admin/mirrors/mirrorjob/"


@pytest.fixture
def operator(client: Client) -> Client:
    user = User.objects.create_user("otto", password="x", is_staff=True)
    user.groups.add(Group.objects.get(name="operator"))
    client.force_login(user)
    return client


@pytest.fixture(autouse=True)
def target() -> Registry:
    return Registry.objects.create(role=RegistryRole.TARGET, endpoint="mirror.example.com", managed_by="config")


def ordered(image: str) -> MirrorJob:
    return request_image(image=image, requested_by="somebody")[0]


def failed(image: str, error: ErrorClass = ErrorClass.UNAUTHORIZED, host: str = "quay.io") -> MirrorJob:
    job = ordered(image)
    MirrorJob.objects.filter(pk=job.pk).update(
        status=JobStatus.FAILED, error_class=error, error_message="it was refused", error_host=host
    )
    return job


def chosen(client: Client, url: str, action: str, *keys: int) -> tuple[str, str]:
    """What the page asks before the act, and what it says after it."""
    form = {"action": action, "_selected_action": [str(key) for key in keys]}
    before = client.post(url, form).content.decode()
    after = client.post(url, {**form, "confirmed": ",".join(map(str, keys))}, follow=True)
    return before, " ".join(str(message) for message in after.context["messages"])


@pytest.mark.parametrize(
    ("action", "asks", "says"),
    [
        ("mirror", "copies those that are missing", "2 copies requested"),
        ("verify", "Nothing is copied", "2 verifications queued"),
        ("pause", "pods are not swapped to them", "2 paused"),
        ("forget", "The images stay at the target", "2 forgotten"),
    ],
)
def test_an_act_on_mappings_says_what_it_will_do_and_is_noted(
    operator: Client, action: str, asks: str, says: str
) -> None:
    keys = [failed(f"quay.io/team/app-{n}:1").mapping_id for n in (1, 2)]
    OperatorAction.objects.all().delete()

    before, after = chosen(operator, MAPPINGS, action, *keys)

    assert asks in before and "quay.io/team/app-1:1" in before and "(2)" in before
    assert says in after
    assert set(OperatorAction.objects.values_list("actor", "action", "subject")) == {
        ("otto", action, f"quay.io/team/app-{n}:1") for n in (1, 2)
    }


def test_images_with_an_active_job_are_listed_and_not_counted(operator: Client) -> None:
    jobs = [failed(f"quay.io/team/app-{n}:1") for n in (1, 2)]
    live = ordered("quay.io/team/app-1:1")
    OperatorAction.objects.all().delete()
    told = f"quay.io/team/app-1:1 already has job {live.pk} (queued)."

    _, retried = chosen(operator, JOBS, "retry", *(job.pk for job in jobs))
    assert "1 queued again" in retried and told in retried
    for action in ("mirror", "verify"):
        _, done = chosen(operator, MAPPINGS, action, *(job.mapping_id for job in jobs))
        assert (
            told in done
            and "app-2:1 already has job" in done
            and "requested" not in done
            and "verification" not in done
        )
    assert OperatorAction.objects.count() == 1 and MirrorJob.objects.live().count() == 2


def test_an_invalid_selection_is_rejected(operator: Client) -> None:
    failed("quay.io/team/app:1")
    answer = operator.post(JOBS, {"action": "retry", "_selected_action": ["abc"], "confirmed": "abc"}, follow=True)
    assert answer.status_code == 200 and "select the rows again" in answer.content.decode()
    assert MirrorJob.objects.live().count() == 0


def test_nothing_is_done_before_it_is_confirmed(operator: Client) -> None:
    job = failed("quay.io/team/app:1")
    for action in ("mirror", "verify", "pause", "forget"):
        operator.post(MAPPINGS, {"action": action, "_selected_action": [job.mapping_id]})
    mapping = ImageMapping.objects.get()
    assert (mapping.paused, MirrorJob.objects.count()) == (False, 1)


def test_rows_added_after_the_confirmation_are_not_changed(operator: Client) -> None:
    asked_about = ordered("quay.io/team/app-1:1")
    form = {"action": "cancel", "_selected_action": [asked_about.pk], "select_across": "1"}
    page = operator.post(f"{JOBS}?status__exact=pending", form).content.decode()
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))
    since = ordered("quay.io/team/app-2:1")

    answer = operator.post(f"{JOBS}?status__exact=pending", fields, follow=True)

    assert "1 cancelled" in " ".join(str(message) for message in answer.context["messages"])
    assert list(MirrorJob.objects.live().values_list("id", flat=True)) == [since.pk]


def test_a_mapping_shows_who_uses_it_who_may_and_its_jobs(operator: Client) -> None:
    job = failed("quay.io/team/app:1")
    ImageUse.objects.create(mapping=job.mapping, namespace="shop", workload_kind="Deployment", workload="front")
    ImageMapping.objects.update(access="secrets")
    job.mapping.accesses.create(namespace="shop", granted=True)

    page = operator.get(f"{MAPPINGS}{job.mapping_id}/change/").content.decode()

    for words in (
        "Deployment front",
        "have pull secrets that were checked",
        "it was refused",
        "What to do:",
        f"Job {job.pk}",
    ):
        assert words in page
    assert "<td>shop</td><td>granted</td>" in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("state=failed", {"quay.io/team/bad:1"}),
        ("state=queued", {"docker.io/library/nginx:1"}),
        ("state=mirrored", {"quay.io/team/good:1"}),
        ("state=paused", {"ghcr.io/team/idle:1"}),
        ("reason=unauthorized", {"quay.io/team/bad:1"}),
        ("source=quay.io", {"quay.io/team/bad:1", "quay.io/team/good:1"}),
        ("namespace=shop", {"quay.io/team/good:1"}),
        ("seen=not-week", set()),
        ("q=TEAM", {"quay.io/team/bad:1", "quay.io/team/good:1", "ghcr.io/team/idle:1"}),
    ],
)
def test_mappings_are_found(operator: Client, query: str, found: set[str]) -> None:
    failed("quay.io/team/bad:1")
    ordered("nginx:1")
    good, idle = ordered("quay.io/team/good:1"), ordered("ghcr.io/team/idle:1")
    ImageMapping.objects.filter(pk=good.mapping_id).update(existence="present")
    ImageMapping.objects.filter(pk=idle.mapping_id).update(paused=True)
    ImageUse.objects.create(mapping=good.mapping, namespace="shop")

    page = operator.get(f"{MAPPINGS}?{query}").content.decode()

    assert set(re.findall(r">\s*((?:quay|docker|ghcr)\.io/[^<\s]+)\s*<", page)) == found


def test_a_job_shows_its_progress_and_stops_asking_when_it_is_over(operator: Client) -> None:
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


def test_the_priority_of_a_queued_job_is_changed(operator: Client) -> None:
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


def test_all_failures_with_one_error_are_retried_together(operator: Client) -> None:
    for number in range(40):
        failed(f"quay.io/team/app-{number}:1")
    failed("ghcr.io/team/other:1", ErrorClass.TLS)
    mended = failed("quay.io/team/mended:1")
    newer = services.retry_jobs(job_ids=[mended.pk], requested_by="x").jobs[0]
    MirrorJob.objects.filter(pk=newer.pk).update(status=JobStatus.SUCCEEDED)
    listed = operator.get(f"{JOBS}?status__exact=failed&error_class__exact=unauthorized").content.decode()
    assert "retry-failed/?error_class=unauthorized" in listed

    url = reverse("admin:mirrors_mirrorjob_retry_failed")
    asked = operator.get(url, {"error_class": "unauthorized"}).content.decode()
    assert "40 images whose last job failed with this error" in asked and "did not accept the credentials" in asked
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
def test_all_are_retried_of_what_the_list_shows_alone(operator: Client, narrowed: str, query: str) -> None:
    failed("quay.io/team/app:1")
    page = operator.get(f"{JOBS}?status__exact=failed&error_class__exact=unauthorized{narrowed}").content.decode()
    assert re.findall(r'retry-failed/\?([^"]+)"', page) == ([query] if query else [])


def test_forgetting_a_mapping_leads_to_the_list(operator: Client) -> None:
    mapping = failed("quay.io/team/app:1").mapping_id
    page = f"{MAPPINGS}{mapping}/change/"
    form = {"action": "forget", "_selected_action": [mapping], "confirmed": mapping, "back": page}
    answer = operator.post(MAPPINGS, form, follow=True)
    assert answer.status_code == 200 and "1 forgotten" in answer.content.decode()
    kept = failed("quay.io/team/app:2").mapping_id
    page = f"{MAPPINGS}{kept}/change/"
    form = {"action": "pause", "_selected_action": [kept], "confirmed": kept, "back": page}
    assert operator.post(MAPPINGS, form).headers["Location"] == page


def test_what_can_be_done_with_a_job_follows_its_state(operator: Client) -> None:
    job = ordered("quay.io/team/app:1")
    live = reverse("admin:mirrors_mirrorjob_live", args=[job.pk])
    assert 'id="swapper-acts"' not in operator.get(live).content.decode()
    assert 'value="cancel"' in operator.get(f"{JOBS}{job.pk}/change/").content.decode()
    MirrorJob.objects.filter(pk=job.pk).update(status=JobStatus.SUCCEEDED)
    over = operator.get(live).content.decode()
    assert 'id="swapper-acts" hx-swap-oob="innerHTML"' in over and 'value="retry"' in over and "csrf" in over


def test_images_are_narrowed_to_targets_alone(operator: Client, target: Registry) -> None:
    source = Registry.objects.create(name="quay", endpoint="quay.io")
    failed("quay.io/team/app:1")
    page = operator.get(MAPPINGS).content.decode()
    options = re.findall(r'<select name="target_registry__id__exact".*?</select>', page, re.S)[0]
    assert f'value="{target.pk}"' in options and f'value="{source.pk}"' not in options
    found = operator.get(MAPPINGS, {"target_registry__id__exact": target.pk}).content.decode()
    assert "quay.io/team/app:1" in found


def test_private_images_are_listed_before_anybody_was_granted_one(operator: Client) -> None:
    accesses = ("configured", "secrets", "anonymous", "unreadable", "unknown")
    for access in accesses:
        ordered(f"quay.io/team/{access}:1")
        ImageMapping.objects.filter(source__contains=access).update(access=access)
    menu = operator.get(MAPPINGS).content.decode()
    (link,) = re.findall(r'href="([^"]+)"[^>]*>(?:(?!</a>).)*Private images', menu, re.S)

    page = operator.get(link).content.decode()

    assert [access for access in accesses if f"quay.io/team/{access}:1" in page] == ["configured", "secrets"]


@pytest.mark.parametrize(
    ("namespaces", "words"), [([], "no namespace"), (["shop", "web"], "shop, web"), (["*"], "all")]
)
def test_a_private_image_shows_whom_its_credentials_serve(operator: Client, namespaces: list[str], words: str) -> None:
    key = {"username": "robot", "credential_ref": "file:quay", "namespaces": namespaces}
    Registry.objects.create(name="our quay", endpoint="quay.io", **key)
    job = ordered("quay.io/team/app:1")
    ImageMapping.objects.update(access="configured")
    page = operator.get(f"{MAPPINGS}{job.mapping_id}/change/").content.decode()
    assert "the registry our quay in the admin" in page and words in page


def test_an_image_that_nobody_reads_is_not_called_private(operator: Client) -> None:
    job = failed("quay.io/team/none:1", ErrorClass.NOT_FOUND)
    ImageMapping.objects.update(access="unreadable")
    page = operator.get(f"{MAPPINGS}{job.mapping_id}/change/").content.decode()
    assert "No credentials were found that can read it" in page and "The source is private" not in page


def test_a_registry_is_tested_and_shows_its_last_errors(operator: Client) -> None:
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


def test_a_viewer_sees_all_and_has_nothing_to_press(client: Client) -> None:
    job = failed("quay.io/team/app:1")
    row = Registry.objects.create(name="quay", endpoint="quay.io")
    viewer = User.objects.create_user("vera", password="x", is_staff=True)
    viewer.groups.add(Group.objects.get(name="viewer"))
    client.force_login(viewer)
    for url in (
        f"{MAPPINGS}{job.mapping_id}/change/",
        f"{JOBS}{job.pk}/change/",
        f"/admin/mirrors/registry/{row.pk}/change/",
    ):
        page = client.get(url)
        assert page.status_code == 200
        assert 'method="post" action="/admin/mirrors' not in page.content.decode()
    assert client.get(reverse("admin:mirrors_mirrorjob_retry_failed")).status_code == 403
    assert client.post(reverse("admin:mirrors_mirrorjob_priority", args=[job.pk]), {"priority": 0}).status_code == 403
    assert client.post(reverse("admin:mirrors_registry_test", args=[row.pk])).status_code == 403
    assert not RegistryCheck.objects.exists()
    chosen_form = {"action": "forget", "_selected_action": [job.mapping_id], "confirmed": job.mapping_id}
    client.post(MAPPINGS, chosen_form)
    assert ImageMapping.objects.exists()


@pytest.mark.parametrize(
    "back", ["//evil.example", "/\\\\evil.example", "javascript:alert(1)", "evil.example", "https://evil.example/"]
)
def test_an_act_leads_back_to_a_page_of_ours(operator: Client, back: str) -> None:
    job = ordered("quay.io/team/app:1")
    form = {"action": "cancel", "_selected_action": [job.pk], "back": back}
    assert back not in operator.post(JOBS, form).content.decode()
    done = operator.post(JOBS, {**form, "confirmed": job.pk})
    assert done.headers["Location"] == JOBS


def test_a_deleted_row_is_reported(operator: Client) -> None:
    assert operator.get(f"{JOBS}999999/change/").status_code == 404
