"""A search in the API finds the same rows as the search in the admin."""

# ruff: noqa: F811 (fixtures)
from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin as django_admin
from django.db import models
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from mirrors.models import ErrorClass, ImageMapping, JobStatus, MirrorJob, Obstacle, Registry
from mirrors.services import request_image
from tests.api.test_invalid_requests import LISTS, Route, admin
from tests.support.example_rows import example

__all__ = ["admin"]

pytestmark = pytest.mark.django_db
MAPPINGS = "/api/v1/mappings/"


def found_by_page(model: type[models.Model], text: str, client: Client) -> list[Any]:
    page = client.get(reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"), {"q": text})
    return [row.pk for row in page.context["cl"].result_list]


def found_by_api(path: str, text: str, api: APIClient) -> list[Any]:
    response = api.get(path, {"search": text})
    assert response.status_code == 200, response.content
    return [row.get("id") for row in response.json()["results"]]


def text_at(row: models.Model, path: str) -> str:
    value: Any = row
    for name in path.split("__"):
        value = getattr(value, name)
    return str(value)


@pytest.mark.parametrize("route", LISTS, ids=lambda route: route.path)
def test_the_api_searches_each_field_that_the_admin_searches(
    route: Route, admin: APIClient, admin_client: Client
) -> None:
    model = route.view.queryset.model
    row = example(model)
    fields = django_admin.site._registry[model].search_fields
    assert fields
    for field in fields:
        text = text_at(row, field)
        assert found_by_page(model, text, admin_client) == [row.pk], field
        assert len(found_by_api(route.path, text, admin)) == 1, field
    assert found_by_api(route.path, "no-such-row", admin) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tampered", [0]),
        ("TLS", [2]),
        ("immutable", [1]),
        ("no such image", []),
        ("too-large", []),
        ("ta", []),
        ("app-2", [2]),
        ("app", [3, 2, 1, 0]),
    ],
)
def test_the_api_finds_the_same_mappings_by_reason_as_the_admin(
    text: str, expected: list[int], admin: APIClient, admin_client: Client
) -> None:
    example(Registry, role="target", cluster="", enabled=True)
    for number in range(4):
        request_image(image=f"team/app-{number}:1", requested_by="x")
    jobs = list(MirrorJob.objects.order_by("pk"))
    first, second, third = jobs[:3]
    ImageMapping.objects.filter(pk=first.mapping_id).update(obstacle=Obstacle.TAMPERED)
    ImageMapping.objects.filter(pk=second.mapping_id).update(obstacle=Obstacle.IMMUTABLE_CONFLICT)
    MirrorJob.objects.filter(pk=third.pk).update(status=JobStatus.FAILED, error_class=ErrorClass.TLS)
    ImageMapping.objects.filter(pk=third.mapping_id).update(last_job=third)

    by_api = found_by_api(MAPPINGS, text, admin)

    assert by_api == found_by_page(ImageMapping, text, admin_client)
    assert by_api == [jobs[index].mapping_id for index in expected]
