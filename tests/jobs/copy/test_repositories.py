"""Repositories of an OCI target are listed after an image was copied to them."""

from __future__ import annotations

import pytest

from mirrors.jobs.context.worker_context import WorkerContext
from mirrors.models import JobStatus, MirrorJob, TargetRepository
from tests.jobs.support import drain, load, queue_copy
from tests.support.faulty_registry import FaultyRegistry

pytestmark = pytest.mark.django_db(transaction=True)


def test_repositories_of_an_oci_target_are_listed(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    for name in ("team/app", "team/other"):
        load(source, name)
        load(source, name, tag="2.0", seed=7)
    images = ("team/app:1.0", "team/app:2.0", "team/other:1.0", "team/none:1.0")
    for image in images:
        queue_copy(f"{source.host}/{image}", target=target.host)

    drain(made)

    done = MirrorJob.objects.filter(status=JobStatus.SUCCEEDED)
    assert done.count() == 3
    rows = TargetRepository.objects.order_by("name")
    host = source.host.replace(":", "_")
    assert [row.name for row in rows] == [f"{host}/team/app", f"{host}/team/other"]
    assert not any(row.has_differences or row.pulls_through or row.problem for row in rows)
