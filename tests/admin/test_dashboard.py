"""The dashboard page: problems that need attention, charts, the banner, and the number of database queries."""

from __future__ import annotations

import dataclasses
import json
import re
import uuid
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest
import time_machine
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from mirrors.models import (
    DecisionCount,
    ImageMapping,
    Instance,
    JobProgress,
    JobStatus,
    MirrorJob,
    Registry,
    RegistryCheck,
)
from mirrors.services import request_image
from tests.admin.dashboard import LIVE, cards, rows_of
from tests.support.pages import text_of

pytestmark = pytest.mark.django_db


def test_the_first_pod_of_an_image_does_not_lower_the_coverage(admin_client: Client, busy: None) -> None:
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    kept = {"namespace": "a", "source_host": "b", "decision": "keep"}
    DecisionCount.objects.create(hour=hour, **kept, reason="absent", images=40, first_seen=True)
    DecisionCount.objects.create(hour=hour, **kept, reason="opted-out", images=7)
    shown = cards(admin_client.get(LIVE).content.decode())
    assert shown["Coverage"][0] == "75.0 %"
    assert (shown["First seen"][0], shown["Excluded"][0]) == ("40", "97")
    for title in ("First seen", "Excluded"):
        number, link = shown[title]
        assert f"<strong>{number}</strong> images" in admin_client.get(link).content.decode()


def test_copies_waiting_for_their_next_attempt_need_attention(admin_client: Client, target: Registry) -> None:
    for name in ("a", "b"):
        job, _ = request_image(image=f"team/{name}:1", requested_by="x")
        MirrorJob.objects.filter(pk=job.pk).update(error_class="unavailable", error_host=target.endpoint, attempts=1)
    request_image(image="team/new:1", requested_by="x")

    part = admin_client.get(LIVE).content.decode().partition("swapper-attention")[2].partition("</ul>")[0]

    assert f"Waiting for the next attempt: unavailable at {target.endpoint} 2" in text_of(part)
    (link,) = re.findall(r'<a class="swapper-button" href="([^"]+error_host[^"]+)"', part)
    assert rows_of(admin_client, unescape(link)) == 2


def test_copies_waiting_for_a_rate_limit_are_not_suggested_for_retry(admin_client: Client, target: Registry) -> None:
    job, _ = request_image(image="team/a:1", requested_by="x")
    limited = {"error_class": "rate-limited", "error_message": "429", "error_host": "docker.io", "attempts": 1}
    MirrorJob.objects.filter(pk=job.pk).update(**limited)

    entries = {entry.title: entry.text for entry in admin_client.get(reverse("admin:index")).context["attention"]}

    words = entries["Waiting for the next attempt: rate limited at docker.io"]
    assert "continue without your action when the limit ends" in words and "retry" not in words
    page = text_of(admin_client.get(f"/admin/mirrors/mirrorjob/{job.pk}/change/").content.decode())
    assert f"What to do: {words}" in page


def test_copies_waiting_for_workers_of_a_cluster_have_a_separate_entry(admin_client: Client, target: Registry) -> None:
    for name, cluster, host in (("a", "prod-us", "ghcr.io"), ("b", "prod-us", "ghcr.io"), ("c", "", "quay.io")):
        job, _ = request_image(image=f"team/{name}:1", requested_by="x")
        failed = {"error_class": "unavailable", "error_host": host, "attempts": 1}
        MirrorJob.objects.filter(pk=job.pk).update(needs_cluster=cluster, **failed)

    part = admin_client.get(LIVE).content.decode().partition("swapper-attention")[2].partition("</ul>")[0]

    assert "Waiting for a worker of cluster prod-us: images at ghcr.io 2" in text_of(part)
    assert "Waiting for the next attempt: unavailable at quay.io 1" in text_of(part)
    links = re.findall(r'<a class="swapper-button" href="([^"]+error_host[^"]+)"', part)
    assert [rows_of(admin_client, unescape(link)) for link in links] == [2, 1]


