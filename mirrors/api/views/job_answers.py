"""How actions that result in a job answer."""

from __future__ import annotations

from rest_framework import status
from rest_framework.response import Response

from mirrors import services
from mirrors.api import serializers
from mirrors.models import MirrorJob


def answer_of(acted: services.BulkResult) -> Response:
    """The resulting job of an action; 201 if it is new."""
    if not acted.jobs:
        raise services.ActionRefusedError(acted.refusals[0] if acted.refusals else "The job cannot be queued now.")
    return answer(acted.jobs[0], is_new=acted.jobs[0].id in acted.made)


def answer(job: MirrorJob, *, is_new: bool) -> Response:
    """201 if the job is new."""
    code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
    return Response(serializers.JobSerializer(job).data, status=code)
