"""Pages about failing pulls: lists, dashboard, the banner of all pages, the page of a mapping, and actions."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from mirrors.accounts.roles import Role
from mirrors.models import HealthState, OperatorAction, PullFailure
from tests.api.conftest import user_of
from tests.watcher.rows import failing_pull, restart_loop, unhealthy_target
from tests.watcher.support import mirrored

pytestmark = pytest.mark.django_db

PULLS, HEALTH, LOOPS = (f"/admin/mirrors/{name}/" for name in ("pullfailure", "targethealth", "restartloop"))
COMMAND = "kubectl -n shop rollout restart deployment/web"
ROLE = "AmazonEC2ContainerRegistryPullOnly"


@pytest.fixture
def viewer(client: Client) -> Client:
    client.force_login(user_of(Role.VIEWER))
    return client


@pytest.fixture
def operator(client: Client) -> Client:
    user: User = user_of(Role.OPERATOR)
    client.force_login(user)
    return client


def page(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200
    return response.content.decode()


def test_the_list_shows_what_to_do_for_each_cause(viewer: Client) -> None:
    failing_pull("mirror.example.com:5000/docker.io/library/nginx:1.27", at="target", cause="denied")
    failing_pull("redis:7", cause="rate-limited")

    shown = page(viewer, PULLS)

    assert ROLE in shown
    assert "mirror the image, then create the pod again" in shown
    assert COMMAND not in shown


def test_a_failing_pull_of_a_mirrored_image_shows_the_restart_command(viewer: Client) -> None:
    row = failing_pull(is_mirrored=True)

    for url in (PULLS, f"{PULLS}{row.pk}/change/"):
        assert COMMAND in page(viewer, url)


def test_the_page_of_a_mapping_shows_its_failing_pulls(viewer: Client) -> None:
    mapping = mirrored("nginx:1.27")
    row = failing_pull(is_mirrored=True)
    failing_pull("redis:7", source="docker.io/library/redis:7")

    shown = page(viewer, f"/admin/mirrors/imagemapping/{mapping.pk}/change/")

    assert "3 pods on 2 nodes cannot pull the image from the source" in shown
    assert f"{PULLS}{row.pk}/change/" in shown
    assert "A new pod would start from the mirror." in shown
    assert shown.count("cannot pull the image") == 1


def test_a_failing_pull_links_to_the_actions_on_its_image(viewer: Client) -> None:
    mapping = mirrored("nginx:1.27")
    row, unknown = failing_pull(), failing_pull("redis:7", source="docker.io/library/redis:7")

    link = f'<a href="/admin/mirrors/imagemapping/{mapping.pk}/change/">Mirror, verify or pause '
    assert link in page(viewer, f"{PULLS}{row.pk}/change/")
    assert "Mirror, verify or pause" not in page(viewer, f"{PULLS}{unknown.pk}/change/")


def test_dashboard_counts_of_pull_problems_equal_their_linked_lists(viewer: Client) -> None:
    failing_pull("a:1")
    failing_pull("b:1")
    failing_pull("c:1", is_mirrored=True)
    failing_pull("m/d:1", at="target", cause="not-found")
    unhealthy_target()
    restart_loop()

    entries: Any = viewer.get("/admin/").context["attention"]

    found = {entry.title: entry for entry in entries}
    assert {title: entry.count for title, entry in found.items() if title not in ("No webhook", "No worker")} == {
        "Target unhealthy: mirror.example.com:5000": None,
        "Failing pulls from the source: unreachable": 2,
        "Failing pulls from the target: not found": 1,
        "Pods to recreate": 1,
        "Restart loops": 1,
    }
    for title in ("Failing pulls from the target: not found", "Pods to recreate", "Restart loops"):
        assert len(viewer.get(found[title].link).context["cl"].result_list) == found[title].count


@pytest.mark.parametrize(
    "url", ["/admin/", PULLS, "/admin/mirrors/imagemapping/", "/admin/explain/", "/admin/password_change/"]
)
def test_all_pages_show_the_target_health_banner_with_cause_and_fix(viewer: Client, url: str) -> None:
    assert "swapper-health" not in page(viewer, url)
    row = unhealthy_target()

    shown = page(viewer, url)
    assert "Target unhealthy" in shown and ROLE in shown and "node-1 and 1 other nodes" in shown

    row.state = HealthState.HEALTHY
    row.save()
    assert "swapper-health" not in page(viewer, url)


def test_the_sign_in_page_has_no_banner(client: Client) -> None:
    unhealthy_target()

    assert "swapper-health" not in page(client, "/admin/login/")


def run(client: Client, url: str, action: str, key: int) -> str:
    data = {"action": action, "_selected_action": str(key), "confirmed": str(key)}
    return client.post(url, data, follow=True).content.decode()


def test_an_operator_releases_a_restart_loop(operator: Client) -> None:
    row = restart_loop()

    assert "1 released." in run(operator, LOOPS, "release", row.pk)

    row.refresh_from_db()
    assert row.released_at is not None and row.released_at <= timezone.now()
    assert [(a.action, a.subject, a.details) for a in OperatorAction.objects.all()] == [
        ("release", row.source, "shop/orders")
    ]
    assert "None of these restart loops is active now." in run(operator, LOOPS, "release", row.pk)


def test_an_operator_declares_a_target_healthy(operator: Client) -> None:
    row = unhealthy_target()

    assert "1 declared healthy." in run(operator, HEALTH, "declare_healthy", row.pk)

    row.refresh_from_db()
    assert row.state == HealthState.HEALTHY
    assert OperatorAction.objects.get().action == "declare-healthy"


def test_a_viewer_cannot_release_loops_or_declare_targets_healthy(viewer: Client) -> None:
    loop, health = restart_loop(), unhealthy_target()

    run(viewer, LOOPS, "release", loop.pk)
    run(viewer, HEALTH, "declare_healthy", health.pk)

    loop.refresh_from_db()
    health.refresh_from_db()
    assert (loop.released_at, health.state) == (None, HealthState.UNHEALTHY)


def test_a_list_of_many_failing_pulls_runs_a_bounded_number_of_queries(
    viewer: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(60):
        failing_pull(f"app-{number}:1")

    with django_assert_max_num_queries(14):
        viewer.get(PULLS)
    assert PullFailure.objects.count() == 60
