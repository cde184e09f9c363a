"""Backfills on pages, in the API, as a command, and on the dashboard."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from mirrors.accounts.roles import Role
from mirrors.jobs.context.worker_context import WorkerContext
from mirrors.models import BackfillImage, BackfillRun, MirrorJob, OperatorAction, Registry
from mirrors.selectors.overview import queue_metrics
from mirrors.selectors.overview.backfill_metrics import backfill_metrics
from tests.api.conftest import Clients, user_of
from tests.backfill.conftest import Shop, Watcher, running
from tests.jobs.support import draining, load
from tests.support.faulty_registry import FaultyRegistry
from tests.support.ports import wait_until
from tests.support.system import read_metrics

LIST = "/admin/mirrors/backfillrun/"


def previewed(**fields: Any) -> BackfillRun:
    values = {"cluster": "default", "images": 3, "previewed_at": timezone.now(), "requested_by": "ann", **fields}
    run = BackfillRun.objects.create(**values)
    states = ("ready", "ready", "ready", "skipped")
    BackfillImage.objects.bulk_create(
        BackfillImage(
            run=run, source=f"quay.io/app:{n}", rank=n, state=state, reason="opted-out" * (state == "skipped")
        )
        for n, state in enumerate(states)
    )
    return run


@pytest.mark.django_db
def test_metrics_count_the_images_of_open_runs_by_state(
    client: Client, monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    monkeypatch.setattr(queue_metrics, "METRICS_SECONDS", 0.0)
    previewed(cluster="west", state="running")
    previewed(state="finished")
    found = read_metrics(client.get("/metrics").content.decode())
    images = {name: value for name, value in found.items() if name.startswith("swapper_backfill_images{")}

    assert images.pop('swapper_backfill_images{cluster="west",state="ready"}') == 3
    assert images.pop('swapper_backfill_images{cluster="west",state="skipped"}') == 1
    assert set(images.values()) == {0} and 'swapper_backfill_images{cluster="west",state="failed"}' in images
    with django_assert_max_num_queries(2):
        backfill_metrics()


@pytest.mark.django_db
def test_a_finished_run_with_failed_images_is_shown_as_a_warning(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list, the page of the run and the metrics report the failed images until the next run of the cluster."""
    monkeypatch.setattr(queue_metrics, "METRICS_SECONDS", 0.0)
    run = previewed(state="finished", finished_at=timezone.now())
    BackfillImage.objects.filter(state="ready").update(state="failed")
    client.force_login(user_of(Role.VIEWER))
    name = 'swapper_backfill_images{cluster="default",state="failed"}'

    listed = client.get(LIST).content.decode()

    assert re.search(r"bg-(orange|yellow)[^>]*>\s*Finished", listed)
    (link,) = re.findall(r'<a href="([^"]+)">3</a>', listed)
    assert client.get(unescape(link)).content.decode().count("quay.io/<wbr>app:") == 3
    page = client.get(f"{LIST}{run.pk}/change/").content.decode()
    assert 'swapper-label swapper-warning" role="status">Finished' in page
    assert read_metrics(client.get("/metrics").content.decode())[name] == 3
    previewed()
    assert read_metrics(client.get("/metrics").content.decode())[name] == 0


def act(client: Client, run: BackfillRun, name: str) -> str:
    """Request an action on the run's page, confirm it, and return the page that follows."""
    form = {"action": name, "_selected_action": [run.pk], "back": f"{LIST}{run.pk}/change/"}
    requested = client.post(LIST, form).content.decode()
    assert str(run) in requested and f"{name.capitalize()} (1)" in requested
    return client.post(LIST, {**form, "confirmed": str(run.pk)}, follow=True).content.decode()


