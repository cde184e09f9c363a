"""The tools of a list: number of rows, pages, chips of filters, order, CSV file and refresh."""

from __future__ import annotations

import csv
import io
import re
import uuid
from datetime import datetime, timedelta
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from mirrors.admin.tools.lists import counting
from mirrors.admin.tools.lists.counting import RowCount
from mirrors.admin.tools.lists.csv_export import escape_formula
from mirrors.models import ImageMapping, MirrorAttempt, MirrorJob, OperatorAction, Registry
from mirrors.services import request_image

pytestmark = pytest.mark.django_db
MAPPINGS, JOBS = "/admin/mirrors/imagemapping/", "/admin/mirrors/mirrorjob/"


@pytest.fixture
def target() -> Registry:
    return Registry.objects.create(role="target", endpoint="mirror.example.com", managed_by="config")


def mappings(target: Registry, number: int) -> None:
    ImageMapping.objects.bulk_create(
        ImageMapping(source=f"docker.io/a/{n:03}:1", target=f"mirror.example.com/a/{n:03}:1", target_registry=target)
        for n in range(number)
    )


def sources(page: str) -> list[str]:
    return [re.sub("<[^>]+>", "", cell) for cell in re.findall(r'<t[hd] class="field-image[^>]*>(.+?)</t[hd]>', page)]


def chips(page: str) -> dict[str, tuple[str, str]]:
    """Return text and link of each chip by its title."""
    found = re.findall(r'<a href="([^"]*)" title="Remove this filter"><span>([^:]+): <b>(.+?)</b>', page)
    return {title: (re.sub("<[^>]+>", "", words), unescape(link)) for link, title, words in found}


def file_of(client: Client, link: str) -> list[list[str]]:
    response = client.get(link)
    assert response["Content-Type"].startswith("text/csv") and "attachment" in response["Content-Disposition"]
    content = b"".join(response.streaming_content)  # type: ignore[attr-defined]
    return list(csv.reader(io.StringIO(content.decode())))


def test_lists_are_paginated_and_show_the_number_of_rows(admin_client: Client, target: Registry) -> None:
    mappings(target, 120)
    first = admin_client.get(MAPPINGS).content.decode()
    assert "120 mappings" in first and len(sources(first)) == 50
    assert re.findall(r'\?p=(\d)"', first) == ["2", "3"]
    last = admin_client.get(MAPPINGS, {"p": 3}).content.decode()
    assert len(sources(last)) == 20 and "120 mappings" in last
    assert sources(admin_client.get(MAPPINGS, {"p": 77}).content.decode()) == sources(last)
    one = admin_client.get(MAPPINGS, {"q": "a/007"}).content.decode()
    assert "1 mapping<" in one and 'aria-label="Pages"' not in one


def test_the_ellipsis_between_page_numbers_is_not_a_link(admin_client: Client, target: Registry) -> None:
    mappings(target, 50 * 11 + 1)
    page = admin_client.get(MAPPINGS).content.decode()
    (numbers,) = re.findall(r'<nav class="swapper-numbers".*?</nav>', page, re.DOTALL)
    assert re.sub(r"<[^>]+>", " ", numbers).split() == ["1", "2", "3", "4", "…", "11", "12"]
    assert re.findall(r"\?p=([^\"]+)", numbers) == ["2", "3", "4", "11", "12"]


def test_the_count_of_many_rows_is_approximate_before_the_last_page(
    admin_client: Client, target: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    mappings(target, 120)
    monkeypatch.setattr(counting, "MOST_EXACT", 60)
    page = admin_client.get(MAPPINGS).content.decode()
    assert re.search(r"(more than 60|about \d+) mappings", page)
    # The last page shows the exact number.
    assert "120 mappings" in admin_client.get(MAPPINGS, {"p": 3}).content.decode()


def test_a_partial_page_runs_no_count_query(
    admin_client: Client, target: Registry, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    mappings(target, 20)
    # User, session, rows, targets, known clusters, and the banner of all pages.
    with django_assert_num_queries(6) as requested:
        admin_client.get(MAPPINGS)
    assert not [query["sql"] for query in requested.captured_queries if "COUNT" in query["sql"]]


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (RowCount(9_999), "9,999"),
        (RowCount(1_234_567, is_exact=False), "about 1,200,000"),
        (RowCount(7, is_exact=False), "about 7"),
        (RowCount(10_000, is_exact=False, is_least=True), "more than 10,000"),
    ],
)
def test_row_counts_are_formatted_as_text(count: RowCount, words: str) -> None:
    assert str(count) == words


