"""The admin: all models are registered and searchable, jobs are retried and cancelled, rows of the file are
read-only."""

from __future__ import annotations

import re

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from mirrors import services
from mirrors.accounts.models import ApiToken
from mirrors.accounts.roles import Role
from mirrors.models import (
    AdmissionSample,
    Filter,
    ImageMapping,
    ImageUse,
    JobStatus,
    ManagedBy,
    MirrorAttempt,
    MirrorJob,
    Registry,
    RegistryRole,
    Revision,
    TargetRepository,
    Trigger,
)
from mirrors.services import RequestedCopy

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("olga", password="x"))
    return client


@pytest.fixture
def job() -> MirrorJob:
    target = Registry.objects.create(name="target", role=RegistryRole.TARGET, endpoint="registry.example.com")
    order = RequestedCopy(source="docker.io/library/nginx:1", target="registry.example.com/docker.io/library/nginx:1")
    outcome = services.request_copies(target_registry_id=target.id, requests=[order])[0]
    assert outcome.job_id is not None
    return MirrorJob.objects.get(id=outcome.job_id)


@pytest.mark.parametrize("name", [model.__name__ for model in apps.get_app_config("mirrors").get_models()])
def test_every_model_is_registered_and_searchable(operator: Client, job: MirrorJob, name: str) -> None:
    model = apps.get_model("mirrors", name)
    assert admin.site.is_registered(model)
    assert admin.site.get_model_admin(model).get_search_fields(None)  # type: ignore[arg-type]

    response = operator.get(reverse(f"admin:mirrors_{model._meta.model_name}_changelist"), {"q": "nginx"})

    assert response.status_code == 200


def test_anonymous_users_are_redirected_to_sign_in(client: Client) -> None:
    response = client.get(reverse("admin:mirrors_mirrorjob_changelist"))

    assert response.status_code == 302
    assert "login" in response.headers["Location"]


def act(operator: Client, action: str, *jobs: MirrorJob) -> str:
    """Run an action on jobs, and return the messages of the next page."""
    url = reverse("admin:mirrors_mirrorjob_changelist")
    chosen = {"action": action, "_selected_action": [job.id for job in jobs]}
    requested = operator.post(url, chosen)
    assert all(job.mapping.source in requested.content.decode() for job in jobs), "it says what will be done to what"
    response = operator.post(url, {**chosen, "confirmed": ",".join(str(job.id) for job in jobs)}, follow=True)
    assert response.status_code == 200
    return " ".join(str(message) for message in response.context["messages"])


def test_a_queued_job_is_cancelled_and_retried(operator: Client, job: MirrorJob) -> None:
    assert "1 cancelled" in act(operator, "cancel", job)
    job.refresh_from_db()
    assert job.status == JobStatus.CANCELLED
    assert "olga" in job.error_message

    assert "1 queued again" in act(operator, "retry", job)
    new = MirrorJob.objects.get(retry_of=job)
    assert (new.status, new.trigger, new.requested_by) == (JobStatus.PENDING, Trigger.RETRY, "olga")
    assert ImageMapping.objects.get().last_job == new


def test_actions_that_do_not_apply_to_a_job_are_explained(operator: Client, job: MirrorJob) -> None:
    assert "wait until it finishes, or cancel it first" in act(operator, "retry", job)
    act(operator, "cancel", job)
    assert "nothing to cancel" in act(operator, "cancel", job)


def test_a_user_with_only_view_permission_cannot_cancel_a_job(client: Client, job: MirrorJob) -> None:
    viewer = User.objects.create_user("vera", password="x", is_staff=True)
    viewer.groups.add(Group.objects.get(name="viewer"))
    client.force_login(viewer)
    url = reverse("admin:mirrors_mirrorjob_changelist")

    page = client.get(url)
    assert page.status_code == 200 and page.context["cl"].result_count == 1
    client.post(url, {"action": "cancel", "_selected_action": [job.id], "confirmed": job.id})

    job.refresh_from_db()
    assert job.status == JobStatus.PENDING


def test_a_filter_with_an_invalid_expression_is_rejected(operator: Client) -> None:
    response = operator.post(
        reverse("admin:mirrors_filter_add"), {"name": "bad", "jmespath": "obj.[", "position": 0, "enabled": "on"}
    )

    assert response.status_code == 200
    assert response.context["errors"]
    assert not Filter.objects.exists()


