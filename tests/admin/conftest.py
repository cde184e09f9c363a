"""An operator who is signed in, a target, and an installation with much activity."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone

from mirrors.models import DecisionCount, HostBudget, JobStatus, MirrorJob, Registry, RegistryRole
from mirrors.services import request_image


@pytest.fixture
def operator(client: Client) -> Client:
    user = User.objects.create_user("otto", password="x", is_staff=True)
    user.groups.add(Group.objects.get(name="operator"))
    client.force_login(user)
    return client


@pytest.fixture
def target(db: None) -> Registry:
    return Registry.objects.create(role=RegistryRole.TARGET, endpoint="mirror.example.com", managed_by="config")


@pytest.fixture
def busy() -> Iterator[None]:
    """Jobs in all states, of the last day and before; decisions; and a paused host."""
    Registry.objects.create(role=RegistryRole.TARGET, endpoint="mirror.example.com", managed_by="config")
    now = timezone.now()
    ends = [("succeeded", "")] * 4 + [("failed", "denied")] * 2 + [("failed", "tls")] + [("pending", "")] * 3
    for number, (status, error) in enumerate(ends):
        job, _ = request_image(image=f"team/app-{number}:1", requested_by="x")
        result = None if status == "pending" else now - timedelta(hours=number)
        MirrorJob.objects.filter(pk=job.pk).update(status=status, error_class=error, finished_at=result)
    old, _ = request_image(image="team/old:1", requested_by="x")
    MirrorJob.objects.filter(pk=old.pk).update(status=JobStatus.FAILED, finished_at=now - timedelta(hours=30))
    hour = now.replace(minute=0, second=0, microsecond=0)
    for decision, reason, images in (("swap", "present", 6), ("keep", "absent", 2), ("keep", "filtered", 90)):
        DecisionCount.objects.create(
            hour=hour, namespace="a", source_host="b", decision=decision, reason=reason, images=images
        )
    HostBudget.objects.create(host="docker.io", resting_until=now + timedelta(minutes=5))
    yield