@pytest.mark.django_db
def test_an_operator_can_preview_start_pause_resume_and_cancel_a_run(client: Client, registry: Registry) -> None:
    client.force_login(user_of(Role.OPERATOR))
    for number in range(2):
        running(f"quay.io/app:{number}")
    assert "default: 2 images" in client.get(LIST).content.decode()

    page = client.post(reverse("admin:mirrors_backfillrun_preview"), {"cluster": "default"}, follow=True)
    run = BackfillRun.objects.get()
    assert "2 images have not been checked yet" in page.content.decode() and b'value="start"' not in page.content
    run.candidates.update(state="ready")
    BackfillRun.objects.update(
        previewed_at=timezone.now(), bytes_total=3 << 30, counted_pulls=34, seconds_estimated=7_200
    )
    page = client.get(f"{LIST}{run.pk}/change/")
    for words in ("3.0 GiB", "34 at registries", "2 h at least", 'value="start"', 'value="cancel"'):
        assert words in page.content.decode()

    for name, state in (("start", "running"), ("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")):
        act(client, run, name)
        run.refresh_from_db()
        assert run.state == state
    assert "you cannot resume it now" in act(client, run, "resume")
    assert set(run.candidates.values_list("state", flat=True)) == {"cancelled"}
    done = OperatorAction.objects.order_by("id").values_list("action", flat=True)
    assert list(done) == ["preview", "start", "pause", "resume", "cancel"]
    assert client.get(f"{LIST}{run.pk}/live/").status_code == 286, "the page refreshes itself no longer"


@pytest.mark.django_db
def test_a_viewer_can_view_runs_but_not_change_them(client: Client, registry: Registry) -> None:
    running("quay.io/app:1")
    run = previewed()
    client.force_login(user_of(Role.VIEWER))
    assert "Preview<" not in client.get(LIST).content.decode()
    page = client.get(f"{LIST}{run.pk}/change/").content.decode()
    assert "the pod has opted out (opted-out)" in page and 'value="start"' not in page
    images = client.get(f"/admin/mirrors/backfillimage/?run__id__exact={run.pk}&state__exact=skipped").content.decode()
    assert "app:3" in images and "app:1" not in images
    assert client.post(reverse("admin:mirrors_backfillrun_preview"), {"cluster": "default"}).status_code == 403
    client.post(LIST, {"action": "start", "_selected_action": [run.pk], "confirmed": str(run.pk)})
    run.refresh_from_db()
    assert run.state == "preview"


@pytest.mark.django_db
def test_the_dashboard_shows_a_running_backfill(client: Client, registry: Registry) -> None:
    client.force_login(user_of(Role.VIEWER))
    run = previewed(state="preview")
    assert "Backfill of default" not in client.get("/admin/").content.decode()
    BackfillRun.objects.update(state="running", seconds_estimated=3_000, problem="The cluster cannot be read.")
    BackfillImage.objects.filter(run=run, rank=0).update(state="mirrored")
    for url in ("/admin/", "/admin/dashboard/"):
        page = client.get(url).content.decode()
        assert "1 of 3 images, about 33 min left" in page and "The cluster cannot be read." in page


@pytest.mark.django_db
def test_an_operator_can_control_a_run_with_the_api(client_of: Clients, registry: Registry) -> None:
    operator = client_of(Role.OPERATOR)
    nothing = operator.post("/api/v1/backfill/", {}, format="json")
    assert nothing.status_code == 409 and "There is no data about the cluster default" in str(nothing.json())
    running("quay.io/app:1")
    made = operator.post("/api/v1/backfill/", {"cluster": "default"}, format="json")
    assert (made.status_code, made.json()["state"], made.json()["progress"]["found"]) == (201, "preview", 1)
    url = f"/api/v1/backfill/{made.json()['id']}/"
    early = operator.post(f"{url}start/")
    assert early.status_code == 409 and "not complete yet" in str(early.json())
    again = operator.post("/api/v1/backfill/", {"cluster": "default"}, format="json").json()
    assert operator.get(url).json()["state"] == "cancelled", "a new preview replaces it"
    BackfillRun.objects.update(previewed_at=timezone.now())
    url = f"/api/v1/backfill/{again['id']}/"
    assert operator.post(f"{url}start/").json()["state"] == "running"
    second = operator.post("/api/v1/backfill/", {"cluster": "default"}, format="json")
    assert second.status_code == 409 and "in progress" in str(second.json())
    for name, state in (("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")):
        assert operator.post(f"{url}{name}/").json()["state"] == state
    images = operator.get(f"/api/v1/backfill-images/?run={again['id']}").json()["results"]
    assert [(image["source"], image["state"]) for image in images] == [("quay.io/app:1", "cancelled")]
    assert [row["id"] for row in operator.get("/api/v1/backfill/?state=cancelled").json()["results"]][0] == again["id"]


