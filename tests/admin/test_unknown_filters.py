"""A list with a filter value that does not exist reports that, and does not look like a list without rows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import DateTimeField
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from unfold.contrib.filters.admin import FieldTextFilter, TextFilter

from mirrors.admin.tools.base import LIVE_PART
from mirrors.admin.tools.list_filters.time_filter import TimeRangeFilter
from mirrors.models import DecisionCount, MirrorJob, OperatorAction, Registry
from mirrors.services import request_image
from mirrors.services.configuration.config_rows import sync_config
from swapper_project.config import parse
from tests.support.pages import text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("target")]
TARGET = "target: {type: oci, oci: {endpoint: mirror.example.com}}"
JOBS = "admin:mirrors_mirrorjob_changelist"


def lists(client: Client) -> Iterator[tuple[str, ChangeList]]:
    """Yield each list of the admin with its URL."""
    for model in admin.site._registry:
        url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        context: Any = client.get(url).context
        if "cl" in context:
            yield url, context["cl"]


def filters(client: Client) -> Iterator[tuple[str, ChangeList, Any, list[str]]]:
    """Yield each filter of each list, with the URL of the list and the filter's parameters."""
    for url, listed in lists(client):
        for spec in listed.filter_specs:
            yield url, listed, spec, [name for name in spec.expected_parameters() if name]


def rows_of(client: Client, url: str, query: dict[str, str]) -> Any:
    """Request only the part of a list that refreshes itself, if it has one. It takes half of the time of the page."""
    return client.get(url, query, headers={"HX-Target": LIVE_PART})


def takes_any_text(spec: Any) -> bool:
    return isinstance(spec, TextFilter | FieldTextFilter | TimeRangeFilter)


@pytest.fixture
def rows(target: Registry) -> None:
    """Rows in two clusters, for filters that offer values of existing rows."""
    for cluster in ("default", "b"):
        sync_config(config=parse(f"clusterName: {cluster}\n{TARGET}"))
    request_image(image="nginx:1", requested_by="x")
    DecisionCount.objects.create(
        hour=timezone.now(), namespace="a", source_host="b", decision="keep", reason="filtered", filter="f", images=1
    )
    OperatorAction.objects.create(actor="otto", action="retry", subject="nginx:1")


@pytest.mark.usefixtures("rows")
def test_an_unknown_value_lists_the_choices_of_each_filter(admin_client: Client) -> None:
    tried = []
    for url, listed, spec, names in filters(admin_client):
        choices: Any = spec.choices(listed)
        words = [str(choice["display"]) for choice in choices if "display" in choice]
        for name in names if not takes_any_text(spec) else ():
            page = admin_client.get(url, {name: "nope"})
            title, text = str(spec.title).capitalize(), text_of(page.content.decode())
            assert f"{title} has no value “nope”. Choose one of: " in text, (url, name)
            assert all(word in text for word in words), (url, name)
            assert not page.context["cl"].result_list, (url, name)
            tried.append(spec.title)
    assert len(tried) > 50
    assert {"decision", "reason", "filter", "action", "cluster", "coverage", "state", "status"} <= set(tried)


@pytest.mark.usefixtures("rows")
def test_an_empty_filter_value_does_not_filter(admin_client: Client) -> None:
    tried = 0
    for url, whole, _, names in filters(admin_client):
        for name in names:
            if name == "error_class__exact":
                continue  # selects jobs without an error
            listed = rows_of(admin_client, url, {name: ""}).context["cl"]
            assert list(listed.result_list) == list(whole.result_list), (url, name)
            assert not listed.chips and not listed.unknown_values, (url, name)
            tried += 1
    assert tried > 80


def test_an_unknown_status_is_reported_and_exports_nothing(admin_client: Client) -> None:
    request_image(image="nginx:1", requested_by="x")
    page = admin_client.get(reverse(JOBS), {"status__exact": "nope"}).content.decode()
    assert "Status has no value “nope”. Choose one of: Queued, Running, " in text_of(page)
    assert "Nothing matches" not in page and "nginx" not in page
    response = admin_client.get(f"{reverse(JOBS)}export/", {"status__exact": "nope"})
    assert (response.status_code, response["Location"]) == (302, "../?status__exact=nope")