def test_deleting_a_filter_increments_the_revision_of_filters(operator: Client) -> None:
    fields = {"name": "ours", "jmespath": "`true`", "position": 0, "enabled": "on"}
    operator.post(reverse("admin:mirrors_filter_add"), fields)
    first = Revision.objects.get(table="mirrors_filter").number

    operator.post(reverse("admin:mirrors_filter_delete", args=[Filter.objects.get().id]), {"post": "yes"})

    assert not Filter.objects.exists()
    assert Revision.objects.get(table="mirrors_filter").number > first


def test_filters_of_the_configuration_file_are_read_only(operator: Client) -> None:
    row = Filter.objects.create(name="source.filters[0]", jmespath="`true`", managed_by=ManagedBy.CONFIG)

    fields = {"name": "x", "jmespath": "`false`", "position": 0}
    assert operator.post(reverse("admin:mirrors_filter_change", args=[row.id]), fields).status_code == 403
    assert operator.post(reverse("admin:mirrors_filter_delete", args=[row.id]), {"post": "yes"}).status_code == 403
    row.refresh_from_db()
    assert row.jmespath == "`true`"


@pytest.mark.parametrize("reference", ["secret-password", "env:HOME", "file:../../etc/passwd", "file:/etc/passwd"])
def test_invalid_credential_references_are_rejected(operator: Client, reference: str) -> None:
    fields = {"name": "hub", "endpoint": "docker.io", "username": "robot", "credential_ref": reference}

    response = operator.post(reverse("admin:mirrors_registry_add"), {**fields, "enabled": "on"})

    assert response.status_code == 200
    assert not Registry.objects.exists()


def test_changing_the_host_of_a_registry_removes_its_credentials(operator: Client) -> None:
    fields = {"name": "hub", "endpoint": "docker.io", "username": "robot", "credential_ref": "env:SWAPPER_CRED_HUB"}
    operator.post(reverse("admin:mirrors_registry_add"), {**fields, "enabled": "on"})
    row = Registry.objects.get()
    assert (row.role, row.credential_ref) == (RegistryRole.SOURCE, "env:SWAPPER_CRED_HUB")

    fields["endpoint"] = "evil.example.com"
    operator.post(reverse("admin:mirrors_registry_change", args=[row.id]), {**fields, "enabled": "on"})

    row.refresh_from_db()
    assert (row.endpoint, row.username, row.credential_ref) == ("evil.example.com", "", "")


@pytest.mark.parametrize(
    ("reference", "is_taken"),
    [
        ("env:SWAPPER_CRED_HUB", True),
        ("file:hub-password", True),
        ("secret:hub/token", True),
        ("env:SWAPPER_SECRET_KEY", False),
        ("env:AWS_SECRET_ACCESS_KEY", False),
        ("file:../secret-key", False),
        ("file:/etc/passwd", False),
        ("secret:other-namespace/hub/token", False),
        ("secret:hub", False),
        ("the password itself", False),
    ],
)
def test_only_valid_credential_references_are_accepted(operator: Client, reference: str, is_taken: bool) -> None:
    fields = {"name": "hub", "endpoint": "docker.io", "username": "robot", "credential_ref": reference}
    operator.post(reverse("admin:mirrors_registry_add"), {**fields, "enabled": "on"})
    assert Registry.objects.exists() is is_taken


def test_settings_are_applied_only_to_repositories_that_differ(operator: Client) -> None:
    registry = Registry.objects.create(role=RegistryRole.TARGET, endpoint="mirror.example.com")
    for name, differs in (("same", False), ("other", True)):
        differences = [{"setting": "imageTagMutability", "wanted": "MUTABLE", "found": "IMMUTABLE", "problem": ""}]
        TargetRepository.objects.create(
            registry=registry, name=name, has_differences=differs, differences=differences if differs else []
        )
    page = reverse("admin:mirrors_targetrepository_changelist")
    assert "imageTagMutability" in operator.get(page).content.decode()
    rows = list(TargetRepository.objects.values_list("pk", flat=True))
    response = operator.post(page, {"action": "apply_settings", "_selected_action": rows}, follow=True)
    assert "The next free worker applies the settings of 1 repository." in response.content.decode()
    same = TargetRepository.objects.get(name="same").pk
    response = operator.post(page, {"action": "apply_settings", "_selected_action": [same]}, follow=True)
    assert "there is nothing to apply" in response.content.decode()
    assert [row.name for row in TargetRepository.objects.to_apply()] == ["other"]