def test_failures_at_unconfigured_hosts_are_counted_in_one_row(admin_client: Client, target: Registry) -> None:
    for host in ("ghcr.io", "quay.io", target.endpoint):
        job, _ = request_image(image=f"docker.io/team/{host.partition('.')[0]}:1", requested_by="x")
        failed = {"status": "failed", "error_class": "denied", "error_host": host, "finished_at": timezone.now()}
        MirrorJob.objects.filter(pk=job.pk).update(**failed)

    page = admin_client.get(LIVE).content.decode()

    (row,) = re.findall(r"<tr><td>Other hosts</td>.+?</tr>", page, re.S)
    (link,) = re.findall(r'href="([^"]+)">2</a>', row)
    assert rows_of(admin_client, unescape(link)) == 2


def test_attention_entries_have_actions_that_the_role_allows(client: Client, busy: None) -> None:
    mapping = ImageMapping.objects.earliest("pk")
    ImageMapping.objects.filter(pk=mapping.pk).update(obstacle="tampered")
    registry = Registry.objects.create(name="mine", endpoint="mine.example")
    RegistryCheck.objects.create(registry=registry, status="failed")
    actions = {}
    for role in ("viewer", "operator"):
        user = User.objects.create_user(role)
        user.groups.add(Group.objects.get(name=role))
        client.force_login(user)
        part = client.get(LIVE).content.decode().partition("swapper-attention")[2].partition("</ul>")[0]
        found = re.findall(r'<a class="swapper-button" href="([^"]+)"><span[^>]+>([^<]+): </span>([^<]+)</a>', part)
        actions[role] = {title: (action, unescape(link)) for link, title, action in found}
        assert "no worker is running" in part
    expected = {
        "No webhook": "Processes",
        "No worker": "Processes",
        "Failed jobs: denied": "Retry …",
        "Failed jobs: TLS": "Retry …",
        "Blocked images": "Review",
        "Test of mine failed": "Show the test",
        "docker.io": "Resume …",
    }
    assert {title: action for title, (action, _) in actions["operator"].items()} == expected
    assert "Failed jobs: denied" not in actions["viewer"], "who may not act is not offered to"
    for title, (_, link) in actions["operator"].items():
        assert client.get(link).status_code == 200, title


def test_a_missing_webhook_is_the_first_attention_entry(admin_client: Client, target: Registry) -> None:
    def titles(**query: str) -> list[str]:
        return [entry.title for entry in admin_client.get(reverse("admin:index"), query).context["attention"]]

    request_image(image="team/app:1", requested_by="x")
    page = text_of(admin_client.get(LIVE).content.decode())
    assert "No webhook is running: no pod is swapped." in page
    assert titles()[:2] == ["No webhook", "No worker"]

    Registry.objects.filter(pk=target.pk).update(clusters=["here"])
    Registry.objects.create(role="target", endpoint="mirror.example.org", managed_by="config", clusters=["there"])
    webhook = Instance.objects.create(role="webhook", name="w:1", cluster="there")
    assert "No webhook" not in titles()
    assert "No webhook" not in titles(cluster="here"), "one of another cluster runs"
    Instance.objects.filter(pk=webhook.pk).update(seen_at=timezone.now() - timedelta(minutes=10))
    assert titles()[0] == titles(cluster="here")[0] == "No webhook"


def test_a_copy_of_unknown_size_has_no_progress_bar(admin_client: Client, busy: None) -> None:
    job = MirrorJob.objects.filter(status=JobStatus.PENDING)[0]
    lease = {"lease_token": uuid.uuid4(), "lease_expires_at": timezone.now() + timedelta(minutes=1)}
    MirrorJob.objects.filter(pk=job.pk).update(status=JobStatus.RUNNING, **lease)
    JobProgress.objects.create(job=job)
    page = admin_client.get(LIVE).content.decode()
    assert "size not known yet" in page and "<progress" not in page
    JobProgress.objects.update(bytes_total=100, bytes_copied=50)
    assert '<progress value="50"' in admin_client.get(LIVE).content.decode()


