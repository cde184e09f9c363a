"""A list with a filter value that does not exist says so, and does not look like a list without rows."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.test import Client
from django.urls import reverse

from mirrors.models import MirrorJob
from mirrors.services import request_image

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("target")]
JOBS = "admin:mirrors_mirrorjob_changelist"


def text_of(page: str) -> str:
    return unescape(" ".join(re.sub(r"<[^>]*>", " ", page).split()))


def lists(client: Client) -> list[tuple[str, ChangeList]]:
    found = []
    for model in admin.site._registry:
        url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        context: Any = client.get(url).context
        if "cl" in context:
            found.append((url, context["cl"]))
    return found


def test_each_filter_with_choices_says_which_there_are(admin_client: Client) -> None:
    request_image(image="nginx:1", requested_by="x")
    tried = 0
    for url, listed in lists(admin_client):
        for spec in listed.filter_specs:
            choices: Any = spec.choices(listed)
            words = [str(choice["display"]) for choice in choices if "display" in choice]
            if len(words) < 2:
                continue
            name = next(name for name in spec.expected_parameters() if name)
            page = text_of(admin_client.get(url, {name: "nope"}).content.decode())
            assert f"{str(spec.title).capitalize()} has no value “nope”. Choose one of: " in page, (url, name)
            assert all(word in page for word in words), (url, name)
            tried += 1
    assert tried > 20


def test_an_unknown_status_says_so_and_exports_nothing(admin_client: Client) -> None:
    request_image(image="nginx:1", requested_by="x")
    page = admin_client.get(reverse(JOBS), {"status__exact": "nope"}).content.decode()
    assert "Status has no value “nope”. Choose one of: Queued, Running, " in text_of(page)
    assert "Nothing matches" not in page and "nginx" not in page
    answer = admin_client.get(f"{reverse(JOBS)}export/", {"status__exact": "nope"})
    assert (answer.status_code, answer["Location"]) == (302, "../?status__exact=nope")


def test_an_action_on_all_rows_of_an_unknown_value_changes_nothing(admin_client: Client) -> None:
    job, _ = request_image(image="nginx:1", requested_by="x")
    asked = {"action": "cancel", "select_across": "1", "_selected_action": [job.pk], "confirmed": str(job.pk)}
    admin_client.post(f"{reverse(JOBS)}?status__exact=nope", asked)
    assert MirrorJob.objects.get().status == "pending"


def test_known_values_select_rows_as_before(admin_client: Client) -> None:
    request_image(image="nginx:1", requested_by="x")
    for query in ({"status__exact": "pending"}, {}):
        assert "nginx" in admin_client.get(reverse(JOBS), query).content.decode()


def test_a_link_with_an_unknown_filter_says_that_it_is_left_out(admin_client: Client) -> None:
    answer = admin_client.get(reverse(JOBS), {"no_such_field": "1"}, follow=True)
    assert "shows all rows" in text_of(answer.content.decode())
