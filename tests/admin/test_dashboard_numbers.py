"""Each number of the dashboard equals the result of an SQL query, and links to a list of the same number of rows."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from mirrors.models import (
    DecisionCount,
    HostBudget,
    ImageMapping,
    Instance,
    JobStatus,
    MirrorAttempt,
    MirrorJob,
    Registry,
)
from mirrors.selectors.images.mapping_states import state_count_cache
from mirrors.selectors.overview.statistics import Overview, numbers
from mirrors.services import forget_mappings, request_image, retry_jobs
from tests.admin.dashboard import LIVE, cards, rows_of

pytestmark = pytest.mark.django_db


def test_each_number_is_correct_and_links_to_as_many_rows(admin_client: Client, busy: None) -> None:
    shown = cards(admin_client.get(LIVE).content.decode())
    assert shown["Coverage"][0] == "75.0 %"
    expected = {
        "Succeeded jobs": 4,
        "Failed jobs": 3,
        "Failed": 4,
        "Queued": 3,
        "Copying": 0,
        "Mirrored": 0,
        "Paused": 0,
    }
    for title, number in expected.items():
        assert shown[title][0] == str(number), title
        assert rows_of(admin_client, shown[title][1]) == number, title
    longer = cards(admin_client.get("/admin/dashboard/?hours=168").content.decode())
    assert longer["Failed jobs"][0] == "4"


def test_a_wildcard_or_aliased_registry_includes_the_data_of_its_hosts(admin_client: Client, busy: None) -> None:
    now = timezone.now()
    row = Registry.objects.create(name="cloud", endpoint="*.cloud.example")
    by_name = Registry.objects.create(name="ecr", endpoint="ecr.example", settings={"aliases": ["dual.example"]})
    for number, host in enumerate(("a.cloud.example", "b.cloud.example", "cloud.example", "dual.example")):
        job, _ = request_image(image=f"{host}/team/app:{number}", requested_by="x")
        result = {"status": JobStatus.FAILED, "error_class": "denied", "error_host": host, "finished_at": now}
        MirrorJob.objects.filter(pk=job.pk).update(**result)
    until = now + timedelta(minutes=9)
    for credential, left in (("", 7), ("robot", 3), ("other", 5)):
        HostBudget.objects.create(host="a.cloud.example", credential=credential, remaining=left, resting_until=until)

    page = admin_client.get(LIVE).content.decode()
    found = dict(re.findall(r">(cloud|ecr)</a></td>(.+?)</tr>", page, re.S))
    for name, failed in (("cloud", 2), ("ecr", 1)):
        link, number = re.findall(r'<a href="([^"]+)">(\d+)</a>', found[name])[0]
        assert int(number) == failed == rows_of(admin_client, unescape(link)), name
    assert "Rate limited" in found["cloud"]
    assert Overview(hours=24).failed_by_host()["dual.example"] == 1
    assert numbers(Overview(hours=24))["remaining_pulls"] == {"a.cloud.example": 3}

    shown = admin_client.get(f"/admin/mirrors/registry/{row.pk}/change/").content.decode()
    assert "a.cloud.example/team/app:0" in shown and "b.cloud.example/team/app:1" in shown
    assert ">cloud.example/team" not in shown and "a.cloud.example is rate limited" in shown
    shown = admin_client.get(f"/admin/mirrors/registry/{by_name.pk}/change/").content.decode()
    assert "dual.example/team/app:3" in shown


def test_byte_totals_and_percentages_link_to_their_rows(admin_client: Client, busy: None) -> None:
    now = timezone.now()
    job = MirrorJob.objects.filter(status=JobStatus.SUCCEEDED)[0]
    # A failed attempt has copied bytes too. An attempt of last week is not part of the last day.
    for number, (outcome, hours, copied) in enumerate(
        [("failed", 3, 512), ("succeeded", 2, 1024), ("failed", 99, 4096)]
    ):
        result = now - timedelta(hours=hours)
        MirrorAttempt.objects.create(job=job, number=number, outcome=outcome, finished_at=result, bytes_copied=copied)
    DecisionCount.objects.create(
        hour=now - timedelta(hours=99), namespace="a", source_host="c", decision="keep", reason="absent", images=2
    )

    page = admin_client.get(LIVE).content.decode()
    shown, link = cards(page)["Copied"]
    assert shown == "1.5 KiB"
    assert "<strong>1.5 KiB</strong> copied" in admin_client.get(link).content.decode()
    ran, all_ = re.findall(r'<span><a href="([^"]+)">6</a> of <a href="([^"]+)">8</a> admitted images', page)[0]
    for link, images in ((ran, 6), (all_, 8)):
        assert f"<strong>{images}</strong> images" in admin_client.get(unescape(link)).content.decode()
    lines = re.findall(r'<a class="swapper-line" href="([^"]+)"><span>([^:]+): ([\d.]+) %', page)
    assert [(name, share) for _, name, share in lines] == [("7 days", "60.0")], "the range itself is above"
    assert "<strong>10</strong> images" in admin_client.get(unescape(lines[0][0])).content.decode()


def test_a_host_links_only_to_its_own_row(admin_client: Client, busy: None) -> None:
    HostBudget.objects.create(host="mirror.docker.io", remaining=9)
    page = admin_client.get(LIVE).content.decode()
    links = dict(re.findall(r'<a href="([^"]+)">([^<]+?)(?:</a>)? <span>(?:rate limited|\d+ pulls)', page))
    assert sorted(links.values()) == ["docker.io", "mirror.docker.io"]
    for link, host in links.items():
        shown = admin_client.get(unescape(link)).content.decode()
        assert re.findall(r"field-host[^>]*>(?:<a[^>]*>)?([^<]+)", shown) == [host]


def test_current_image_counts_equal_their_filtered_lists(admin_client: Client, busy: None) -> None:
    mapped = list(ImageMapping.objects.order_by("pk"))
    ImageMapping.objects.filter(pk__in=[row.pk for row in mapped[:4]]).update(existence="present")
    ImageMapping.objects.filter(pk__in=[row.pk for row in mapped[2:6]]).update(paused=True)
    ImageMapping.objects.filter(pk=mapped[6].pk).update(obstacle="tampered")
    shown = cards(admin_client.get(LIVE).content.decode())
    numbers_shown = {title: int(shown[title][0]) for title in ("Mirrored", "Failed", "Queued", "Paused")}
    assert numbers_shown == {"Mirrored": 2, "Failed": 1, "Queued": 3, "Paused": 4}
    for title, number in numbers_shown.items():
        assert rows_of(admin_client, shown[title][1]) == number, title


def test_image_tiles_add_up_to_all_images(admin_client: Client, busy: None) -> None:
    def tiles() -> dict[str, int]:
        section = admin_client.get(LIVE).content.decode().partition("Images now")[2].partition("<h2>Excluded")[0]
        return {title: int(number) for title, (number, _) in cards(section).items()}

    assert set(tiles()) == {"Mirrored", "Failed", "Queued", "Copying", "Paused", "Unknown"}, "none for absent images"
    one, two, *_, last = ImageMapping.objects.order_by("pk")
    MirrorJob.objects.filter(mapping__in=[one, two]).update(status="cancelled", error_class="")
    ImageMapping.objects.filter(pk=one.pk).update(existence="absent")
    ImageMapping.objects.filter(pk=two.pk).update(existence="unknown")
    ImageMapping.objects.filter(pk=last.pk).update(obstacle="tampered")

    state_count_cache.forget()
    shown = cards(admin_client.get(LIVE).content.decode())
    assert sum(tiles().values()) == ImageMapping.objects.count()
    for title in ("Absent", "Unknown", "Blocked"):
        assert int(shown[title][0]) >= 1 and rows_of(admin_client, shown[title][1]) == int(shown[title][0]), title


def test_a_job_finished_today_is_counted_immediately_with_past_days(busy: None) -> None:
    with time_machine.travel(timezone.now(), tick=False):
        before = Overview(hours=168).ended(JobStatus.SUCCEEDED)[""]
        job = MirrorJob.objects.filter(status=JobStatus.PENDING)[0]
        MirrorJob.objects.filter(pk=job.pk).update(status=JobStatus.SUCCEEDED, finished_at=timezone.now())
        assert Overview(hours=168).ended(JobStatus.SUCCEEDED)[""] == before + 1
        assert sum(point.succeeded for point in Overview(hours=168).series()) == before + 1


def test_jobs_and_bytes_of_a_forgotten_mapping_are_no_longer_counted(busy: None) -> None:
    now = timezone.now()
    job, _ = request_image(image="team/forgotten:1", requested_by="x")
    result = now - timedelta(days=3)
    MirrorJob.objects.filter(pk=job.pk).update(status=JobStatus.SUCCEEDED, finished_at=result)
    MirrorAttempt.objects.create(job=job, number=1, outcome="succeeded", finished_at=result, bytes_copied=9_000)
    with time_machine.travel(now, tick=False):
        before = Overview(hours=168)
        assert before.bytes_copied == 9_000
        forget_mappings(mapping_ids=[job.mapping_id], requested_by="olga")
        after = Overview(hours=168)
    assert after.bytes_copied == 0
    assert after.ended(JobStatus.SUCCEEDED)[""] == before.ended(JobStatus.SUCCEEDED)[""] - 1


def test_failures_link_to_the_jobs_with_their_reason(admin_client: Client, busy: None) -> None:
    page = admin_client.get(LIVE).content.decode()
    found = re.findall(r'<a href="([^"]+)">(Failed jobs: (?:denied|TLS)) <span>(\d+)</span></a>\s*<p>[^<]+</p>', page)
    assert [(name, number) for _, name, number in found] == [("Failed jobs: denied", "2"), ("Failed jobs: TLS", "1")]
    for link, _, number in found:
        assert rows_of(admin_client, unescape(link)) == int(number)
    assert "docker.io</a> <span>rate limited, retry" in page


def test_failures_resolved_by_a_later_job_need_no_attention(admin_client: Client, busy: None) -> None:
    def failures() -> list[tuple[str, str]]:
        part = admin_client.get(LIVE).content.decode().partition("swapper-attention")[2].partition("</ul>")[0]
        found = re.findall(r'<a href="([^"]+)">Failed jobs: (\w+) <span>(\d+)</span></a>', part)
        assert [str(rows_of(admin_client, unescape(link))) for link, _, _ in found] == [jobs for *_, jobs in found]
        assert all(
            "retry-failed/?error_class" in admin_client.get(unescape(link)).content.decode() for link, *_ in found
        )
        return [(name, jobs) for _, name, jobs in found]

    assert failures() == [("denied", "2"), ("TLS", "1")]
    solved, again = MirrorJob.objects.filter(error_class__in=["denied", "tls"]).order_by("-error_class", "pk")[:2]
    for failed, status in ((solved, JobStatus.SUCCEEDED), (again, JobStatus.FAILED)):
        (job,) = retry_jobs(job_ids=[failed.pk], requested_by="olga").jobs
        error = "" if status == JobStatus.SUCCEEDED else "denied"
        MirrorJob.objects.filter(pk=job.pk).update(status=status, error_class=error, finished_at=timezone.now())
    assert failures() == [("denied", "2")], "of one that failed again, the last job alone"
    assert cards(admin_client.get(LIVE).content.decode())["Failed jobs"][0] == "4", "the number of all says that it is"


def test_the_series_adds_up_to_the_totals(busy: None) -> None:
    points = Overview(hours=24).series()
    assert len(points) in (25, 26)
    assert sum(point.failed for point in points) == 3 and sum(point.succeeded for point in points) == 4
    assert [point.coverage for point in points if point.coverage is not None] == [0.75]
    by_day = Overview(hours=720).series()
    assert sum(point.failed for point in by_day) == MirrorJob.objects.filter(status="failed").count() == 4


def test_the_processes_link_lists_running_processes_or_all_if_none_runs(admin_client: Client, busy: None) -> None:
    Instance.objects.create(role="webhook", name="w:1")
    Instance.objects.create(role="worker", name="w:2")
    gone = Instance.objects.create(role="worker", name="w:3")
    Instance.objects.filter(pk=gone.pk).update(seen_at=timezone.now() - timedelta(minutes=10))
    live = admin_client.get(LIVE).content.decode()
    assert "<strong>1</strong> <span>webhook<" in live and "<strong>1</strong> <span>worker<" in live
    shown = cards(live)
    page = admin_client.get(shown["Processes"][1]).content.decode()
    assert "w:1" in page and "w:2" in page and "w:3" not in page
    Instance.objects.exclude(pk=gone.pk).delete()
    live = admin_client.get(LIVE).content.decode()
    assert "no webhook is running" in live
    assert "w:3" in admin_client.get(cards(live)["Processes"][1]).content.decode(), "none reports: all are listed"
    Instance.objects.all().delete()
    assert "no webhook is running" in admin_client.get(LIVE).content.decode()


def test_queue_numbers_link_to_their_jobs_unless_zero(admin_client: Client, busy: None) -> None:
    live = admin_client.get(LIVE).content.decode()
    (queue,) = re.findall(r'<table class="swapper-table swapper-queue">.*?</table>', live, re.DOTALL)
    numbers = re.findall(r'<td>(?:<a href="([^"]+)">)?(\d+)', queue)
    assert {bool(link) for link, _ in numbers} == {True, False}
    for link, number in numbers:
        assert (rows_of(admin_client, unescape(link)) if link else 0) == int(number)
        assert bool(link) == (number != "0")
