"""Signatures in a job: reported separately, shown by admin and API, and checked again when they are due."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client

from mirrors.accounts.models import ApiToken
from mirrors.accounts.roles import Role
from mirrors.demo.images import SampleImage
from mirrors.jobs.context.worker_context import WorkerContext
from mirrors.jobs.timing import from_now
from mirrors.models import ImageMapping, JobStatus, MirrorAttempt, MirrorJob, ReferrersStatus
from tests.jobs.support import config_file, context, drain, load, queue_copy
from tests.support.faulty_registry import FaultyRegistry, reply
from tests.support.signing import IDENTITY, ISSUER, Signer, Verifier

A_DAY = 86_400.0
SIGNATURES = "(HEAD|GET) .*(/referrers/|/manifests/sha256-)"


def signed(source: FaultyRegistry, signer: Signer) -> SampleImage:
    image = load(source)
    tag = f"{image.root.replace(':', '-')}.sig"
    signer.tagged(image.root).load(source.storage, "app", tag)
    return image


def copied(made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry) -> MirrorJob:
    job = queue_copy(f"{source.host}/app:1.0", target=target.host)
    drain(made)
    return MirrorJob.objects.select_related("mapping").get(pk=job.pk)


def test_a_signed_image_verifies_at_the_mirror_and_is_shown_as_signed(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry, client: Client
) -> None:
    signer = Signer(IDENTITY)
    image = signed(source, signer)

    job = copied(made, source, target)

    assert Verifier(target.host, f"{source.host.replace(':', '_')}/app").tagged(image.root, signer)
    assert (job.status, job.referrers, job.referrers_error) == (JobStatus.SUCCEEDED, ReferrersStatus.COPIED, "")
    assert (job.mapping.signed, job.mapping.signers) == (True, [f"{IDENTITY} ({ISSUER})"])
    user = User.objects.create_superuser("root")
    client.force_login(user)
    page = client.get(f"/admin/mirrors/imagemapping/{job.mapping_id}/change/").content.decode()
    assert f"Signed, by {IDENTITY} ({ISSUER}) according to its certificate (not verified)" in page
    _, token = ApiToken.issue(user=user, name="test", role=Role.ADMIN)
    reported = Client(headers={"Authorization": f"Token {token}"})
    mapping = reported.get(f"/api/v1/mappings/{job.mapping_id}/").json()
    assert (mapping["signed"], mapping["signers"]) == (True, [f"{IDENTITY} ({ISSUER})"])
    assert reported.get(f"/api/v1/jobs/{job.pk}/").json()["referrers"] == "copied"


def test_an_unsigned_image_is_shown_as_not_signed(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry, admin_client: Client
) -> None:
    load(source)

    job = copied(made, source, target)

    assert (job.referrers, job.mapping.signed) == (ReferrersStatus.NONE, False)
    assert "Not signed" in admin_client.get(f"/admin/mirrors/imagemapping/{job.mapping_id}/change/").content.decode()


def test_a_failed_signature_copy_is_reported_and_the_job_succeeds(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry, admin_client: Client
) -> None:
    signed(source, Signer())
    source.on(SIGNATURES, reply(403), times=99)

    job = copied(made, source, target)

    assert (job.status, job.error_message) == (JobStatus.SUCCEEDED, "")
    assert (job.referrers, job.mapping.signed) == (ReferrersStatus.FAILED, None)
    assert "responded with 403" in job.referrers_error == job.mapping.referrers_error
    assert "could not be copied" in MirrorAttempt.objects.get(job=job).log
    for page in (f"imagemapping/{job.mapping_id}", f"mirrorjob/{job.pk}"):
        shown = admin_client.get(f"/admin/mirrors/{page}/change/").content.decode()
        assert "but not all of its signatures and other referrers" in shown
        assert "responded with 403" in shown


def test_a_failed_signature_copy_is_retried_by_the_next_job(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    signed(source, Signer())
    source.on(SIGNATURES, reply(403), times=99)
    copied(made, source, target)
    source.heal()

    again = copied(made, source, target)

    assert (again.referrers, again.mapping.signed) == (ReferrersStatus.COPIED, True)
    assert again.mapping.referrers_error == ""


def test_signatures_of_an_unchanged_image_are_checked_after_the_refresh_age(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    load(source)
    first = copied(made, source, target)
    source.requests.clear()

    fresh = copied(made, source, target)
    assert (fresh.referrers, source.count(SIGNATURES)) == (ReferrersStatus.NOT_CHECKED, 0)

    signed(source, Signer())
    ImageMapping.objects.filter(pk=first.mapping_id).update(referrers_checked_at=from_now(-A_DAY - 1))
    late = copied(made, source, target)
    assert (late.referrers, late.mapping.signed) == (ReferrersStatus.COPIED, True)
    assert source.count(SIGNATURES) > 0


def test_signature_data_of_a_replaced_image_is_not_kept(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    signed(source, Signer(IDENTITY))
    copied(made, source, target)
    load(source, seed=2)

    job = copied(made, source, target)

    assert (job.mapping.signed, job.mapping.signers) == (False, [])


@pytest.mark.django_db(transaction=True)
def test_referrers_none_checks_no_signatures(source: FaultyRegistry, target: FaultyRegistry, tmp_path: Path) -> None:
    signed(source, Signer())
    with context(config_file(tmp_path, source, target, referrers="none")) as made:
        job = copied(made, source, target)
        source.requests.clear()
        target.requests.clear()
        copied(made, source, target)

    assert (job.referrers, job.mapping.signed) == (ReferrersStatus.NOT_CHECKED, None)
    assert not target.storage.tags.keys() & {(n, t) for n, t in target.storage.tags if t.startswith("sha256-")}
    assert not source.count(SIGNATURES)


@pytest.mark.django_db(transaction=True)
def test_referrers_none_clears_the_signature_data_of_a_replaced_image(
    source: FaultyRegistry, target: FaultyRegistry, tmp_path: Path
) -> None:
    signed(source, Signer(IDENTITY))
    with context(config_file(tmp_path, source, target)) as made:
        copied(made, source, target)
    with context(config_file(tmp_path, source, target, referrers="none")) as made:
        assert copied(made, source, target).mapping.signed
        load(source, seed=2)
        job = copied(made, source, target)

    assert (job.mapping.signed, job.mapping.signers, job.mapping.referrers_checked_at) == (None, [], None)
