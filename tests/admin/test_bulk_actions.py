"""Actions on selected rows: their confirmation, their effect, and the page that follows."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from mirrors.models import (
    ImageMapping,
    MirrorJob,
    OperatorAction,
    Registry,
    RegistryCheck,
)
from tests.admin.operating import JOBS, MAPPINGS, chosen, failed, ordered

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("target")]


@pytest.mark.parametrize(
    ("action", "asks", "says"),
    [
        ("mirror", "copies those that are missing", "2 copies requested"),
        ("verify", "Nothing is copied", "2 verifications queued"),
        ("pause", "pods are not swapped to them", "2 paused"),
        ("forget", "The images stay at the target", "2 forgotten"),
    ],
)
def test_an_action_on_mappings_explains_its_effect_and_is_recorded(
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


def test_images_with_an_active_job_are_reported_and_not_counted(operator: Client) -> None:
    jobs = [failed(f"quay.io/team/app-{n}:1") for n in (1, 2)]
    live = ordered("quay.io/team/app-1:1")
    OperatorAction.objects.all().delete()
    reported = f"quay.io/team/app-1:1 already has job {live.pk} (queued)."

    _, retried = chosen(operator, JOBS, "retry", *(job.pk for job in jobs))
    assert "1 queued again" in retried and reported in retried
    for action in ("mirror", "verify"):
        _, done = chosen(operator, MAPPINGS, action, *(job.mapping_id for job in jobs))
        assert (
            reported in done
            and "app-2:1 already has job" in done
            and "requested" not in done
            and "verification" not in done
        )
    assert OperatorAction.objects.count() == 1 and MirrorJob.objects.live().count() == 2


def test_an_invalid_selection_is_rejected(operator: Client) -> None:
    failed("quay.io/team/app:1")
    response = operator.post(JOBS, {"action": "retry", "_selected_action": ["abc"], "confirmed": "abc"}, follow=True)
    assert response.status_code == 200 and "select the rows again" in response.content.decode()
    assert MirrorJob.objects.live().count() == 0


def test_actions_have_no_effect_before_confirmation(operator: Client) -> None:
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

    response = operator.post(f"{JOBS}?status__exact=pending", fields, follow=True)

    assert "1 cancelled" in " ".join(str(message) for message in response.context["messages"])
    assert list(MirrorJob.objects.live().values_list("id", flat=True)) == [since.pk]


def test_forgetting_a_mapping_redirects_to_the_list(operator: Client) -> None:
    mapping = failed("quay.io/team/app:1").mapping_id
    page = f"{MAPPINGS}{mapping}/change/"
    form = {"action": "forget", "_selected_action": [mapping], "confirmed": mapping, "back": page}
    response = operator.post(MAPPINGS, form, follow=True)
    assert response.status_code == 200 and "1 forgotten" in response.content.decode()
    assert ">Forgot<" in operator.get("/admin/mirrors/operatoraction/").content.decode()
    kept = failed("quay.io/team/app:2").mapping_id
    page = f"{MAPPINGS}{kept}/change/"
    form = {"action": "pause", "_selected_action": [kept], "confirmed": kept, "back": page}
    assert operator.post(MAPPINGS, form).headers["Location"] == page


def test_a_viewer_can_view_pages_but_cannot_run_actions(client: Client) -> None:
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
def test_an_external_return_url_is_ignored_after_an_action(operator: Client, back: str) -> None:
    job = ordered("quay.io/team/app:1")
    form = {"action": "cancel", "_selected_action": [job.pk], "back": back}
    assert back not in operator.post(JOBS, form).content.decode()
    done = operator.post(JOBS, {**form, "confirmed": job.pk})
    assert done.headers["Location"] == JOBS
