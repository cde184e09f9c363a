"""Tokens that users create on a page or with the API: limited to the user's role, and revoked by the user."""

# ruff: noqa: F401, F811 (fixtures)
from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from mirrors.accounts.models import ApiToken
from mirrors.accounts.roles import Role
from mirrors.accounts.tokens import MOST_TOKENS
from mirrors.models import ImageMapping, OperatorAction
from tests.api.conftest import job, target, user_of

pytestmark = pytest.mark.django_db

PAGE = "/admin/accounts/apitoken/own/"
API = "/api/v1/tokens/"


def signed_in(role: Role) -> Client:
    client = Client()
    client.force_login(user_of(role))
    return client


def with_token(role: Role, *, days: int = 90, name: str = "ci") -> APIClient:
    _, text = ApiToken.issue(user=user_of(role), name=name, role=role, expiry=timedelta(days=days))
    return APIClient(HTTP_AUTHORIZATION=f"Token {text}")


def test_a_viewer_creates_and_revokes_a_token_that_is_shown_once() -> None:
    viewer = signed_in(Role.VIEWER)
    page = viewer.post(PAGE, {"name": "ci", "role": 1, "days": 7})
    text = re.search(r"swp_\w+", page.content.decode())
    assert text is not None and "no-store" in page["Cache-Control"]
    row = ApiToken.objects.get()
    assert row.user == user_of(Role.VIEWER) and row.expiry is not None
    assert timedelta(days=6, hours=23) < row.expiry - timezone.now() <= timedelta(days=7)
    api = APIClient(HTTP_AUTHORIZATION=f"Token {text[0]}")
    assert api.get("/api/v1/jobs/").status_code == 200
    listed = viewer.get(PAGE).content.decode()
    assert "ci" in listed and text[0] not in listed

    requested = viewer.post(f"{PAGE}revoke/", {"token": row.public_id}).content.decode()
    assert "Revoke the token ci?" in requested and "last used" in requested
    assert api.get("/api/v1/jobs/").status_code == 200
    viewer.post(f"{PAGE}revoke/", {"token": row.public_id, "confirmed": 1})
    assert api.get("/api/v1/jobs/").status_code == 401


def test_resubmitting_the_form_creates_no_second_token() -> None:
    viewer = signed_in(Role.VIEWER)
    form_ids = [re.findall(r'name="form_id" value="([^"]+)"', viewer.get(PAGE).content.decode())[0] for _ in range(2)]
    fields = {"name": "ci", "role": 1, "days": 7}
    viewer.post(PAGE, {**fields, "form_id": form_ids[0]})

    again = viewer.post(PAGE, {**fields, "form_id": form_ids[0]}, follow=True).content.decode()

    assert "no other token was created" in again
    assert ApiToken.objects.count() == 1
    viewer.post(PAGE, {**fields, "form_id": form_ids[1]})
    assert ApiToken.objects.count() == 2


def test_a_denied_request_reports_the_role_of_the_token() -> None:
    _, text = ApiToken.issue(user=user_of(Role.ADMIN), name="weak", role=Role.VIEWER, expiry=timedelta(days=10))
    refused = APIClient(HTTP_AUTHORIZATION=f"Token {text}").post("/api/v1/jobs/", {"image": "nginx:1"}, format="json")
    assert refused.status_code == 403
    assert refused.json()["detail"] == "This token has the role viewer: create one with the role operator."


@pytest.mark.parametrize("fields", [{"role": 2}, {"role": 3}, {"days": 0}, {"days": 366}, {"name": ""}])
def test_the_page_rejects_higher_roles_invalid_lifetimes_and_empty_names(fields: dict[str, object]) -> None:
    page = signed_in(Role.VIEWER).post(PAGE, {"name": "ci", "role": 1, "days": 7, **fields})
    assert page.status_code == 200 and "swp_" not in re.sub("swp_…", "", page.content.decode())
    assert not ApiToken.objects.exists()


