"""The limits of the API: in every response, exact across processes, and without errors if counting fails."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings
from rest_framework.test import APIClient

from mirrors.accounts.models import CacheEntry
from mirrors.accounts.roles import Role
from mirrors.jobs.process.pruning import prune
from tests.api.conftest import Clients, user_of
from tests.support.databases import ROOT, query
from tests.support.system import PRODUCT

pytestmark = pytest.mark.django_db
URL = "/api/v1/jobs/"


@pytest.fixture
def limited(settings: Settings) -> None:
    """Three requests a minute for authenticated clients, two for others."""
    settings.ENVIRONMENT = dataclasses.replace(
        settings.ENVIRONMENT, api_requests_per_minute=3, api_anonymous_per_minute=2
    )


def remaining(answer: object) -> tuple[str, int, int]:
    """Return policy, remaining requests and seconds."""
    found = re.fullmatch(r'"(\w+)";r=(\d+);t=(\d+)', answer.headers["RateLimit"])  # type: ignore[attr-defined]
    assert found, answer
    return found[1], int(found[2]), int(found[3])


def test_a_token_is_limited_to_a_number_of_requests_per_minute(limited: None, client_of: Clients) -> None:
    client = client_of(Role.VIEWER)
    with time_machine.travel(timezone.now(), tick=False):
        reported = [remaining(client.get(URL)) for _ in range(3)]
        assert reported == [("token", 2, 60), ("token", 1, 60), ("token", 0, 60)]
        response = client.get(URL)
        assert response.status_code == 429
        assert (response.json()["code"], response.headers["Retry-After"]) == ("throttled", "60")
        assert response.headers["Content-Type"] == "application/problem+json"
        assert response.headers["RateLimit-Policy"] == '"token";q=3;w=60'
    with time_machine.travel(timezone.now() + timedelta(seconds=61)):
        assert client.get(URL).status_code == 200


def test_each_client_has_a_separate_rate_limit(limited: None, client_of: Clients) -> None:
    first, second, session = client_of(Role.VIEWER), client_of(Role.VIEWER), APIClient()
    session.force_login(user_of(Role.VIEWER))
    assert [first.get(URL).status_code for _ in range(4)] == [200, 200, 200, 429]
    assert second.get(URL).status_code == 200
    assert remaining(session.get(URL))[:2] == ("user", 2)


def test_unauthenticated_requests_are_counted_by_address(limited: None) -> None:
    guess = APIClient(HTTP_AUTHORIZATION="Token swp_wrong", REMOTE_ADDR="192.0.2.1")
    assert [guess.get(URL).status_code for _ in range(3)] == [401, 401, 429]
    # Another invalid token from the same address counts as the same client. Another address is another client.
    assert APIClient(HTTP_AUTHORIZATION="Token swp_2", REMOTE_ADDR="192.0.2.1").get(URL).status_code == 429
    assert APIClient(REMOTE_ADDR="192.0.2.2").get(URL).status_code == 401
    subscriber = [APIClient(REMOTE_ADDR=f"2001:db8::{number}").get(URL).status_code for number in range(1, 4)]
    assert subscriber == [401, 401, 429]


def test_requests_denied_by_role_are_counted(limited: None, client_of: Clients) -> None:
    viewer = client_of(Role.VIEWER)
    responses = [viewer.post("/api/v1/filters/", {}).status_code for _ in range(4)]
    assert responses == [403, 403, 403, 429]


def test_the_rate_limit_needs_one_database_statement(
    limited: None, settings: Settings, client_of: Clients, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = client_of(Role.VIEWER)
    client.get(URL)
    with django_assert_num_queries(5) as limited_queries:
        client.get(URL)
    assert len([q for q in limited_queries.captured_queries if "accounts_cacheentry" in q["sql"]]) == 1
    settings.ENVIRONMENT = dataclasses.replace(settings.ENVIRONMENT, api_requests_per_minute=0)
    with django_assert_num_queries(4):
        client.get(URL)


def test_requests_are_accepted_without_the_rate_limit_table(
    limited: None, client_of: Clients, transactional_db: None, settings: Settings
) -> None:
    client = client_of(Role.VIEWER)
    settings.CACHES = {**settings.CACHES, "limits": {**settings.CACHES["limits"], "LOCATION": "not_there"}}
    responses = [client.get(URL) for _ in range(5)]
    assert {response.status_code for response in responses} == {200}
    assert "RateLimit" not in responses[0].headers


def test_old_counts_are_pruned(limited: None, client_of: Clients) -> None:
    client_of(Role.VIEWER).get(URL)
    prune()
    assert CacheEntry.objects.count() == 1
    CacheEntry.objects.update(expires=timezone.now() - timedelta(seconds=1))
    prune()
    assert not CacheEntry.objects.exists()


def test_the_key_of_a_count_does_not_contain_the_token_digest(limited: None, client_of: Clients) -> None:
    from mirrors.accounts.models import ApiToken

    client_of(Role.VIEWER).get(URL)
    [entry] = CacheEntry.objects.all()
    assert ApiToken.objects.get().digest not in entry.cache_key


COUNT = """
import django, sys
django.setup()
from django.core.cache import caches
print(*[caches["limits"].count("token:x", seconds=600).number for _ in range(50)])
"""


def test_concurrent_processes_lose_no_counts(database_url: str) -> None:
    environment = {**os.environ, **PRODUCT, "SWAPPER_DATABASE_URL": database_url}
    racing = [
        subprocess.Popen([sys.executable, "-c", COUNT], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    numbers = [int(text) for process in racing for text in process.communicate(timeout=100)[0].split()]
    assert sorted(numbers) == list(range(1, 151))
    assert query(database_url, "SELECT value FROM accounts_cacheentry") == [("150",)]
