"""Lists of the admin: active filters persist, are shown and can be removed; pages of rows are readable."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from mirrors.admin.tools.base import PlainAdmin
from mirrors.models import (
    DecisionCount,
    Filter,
    HostBudget,
    Instance,
    MirrorAttempt,
    MirrorJob,
    OperatorAction,
    Registry,
)
from mirrors.services import request_image
from tests.admin.test_list_tools import file_of
from tests.support.pages import text_of

pytestmark = pytest.mark.django_db


class Form(HTMLParser):
    """The fields that the form of a list's filters would submit."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.sent: dict[str, str] = {}
        self._is_inside = False
        self._select = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        reported = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._is_inside = reported.get("id") == "filter-form"
        if not self._is_inside:
            return
        if tag == "input" and reported.get("value") and "name" in reported:
            self.sent[reported["name"]] = reported["value"]
        elif tag == "select":
            self._select = reported.get("name", "")
        elif tag == "option" and "selected" in reported and reported.get("value"):
            self.sent[self._select] = reported["value"]


@pytest.fixture
def job() -> MirrorJob:
    Registry.objects.create(role="target", endpoint="mirror.example.com", managed_by="config")
    return request_image(image="team/app:1", requested_by="x")[0]


def list_of(model: str, **query: str) -> tuple[str, dict[str, str]]:
    return reverse(f"admin:mirrors_{model}_changelist"), query


@pytest.mark.parametrize(
    ("model", "query"),
    [
        ("decisioncount", {"coverage": "admitted", "reason": "absent", "hour_from_0": "2026-01-01"}),
        ("operatoraction", {"action": "retry"}),
        ("instance", {"reports": "yes", "role__exact": "worker"}),
        ("mirrorjob", {"status__exact": "failed", "namespace": "a"}),
        ("mirrorattempt", {"outcome__exact": "failed", "finished_at_from_0": "2026-01-01"}),
        ("imagemapping", {"state": "failed", "source": "quay.io"}),
    ],
)
def test_the_filter_form_keeps_the_active_filters(model: str, query: dict[str, str], admin_client: Client) -> None:
    now = timezone.now()
    DecisionCount.objects.create(
        hour=now, namespace="a", source_host="b", decision="keep", reason="absent", images=2, filter=""
    )
    OperatorAction.objects.create(actor="olga", action="retry", subject="a")
    page = admin_client.get(reverse(f"admin:mirrors_{model}_changelist"), query).content.decode()
    assert Form(page).sent == query


def test_a_time_range_of_decisions_is_shown_and_can_be_cleared(admin_client: Client) -> None:
    now = timezone.now()
    for hours in (1, 50):
        hour = now - timedelta(hours=hours)
        DecisionCount.objects.create(
            hour=hour, namespace="a", source_host="b", decision="keep", reason="absent", images=hours
        )
    since = now - timedelta(hours=24)
    query = {"hour_from_0": f"{since:%Y-%m-%d}", "hour_from_1": f"{since:%H:%M:%S}"}
    page = admin_client.get(reverse("admin:mirrors_decisioncount_changelist"), query).content.decode()
    assert "<strong>1</strong> image in total" in page
    assert Form(page).sent == query
    clear = re.findall(r'href="([^"]*)"[^>]*>\s*Clear all filters', page)
    assert clear and "hour" not in clear[0]


def test_decisions_of_first_seen_images_have_separate_rows(admin_client: Client) -> None:
    of = {"hour": timezone.now(), "namespace": "shop", "source_host": "docker.io", "decision": "keep"}
    for images, first_seen in ((3, True), (4, False)):
        DecisionCount.objects.create(**of, reason="absent", first_seen=first_seen, images=images)
    page = text_of(admin_client.get(reverse("admin:mirrors_decisioncount_changelist")).content.decode())
    assert "absent – yes 3" in page and "absent – – 4" in page


def test_the_hour_of_decisions_is_a_range_with_its_date_unless_today(admin_client: Client) -> None:
    today = timezone.now().replace(hour=23, minute=0, second=0, microsecond=0)
    last_week = (today - timedelta(days=7)).replace(hour=9)
    for hour in (last_week, today):
        DecisionCount.objects.create(
            hour=hour, namespace="a", source_host="b", decision="keep", reason="absent", images=1
        )

    page = admin_client.get(reverse("admin:mirrors_decisioncount_changelist")).content.decode()

    shown = re.findall(r'<time datetime="([^"]+)" data-hour title="([^"]+)">([^<]+)</time>', page)
    assert shown == [
        (today.isoformat(), f"{today:%Y-%m-%d} 23:00–24:00 UTC", "23:00–24:00"),
        (
            last_week.isoformat(),
            f"{last_week:%Y-%m-%d} 09:00–10:00 UTC",
            f"{last_week.day} {last_week:%b}, 09:00–10:00",
        ),
    ]
    head, *rows = file_of(admin_client, reverse("admin:mirrors_decisioncount_export"))
    assert [row[head.index("hour")] for row in rows] == [today.isoformat(), last_week.isoformat()]


