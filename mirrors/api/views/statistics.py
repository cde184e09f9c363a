"""The statistics of the dashboard, and the health of the installation."""

from __future__ import annotations

from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.http import conditional_page
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from mirrors import selectors
from mirrors.api import serializers
from mirrors.api.requests.parameters import KnownParameters
from mirrors.selectors.clusters.clusters import targets_in_use
from mirrors.selectors.jobs.advice import waiting_advice_for
from mirrors.selectors.jobs.retries import waiting_retries
from mirrors.selectors.overview.current_state import running_processes
from mirrors.selectors.overview.statistics import Overview, numbers

OVERDUE = 600.0
"""Seconds for which a due job can wait for a worker before it is a problem: twice the longest usual backlog."""


@method_decorator(conditional_page, name="dispatch")
class StatsView(KnownParameters, APIView):
    """Return the statistics of the last hours."""

    query_parameters = tuple(serializers.RangeSerializer().fields)

    @extend_schema(
        parameters=[
            OpenApiParameter("hours", int, description="1 to 720; default 24."),
            OpenApiParameter(
                "cluster",
                str,
                description="Decisions and processes of one cluster. Jobs and registries are shared: their numbers "
                "cover all clusters.",
            ),
        ],
        responses=serializers.StatsSerializer,
    )
    def get(self, request: Request) -> Response:
        serializer = serializers.RangeSerializer(data=request.query_params)
        serializer.is_valid(raise_exception=True)
        overview = Overview(**serializer.validated_data)
        stats = {**numbers(overview), "series": overview.series()}
        return Response(serializers.StatsSerializer(stats).data)


class HealthView(KnownParameters, APIView):
    """Return whether images are copied and swapped: webhooks and workers run and apply their configuration, no job has
    been queued for too long, and no copy waits because of an error of the target."""

    @extend_schema(responses=serializers.HealthSerializer)
    def get(self, request: Request) -> Response:
        processes = running_processes(timezone.now())
        oldest = max((line.oldest_due_seconds for line in selectors.queue()), default=0.0)
        problems = [
            problem
            for applies, problem in (
                (
                    not processes["workers"],
                    "No worker is running: nothing is copied. Start one, or check its log.",
                ),
                (not processes["webhooks"], "No webhook is running: no pod is swapped. Check its log."),
                (oldest > OVERDUE, "A job has been queued for over ten minutes: add workers, or check their logs."),
            )
            if applies
        ]
        problems += [*processes["configuration_problems"], *_problems_of_targets()]
        health = {**processes, "oldest_due_seconds": oldest, "problems": problems, "is_healthy": not problems}
        return Response(serializers.HealthSerializer(health).data)


def _problems_of_targets() -> list[str]:
    """Describe the copies that failed at a target and wait for their next attempt."""
    targets = targets_in_use()
    return [
        "Copies that wait for their next attempt after an error of the target "
        f"{retry['error_host']}: {retry['jobs']} ({retry['error_class']}). {waiting_advice_for(retry['error_class'])}"
        for retry in waiting_retries()
        if not retry["needs_cluster"] and any(target.covers(retry["error_host"]) for target in targets)
    ]
