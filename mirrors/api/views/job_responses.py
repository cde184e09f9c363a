"""The responses of actions that result in a job."""

from __future__ import annotations

from rest_framework import status
from rest_framework.response import Response

from mirrors import services
from mirrors.api import serializers
from mirrors.models import MirrorJob


def job_response_of(result: services.BulkResult) -> Response:
    """Return the job that results from an action, with the status 201 if the action created it. Raise
    ActionRefusedError if there is no job."""
    if not result.jobs:
        raise services.ActionRefusedError(result.refusals[0] if result.refusals else "The job cannot be queued now.")
    return job_response(result.jobs[0], is_new=result.jobs[0].id in result.created_ids)


def job_response(job: MirrorJob, *, is_new: bool) -> Response:
    """Return a response with the job, with the status 201 if the job is new, otherwise 200."""
    code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
    return Response(serializers.JobSerializer(job).data, status=code)
