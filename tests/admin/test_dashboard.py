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


def test_an_image_s_first_pod_does_not_lower_the_coverage(admin_client: Client, busy: None) -> None:
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


def test_copies_that_wait_for_their_next_attempt_need_attention(admin_client: Client, target: Registry) -> None:
    for name in ("a", "b"):
        job, _ = request_image(image=f"team/{name}:1", requested_by="x")
        MirrorJob.objects.filter(pk=job.pk).update(error_class="unavailable", error_host=target.endpoint, attempts=1)
    request_image(image="team/new:1", requested_by="x")

    part = admin_client.get(LIVE).content.decode().partition("swapper-attention")[2].partition("</ul>")[0]

    assert f"Waiting for the next attempt: unavailable at {target.endpoint} 2" in text_of(part)
    (link,) = re.findall(r'<a class="swapper-button" href="([^"]+error_host[^"]+)"', part)
    assert rows_of(admin_client, unescape(link)) == 2


def test_nobody_is_asked_to_retry_copies_that_wait_for_the_end_of_a_rate_limit(
    admin_client: Client, target: Registry
) -> None:
    job, _ = request_image(image="team/a:1", requested_by="x")
    limited = {"error_class": "rate-limited", "error_message": "429", "error_host": "docker.io", "attempts": 1}
    MirrorJob.objects.filter(pk=job.pk).update(**limited)

    entries = {entry.title: entry.words for entry in admin_client.get(reverse("admin:index")).context["attention"]}

    words = entries["Waiting for the next attempt: rate limited at docker.io"]
    assert "continue without your action when the limit ends" in words and "retry" not in words
    page = text_of(admin_client.get(f"/admin/mirrors/mirrorjob/{job.pk}/change/").content.decode())
    assert f"What to do: {words}" in page


def test_copies_that_wait_for_another_clusters_workers_are_no_fault_of_the_registry(
    admin_client: Client, target: Registry
) -> None:
    for name, cluster, host in (("a", "prod-us", "ghcr.io"), ("b", "prod-us", "ghcr.io"), ("c", "", "quay.io")):
        job, _ = request_image(image=f"team/{name}:1", requested_by="x")
        failed = {"error_class": "unavailable", "error_host": host, "attempts": 1}
        MirrorJob.objects.filter(pk=job.pk).update(needs_cluster=cluster, **failed)

    part = admin_client.get(LIVE).content.decode().partition("swapper-attention")[2].partition("</ul>")[0]

    assert "Waiting for a worker of cluster prod-us: images at ghcr.io 2" in text_of(part)
    assert "Waiting for the next attempt: unavailable at quay.io 1" in text_of(part)
    links = re.findall(r'<a class="swapper-button" href="([^"]+error_host[^"]+)"', part)
    assert [rows_of(admin_client, unescape(link)) for link in links] == [2, 1]


def test_failures_at_hosts_that_are_not_configured_have_a_row(admin_client: Client, target: Registry) -> None:
    for host in ("ghcr.io", "quay.io", target.endpoint):
        job, _ = request_image(image=f"docker.io/team/{host.partition('.')[0]}:1", requested_by="x")
        failed = {"status": "failed", "error_class": "denied", "error_host": host, "finished_at": timezone.now()}
        MirrorJob.objects.filter(pk=job.pk).update(**failed)

    page = admin_client.get(LIVE).content.decode()

    (row,) = re.findall(r"<tr><td>Other hosts</td>.+?</tr>", page, re.S)
    (link,) = re.findall(r'href="([^"]+)">2</a>', row)
    assert rows_of(admin_client, unescape(link)) == 2


def test_what_needs_attention_has_its_action(client: Client, busy: None) -> None:
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


def test_that_no_webhook_runs_needs_attention_first(admin_client: Client, target: Registry) -> None:
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


def test_a_copy_of_unknown_size_has_no_bar(admin_client: Client, busy: None) -> None:
    job = MirrorJob.objects.filter(status=JobStatus.PENDING)[0]
    lease = {"lease_token": uuid.uuid4(), "lease_expires_at": timezone.now() + timedelta(minutes=1)}
    MirrorJob.objects.filter(pk=job.pk).update(status=JobStatus.RUNNING, **lease)
    JobProgress.objects.create(job=job)
    page = admin_client.get(LIVE).content.decode()
    assert "size not known yet" in page and "<progress" not in page
    JobProgress.objects.update(bytes_total=100, bytes_copied=50)
    assert '<progress value="50"' in admin_client.get(LIVE).content.decode()


def test_few_values_of_a_chart_are_dots(admin_client: Client, busy: None) -> None:
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


def test_what_has_not_changed_is_not_sent_again(admin_client: Client) -> None:
    with time_machine.travel(timezone.now(), tick=False):
        first = admin_client.get(LIVE)
        again = admin_client.get(LIVE, headers={"If-None-Match": first["ETag"]})
    assert (first.status_code, again.status_code) == (200, 304)


def test_an_empty_installation_says_what_to_do_first(admin_client: Client) -> None:
    page = admin_client.get(reverse("admin:index")).content.decode()
    assert "Nothing is mirrored yet" in page and "getting-started" in page
    assert "<strong>–</strong>" in page


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("dryRun: true", "Dry run: all decisions are recorded"),
        ("dryRun: false", ""),
        ("dryRun: maybe", ""),
    ],
)
def test_the_banner_says_when_swapping_has_stopped(
    text: str, words: str, admin_client: Client, tmp_path: Path, settings: Settings
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"{text}\ntarget: {{type: oci, oci: {{endpoint: mirror.example.com}}}}\n")
    environment = dataclasses.replace(settings.ENVIRONMENT, config=config)
    settings.ENVIRONMENT = environment
    assert words in admin_client.get(LIVE).content.decode()
    (tmp_path / "switch").write_text("off")
    settings.ENVIRONMENT = dataclasses.replace(environment, swap_file=tmp_path / "switch")
    assert "Swapping is switched off" in admin_client.get(LIVE).content.decode()


@pytest.mark.parametrize("hours", [24, 720])
def test_the_page_asks_the_database_a_bounded_number_of_times(
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


def test_strangers_see_no_numbers(client: Client) -> None:
    assert client.get(LIVE).status_code == 302