def test_an_action_on_all_rows_with_an_unknown_filter_value_changes_nothing(admin_client: Client) -> None:
    job, _ = request_image(image="nginx:1", requested_by="x")
    requested = {"action": "cancel", "select_across": "1", "_selected_action": [job.pk], "confirmed": str(job.pk)}
    admin_client.post(f"{reverse(JOBS)}?status__exact=nope", requested)
    assert MirrorJob.objects.get().status == "pending"


def test_known_filter_values_select_rows(admin_client: Client) -> None:
    request_image(image="nginx:1", requested_by="x")
    for query in ({"status__exact": "pending"}, {}):
        assert "nginx" in admin_client.get(reverse(JOBS), query).content.decode()


def test_an_unknown_filter_in_a_link_is_reported_as_ignored(admin_client: Client) -> None:
    response = admin_client.get(reverse(JOBS), {"no_such_field": "1"}, follow=True)
    assert "All rows are shown" in text_of(response.content.decode())


def test_each_list_reports_an_invalid_filter(admin_client: Client) -> None:
    """The links also filter by a field with a time, if the list has one."""
    silent = []
    for url, listed in list(lists(admin_client)):
        times = [field.name for field in listed.model._meta.fields if isinstance(field, DateTimeField)]
        for name in (f"{times[0]}__gte", "no_such_field") if times else ("no_such_field",):
            page = text_of(admin_client.get(url, {name: "nonsense"}, follow=True).content.decode())
            if page.count(f"This list has no such filter: {name}=nonsense. All rows are shown.") != 1:
                silent.append(f"{url}?{name}=nonsense")
    assert silent == []


def test_only_the_invalid_filter_is_reported(admin_client: Client) -> None:
    url, given = reverse(JOBS), {"status__exact": "pending", "created_at__gte": "nonsense", "q": "nginx", "p": "2"}
    for address in (url, f"{url}export/"):
        page = text_of(admin_client.get(address, given, follow=True).content.decode())
        assert "This list has no such filter: created_at__gte=nonsense. All rows are shown." in page

    refreshed = admin_client.get(url, {"e": "1"}, headers={"HX-Target": LIVE_PART})
    assert refreshed.status_code == 200
    page = text_of(admin_client.get(url).content.decode())
    assert "All rows are shown" not in page, "a refresh shows no message, and keeps none"


def test_a_choice_with_an_empty_value_filters_and_has_a_chip(admin_client: Client) -> None:
    job, _ = request_image(image="nginx:1", requested_by="x")
    failed, _ = request_image(image="nginx:2", requested_by="x")
    MirrorJob.objects.filter(pk=failed.pk).update(status="failed", error_class="denied")
    listed = admin_client.get(reverse(JOBS), {"error_class__exact": ""}).context["cl"]
    assert list(listed.result_list) == [job]
    assert [(chip.title, chip.text) for chip in listed.chips] == [("error type", "No error")]


def test_a_value_that_only_old_rows_have_is_known(admin_client: Client) -> None:
    old = timezone.now() - timedelta(days=30)
    DecisionCount.objects.create(
        hour=old, namespace="a", source_host="b", decision="keep", reason="filtered", filter="old one", images=1
    )
    url = reverse("admin:mirrors_decisioncount_changelist")
    assert len(admin_client.get(url, {"filter": "old one"}).context["cl"].result_list) == 1
    assert not admin_client.get(url, {"reason": "tampered"}).context["cl"].unknown_values


def test_a_filter_without_choices_is_reported(admin_client: Client) -> None:
    old = timezone.now() - timedelta(days=30)
    DecisionCount.objects.create(hour=old, namespace="a", source_host="b", decision="keep", reason="filtered", images=1)
    url = reverse("admin:mirrors_decisioncount_changelist")
    page = admin_client.get(url, {"filter": "nope"})
    assert "Filter has no value “nope”: there is nothing to choose from." in text_of(page.content.decode())
    assert not page.context["cl"].result_list


def test_the_only_cluster_is_a_known_value(admin_client: Client) -> None:
    sync_config(config=parse(TARGET))
    request_image(image="nginx:1", requested_by="x")
    MirrorJob.objects.update(cluster="default")
    assert len(admin_client.get(reverse(JOBS), {"cluster": "default"}).context["cl"].result_list) == 1
    page = text_of(admin_client.get(reverse(JOBS), {"cluster": "nope"}).content.decode())
    assert "Cluster has no value “nope”. Choose one of: default." in page
    assert "By cluster" not in text_of(admin_client.get(reverse(JOBS)).content.decode())
