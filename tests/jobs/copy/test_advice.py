"""One next step for each error: the one in its message, or else the one of its error type."""

from __future__ import annotations

import itertools

import pytest
import urllib3

from mirrors.images import ImageRef
from mirrors.jobs.copy.attempt_log import Attempt
from mirrors.jobs.copy.failures import JobRefusedError, classify_failure
from mirrors.jobs.copy.unreadable_sources import refusal
from mirrors.jobs.queue import leases
from mirrors.kubernetes.api_server.api_client import ClusterError
from mirrors.models import ErrorClass, JobStatus, MirrorJob
from mirrors.oci import RegistryError
from mirrors.oci.common.errors import error_from_reply
from mirrors.oci.http.network_errors import translate
from mirrors.registries.credentials import CredentialError, Reference
from mirrors.registries.sources import SourceEntry
from mirrors.selectors.jobs.advice import ERROR_ADVICE, advice_for, next_step
from tests.jobs.support import queue_copy, take

SOURCE = ImageRef.parse("registry.example.com/team/app:1")
ENTRIES = (
    None,
    SourceEntry("registry.example.com", origin="the registry ours in the admin"),
    SourceEntry("registry.example.com", reference=Reference("robot", file="x"), origin="source.registries[3]"),
)


@pytest.mark.parametrize("entry", ENTRIES)
def test_each_access_error_includes_the_next_step_and_its_location(entry: SourceEntry | None) -> None:
    for may_serve, asks, refused in itertools.product((True, False), (True, False), ("", "401")):
        error = refusal(
            SOURCE,
            ["shop"],
            grants={},
            problems=[],
            entry=entry,
            may_serve=may_serve,
            asks_for_credentials=asks,
            credentials_refused=refused,
        )
        assert classify_failure(error).says_step
        assert SOURCE.registry in str(error)
        if entry is not None:
            assert entry.origin in str(error)
        if asks is False:
            assert "is not public" not in str(error), "nobody said so"


def failed_with(error: Exception) -> MirrorJob:
    """Return a job that failed permanently with this error, as operators see it."""
    job = queue_copy("quay.io/team/app:1")
    held = take()
    assert leases.fail(held, Attempt(held).report(classify_failure(error)))
    job.refresh_from_db()
    return job


WITH_A_STEP: list[Exception] = [
    error_from_reply(401, b"", host="quay.io", action="looking for it", credentials_sent=True),
    error_from_reply(403, b"", host="quay.io", action="looking for it", credentials_sent=False),
    error_from_reply(413, b"", host="quay.io", action="pushing it", credentials_sent=True),
    error_from_reply(429, b"", host="quay.io", action="looking for it", credentials_sent=False),
    translate(urllib3.exceptions.SSLError("handshake failure"), "quay.io"),
    JobRefusedError(ErrorClass.INVALID, "quay.io/a:1 is paused: resume its mapping, then retry this job."),
    CredentialError("no password is configured for user 'x'; set passwordFile or passwordEnv", says_step=True),
    ClusterError("no permission to read Secret a/b: allow the service account to get secrets", says_step=True),
]
WITHOUT_ONE: list[Exception] = [
    error_from_reply(404, b"", host="quay.io", action="looking for it", credentials_sent=False),
    error_from_reply(500, b"", host="quay.io", action="looking for it", credentials_sent=True),
    translate(TimeoutError(), "quay.io"),
    translate(OSError("reset"), "quay.io"),
    RegistryError("unavailable", "the connection to quay.io was lost: add and check are only words", host="quay.io"),
    CredentialError("password file x is empty"),
    ClusterError("Secret a/b does not exist", is_missing=True),
    ValueError("what nobody foresaw"),
]


@pytest.mark.django_db
@pytest.mark.parametrize("error", WITH_A_STEP, ids=str)
def test_an_error_that_includes_its_next_step_gets_no_other_advice(error: Exception) -> None:
    job = failed_with(error)

    assert job.error_message == str(error)
    assert next_step(job) == ""


@pytest.mark.django_db
@pytest.mark.parametrize("error", WITHOUT_ONE, ids=str)
def test_an_error_without_a_next_step_gets_the_advice_of_its_class(error: Exception) -> None:
    job = failed_with(error)

    assert job.error_class
    assert next_step(job) == ERROR_ADVICE[job.error_class]


@pytest.mark.django_db
def test_advice_is_based_on_the_last_attempt() -> None:
    job = queue_copy("quay.io/team/app:1")
    for error in (WITH_A_STEP[0], WITHOUT_ONE[0]):
        held = take()
        leases.reschedule(held, Attempt(held).report(classify_failure(error)), delay=0)
        job.refresh_from_db()
        assert next_step(job) == ("" if error is WITH_A_STEP[0] else ERROR_ADVICE[ErrorClass.NOT_FOUND])


@pytest.mark.django_db
def test_advice_for_a_pending_job_does_not_suggest_a_retry() -> None:
    job = queue_copy("quay.io/team/app:1")
    for error_class in ERROR_ADVICE:
        job.error_class = error_class
        assert "retry" not in next_step(job), error_class
    job.error_class, job.status = ErrorClass.RATE_LIMITED, JobStatus.FAILED
    assert next_step(job) == ERROR_ADVICE[ErrorClass.RATE_LIMITED]


def test_each_error_class_has_advice() -> None:
    assert {name for name in ErrorClass.values if name} == set(ERROR_ADVICE)
    assert advice_for("") == ""
