"""The schema: the committed file matches the code, and responses of the API conform to it."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
import schemathesis
from django.core.management import call_command
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from mirrors.accounts.models import ApiToken
from mirrors.accounts.roles import Role
from mirrors.models import BackfillImage, BackfillRun, Filter, TargetRepository
from mirrors.services import request_image
from tests.api.conftest import Clients, user_of
from tests.readiness.cluster_rows import small_cluster, target
from tests.readiness.conftest import configured_web
from tests.support.databases import ROOT
from tests.support.samples import sampled
from tests.watcher.rows import failing_pull, restart_loop, unhealthy_target

__all__ = ["configured_web"]

COMMITTED = ROOT / "docs/openapi.yaml"
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


def test_the_committed_schema_matches_the_code() -> None:
    """After a change, run: manage.py spectacular --file docs/openapi.yaml"""
    out = StringIO()
    call_command("spectacular", "--fail-on-warn", "--validate", stdout=out)
    assert out.getvalue() == COMMITTED.read_text()


def test_schema_and_documentation_are_served_with_local_assets(client_of: Clients) -> None:
    viewer = client_of(Role.VIEWER)
    assert viewer.get("/api/schema/").status_code == 200
    page = viewer.get("/api/docs/").content.decode()
    assert "//cdn" not in page and "<script>" not in page


@pytest.fixture
def api(transactional_db: None, live_server: Any, configured_web: None) -> Any:
    """The schema of a server that has some rows, with the token of an administrator."""
    call_command("migrate", verbosity=0)
    registry = target()
    request_image(image="busybox:1", requested_by="somebody")
    Filter.objects.create(name="mine", jmespath="`true`")
    TargetRepository.objects.create(registry=registry, name="docker.io/library/nginx")
    sampled("shop", "nginx:1.27")
    small_cluster()
    for row in (failing_pull, unhealthy_target, restart_loop):
        row()
    run = BackfillRun.objects.create(cluster="default", state="paused", images=1)
    BackfillImage.objects.create(run=run, source="docker.io/library/redis:7", rank=0, state="ready")
    _, token = ApiToken.issue(user=user_of(Role.ADMIN), name="t", role=Role.ADMIN)
    return schemathesis.openapi.from_url(
        f"{live_server.url}/api/schema/", headers={"Authorization": f"Token {token}", "Accept": "application/json"}
    )


@pytest.mark.timeout(900)
def test_generated_input_causes_no_server_error_or_schema_violation(api: Any) -> None:
    """Send input that the schema allows, and input that it does not allow, to each operation."""
    _, token = ApiToken.issue(user=user_of(Role.ADMIN), name="another", role=Role.ADMIN)
    operations = [result.ok() for result in api.get_all_operations()]
    assert len(operations) > 25
    for operation in operations:

        @settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(case=operation.as_strategy())
        def promise(case: Any) -> None:
            case.call_and_validate(headers={"Authorization": f"Token {token}"}, checks=CHECKS)

        promise()
