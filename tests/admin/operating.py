"""Helpers for tests of operators' actions: images with jobs, and an action with its confirmation."""

from __future__ import annotations

from django.test import Client

from mirrors.models import (
    ErrorClass,
    JobStatus,
    MirrorJob,
)
from mirrors.services import request_image

MAPPINGS = "/admin/mirrors/imagemapping/"


JOBS = "/admin/mirrors/mirrorjob/"


def ordered(image: str) -> MirrorJob:
    return request_image(image=image, requested_by="somebody")[0]


def failed(image: str, error: ErrorClass = ErrorClass.UNAUTHORIZED, host: str = "quay.io") -> MirrorJob:
    job = ordered(image)
    MirrorJob.objects.filter(pk=job.pk).update(
        status=JobStatus.FAILED, error_class=error, error_message="it was refused", error_host=host
    )
    return job


def chosen(client: Client, url: str, action: str, *keys: int) -> tuple[str, str]:
    """Run an action. Return the text of the confirmation page and the messages after the action."""
    form = {"action": action, "_selected_action": [str(key) for key in keys]}
    before = client.post(url, form).content.decode()
    after = client.post(url, {**form, "confirmed": ",".join(map(str, keys))}, follow=True)
    return before, " ".join(str(message) for message in after.context["messages"])
