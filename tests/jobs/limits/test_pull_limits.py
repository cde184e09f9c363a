"""Pull limits like Docker Hub's: recorded for each account, with the last pulls reserved for copies that pods wait
for."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from mirrors.demo.gatekeeper import Gatekeeper
from mirrors.demo.handler import Handler
from mirrors.jobs.context.worker_context import WorkerContext
from mirrors.jobs.limits import pull_limits
from mirrors.jobs.limits.pull_limits import PullLimits
from mirrors.jobs.queue.claim_order import claimable
from mirrors.jobs.timing import from_now
from mirrors.models import HostBudget, ImageMapping, JobStatus, MirrorJob, Priority
from mirrors.oci.distribution.headers import PullLimit
from tests.jobs.support import config_file, context, drain, load, queue_copy
from tests.support.faulty_registry import FaultyRegistry

HUB = "docker.io"


class PullCounter:
    """Send Docker Hub's headers with each manifest. A GET counts as a pull, a HEAD does not."""

    def __init__(self, limit: int, remaining: int, keeper: Gatekeeper | None = None) -> None:
        self.limit, self.remaining, self.keeper = limit, remaining, keeper
        self.lock = threading.Lock()

    def __call__(self, handler: Handler) -> bool:
        if self.keeper and not self.keeper.is_allowed(handler.headers.get("Authorization", ""), "repository:app:pull"):
            return False
        found = handler.registry.storage.manifest(handler.repository, handler.rest)
        if found is None:
            return False
        digest, media_type, body = found
        with self.lock:
            self.remaining -= handler.command == "GET"
        headers: dict[str, Any] = {"Content_Type": media_type, "Docker_Content_Digest": digest}
        reported = {"ratelimit_limit": f"{self.limit};w=21600", "ratelimit_remaining": f"{self.remaining};w=21600"}
        handler.respond(200, body, **headers, **reported)
        return True


def status_of(job: MirrorJob) -> tuple[str, int]:
    job.refresh_from_db()
    return job.status, job.attempts


