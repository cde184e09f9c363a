"""At every URL of the API, the error for an invalid request contains the allowed values. All URLs are checked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from django import forms
from django.urls import URLPattern, get_resolver
from django.urls.resolvers import URLResolver
from django_filters import fields as filter_fields  # type: ignore[import-untyped]
from django_filters.rest_framework import BooleanFilter, FilterSet  # type: ignore[import-untyped]
from rest_framework.test import APIClient
from rest_framework.viewsets import GenericViewSet

from mirrors.accounts.roles import Role
from mirrors.models import Filter, Registry, RegistryRole
from tests.api.conftest import Clients
from tests.api.test_schema import COMMITTED
from tests.readiness.conftest import configured_web

__all__ = ["configured_web"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("configured_web")]

METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Route:
    """A URL of the API with an ID that no row has, and its view. ``actions`` maps its HTTP methods to actions."""

    path: str
    view: Any
    actions: dict[str, str]

    @property
    def has_id(self) -> bool:
        return "/0/" in self.path

    def filterset(self) -> type[FilterSet] | None:
        is_list = issubclass(self.view, GenericViewSet) and self.actions.get("get") == "list"
        return getattr(self.view, "filterset_class", None) if is_list else None


def walk(patterns: list[Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for entry in patterns:
        if isinstance(entry, URLResolver):
            yield from walk(entry.url_patterns, before + str(entry.pattern))
        elif isinstance(entry, URLPattern):
            yield before + str(entry.pattern), entry.callback


def routes() -> list[Route]:
    found = []
    for pattern, callback in walk(get_resolver().url_patterns):
        if pattern.startswith("api/v1/"):
            path = "/" + pattern.replace("(?P<pk>[^/.]+)", "0").replace("^", "").replace("$", "")
            view = callback.cls
            actions = getattr(callback, "actions", None) or {name: name for name in METHODS if hasattr(view, name)}
            found.append(Route(path, view, {name: actions[name] for name in METHODS if name in actions}))
    return found


ROUTES = routes()
LISTS = [route for route in ROUTES if route.filterset()]
each_route = pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
each_list = pytest.mark.parametrize("route", LISTS, ids=lambda route: route.path)


@pytest.fixture
def admin(client_of: Clients) -> APIClient:
    return client_of(Role.ADMIN)


def errors_of(response: Any) -> dict[str, list[str]]:
    assert response.status_code == 400, response.content
    assert response.json()["code"] == "invalid"
    errors: dict[str, list[str]] = response.json()["errors"]
    return errors


def test_routes_of_each_kind_are_collected() -> None:
    paths = {route.path for route in ROUTES}
    assert {"/api/v1/jobs/", "/api/v1/jobs/0/retry/", "/api/v1/stats/", "/api/v1/explain/"} <= paths
    assert len(LISTS) > 15


@each_route
def test_an_unknown_parameter_is_reported_with_the_allowed_ones(route: Route, admin: APIClient) -> None:
    for method in route.actions:
        (text,) = errors_of(getattr(admin, method)(f"{route.path}?no_such=1"))["no_such"]
        known = text.removeprefix("Unknown parameter; allowed: ").rstrip(".")
        if filters := route.filterset() if method == "get" else None:
            assert {*filters.base_filters, "ordering", "page_size", "cursor"} <= set(known.split(", "))


@each_route
def test_a_wrong_method_returns_the_allowed_methods(route: Route, admin: APIClient) -> None:
    for method in set(METHODS) - set(route.actions):
        response = getattr(admin, method)(route.path)
        assert (response.status_code, response.json()["code"]) == (405, "method-not-allowed")
        allowed = response.json()["detail"].partition("allowed: ")[2].rstrip(".").split(", ")
        assert {name.upper() for name in route.actions} <= set(allowed)
        assert ", ".join(allowed) == response["Allow"]


@pytest.mark.parametrize("route", [route for route in ROUTES if route.has_id], ids=lambda route: route.path)
def test_an_unknown_id_is_reported_in_the_error(route: Route, admin: APIClient) -> None:
    for key in ("0", "no-such", "9" * 30):
        for method in route.actions:
            body = {"priority": 10} if route.path.endswith("/priority/") else {}
            response = getattr(admin, method)(route.path.replace("/0/", f"/{key}/"), body, format="json")
            assert (response.status_code, response.json()["code"]) == (404, "not-found"), response.content
            detail = response.json()["detail"]
            assert detail.endswith(f" with the ID {key}.") and "Mirror" not in detail and "Host" not in detail


@pytest.mark.parametrize(
    "route", [route for route in ROUTES if "post" in route.actions and not route.has_id], ids=lambda route: route.path
)
def test_a_body_that_is_not_an_object_is_rejected(route: Route, admin: APIClient) -> None:
    for body in ("[]", "[{}]", '"text"', "3", "null"):
        response = admin.post(route.path, body, content_type="application/json")
        errors = errors_of(response)
        assert list(errors) == ["body"]
        assert response.json()["detail"] == errors["body"][0]
        assert errors["body"][0].startswith("The body must be a JSON object with fields; allowed: ")


@pytest.mark.parametrize("method", ["put", "patch"])
def test_a_list_as_the_body_of_an_update_is_rejected(method: str, admin: APIClient) -> None:
    row = Filter.objects.create(name="mine", jmespath="`true`")
    assert list(errors_of(getattr(admin, method)(f"/api/v1/filters/{row.pk}/", [], format="json"))) == ["body"]


def expected(field: Any, found: object) -> str:
    """Return the text of the error about an invalid value, empty for free text."""
    if isinstance(found, BooleanFilter):
        return "Must be true or false."
    if isinstance(field, forms.ModelChoiceField):
        rows: Any = field.queryset
        return f"There is no {rows.model._meta.verbose_name} with the ID nope."
    if isinstance(field, forms.ChoiceField):
        choices: Any = field.choices
        return f"Must be one of: {', '.join(str(key) for key, _ in choices if key != '')}."
    if isinstance(field, filter_fields.IsoDateTimeField):
        return "Must be a time in ISO 8601, such as 2026-11-28T12:00:00Z."
    return "" if isinstance(field, forms.CharField) else "Must be a whole number."


@each_list
def test_an_invalid_filter_value_is_reported_with_the_allowed_values(route: Route, admin: APIClient) -> None:
    filters = route.filterset()
    assert filters is not None
    for name, found in filters.base_filters.items():
        response = admin.get(route.path, {name: "nope"})
        if words := expected(found.field, found):
            assert errors_of(response) == {name: [words]}
        else:
            assert response.json()["results"] == []


@each_list
def test_an_invalid_order_or_page_is_reported_with_the_allowed_values(route: Route, admin: APIClient) -> None:
    (text,) = errors_of(admin.get(route.path, {"ordering": "nope"}))["ordering"]
    for name in text.partition("allowed: ")[2].rstrip(".").split(", "):
        assert admin.get(route.path, {"ordering": name}).status_code == 200
    assert errors_of(admin.get(route.path, {"page_size": "nope"})) == {"page_size": ["Must be a number from 1 to 200."]}
    assert "without it" in errors_of(admin.get(route.path, {"cursor": "nope"}))["cursor"][0]


REGISTRY = {"name": "a", "endpoint": "a.example"}
FIELDS: list[tuple[str, dict[str, Any], dict[str, str]]] = [
    ("jobs/retry-failed/", {"error_class": "nope"}, {"error_class": "Must be one of: "}),
    ("tokens/", {"name": "a", "role": "nope"}, {"role": "Must be one of: viewer, operator, admin."}),
    ("tokens/", {"name": "a", "expires_in_days": 0}, {"expires_in_days": "Must be a whole number from 1 to "}),
    ("filters/", {"name": "a", "jmespath": "`true`", "enabled": "nope"}, {"enabled": "Must be true or false."}),
    ("filters/impact/", {"jmespath": "`true`", "filter": 9}, {"filter": "There is no filter with the ID 9."}),
    ("filters/impact/", {"jmespath": "`true`", "filter": "x"}, {"filter": "There is no filter with the ID x."}),
    ("jobs/", {"image": 5}, {"image": "Must be a string."}),
    ("jobs/", {"image": 1.5}, {"image": "Must be a string."}),
    ("jobs/", {"image": True}, {"image": "Must be a string."}),
    ("jobs/", {"image": "nginx", "images": ["nginx"]}, {"image": "Send image or images, not both."}),
    ("tokens/", {"name": 5}, {"name": "Must be a string."}),
    ("filters/", {"name": 5, "jmespath": "`true`"}, {"name": "Must be a string."}),
    ("filters/test/", {"jmespath": 5}, {"jmespath": "Must be a string."}),
    ("registries/", {"endpoint": 5}, {"endpoint": "Must be a string."}),
    ("registries/", {"endpoint": "a.example", "namespaces": [5]}, {"namespaces": "Must be a string."}),
    (
        "registries/",
        {"name": "a", "endpoint": "a.example", "namespaces": [{}]},
        {"namespaces": "Item 0: Must be a string."},
    ),
    (
        "registries/",
        {"name": "a", "endpoint": "a.example", "namespaces": "a"},
        {"namespaces": "Must be a list of strings, at most 500."},
    ),
    ("jobs/", {"images": []}, {"images": "Must be a list of strings, from 1 to "}),
    ("jobs/", {"images": "nginx"}, {"images": "Must be a list of strings, from 1 to "}),
    ("jobs/", {"image": {}}, {"image": "Must be a string."}),
    ("jobs/", {"image": "n" * 9_000}, {"image": "Must have at most "}),
    ("jobs/", {"image": "a b"}, {"image": "'a b' is not a valid image reference"}),
    ("jobs/", {"picture": "nginx"}, {"picture": "Unknown field; allowed: image, images."}),
]


@pytest.mark.parametrize(("path", "body", "wrong"), FIELDS)
def test_an_invalid_field_is_reported_with_what_is_allowed(
    path: str, body: dict[str, Any], wrong: dict[str, str], admin: APIClient
) -> None:
    errors = errors_of(admin.post(f"/api/v1/{path}", body, format="json"))
    assert errors.keys() == wrong.keys()
    assert all(errors[name][0].startswith(text) for name, text in wrong.items()), errors


def changeable() -> list[Route]:
    """Return the routes of rows that a client can change."""
    return [route for route in ROUTES if "patch" in route.actions]


@pytest.fixture
def rows(db: None) -> dict[str, int]:
    """A row of each resource that can be changed, by its URL."""
    return {
        "/api/v1/filters/0/": Filter.objects.create(name="mine", jmespath="`true`").pk,
        "/api/v1/registries/0/": Registry.objects.create(name="mine", endpoint="mine.example").pk,
    }


@pytest.mark.parametrize("route", changeable(), ids=lambda route: route.path)
class TestReadOnlyFields:
    def test_updates_reject_changed_values_and_creation_rejects_any_value(
        self, route: Route, rows: dict[str, int], admin: APIClient
    ) -> None:
        path = route.path.replace("/0/", f"/{rows[route.path]}/")
        read_only = [name for name, field in route.view.serializer_class().fields.items() if field.read_only]
        row = admin.get(path).json()
        assert {"id", "managed_by", "created_at"} <= set(read_only)
        for name in read_only:
            for response in (
                admin.patch(path, {name: "other"}, format="json"),
                admin.put(path, {**row, name: "other"}, format="json"),
                admin.post(route.path.removesuffix("0/"), {name: row[name]}, format="json"),
            ):
                errors = errors_of(response)
                assert list(errors) == [name]
                words, _, allowed = errors[name][0].rstrip(".").partition("; allowed: ")
                assert words == "Read-only field"
                assert set(allowed.split(", ")) == set(row) - set(read_only)
        assert admin.get(path).json() == row

    def test_a_row_can_be_sent_back_with_a_change(self, route: Route, rows: dict[str, int], admin: APIClient) -> None:
        path = route.path.replace("/0/", f"/{rows[route.path]}/")
        for method in (admin.put, admin.patch):
            row = admin.get(path).json()
            response = method(path, {**row, "enabled": not row["enabled"]}, format="json")
            assert (response.status_code, response.json()["enabled"]) == (200, not row["enabled"]), response.content


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("stats/?hours=nope", "Must be a whole number from 1 to 720."),
        ("stats/?hours=900", "Must be a whole number from 1 to 720."),
        ("stats/?cluster=nope", "There is no cluster named nope; known: east, west."),
        ("readiness/?reason=nope", "Must be one of: "),
        ("readiness/?drift=nope", "Must be true or false."),
        ("readiness/?page=0", "Must be a whole number from 1 to 100000."),
    ],
)
def test_an_invalid_stats_or_readiness_parameter_shows_what_is_allowed(
    query: str, words: str, admin: APIClient
) -> None:
    Registry.objects.create(endpoint="target.example", role=RegistryRole.TARGET, clusters=["west", "east"])
    (texts,) = errors_of(admin.get(f"/api/v1/{query}")).values()
    assert texts[0].startswith(words)


@pytest.mark.parametrize(
    ("body", "media_type", "words"),
    [
        ("{", "application/json", "The body is not valid JSON: "),
        ("{'image': 'nginx'}", "application/json", "The body is not valid JSON: Expecting property name"),
        ("[" * 100_000, "application/json", "The body is not valid JSON: it is nested too deeply."),
        ('{"image": "\\ud800"}', "application/json", "The body is not valid JSON: a \\u escape is a lone surrogate."),
        ("image=nginx", "application/x-www-form-urlencoded", "The body must be JSON: send it with the header "),
        (
            "image: nginx",
            "text/plain",
            "The body must be JSON: send it with the header Content-Type: application/json.",
        ),
    ],
)
def test_a_body_that_is_not_json_is_rejected_with_the_reason(
    body: str, media_type: str, words: str, admin: APIClient
) -> None:
    response = admin.post("/api/v1/jobs/", body, content_type=media_type)
    assert response.status_code in (400, 415)
    assert response.json()["detail"].startswith(words)


def without_body() -> list[str]:
    """Return the paths of POST operations without a body in the schema."""
    paths: dict[str, dict[str, Any]] = yaml.load(COMMITTED.read_text(), Loader=yaml.CSafeLoader)["paths"]
    return [path for path, found in paths.items() if "post" in found and "requestBody" not in found["post"]]


@pytest.mark.parametrize("path", without_body())
def test_an_action_without_a_body_rejects_fields(path: str, admin: APIClient) -> None:
    url = re.sub(r"\{\w+\}", "0", path)

    assert errors_of(admin.post(url, {"x": 1}, format="json")) == {
        "body": ["This action takes no fields: send no body, or {}."]
    }
    for empty in ("", "{}"):
        assert admin.post(url, empty, content_type="application/json").status_code != 400
