"""Lists that refresh themselves: a message is shown once, on the list's page and when its CSV file is requested."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from mirrors.admin.tools.base import LIVE_PART
from mirrors.admin.tools.lists.counting import MOST_PAGES
from tests.support.pages import text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("target")]
JOBS = reverse("admin:mirrors_mirrorjob_changelist")
INVALID = "“2026-13-45” is not a valid time. Enter a date like 2026-01-31"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"finished_at_from_0": "2026-13-45"}, INVALID),
        ({"finished_at_to_0": "yesterday"}, "“yesterday” is not a valid time"),
        ({"p": str(MOST_PAGES)}, f"Lists show at most {MOST_PAGES} pages"),
        ({"e": "1"}, "has a filter that is not valid for this list"),
    ],
)
def test_a_refreshing_list_leaves_no_message_for_the_next_page(
    admin_client: Client, query: dict[str, str], words: str
) -> None:
    opened = text_of(admin_client.get(JOBS, query).content.decode())
    assert opened.count(words) == 1
    for _ in range(3):
        assert admin_client.get(JOBS, query, headers={"HX-Target": LIVE_PART}).status_code == 200
    following = admin_client.get("/admin/")
    assert words not in text_of(following.content.decode())
    assert list(get_messages(following.wsgi_request)) == []


def test_a_csv_export_with_an_invalid_time_redirects_with_a_message(admin_client: Client) -> None:
    query = {"finished_at_from_0": "2026-13-45"}
    response = admin_client.get(reverse("admin:mirrors_mirrorjob_export"), query, follow=True)
    assert response.redirect_chain == [(f"../?{urlencode(query)}", 302)]
    assert text_of(response.content.decode()).count(INVALID) == 1
