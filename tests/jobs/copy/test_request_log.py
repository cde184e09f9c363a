"""The log of an attempt: the requests that were sent, with status and milliseconds, but without secrets."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from mirrors.demo.gatekeeper import Gatekeeper
from mirrors.demo.handler import Handler
from mirrors.jobs.context.worker_context import WorkerContext
from mirrors.models import MirrorAttempt, MirrorJob
from mirrors.oci.common.exchanges import MOST_KEPT, Exchange, ExchangeLog, redacted_path
from tests.jobs.support import FAST, config_file, context, drain, load, queue_copy
from tests.support.faulty_registry import Action, FaultyRegistry, after, reply
from tests.support.signing import Signer

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/v2/team/app/manifests/1.0", "/v2/team/app/manifests/1.0"),
        (f"/v2/app/blobs/{DIGEST}", "/v2/app/blobs/sha256:aaaaaaaaaaaa"),
        (f"/v2/app/blobs/uploads/?mount={DIGEST}&from=other", "/v2/app/blobs/uploads/"),
        ("/v2/app/blobs/uploads/8e0c-secret?_state=s3cret", "/…"),
        ("/v2/app/manifests/1.0?token=s3cret", "/v2/app/manifests/1.0"),
        ("/token?scope=repository:app:pull", "/…"),
        ("/v2/app/manifests/<script>", "/…"),
    ],
)
def test_request_paths_are_shown_without_queries_and_secrets(target: str, expected: str) -> None:
    assert redacted_path(target) == expected


def test_all_requests_are_counted_and_the_last_ones_are_kept() -> None:
    log = ExchangeLog()
    for number in range(MOST_KEPT + 10):
        log.add(Exchange("GET", "registry.example.com", f"/v2/app/manifests/{number}", 200 if number else 0, 0.0123))
    first, *rest = log.lines(each=True)
    assert first == "60 requests by status (no response: 1, 200: 59), the last 50:"
    assert (len(rest), rest[-1]) == (50, "  GET registry.example.com/v2/app/manifests/59 200 12 ms")
    assert log.lines(each=False) == ["60 requests by status (no response: 1, 200: 59)"]


def before(event: threading.Event, action: Action) -> Action:
    """Set the event after the action."""

    def act(handler: Handler) -> bool:
        is_answered = action(handler)
        event.set()
        return is_answered

    return act


def test_admin_and_api_show_the_requests_of_a_failed_attempt(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry, settings: Settings
) -> None:
    settings.JOB_TIMING = {**FAST, "lease": 60.0}  # a lease that expires on a busy machine would cause a second attempt
    load(source)
    opened = threading.Event()
    open_upload = reply(202, Location="/v2/x/blobs/uploads/s3cret?_state=s3cret")
    source.on("GET .*/blobs/", reply(307, Location=f"http://{source.host}/store/s3cret?sig=s3cret"), times=99)
    # A failed copy sends no more requests.
    source.on("GET /store/", after(opened, reply(403)), times=99)
    target.on("POST .*/uploads/", before(opened, open_upload), times=99)
    job = queue_copy(f"{source.host}/app:1.0", target=target.host)
    drain(made)

    client = Client()
    client.force_login(get_user_model().objects.create_superuser("ann"))
    (attempt,) = client.get(f"/api/v1/jobs/{job.pk}/attempts/").json()
    page = client.get(reverse("admin:mirrors_mirrorjob_change", args=[job.pk])).content.decode()
    for text in (attempt["log"], page):
        assert re.search(rf"GET {source.host}/v2/app/manifests/1.0 200 \d+ ms", text)
        assert re.search(rf"GET {source.host}/… 403 \d+ ms", text)
        assert re.search(rf"POST {target.host}/v2/\S+/app/blobs/uploads/ 202 \d+ ms", text)
        assert "s3cret" not in text
    assert re.search(rf"GET {source.host}/v2/app/manifests/sha256:\S+ 200 \d+ ms", attempt["log"])


def test_a_successful_copy_logs_the_number_of_its_requests(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    load(source)
    job = queue_copy(f"{source.host}/app:1.0", target=target.host)
    drain(made)
    assert MirrorJob.objects.get(pk=job.pk).status == "succeeded"
    log = MirrorAttempt.objects.get().log
    assert re.search(r"\d+ requests by status \(200: \d+, 201: \d+", log)


TOTAL = re.compile(r"(\d+) requests? by status")


@pytest.fixture
def guarded() -> FaultyRegistry:
    """A source that issues tokens to all clients."""
    return FaultyRegistry(gatekeeper=Gatekeeper("token", "robot", "pass", anonymous_pull=True))


def test_all_requests_are_counted_including_tokens_and_signatures(
    transactional_db: None, guarded: FaultyRegistry, target: FaultyRegistry, tmp_path: Path
) -> None:
    with guarded, context(config_file(tmp_path, guarded, target)) as made:
        image = load(guarded)
        Signer().tagged(image.root).load(guarded.storage, "app", f"{image.root.replace(':', '-')}.sig")
        job = queue_copy(f"{guarded.host}/app:1.0", target=target.host)
        drain(made)

    assert MirrorJob.objects.get(pk=job.pk).referrers == "copied"
    found = TOTAL.search(MirrorAttempt.objects.get().log)
    assert found and int(found[1]) == len(guarded.requests) + len(target.requests)


def test_the_log_starts_with_the_first_source_request_and_shows_no_token(
    transactional_db: None, guarded: FaultyRegistry, target: FaultyRegistry, tmp_path: Path
) -> None:
    with guarded, context(config_file(tmp_path, guarded, target)) as made:
        load(guarded)
        guarded.on("GET .*/blobs/", reply(403), times=99)
        queue_copy(f"{guarded.host}/app:1.0", target=target.host)
        drain(made)

    log = MirrorAttempt.objects.get().log
    requests = re.findall(r"  (\S+ \S+ \d+) \d+ ms", log)
    assert requests[:3] == [
        f"HEAD {guarded.host}/v2/app/manifests/1.0 401",
        f"GET {guarded.host}/… 200",
        f"HEAD {guarded.host}/v2/app/manifests/1.0 200",
    ]
    assert guarded.gatekeeper is not None
    assert guarded.gatekeeper._tokens and not any(token in log for token in guarded.gatekeeper._tokens)


def test_the_target_requests_of_a_verification_are_logged(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    queue_copy(f"{source.host}/app:1.0", target=target.host, trigger="verify")
    target.on("(HEAD|GET) .*", reply(403), times=99)
    drain(made)
    assert re.search(rf"HEAD {target.host}/v2/\S+/app/manifests/1.0 403", MirrorAttempt.objects.get().log)
