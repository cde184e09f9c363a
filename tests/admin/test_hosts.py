"""The list of hosts: paused hosts, and how a user ends a pause."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from mirrors.accounts.roles import Role
from mirrors.models import ErrorClass, HostBudget, MirrorJob, OperatorAction, Priority, Registry, RegistryRole
from tests.admin.test_list_tools import file_of
from tests.api.conftest import user_of
from tests.jobs.support import queue_copies, queue_copy
from tests.support.pages import text_of

pytestmark = pytest.mark.django_db

LIST = "/admin/mirrors/hostbudget/"
ABSURD = ("10000-01-01 11:59:59+00", "294276-12-31 23:59:59+00", "2058-01-01 00:00:00+00")


@pytest.fixture
def paused() -> HostBudget:
    return HostBudget.objects.create(host="quay.io", resting_until=timezone.now() + timedelta(minutes=30))


def resume(client: Client, row: HostBudget) -> str:
    """Request to resume a host, confirm it, and return the page that follows."""
    form = {"action": "resume", "_selected_action": [row.pk]}
    requested = client.post(LIST, form)
    assert b"quay.io" in requested.content and b"copies wait again" in requested.content
    return client.post(LIST, {**form, "confirmed": str(row.pk)}, follow=True).content.decode()


def test_resuming_a_host_makes_its_waiting_jobs_due(client: Client, paused: HostBudget) -> None:
    later = timezone.now() + timedelta(minutes=30)
    waiting, other = queue_copy("quay.io/org/app:1"), queue_copy("ghcr.io/org/app:1")
    MirrorJob.objects.update(available_at=later, error_class=ErrorClass.RATE_LIMITED)
    client.force_login(user_of(Role.OPERATOR))

    assert "1 resumed." in resume(client, paused)

    paused.refresh_from_db()
    assert paused.resting_until is None
    for job in (waiting, other):
        job.refresh_from_db()
    assert waiting.available_at < later and other.available_at == later
    action = OperatorAction.objects.get(action="resume")
    assert (action.actor, action.subject) == ("a-operator", "quay.io")
    assert "None of these hosts is rate limited" in resume(client, paused)
    assert OperatorAction.objects.filter(action="resume").count() == 1


def test_resume_on_the_dashboard_links_to_its_confirmation(client: Client, paused: HostBudget) -> None:
    HostBudget.objects.create(host="quay.io", operation="put-manifest", per_second=8)
    client.force_login(user_of(Role.OPERATOR))
    dashboard = client.get("/admin/dashboard/").content.decode()
    (link,) = re.findall(r'<a class="swapper-button" href="([^"]+)"><span[^>]*>quay\.io: </span>Resume …', dashboard)

    page = client.get(link).content.decode()
    form = page.partition('<form method="post" action')[2].partition("</form>")[0]
    assert "Resume (1)" in form
    (address,) = re.findall(r'="([^"]+)"', form)[:1]
    output = client.post(address, dict(re.findall(r'name="(\w+)" value="([^"]*)"', form)), follow=True)

    assert output.redirect_chain == [("/admin/", 302)] and "1 resumed." in output.content.decode()
    paused.refresh_from_db()
    assert paused.resting_until is None
    assert "None of these hosts is rate limited." in client.get(link).content.decode()


def test_a_viewer_cannot_resume_a_host(client: Client, paused: HostBudget) -> None:
    client.force_login(user_of(Role.VIEWER))
    client.post(LIST, {"action": "resume", "_selected_action": [paused.pk], "confirmed": str(paused.pk)})
    paused.refresh_from_db()
    assert paused.resting_until is not None


@pytest.mark.parametrize("until", ABSURD)
def test_implausible_stored_times_do_not_break_pages_or_the_api(client: Client, paused: HostBudget, until: str) -> None:
    """Earlier versions stored such times."""
    job = queue_copy("quay.io/org/app:1")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE mirrors_hostbudget SET resting_until = %s", [until])
        cursor.execute("UPDATE mirrors_mirrorjob SET available_at = %s", [until])
    client.force_login(user_of(Role.ADMIN))
    pages = (
        LIST,
        f"{LIST}{paused.pk}/change/",
        "/admin/",
        "/admin/dashboard/",
        "/admin/mirrors/mirrorjob/",
        f"/admin/mirrors/mirrorjob/{job.pk}/change/",
        f"/admin/mirrors/imagemapping/{job.mapping_id}/change/",
        "/api/v1/stats/",
        "/api/v1/hosts/",
        f"/api/v1/hosts/{paused.pk}/",
        "/api/v1/jobs/",
        f"/api/v1/jobs/{job.pk}/",
        "/metrics",
    )
    assert [page for page in pages if client.get(page).status_code != 200] == []
    assert client.get(f"/api/v1/hosts/{paused.pk}/").json()["paused_until"] is None
    assert client.get("/api/v1/stats/").json()["resting_hosts"] == {}


def test_copies_waiting_for_a_rate_limited_host_are_counted(client: Client) -> None:
    later = timezone.now() + timedelta(minutes=10)
    HostBudget.objects.create(host="limited.example.com", resting_until=later)
    queue_copies([f"limited.example.com/app{number}:1" for number in range(3)])
    MirrorJob.objects.update(available_at=timezone.now() - timedelta(minutes=20))
    client.force_login(user_of(Role.VIEWER))

    shown = text_of(client.get(LIST).content.decode())
    assert re.search(r"limited\.example\.com .*retry in \S+ min 3 ", shown)
    head, row = file_of(client, f"{LIST}export/")
    cells = dict(zip(head, row, strict=True))
    assert (cells["waiting copies"], cells["copies wait until"]) == ("3", "")
    assert cells["rate limited until"] == later.isoformat(timespec="seconds")
    assert "after a rate limit" in client.get("/admin/mirrors/mirrorjob/").content.decode()


def test_copies_waiting_for_the_pull_budget_of_credentials_are_counted(client: Client) -> None:
    """If the pulls are exhausted, all copies wait. If only a few remain, the background copies from that host wait."""
    later = timezone.now() + timedelta(minutes=10)
    HostBudget.objects.create(host="a.example.com", operation="pulls", credential="ann", resting_until=later)
    HostBudget.objects.create(host="b.example.com", operation="pulls", credential="bob", held_until=later, held_from=20)
    for host in "ab":
        queue_copies([f"{host}.example.com/app{number}:1" for number in range(2)])
        queue_copy(f"{host}.example.com/awaited:1", priority=Priority.IMMEDIATE)
    client.force_login(user_of(Role.VIEWER))

    shown = text_of(client.get(LIST).content.decode())

    assert re.search(r"a\.example\.com pulls – ann – retry in \S+ min 3 ", shown), shown
    assert re.search(r"b\.example\.com pulls – bob – – 2 \(operator, delayed, backfill, refresh: in \S+ min \)", shown)


def test_budgets_pulls_and_waiting_copies_are_shown(client: Client) -> None:
    soon = timezone.now() + timedelta(minutes=1)
    HostBudget.objects.create(host="docker.io", operation="put-manifest", per_second=8)
    HostBudget.objects.create(host="docker.io", operation="pulls", credential="ann", remaining=37, pull_limit=200)
    HostBudget.objects.create(host="docker.io", slowed_until=soon, held_until=soon, held_from=30)
    registry = Registry.objects.create(role=RegistryRole.SOURCE, endpoint="docker.io")
    client.force_login(user_of(Role.VIEWER))

    listed = client.get(LIST).content.decode()
    page = client.get(f"/admin/mirrors/registry/{registry.pk}/change/").content.decode()
    rows = client.get("/api/v1/hosts/?host=docker.io").json()["results"]

    assert "8/s" in listed and "37 of 200" in listed and "delayed, backfill, refresh: " in listed
    assert "8 per second, all workers" in page and "docker.io, ann" in page and "37 of 200" in page
    assert "copies of priority delayed, backfill, refresh wait" in page and "docker.io is rate limited" in page
    by_operation = {row["operation"]: row for row in rows}
    assert by_operation["put-manifest"]["per_second"] == 8
    assert (by_operation["pulls"]["credential"], by_operation["pulls"]["pull_limit"]) == ("ann", 200)
    assert by_operation[""]["waiting_priorities"] == ["delayed", "backfill", "refresh"]
    assert by_operation[""]["paused_until"] == by_operation[""]["low_priority_until"] is not None


def test_a_host_shows_the_credentials_of_its_pulls_and_the_retry_time(admin_client: Client) -> None:
    later = timezone.now() + timedelta(minutes=10, seconds=20)
    HostBudget.objects.create(host="docker.io", operation="pulls", remaining=37, resting_until=later)
    HostBudget.objects.create(host="ghcr.io", operation="pulls", credential="ann", remaining=40)
    HostBudget.objects.create(host="quay.io", operation="request", per_second=5)

    text = text_of(admin_client.get(LIST).content.decode())

    for words in (
        "docker.io pulls – anonymous 37 retry in 10 min",
        "ghcr.io pulls – ann 40",
        "quay.io request 5/s – –",
    ):
        assert words in text, words