def test_each_filter_is_shown_as_a_removable_chip(admin_client: Client, target: Registry) -> None:
    request_image(image="team/app:1", requested_by="x")
    since = timezone.now() - timedelta(hours=3)
    query = {
        "q": "team",
        "status__exact": "pending",
        "priority__exact": "20",
        "finished_at_from_0": f"{since:%Y-%m-%d}",
        "finished_at_from_1": f"{since:%H:%M:%S}",
        "error_host__endswith": ".example",
    }
    found = chips(admin_client.get(JOBS, query).content.decode())
    words = {title: chip[0] for title, chip in found.items()}
    finished = words.pop("Finished")
    assert finished in ("from 3 h ago", "from 180 min ago")
    assert words == {"Search": "team", "Status": "Queued", "Priority": "Operator", "Error host": ".example"}
    for title, parameter in (("Search", "q"), ("Status", "status__exact"), ("Finished", "finished_at_from_")):
        link = found[title][1]
        assert parameter not in link and len(chips(admin_client.get(JOBS + link).content.decode())) == 4
    assert chips(admin_client.get(JOBS).content.decode()) == {}


def test_filters_do_not_count_the_rows_of_each_value(
    admin_client: Client, target: Registry, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(14):
        page = admin_client.get("/admin/mirrors/mirrorjob/?_facets=True").content.decode()
    assert "Apply filters" in page and "Show counts" not in page and "Hide counts" not in page


def test_a_mapping_shows_its_reason_and_can_be_found_by_it(admin_client: Client, target: Registry) -> None:
    mappings(target, 3)
    for name, error, status in (("limited", "rate-limited", "pending"), ("refused", "denied", "failed")):
        job, _ = request_image(image=f"team/{name}:1", requested_by="x")
        finished_at = timezone.now() if status == "failed" else None
        MirrorJob.objects.filter(pk=job.pk).update(status=status, error_class=error, finished_at=finished_at)
    ImageMapping.objects.filter(source="docker.io/a/001:1").update(obstacle="tampered")
    page = admin_client.get(MAPPINGS).content.decode()
    reasons = re.findall(r"field-reason[^>]*>([^<]*)<", page)
    assert reasons == ["Denied", "Rate limited", "–", "The image at the target was changed after it was written", "–"]
    for words, image in (("rate limited", "limited"), ("rate-lim", "limited"), ("tampered", "a/001"), ("a/002", "002")):
        found = sources(admin_client.get(MAPPINGS, {"q": words}).content.decode())
        assert len(found) == 1 and image in found[0], words
    assert sources(admin_client.get(MAPPINGS, {"reason": "denied"}).content.decode()) == ["docker.io/team/refused:1"]
    ImageMapping.objects.filter(source="docker.io/team/refused:1").update(obstacle="tampered")
    assert sources(admin_client.get(MAPPINGS, {"reason": "denied"}).content.decode()) == []
    assert len(sources(admin_client.get(MAPPINGS, {"reason": "tampered"}).content.decode())) == 2


def test_mappings_can_be_sorted_by_name_and_size(admin_client: Client, target: Registry) -> None:
    mappings(target, 3)
    for number, size in ((0, 5), (1, 900)):
        ImageMapping.objects.filter(source=f"docker.io/a/00{number}:1").update(size_bytes=size)
    page = admin_client.get(MAPPINGS).content.decode()
    columns = dict(re.findall(r'<a href="\?o=([^"]+)">\s*(\S+)[^<]*</a>', page))
    order = {name: position for position, name in columns.items()}
    assert set(order) == {"Image", "Size", "Last"}
    by_name = sources(admin_client.get(MAPPINGS, {"o": order["Image"]}).content.decode())
    assert [name[-5:-2] for name in by_name] == ["000", "001", "002"]
    by_size = sources(admin_client.get(MAPPINGS, {"o": order["Size"]}).content.decode())
    assert [name[-5:-2] for name in by_size] == ["001", "000", "002"]


def test_a_job_shows_its_next_attempt_and_its_duration(admin_client: Client, target: Registry) -> None:
    now = timezone.now()
    waits, _ = request_image(image="team/waits:1", requested_by="x")
    MirrorJob.objects.filter(pk=waits.pk).update(available_at=now + timedelta(minutes=7), attempts=1)
    due, _ = request_image(image="team/due:1", requested_by="x")
    result, _ = request_image(image="team/ended:1", requested_by="x")
    for number, minutes in ((1, 9), (2, 5)):
        MirrorAttempt.objects.create(job=result, number=number, started_at=now - timedelta(minutes=minutes))
    MirrorJob.objects.filter(pk=result.pk).update(status="succeeded", finished_at=now - timedelta(minutes=4))
    runs, _ = request_image(image="team/runs:1", requested_by="x")
    MirrorAttempt.objects.create(job=runs, number=1, started_at=now - timedelta(minutes=20))
    lease = {"lease_token": uuid.uuid4(), "lease_expires_at": now + timedelta(minutes=1)}
    MirrorJob.objects.filter(pk=runs.pk).update(status="running", **lease)
    page = admin_client.get(JOBS).content.decode()
    rows = [re.sub("<[^>]+>", " ", row) for row in re.findall(r"<tr class=\"data-row.+?</tr>", page, re.S)]
    assert [name in row for name, row in zip(("runs", "ended", "due", "waits"), rows, strict=True)] == [True] * 4
    assert "20 min" in rows[0] and "5 min" in rows[1] and " now " in rows[2]
    assert re.search(r"in (7 min|4\d\d s)", rows[3])

    head, *in_file = file_of(admin_client, f"{JOBS}export/")
    begin, seconds = head.index("next attempt"), head.index("duration (seconds)")
    assert [row[seconds] for row in in_file[1:]] == ["300.0", "", ""]
    assert in_file[0][begin] == in_file[1][begin] == ""
    assert datetime.fromisoformat(in_file[3][begin]) == (now + timedelta(minutes=7)).replace(microsecond=0)


def test_a_csv_file_has_the_filtered_rows_of_all_pages(admin_client: Client, target: Registry) -> None:
    mappings(target, 70)
    job, _ = request_image(image="team/=cmd:1".replace("=", "x"), requested_by="x")
    MirrorJob.objects.filter(pk=job.pk).update(status="failed", error_class="tls", finished_at=timezone.now())
    ImageMapping.objects.filter(source="docker.io/a/000:1").update(size_bytes=2_048)
    page = admin_client.get(MAPPINGS, {"q": "docker.io/a/", "o": "1"}).content.decode()
    link = unescape(re.findall(r'<a href="([^"]+export/[^"]*)" download>Export CSV</a>', page)[0])
    head, *rows = file_of(admin_client, link)
    assert head[:4] == ["image", "state", "reason", "size"] and len(rows) == 70
    assert rows[0][0] == "docker.io/a/000:1" and rows[0][3] == "2048", "sorted, with the size in bytes"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", rows[0][-1])
    exported = file_of(admin_client, f"{JOBS}export/?status__exact=failed")
    assert len(exported) == 2 and exported[1][1:4] == ["docker.io/team/xcmd:1", "Failed", "TLS"]
    assert admin_client.get(f"{JOBS}export/?nonsense=1").status_code == 302


def test_a_csv_file_has_a_row_limit_and_escapes_formulas(
    admin_client: Client, target: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        OperatorAction.objects.create(actor='=HYPERLINK("http://evil.example")', action="retry", subject=str(number))
    monkeypatch.setattr("mirrors.admin.tools.lists.csv_export.MOST_ROWS", 3)
    _, *rows = file_of(admin_client, reverse("admin:mirrors_operatoraction_export"))
    assert len(rows) == 3 and all("'=HYPERLINK" in "|".join(row) for row in rows)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_formula_is_escaped(text: str) -> None:
    assert escape_formula(text) == f"'{text}" and escape_formula(f"a{text}") == f"a{text}"


def test_a_refresh_returns_only_the_list(admin_client: Client, target: Registry) -> None:
    mappings(target, 2)
    page = admin_client.get(MAPPINGS, {"q": "a"}).content.decode()
    assert f'id="swapper-list" hx-get="{MAPPINGS}?q=a"' in page
    part = admin_client.get(MAPPINGS, {"q": "a"}, headers={"HX-Target": "swapper-list"}).content.decode()
    assert part.strip().startswith('<div id="swapper-list"') and sources(part) == sources(page) and "<html" not in part
    registries = admin_client.get(reverse("admin:mirrors_registry_changelist")).content.decode()
    assert '<div id="swapper-list">' in registries, "users edit these"


def test_a_refreshing_list_has_a_hidden_notice_for_stale_data(admin_client: Client, target: Registry) -> None:
    note = '<p id="swapper-stale" class="swapper-banner" role="status" hidden>'
    page = admin_client.get(JOBS).content.decode()
    assert page.count(note) == 1 and note in page.partition('id="swapper-list"')[0]
    assert note not in admin_client.get(JOBS, headers={"HX-Target": "swapper-list"}).content.decode(), "kept beside it"
    assert note not in admin_client.get("/admin/mirrors/registry/").content.decode(), "it is not refreshed"
