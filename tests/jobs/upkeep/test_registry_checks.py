"""Connection tests of registries: the result of each step, and what an operator reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from mirrors import services
from mirrors.demo.gatekeeper import Gatekeeper
from mirrors.jobs.context.worker_context import WorkerContext
from mirrors.jobs.process.reconcile import reconcile
from mirrors.jobs.timing import from_now
from mirrors.models import CheckStatus, HostBudget, OperatorAction, Registry, RegistryCheck, RegistryRole
from tests.jobs.support import config_file, context, drain, load, queue_copy, target_row
from tests.support.faulty_registry import FaultyRegistry, reply

pytestmark = pytest.mark.django_db(transaction=True)


def check(made: WorkerContext, registry: Registry) -> RegistryCheck:
    """Request a connection test, and run it in a worker."""
    requested, is_new = services.request_check(registry=registry, requested_by="olga")
    assert is_new
    drain(made)
    requested.refresh_from_db()
    assert requested.finished_at is not None
    return requested


def steps(done: RegistryCheck) -> dict[str, str]:
    return {step["name"]: step["status"] for step in done.steps}


def test_a_working_target_passes_each_step_and_keeps_no_upload(made: WorkerContext, target: FaultyRegistry) -> None:
    done = check(made, target_row(target.host))

    assert done.status == CheckStatus.PASSED
    assert list(steps(done)) == ["Credentials", "Name", "Connection", "Authentication", "Permission", "Round trip"]
    assert set(steps(done).values()) == {"ok"}
    assert target.count("POST .*/k8s-image-swapper-test/blobs/uploads/") == target.count("DELETE .*/uploads/") == 1
    assert OperatorAction.objects.get().action == "test"


def test_a_source_is_tested_by_reading_an_image_copied_from_it(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    row = Registry.objects.create(name="source", endpoint=source.host, insecure=True)
    first = check(made, row)
    assert (first.status, steps(first)["Permission"]) == (CheckStatus.PASSED, "skipped")
    load(source)
    queue_copy(f"{source.host}/app:1.0", target=target.host)
    drain(made)

    done = check(made, row)

    assert steps(done)["Permission"] == "ok"
    assert "can read app" in str(done.steps)


@pytest.mark.parametrize(
    ("fault", "failed", "words"),
    [
        ("password", "Authentication", "rejected the credentials"),
        ("gone", "Connection", "could not connect"),
        ("secret", "Credentials", "is not set or empty"),
        ("metadata", "Name", "is not allowed for a registry"),
        ("denied", "Permission", "configure credentials for this registry"),
        ("other target", "Credentials", "not the active target"),
    ],
)
def test_a_failed_step_is_reported_with_its_cause(
    fault: str,
    failed: str,
    words: str,
    made: WorkerContext,
    target: FaultyRegistry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SWAPPER_CRED_WRONG", "a-wrong-password")
    with FaultyRegistry(gatekeeper=Gatekeeper("basic", "mirror", "right")) as guarded:
        fields = {"insecure": True, "username": "mirror", "credential_ref": "env:SWAPPER_CRED_WRONG"}
        match fault:
            case "password":
                row = Registry.objects.create(endpoint=guarded.host, **fields)
            case "gone":
                row = Registry.objects.create(endpoint="127.0.0.1:9", insecure=True)
            case "secret":
                fields["credential_ref"] = "env:SWAPPER_CRED_MISSING"
                row = Registry.objects.create(endpoint=guarded.host, **fields)
            case "metadata":
                row = Registry.objects.create(endpoint="169.254.169.254", insecure=True)
            case "denied":
                target.on("POST .*/blobs/uploads/", reply(403))
                row = target_row(target.host)
            case _:
                row = Registry.objects.create(role=RegistryRole.TARGET, endpoint="other.example.com")
        done = check(made, row)

    assert done.status == CheckStatus.FAILED
    assert done.steps[-1]["name"] == failed and done.steps[-1]["status"] == "failed"
    assert words in done.steps[-1]["words"]
    assert "a-wrong-password" not in str(done.steps)


def test_a_request_during_an_unfinished_test_returns_that_test(made: WorkerContext, target: FaultyRegistry) -> None:
    row = target_row(target.host)
    first, _ = services.request_check(registry=row, requested_by="olga")
    second, is_new = services.request_check(registry=row, requested_by="otto")
    assert (second.pk, is_new) == (first.pk, False)


def test_a_test_whose_worker_has_stopped_fails(target: FaultyRegistry, made: WorkerContext) -> None:
    row = target_row(target.host)
    lost = RegistryCheck.objects.create(registry=row, status=CheckStatus.RUNNING, started_at=from_now(-400))
    reconcile()
    lost.refresh_from_db()
    assert lost.status == CheckStatus.FAILED and "test again" in lost.steps[0]["words"]


def test_the_remaining_pulls_reported_by_a_registry_are_saved(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    source.on(
        "HEAD .*/manifests/", reply(429, b"", **{"RateLimit-Remaining": "76;w=21600", "Retry-After": "1"}), times=1
    )
    load(source)
    queue_copy(f"{source.host}/app:1.0", target=target.host)
    drain(made)
    drain(made)
    assert HostBudget.objects.get(host=source.host, operation="pulls").remaining == 76


def test_a_worker_uses_the_credentials_of_the_configuration_file(
    source: FaultyRegistry, target: FaultyRegistry, tmp_path: Path
) -> None:
    """The file's entry has a password in the credentials directory, which is missing."""
    entry = {"username": "mirror", "passwordFile": str(tmp_path / "password")}
    with context(config_file(tmp_path, source, target, entry=entry)) as made:
        row = Registry.objects.create(endpoint=source.host, managed_by="config", insecure=True)
        done = check(made, row)
        assert "can't be read" in done.steps[-1]["words"]
        (tmp_path / "password").write_text("right")
        assert steps(check(made, row))["Credentials"] == "ok"