def command(watcher: Watcher, *arguments: str) -> str:
    out = StringIO()
    call_command("backfill", *arguments, config=watcher.path, stdout=out)
    return out.getvalue()


@contextmanager
def working(worker: WorkerContext) -> Iterator[None]:
    """Run jobs as soon as they are queued."""
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            with draining(worker):
                pass
            over.wait(0.1)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(30)


def test_the_command_reports_failed_images_with_advice(
    watcher: Watcher, worker: WorkerContext, source: FaultyRegistry, shop: Shop
) -> None:
    load(source)
    shop.pod("one", f"{source.host}/app:1.0")
    shop.pod("two", f"{source.host}/missing:1.0")
    errors = StringIO()

    with working(worker), pytest.raises(SystemExit) as result:
        call_command("backfill", config=watcher.path, stdout=StringIO(), stderr=errors)

    assert result.value.code == 1
    named, advice = errors.getvalue().splitlines()
    assert named.startswith(f"{source.host}/missing:1.0: ") and "not found" in named
    assert advice.startswith("1 image failed.") and "start another backfill" in advice


def test_the_command_previews_and_mirrors_images(
    watcher: Watcher, worker: WorkerContext, source: FaultyRegistry, shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    load(source)
    shop.pod("one", f"{source.host}/app:1.0")
    shop.pod("out", f"{source.host}/out:1.0", metadata={"labels": {"k8s-image-swapper/skip": "true"}})

    command(watcher, "--dry-run")
    shown = capsys.readouterr().out
    assert "Excluded: opted-out" in shown and not MirrorJob.objects.exists()
    assert BackfillRun.objects.get().state == "preview"

    with working(worker):
        followed = command(watcher)
    assert "1 of 1 images, finished" in followed
    assert list(BackfillRun.objects.order_by("id").values_list("state", flat=True)) == ["cancelled", "finished"]
    assert "No images remain" in command(watcher), "the other one has opted out"


def test_an_interrupted_command_reports_that_the_backfill_continues(
    watcher: Watcher, source: FaultyRegistry, shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    load(source)
    shop.pod("one", f"{source.host}/app:1.0")
    ender = threading.Thread(target=_interrupt_when_queued)
    ender.start()
    errors = StringIO()
    call_command("backfill", config=watcher.path, stdout=StringIO(), stderr=errors)
    ender.join(30)
    assert "The backfill continues" in errors.getvalue()
    assert BackfillRun.objects.get().state == "running" and MirrorJob.objects.get().status == "pending"


def _interrupt_when_queued() -> None:
    from django.db import connection

    wait_until(MirrorJob.objects.exists, what="the job")
    connection.close()
    os.kill(os.getpid(), signal.SIGINT)


def test_the_command_reports_missing_cluster_data_and_access(
    watcher: Watcher, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    with pytest.raises(CommandError, match="There is no data about the cluster"):
        command(watcher)
    running("quay.io/app:1", pod_name="one")
    with pytest.raises(CommandError, match="KUBECONFIG is not set"):
        command(watcher, "--dry-run")
    assert not BackfillRun.objects.exists(), "a dry run leaves no preview that failed"
    with pytest.raises(CommandError, match="KUBECONFIG is not set"):
        command(watcher)
    assert BackfillRun.objects.get().state == "preview", "the watcher completes it"


def test_the_command_rejects_an_unknown_cluster(watcher: Watcher) -> None:
    with pytest.raises(CommandError) as refused:
        command(watcher, "--cluster", "zz")
    assert str(refused.value) == (
        "There is no cluster named zz (known: default). Check the name; to add a cluster, run manage.py prepare with a "
        "configuration file that has clusterName: zz."
    )
    assert refused.value.returncode == 1 and not BackfillRun.objects.exists()