def test_the_remaining_pulls_that_the_registry_reports_are_recorded(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    hub = PullCounter(100, 80)
    source.on("(HEAD|GET) .*/manifests/", hub, times=1_000)
    load(source, platforms=("linux/amd64", "linux/arm64"))
    job = queue_copy(f"{source.host}/app:1.0", target=target.host)
    drain(made)
    drain(made)
    assert status_of(job)[0] == JobStatus.SUCCEEDED
    row = HostBudget.objects.get(host=source.host, operation="pulls")
    assert (row.credential, row.remaining, row.pull_limit) == ("", 77, 100), "the index and each platform are a pull"


def test_an_image_already_at_the_target_uses_no_pull(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    hub = PullCounter(100, 80)
    source.on("(HEAD|GET) .*/manifests/", hub, times=1_000)
    load(source)
    queue_copy(f"{source.host}/app:1.0", target=target.host)
    drain(made)
    remaining = hub.remaining
    ImageMapping.objects.all().delete()

    queue_copy(f"{source.host}/app:1.0", target=target.host)
    drain(made)
    assert MirrorJob.objects.get().status == JobStatus.SUCCEEDED
    assert hub.remaining == remaining


def test_the_last_pulls_are_reserved_for_copies_that_pods_wait_for(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = PullCounter(100, 29)
    source.on("(HEAD|GET) .*/manifests/", hub, times=1_000)
    for tag in ("1", "2", "3"):
        load(source, tag=tag, seed=int(tag))
    background = queue_copy(f"{source.host}/app:1", target=target.host, priority=Priority.DELAYED)
    drain(made)
    assert status_of(background) == (JobStatus.PENDING, 0), "waiting costs no attempt"
    assert hub.remaining == 29, "to find out costs no pull"
    MirrorJob.objects.update(available_at=from_now(-1))
    waits = queue_copy(f"{source.host}/app:2", target=target.host, priority=Priority.IMMEDIATE)
    assert set(claimable().values_list("pk", flat=True)) == {waits.pk}
    drain(made)
    assert status_of(waits)[0] == JobStatus.SUCCEEDED
    assert status_of(background)[0] == JobStatus.PENDING

    hub.remaining = 60
    monkeypatch.setattr(pull_limits, "OVERTAKING_SECONDS", 0.0)
    later = queue_copy(f"{source.host}/app:3", target=target.host, priority=Priority.IMMEDIATE)
    drain(made)
    drain(made)
    assert (status_of(later)[0], status_of(background)[0]) == (JobStatus.SUCCEEDED, JobStatus.SUCCEEDED)


def test_the_reserve_for_authenticated_pulls_is_configurable(
    transactional_db: None, target: FaultyRegistry, tmp_path: Path
) -> None:
    keeper = Gatekeeper("token", "ann", "secret-password")
    (tmp_path / "password").write_text("secret-password")
    entry = {"username": "ann", "passwordFile": str(tmp_path / "password"), "namespaces": ["*"]}
    with FaultyRegistry(gatekeeper=keeper) as source:
        source.on("(HEAD|GET) .*/manifests/", PullCounter(200, 19, keeper), times=1_000)
        load(source)
        job = queue_copy(f"{source.host}/app:1.0", target=target.host)
        with context(config_file(tmp_path, source, target, entry=entry)) as made:
            drain(made)
            assert status_of(job) == (JobStatus.PENDING, 0), "ten percent are reserved"
        HostBudget.objects.update(held_until=None)
        MirrorJob.objects.update(available_at=from_now(-1))
        path = config_file(tmp_path, source, target, entry=entry, pullReserve={"authenticated": 5})
        with context(path) as made:
            drain(made)
            drain(made)
    assert status_of(job)[0] == JobStatus.SUCCEEDED, job.error_message
    assert HostBudget.objects.get(credential="ann", operation="pulls").pull_limit == 200


def test_a_new_account_replaces_the_account_silent_for_the_longest_time() -> None:
    limits = PullLimits(reserve=lambda authenticated: 30)
    limits.record("first.example.com", PullLimit(1, 100))
    limits.record_read("first.example.com")
    for number in range(pull_limits.MOST_HOSTS_HELD + 20):
        limits.record("active.example.com", PullLimit(1, 100))
        limits.record(f"host-{number}.example.com", PullLimit(1, 100))

    assert limits.is_low(f"host-{pull_limits.MOST_HOSTS_HELD + 19}.example.com")
    assert limits.is_low("active.example.com"), "the account that was silent longest is dropped"
    assert not limits.is_low("first.example.com")
    assert not limits.is_uncounted("first.example.com"), "it counted pulls, and is not known any more"


@pytest.mark.django_db
def test_each_account_has_a_row_that_hides_usernames_of_pull_secrets() -> None:
    heard = PullLimits(username_of=lambda host: "mirror-user", reserve=lambda authenticated: 10)
    heard.record(HUB, PullLimit(10, 100))
    heard.record(HUB, PullLimit(5, 200), "mirror-user")
    heard.record(HUB, PullLimit(190, 200), "somebody-else")
    heard.write()
    rows = {row.credential: row for row in HostBudget.objects.all()}
    hashed = next(name for name in rows if name.startswith("pull secret "))
    assert {(name, row.remaining) for name, row in rows.items()} == {("", 10), ("mirror-user", 5), (hashed, 190)}
    assert "somebody" not in hashed
    assert {name for name, row in rows.items() if row.held_until} == {"mirror-user"}, "copies are read with these"

    heard = PullLimits(username_of=lambda host: "mirror-user", reserve=lambda authenticated: 10)
    heard.record(HUB, PullLimit(150, 200), "mirror-user")
    heard.record(HUB, PullLimit(151, 200), "mirror-user")
    heard.write()
    assert HostBudget.objects.get(credential="mirror-user").remaining == 150, "replies may overtake each other"
    assert not HostBudget.objects.limited_for_low_priority().exists(), "new pulls end the waiting"