def test_pausing_a_mapping_updates_its_change_time(operator: Client, job: MirrorJob) -> None:
    mapping = job.mapping

    chosen = {"action": "pause", "_selected_action": [mapping.id], "confirmed": mapping.id}
    operator.post(reverse("admin:mirrors_imagemapping_changelist"), chosen)

    before = mapping.changed_at
    mapping.refresh_from_db()
    assert mapping.paused
    assert mapping.changed_at > before


@pytest.mark.parametrize(
    ("model", "data"),
    [
        ("filter", {"name": "mine", "jmespath": "`true`", "position": 0}),
        ("registry", {"name": "other", "endpoint": "quay.io"}),
        ("registry", {"name": "file's", "endpoint": "ghcr.io"}),
        ("registry", {"name": "port", "endpoint": "registry.example.com:99999"}),
        ("registry", {"name": "no dot", "endpoint": "registry"}),
        ("registry", {"name": "elsewhere's file", "endpoint": "registry.example.org", "ca_file": "/etc/passwd"}),
        ("registry", {"name": "r", "endpoint": "a.example.org", "username": "a:b", "credential_ref": "file:x"}),
        ("registry", {"name": "half of the credentials", "endpoint": "registry.example.org", "username": "robot"}),
    ],
    ids=["filter", "registry", "of the file", "port", "word", "CA file", "username", "credentials"],
)
def test_invalid_filters_and_registries_are_rejected_with_errors(
    operator: Client, model: str, data: dict[str, object]
) -> None:
    Filter.objects.create(name="mine", jmespath="`false`")
    Registry.objects.create(name="quay", endpoint="quay.io")
    Registry.objects.create(name="ghcr", endpoint="ghcr.io", managed_by=ManagedBy.CONFIG)
    before = (Filter.objects.count(), Registry.objects.count())

    page = operator.post(reverse(f"admin:mirrors_{model}_add"), data)

    assert page.status_code == 200
    assert page.context["errors"], "the page says what is wrong"
    assert (Filter.objects.count(), Registry.objects.count()) == before


def test_a_token_is_shown_once_and_accepted_by_the_api_until_deleted(admin_client: Client) -> None:
    user = User.objects.create_superuser("script", password="x")
    page = admin_client.post(
        reverse("admin:accounts_apitoken_add"), {"name": "ci", "user": user.pk, "role": Role.VIEWER}, follow=True
    ).content.decode()
    token = re.search(r"swp_\w+", page)
    assert token is not None
    assert Client().get("/api/v1/jobs/", headers={"Authorization": f"Token {token[0]}"}).status_code == 200
    assert token[0] not in admin_client.get(reverse("admin:accounts_apitoken_changelist")).content.decode()
    row = ApiToken.objects.get()
    admin_client.post(reverse("admin:accounts_apitoken_delete", args=[row.pk]), {"post": "yes"})
    assert Client().get("/api/v1/jobs/", headers={"Authorization": f"Token {token[0]}"}).status_code == 401


def test_html_from_pods_and_workers_is_escaped_on_every_page(operator: Client, job: MirrorJob) -> None:
    """Names and messages are written by the authors of pods and by registries."""
    mark = "<script>alert(1)</script>"
    ImageMapping.objects.update(source=f"quay.io/{mark}:1", target=f"mirror.example.com/{mark}")
    MirrorJob.objects.update(status=JobStatus.FAILED, error_message=mark, namespace=mark, error_host=mark)
    MirrorAttempt.objects.create(job=job, number=1, worker=mark, error=mark, log=mark)
    ImageUse.objects.create(mapping=job.mapping, namespace=mark, workload_kind=mark, workload=mark)
    image = {"image": mark, "container": mark, "decision": "keep", "reason": mark, "target": mark, "filter": mark}
    sample = AdmissionSample.objects.create(
        namespace=mark, workload=mark, pod_name=mark, pod={"metadata": {"name": mark}}, decisions=[image]
    )
    pages = {
        "imagemapping": job.mapping_id,
        "mirrorjob": job.pk,
        "mirrorattempt": None,
        "imageuse": None,
        "admissionsample": sample.pk,
    }
    for model, key in pages.items():
        addresses = [reverse(f"admin:mirrors_{model}_changelist")]
        addresses += [reverse(f"admin:mirrors_{model}_change", args=[key])] if key else []
        for address in addresses:
            page = operator.get(address).content.decode()
            assert mark not in page, address
            assert "alert(1)&lt;/" in page, f"{address} shows it"