def test_a_chart_with_few_values_shows_points(admin_client: Client, busy: None) -> None:
    page = admin_client.get(LIVE).content.decode()
    value = json.loads(unescape(re.findall(r'data-chart="coverage" data-value="([^"]+)"', page)[0]))
    assert [(each["pointStyle"], each["spanGaps"]) for each in value["datasets"]] == [("circle", True)]


def test_the_charts_are_refreshed_with_the_numbers(admin_client: Client, busy: None) -> None:
    def told(of: str) -> tuple[list[list[float]], str]:
        page = admin_client.get(LIVE).content.decode()
        value, words = re.findall(rf'data-chart="{of}" data-value="([^"]+)">([^<]+)<', page)[0]
        return [each["data"] for each in json.loads(unescape(value))["datasets"]], words

    (failed, succeeded), words = told("jobs")
    assert (sum(failed), sum(succeeded)) == (3, 4) and "Succeeded: from 0 to 1" in words
    job = MirrorJob.objects.filter(status=JobStatus.PENDING)[0]
    MirrorJob.objects.filter(pk=job.pk).update(status=JobStatus.SUCCEEDED, finished_at=timezone.now())
    assert sum(told("jobs")[0][1]) == 5


def test_an_unchanged_dashboard_returns_304(admin_client: Client) -> None:
    with time_machine.travel(timezone.now(), tick=False):
        first = admin_client.get(LIVE)
        again = admin_client.get(LIVE, headers={"If-None-Match": first["ETag"]})
    assert (first.status_code, again.status_code) == (200, 304)


def test_an_empty_installation_shows_the_first_steps(admin_client: Client) -> None:
    page = admin_client.get(reverse("admin:index")).content.decode()
    assert "Nothing is mirrored yet" in page and "getting-started" in page
    assert "<strong>–</strong>" in page


@pytest.mark.parametrize(
    ("text", "dry_run"),
    [
        ("dryRun: true", True),
        ("dryRun: false", False),
        ("dryRun: maybe", False),
    ],
)
def test_the_banner_shows_dry_run_and_disabled_swapping(
    text: str, dry_run: bool, admin_client: Client, tmp_path: Path, settings: Settings
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"{text}\ntarget: {{type: oci, oci: {{endpoint: mirror.example.com}}}}\n")
    environment = dataclasses.replace(settings.ENVIRONMENT, config=config)
    settings.ENVIRONMENT = environment
    page = admin_client.get(LIVE).content.decode()
    assert ("Dry run: all decisions are recorded" in page) == dry_run
    assert "Swapping is switched off" not in page
    (tmp_path / "switch").write_text("off")
    settings.ENVIRONMENT = dataclasses.replace(environment, swap_file=tmp_path / "switch")
    assert "Swapping is switched off" in admin_client.get(LIVE).content.decode()


@pytest.mark.parametrize("hours", [24, 720])
def test_the_dashboard_runs_a_bounded_number_of_queries(
    hours: int, client: Client, busy: None, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    job = MirrorJob.objects.filter(status=JobStatus.PENDING)[0]
    lease = {"lease_token": uuid.uuid4(), "lease_expires_at": timezone.now() + timedelta(minutes=1)}
    MirrorJob.objects.filter(pk=job.pk).update(status=JobStatus.RUNNING, **lease)
    viewer = User.objects.create_user("vera")
    viewer.groups.add(Group.objects.get(name="viewer"))
    client.force_login(viewer)
    # The first request reads past days from the database. The second one has them cached.
    for _ in range(2):
        with django_assert_max_num_queries(14):
            client.get(reverse("admin:index"), {"hours": hours})


def test_anonymous_users_are_redirected_from_the_dashboard(client: Client) -> None:
    assert client.get(LIVE).status_code == 302
