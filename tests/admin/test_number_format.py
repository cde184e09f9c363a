"""Large numbers have separators on pages, but not in CSV files and in JSON."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone

from mirrors.models import BackfillRun, Cluster, DecisionCount, HostBudget, Registry
from tests.admin.dashboard import LIVE, cards
from tests.admin.test_list_tools import file_of
from tests.support.pages import text_of

pytestmark = pytest.mark.django_db

ADMIN = "/admin/mirrors"


@pytest.fixture
def many(target: Registry) -> None:
    now = timezone.now()
    DecisionCount.objects.create(
        hour=now, namespace="a", source_host="b", decision="keep", reason="filtered", images=12_345
    )
    HostBudget.objects.create(host="docker.io", operation="pulls", remaining=1_037, pull_limit=200_000)
    Cluster.objects.create(name="default", pods=2_345, nodes=1_001, seen_at=now, listed_at=now)
    BackfillRun.objects.create(cluster="default", images=12_345, excluded=1_234, previewed_at=now)


@pytest.mark.usefixtures("many")
def test_pages_show_thousands_separators(admin_client: Client) -> None:
    dashboard = admin_client.get(LIVE).content.decode()
    assert cards(dashboard)["Excluded"][0] == "12,345"
    assert "1,037 pulls remaining" in dashboard
    run, cluster, budget = BackfillRun.objects.get(), Cluster.objects.get(), HostBudget.objects.get()
    for path, numbers in (
        (f"decisioncount/?hour_from_0={timezone.now():%Y-%m-%d}", ("12,345 images in total", " 12,345 ")),
        ("hostbudget/", ("1,037 of 200,000",)),
        (f"hostbudget/{budget.pk}/change/", ("1,037 of 200,000",)),
        ("cluster/", (" 2,345 ", " 1,001 ")),
        (f"cluster/{cluster.pk}/change/", (" 2,345 ", " 1,001 ")),
        (f"backfillrun/{run.pk}/change/", ("Images 12,345", "Excluded 1,234")),
    ):
        page = text_of(admin_client.get(f"{ADMIN}/{path}").content.decode())
        assert [number for number in numbers if number not in page] == [], path


@pytest.mark.usefixtures("many")
def test_csv_and_json_have_no_thousands_separators(admin_client: Client) -> None:
    for path, title, number in (
        ("decisioncount", "images", "12345"),
        ("hostbudget", "remaining pulls", "1037 of 200000"),
        ("cluster", "pods", "2345"),
    ):
        head, row = file_of(admin_client, f"{ADMIN}/{path}/export/")
        assert row[head.index(title)] == number
    assert admin_client.get("/api/v1/hosts/").json()["results"][0]["remaining"] == 1_037