def test_a_viewer_can_neither_see_nor_revoke_tokens_of_other_users() -> None:
    row, _ = ApiToken.issue(user=user_of(Role.ADMIN), name="theirs", role=Role.ADMIN)
    viewer, api = signed_in(Role.VIEWER), with_token(Role.VIEWER)
    assert "theirs" not in viewer.get(PAGE).content.decode()
    assert [token["name"] for token in api.get(API).json()] == ["ci"]
    viewer.post(f"{PAGE}revoke/", {"token": row.public_id, "confirmed": 1})
    assert api.delete(f"{API}{row.public_id}/").status_code == 404
    assert ApiToken.objects.filter(pk=row.pk).exists()
    seen = signed_in(Role.ADMIN).get("/admin/accounts/apitoken/").content.decode()
    assert "theirs" in seen and "ci" in seen, "admins see all tokens"


def test_the_api_creates_lists_and_revokes_tokens() -> None:
    api = with_token(Role.OPERATOR)
    made = api.post(API, {"name": "nightly", "role": "operator", "expires_in_days": 30}, format="json")
    assert made.status_code == 201, made.data
    text, key = made.json()["token"], made.json()["id"]
    assert (made.json()["role"], text[:4]) == ("operator", "swp_")
    assert all("token" not in row for row in api.get(API).json())
    assert APIClient(HTTP_AUTHORIZATION=f"Token {text}").get("/api/v1/jobs/").status_code == 200
    assert api.delete(f"{API}{key}/").status_code == 204
    assert APIClient(HTTP_AUTHORIZATION=f"Token {text}").get("/api/v1/jobs/").status_code == 401


def test_a_token_cannot_create_one_with_a_higher_role_or_later_expiry() -> None:
    weak, text = ApiToken.issue(user=user_of(Role.ADMIN), name="weak", role=Role.VIEWER, expiry=timedelta(days=10))
    api, expiry = APIClient(HTTP_AUTHORIZATION=f"Token {text}"), weak.expiry
    assert expiry is not None
    stronger = api.post(API, {"name": "x", "role": "operator", "expires_in_days": 1}, format="json")
    assert stronger.status_code == 403 and "Your role is viewer" in stronger.json()["detail"]
    shorter = api.post(API, {"name": "x"}, format="json")
    assert shorter.status_code == 201 and datetime.fromisoformat(shorter.json()["expires_at"]) <= expiry
    longer = api.post(API, {"name": "x", "expires_in_days": 11}, format="json")
    assert longer.status_code == 403 and "expires later than itself" in longer.json()["detail"]
    assert ApiToken.objects.count() == 2


def test_a_token_loses_access_with_the_role_of_its_user_or_when_disabled() -> None:
    user, api = user_of(Role.OPERATOR), with_token(Role.OPERATOR)
    assert api.post(API, {"name": "x", "role": "operator", "expires_in_days": 1}, format="json").status_code == 201
    user.groups.clear()
    assert api.get(API).status_code == 403
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert api.get(API).status_code == 401


def test_a_user_has_a_limited_number_of_valid_tokens() -> None:
    viewer = signed_in(Role.VIEWER)
    for number in range(MOST_TOKENS):
        ApiToken.issue(user=user_of(Role.VIEWER), name=str(number), role=Role.VIEWER)
    assert "revoke one first" in viewer.post(PAGE, {"name": "x", "role": 1}).content.decode()
    ApiToken.objects.filter(name="0").update(expiry=timezone.now())
    viewer.post(PAGE, {"name": "x", "role": 1})
    assert ApiToken.objects.filter(name="x").exists()


def test_activity_shows_the_token_of_api_actions_but_none_for_sessions(job: object) -> None:
    mapping = ImageMapping.objects.get()
    with_token(Role.OPERATOR).post(f"/api/v1/mappings/{mapping.pk}/pause/")
    assert [row.who for row in OperatorAction.objects.filter(action="pause")] == ["a-operator, token ci"]
    operator = signed_in(Role.OPERATOR)
    for url in ("/admin/mirrors/operatoraction/", f"/admin/mirrors/imagemapping/{mapping.pk}/change/"):
        assert "a-operator, token ci" in operator.get(url).content.decode()
    chosen = {"action": "resume", "_selected_action": [mapping.pk], "confirmed": mapping.pk}
    operator.post("/admin/mirrors/imagemapping/", chosen)
    assert [row.who for row in OperatorAction.objects.filter(action="resume")] == ["a-operator"]
    actions = with_token(Role.VIEWER).get("/api/v1/actions/?action=pause").json()["results"]
    assert [(row["actor"], row["token"]) for row in actions] == [("a-operator", "ci")]