@pytest.mark.parametrize(
    "query",
    [
        {"finished_at_from_0": "zzz"},
        {"finished_at_from_0": "2026-01-01", "finished_at_from_1": "25:99"},
        {"finished_at_to_1": "10:00:00"},
    ],
)
def test_an_invalid_time_is_reported_and_selects_nothing(
    query: dict[str, str], admin_client: Client, job: MirrorJob
) -> None:
    result = datetime(2026, 2, 1, tzinfo=UTC)
    MirrorAttempt.objects.create(job=job, number=1, outcome="failed", finished_at=result, bytes_copied=9)
    MirrorJob.objects.update(status="failed", finished_at=result)
    for model in ("mirrorattempt", "mirrorjob"):
        page = admin_client.get(reverse(f"admin:mirrors_{model}_changelist"), query).content.decode()
        assert page.count("is not a valid time. Enter a date like 2026-01-31") == 1
        assert 'name="_selected_action"' not in page and "9 B" not in page


def test_times_and_sizes_of_a_row_are_human_readable(admin_client: Client, job: MirrorJob) -> None:
    result = timezone.now() - timedelta(minutes=3)
    attempt = MirrorAttempt.objects.create(
        job=job, number=1, outcome="failed", finished_at=result, bytes_copied=14_533_537
    )
    host = HostBudget.objects.create(host="docker.io", resting_until=result)
    process = Instance.objects.create(role="worker", name="w:1")
    for row in (attempt, host, process):
        address = reverse(f"admin:mirrors_{row._meta.model_name}_change", args=[row.pk])
        page = admin_client.get(address).content.decode()
        assert f"{timezone.now():%Y}, " not in page and "<time datetime=" in page, address
        assert "/history/" not in page, "nobody changes it"
    page = admin_client.get(reverse("admin:mirrors_mirrorattempt_change", args=[attempt.pk])).content.decode()
    assert "3 min ago</time>" in page and "13.9 MiB" in page


def test_an_invalid_selection_of_users_is_rejected(admin_client: Client) -> None:
    form = {"action": "delete_selected", "_selected_action": ["abc"]}
    response = admin_client.post(reverse("admin:auth_user_changelist"), form, follow=True)
    assert response.status_code == 200 and "select the rows again" in response.content.decode()


def test_an_empty_list_shows_where_rows_come_from(admin_client: Client) -> None:
    page = admin_client.get(reverse("admin:mirrors_imagemapping_changelist")).content.decode()
    assert "Nothing here yet" in page and "manage.py mirror" in page
    narrowed = admin_client.get(reverse("admin:mirrors_imagemapping_changelist"), {"q": "nginx"}).content.decode()
    assert "Nothing matches" in narrowed and '<a class="swapper-button" href="?">Show all</a>' in narrowed
    assert "manage.py mirror" not in narrowed


def test_each_empty_list_has_its_own_text() -> None:
    ours = [found for found in admin.site._registry.values() if isinstance(found, PlainAdmin)]
    without = {type(found).__name__ for found in ours if found.empty_message == PlainAdmin.empty_message}
    assert without == {"BlobLocationAdmin", "RevisionAdmin", "JobProgressAdmin"}, "nobody is led to these"


def test_the_history_of_a_row_shows_only_its_own_changes(admin_client: Client) -> None:
    rows = [Filter.objects.create(name=name, jmespath="`true`") for name in ("a", "b")]
    edited = {"name": "a", "jmespath": "`false`", "position": 1}
    admin_client.post(reverse("admin:mirrors_filter_change", args=[rows[0].pk]), edited)
    page = admin_client.get(reverse("admin:mirrors_filter_history", args=[rows[0].pk]), follow=True)
    assert [entry.object_pk for entry in page.context["cl"].result_list] == [str(rows[0].pk)] * 2
    shown = admin_client.get(reverse("admin:mirrors_filter_change", args=[rows[0].pk])).content.decode()
    assert reverse("admin:mirrors_filter_history", args=[rows[0].pk]) in shown
