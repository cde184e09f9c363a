"""Pages execute as many queries for many rows as for few, and never count all rows."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection, transaction

from benchmarks.history.filling import fill
from benchmarks.history.rows import Size
from benchmarks.pages import pages
from benchmarks.visits import MOST_QUERIES, inside_as, queries_of
from mirrors.models import AdmissionSample, ImageMapping, ImageUse, MirrorAttempt, MirrorJob, Registry, RegistryRole
from mirrors.selectors.images.admissions import search_admissions
from mirrors.selectors.queries.search import search, search_words

pytestmark = pytest.mark.django_db

FEW = Size(mappings=20, jobs=1_000, uses=20, namespaces=5, counts_an_hour=1, running_images=100)
MANY = Size(mappings=200, jobs=6_000, uses=400, namespaces=40, counts_an_hour=1, running_images=1_000)
COUNTS_ALL = re.compile(r'SELECT COUNT\(\*\) AS "__count" FROM "\w+"$')
COUNTS_SOME = re.compile(r"^EXPLAIN |^SELECT COUNT\(\*\) FROM \(SELECT .+ LIMIT 10001\) subquery$")
"""Lists of more than one page count their rows, up to a limit."""


@pytest.fixture
def user() -> User:
    user = User.objects.create_user("olga", is_staff=True)
    user.groups.add(Group.objects.get(name="operator"))
    return user


@pytest.fixture
def target() -> Registry:
    return Registry.objects.create(role=RegistryRole.TARGET, endpoint="mirror.example.com", prefix="mirror")


def asked(user: User) -> dict[str, list[str]]:
    """Return the statements of each page. Pages with a filter are left to the benchmark."""
    client = inside_as(user)
    visited = [page for page in pages(user) if "=" not in page.name]
    return {page.name: [query["sql"] for query in queries_of(page, client)] for page in visited}


@pytest.mark.timeout(900)
def test_no_page_runs_more_queries_for_more_rows(user: User, target: Registry) -> None:
    now = datetime.now(UTC)
    with transaction.atomic():
        fill(FEW, registry_id=target.pk, now=now)
        few = asked(user)
        transaction.set_rollback(True)
    fill(MANY, registry_id=target.pk, now=now)
    many = asked(user)
    assert len(few) > 80
    assert {name: len(found) for name, found in many.items() if len(found) > MOST_QUERIES} == {}
    # A search that matched no image does not query its rows.
    most = {name: _but_counts(found) + ("search" in name) for name, found in few.items()}
    assert {name: len(many[name]) for name in few if _but_counts(many[name]) > most[name]} == {}
    assert {name: found for name, found in many.items() if any(COUNTS_ALL.search(sql) for sql in found)} == {}


def _but_counts(statements: list[str]) -> int:
    return sum(not COUNTS_SOME.search(sql) for sql in statements)


def test_a_search_finds_rows_by_image_and_by_their_own_text(target: Registry) -> None:
    fill(FEW, registry_id=target.pk, now=datetime.now(UTC))
    mapping = ImageMapping.objects.order_by("pk")[7]
    jobs = search(MirrorJob.objects.all(), search_words(mapping.source), ["mapping__source", "error_message"])
    assert set(jobs) >= set(MirrorJob.objects.filter(mapping=mapping)) != set()
    attempts = search(MirrorAttempt.objects.all(), [mapping.source.upper()], ["job__mapping__source"])
    assert set(attempts) == set(MirrorAttempt.objects.filter(job__mapping=mapping)) != set()
    uses = search(
        ImageUse.objects.all(), search_words(f"{mapping.source[:20]} {mapping.source[-4:]}"), ["mapping__source"]
    )
    assert set(uses) >= set(ImageUse.objects.filter(mapping=mapping)) != set()
    failed = MirrorJob.objects.filter(status="failed")[0]
    assert failed in search(MirrorJob.objects.all(), search_words(f'"{failed.error_message}"'), ["error_message"])
    assert not search(MirrorJob.objects.all(), ["no-such-image"], ["mapping__source", "error_message"])


def test_the_few_mappings_limit_does_not_change_search_results(
    target: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(FEW, registry_id=target.pk, now=datetime.now(UTC))
    by_keys = set(search(MirrorJob.objects.all(), ["docker.io"], ["mapping__source"]))
    monkeypatch.setattr("mirrors.selectors.queries.search.FEW_MAPPINGS", 1)
    assert set(search(MirrorJob.objects.all(), ["docker.io"], ["mapping__source"])) == by_keys != set()


def test_admissions_are_searched_by_image_through_an_index(target: Registry) -> None:
    fill(FEW, registry_id=target.pk, now=datetime.now(UTC))
    sample = AdmissionSample.objects.order_by("pk")[7]
    image = sample.decisions[0]["image"]
    found = search_admissions(AdmissionSample.objects.all(), [image.upper()])
    assert sample in found and {row.decisions[0]["image"] for row in found} == {image}
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
        assert "sample_image_search" in found.order_by().explain()
    else:
        assert "COVERING INDEX sample_search" in found.explain()
