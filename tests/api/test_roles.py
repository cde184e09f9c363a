"""Every route of the API in every role: allowed and forbidden methods. No route is omitted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone
from pytest_django import DjangoDbBlocker
from rest_framework.test import APIClient

from mirrors.accounts.models import ApiToken
from mirrors.accounts.roles import ROLES, Role
from mirrors.models import (
    AdmissionSample,
    BackfillRun,
    Filter,
    HostBudget,
    JobStatus,
    MirrorJob,
    Registry,
    RegistryRole,
    TargetRepository,
)
from mirrors.services import request_image
from tests.api.conftest import user_of
from tests.support.shared_rows import rows_of_class
from tests.watcher.rows import failing_pull, restart_loop, unhealthy_target

VIEW, ACT, SET = Role.VIEWER, Role.OPERATOR, Role.ADMIN
ROUTES = {
    ("GET", "mappings/"): VIEW,
    ("GET", "mappings/{mapping}/"): VIEW,
    ("POST", "mappings/{mapping}/mirror/"): ACT,
    ("POST", "mappings/{mapping}/verify/"): ACT,
    ("DELETE", "mappings/{mapping}/"): ACT,
    ("POST", "mappings/{mapping}/pause/"): ACT,
    ("POST", "mappings/{mapping}/resume/"): ACT,
    ("GET", "jobs/"): VIEW,
    ("POST", "jobs/"): ACT,
    ("GET", "jobs/{job}/"): VIEW,
    ("GET", "jobs/{job}/attempts/"): VIEW,
    ("GET", "jobs/{job}/progress/"): VIEW,
    ("POST", "jobs/{job}/retry/"): ACT,
    ("POST", "jobs/{job}/cancel/"): ACT,
    ("POST", "jobs/{job}/priority/"): ACT,
    ("POST", "jobs/retry-failed/"): ACT,
    ("GET", "filters/"): VIEW,
    ("POST", "filters/"): SET,
    ("POST", "filters/test/"): VIEW,
    ("POST", "filters/impact/"): VIEW,
    ("GET", "filters/{filter}/"): VIEW,
    ("PATCH", "filters/{filter}/"): SET,
    ("DELETE", "filters/{filter}/"): SET,
    ("GET", "filters/in-force/"): VIEW,
    ("GET", "registries/in-force/"): VIEW,
    ("GET", "registries/"): VIEW,
    ("POST", "registries/"): SET,
    ("GET", "registries/{registry}/"): VIEW,
    ("PUT", "registries/{registry}/"): SET,
    ("DELETE", "registries/{registry}/"): SET,
    ("POST", "registries/{registry}/check/"): ACT,
    ("GET", "registries/{registry}/checks/"): VIEW,
    ("GET", "uses/"): VIEW,
    ("GET", "actions/"): VIEW,
    ("GET", "instances/"): VIEW,
    ("GET", "health/"): VIEW,
    ("GET", "admissions/"): VIEW,
    ("GET", "admissions/{admission}/"): VIEW,
    ("POST", "explain/"): VIEW,
    ("GET", "repositories/"): VIEW,
    ("GET", "repositories/{repository}/"): VIEW,
    ("POST", "repositories/{repository}/apply/"): ACT,
    ("GET", "hosts/"): VIEW,
    ("GET", "hosts/{host}/"): VIEW,
    ("POST", "hosts/{host}/resume/"): ACT,
    ("GET", "running-images/"): VIEW,
    ("GET", "clusters/"): VIEW,
    ("GET", "nodes/"): VIEW,
    ("GET", "pull-failures/"): VIEW,
    ("GET", "pull-failures/{failure}/"): VIEW,
    ("GET", "target-health/"): VIEW,
    ("GET", "target-health/{health}/"): VIEW,
    ("POST", "target-health/{health}/declare-healthy/"): ACT,
    ("GET", "restart-loops/"): VIEW,
    ("GET", "restart-loops/{loop}/"): VIEW,
    ("POST", "restart-loops/{loop}/release/"): ACT,
    ("GET", "backfill/"): VIEW,
    ("POST", "backfill/"): ACT,
    ("GET", "backfill/{backfill}/"): VIEW,
    ("POST", "backfill/{backfill}/start/"): ACT,
    ("POST", "backfill/{backfill}/pause/"): ACT,
    ("POST", "backfill/{backfill}/resume/"): ACT,
    ("POST", "backfill/{backfill}/cancel/"): ACT,
    ("GET", "backfill-images/"): VIEW,
    ("GET", "stats/"): VIEW,
    ("GET", "readiness/"): VIEW,
    ("POST", "readiness/mirror/"): ACT,
    ("GET", "tokens/"): VIEW,
    ("POST", "tokens/"): VIEW,
    ("DELETE", "tokens/{token}/"): VIEW,
}
EVERYBODY = (Role.NOBODY, *ROLES)


@pytest.fixture(scope="class")
def ids(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[dict[str, int]]:
    """IDs of rows for the routes."""
    with rows_of_class(django_db_blocker):
        Registry.objects.create(role=RegistryRole.TARGET, endpoint="mirror.example.com", managed_by="config")
        job = request_image(image="nginx:1.27", requested_by="somebody")[0]
        source = Registry.objects.create(endpoint="quay.io")
        target = job.mapping.target_registry
        repository = TargetRepository.objects.create(registry=target, name="docker.io/library/nginx")
        query = Filter.objects.create(name="mine", jmespath="`true`")
        yield {
            "job": job.pk,
            "mapping": job.mapping_id,
            "registry": source.pk,
            "filter": query.pk,
            "repository": repository.pk,
            "host": HostBudget.objects.create(host="quay.io", resting_until=timezone.now() + timedelta(minutes=5)).pk,
            "backfill": BackfillRun.objects.create(cluster="default").pk,
            "token": 0,
            "failure": failing_pull().pk,
            "health": unhealthy_target().pk,
            "loop": restart_loop().pk,
            "admission": AdmissionSample.objects.create(namespace="shop").pk,
        }


@pytest.fixture(scope="class")
def tokens(ids: dict[str, int]) -> dict[Role, str]:
    """A token of each role, in addition to those rows."""
    return {role: ApiToken.issue(user=user_of(role), name="test", role=role)[1] for role in ROLES}


@pytest.mark.django_db
class TestRoutes:
    @pytest.mark.parametrize("role", EVERYBODY, ids=lambda role: role.group)
    @pytest.mark.parametrize(("method", "route"), ROUTES, ids=lambda value: str(value))
    def test_each_route_requires_its_role(
        self, method: str, route: str, role: Role, ids: dict[str, int], tokens: dict[Role, str]
    ) -> None:
        url = "/api/v1/" + route.format(**ids)
        client = APIClient()
        if role is not Role.NOBODY:
            client.credentials(HTTP_AUTHORIZATION=f"Token {tokens[role]}")
        status = client.generic(method, url, "{}", content_type="application/json").status_code
        if role is Role.NOBODY:
            assert status == 401
        elif role < ROUTES[method, route]:
            assert status == 403
        else:
            assert status not in (401, 403) and status < 500


def test_all_routes_are_in_the_role_table() -> None:
    known = {route.partition("{")[0] + route.partition("}")[2] for _, route in ROUTES}
    found = {path for path in _paths(get_resolver()) if path.startswith("api/v1/")}
    names = {path.removeprefix("api/v1/").replace("<pk>", "") for path in found}
    assert names == known


def _paths(resolver: URLResolver, before: str = "") -> list[str]:
    paths: list[str] = []
    for entry in resolver.url_patterns:
        here = before + str(entry.pattern).replace("(?P<pk>[^/.]+)", "<pk>").replace("^", "").replace("$", "")
        paths += [here.replace("\\Z", "")] if isinstance(entry, URLPattern) else _paths(entry, here)
    return paths


def test_a_token_is_limited_to_its_own_role_and_the_role_of_its_user(job: MirrorJob) -> None:
    for user_role, token_role, status in ((VIEW, SET, 403), (SET, VIEW, 403), (SET, ACT, 200)):
        _, token = ApiToken.issue(user=user_of(user_role), name="t", role=token_role)
        client = APIClient(HTTP_AUTHORIZATION=f"Token {token}")
        assert client.post(f"/api/v1/jobs/{job.pk}/retry/").status_code == status


def test_a_token_is_hashed_expires_and_records_its_last_use(db: None) -> None:
    row, token = ApiToken.issue(user=user_of(VIEW), name="t", role=VIEW)
    assert token not in str(ApiToken.objects.values())
    client = APIClient(HTTP_AUTHORIZATION=f"Token {token}")
    assert client.get("/api/v1/jobs/").status_code == 200
    row.refresh_from_db()
    first = row.last_used_at
    assert first is not None
    client.get("/api/v1/jobs/")
    row.refresh_from_db()
    assert row.last_used_at == first, "written once a minute"

    ApiToken.objects.update(expiry=timezone.now() - timedelta(seconds=1))
    assert client.get("/api/v1/jobs/").status_code == 401
    assert APIClient(HTTP_AUTHORIZATION="Token swp_wrong").get("/api/v1/jobs/").status_code == 401


def test_a_user_without_a_role_is_denied(db: None) -> None:
    client = APIClient()
    client.force_login(User.objects.create(username="new"))
    assert client.get("/api/v1/jobs/").status_code == 403


def test_a_session_requires_a_csrf_token_to_write(job: MirrorJob) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(user_of(ACT))
    assert client.get("/api/v1/jobs/").status_code == 200
    assert client.post(f"/api/v1/jobs/{job.pk}/cancel/").status_code == 403

    client.get("/admin/")
    token = client.cookies["csrftoken"].value
    assert client.post(f"/api/v1/jobs/{job.pk}/cancel/", HTTP_X_CSRFTOKEN=token).status_code == 200
    job.refresh_from_db()
    assert job.status == JobStatus.CANCELLED


def test_the_groups_have_the_permissions_of_their_role(db: None) -> None:
    perms = {g.name: set(g.permissions.values_list("codename", flat=True)) for g in Group.objects.all()}
    assert set(perms) == {"viewer", "operator", "admin"}
    assert "view_mirrorjob" in perms["viewer"] and not [p for p in perms["viewer"] if not p.startswith("view_")]
    assert perms["operator"] - perms["viewer"] == {
        "change_mirrorjob",
        "change_imagemapping",
        "change_targetrepository",
        "change_hostbudget",
        "change_restartloop",
        "change_targethealth",
        "change_backfillrun",
    }
    assert {"change_registry", "add_user", "delete_apitoken"} <= perms["admin"]
