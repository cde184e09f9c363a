"""Probes of the web role. The webhook has its own probes, which never query the database."""

from __future__ import annotations

from collections.abc import Callable

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from swapper_project.process import outage_log


class ProbeMiddleware:
    """Responds to probes before host checks and redirects: the kubelet uses the address of the pod."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        probe = PROBES.get(request.path)
        return probe(request) if probe else self._get_response(request)


def livez(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain")


def readyz(request: HttpRequest) -> HttpResponse:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        outage_log.warn("The database cannot be used", error)
        return HttpResponse("database unavailable\n", status=503, content_type="text/plain")
    outage_log.record_success()
    return HttpResponse("ok\n", content_type="text/plain")


def metrics(request: HttpRequest) -> HttpResponse:
    from mirrors.readiness.collector import ReadinessCollector
    from mirrors.selectors.overview.queue_metrics import QueueCollector
    from swapper_project.process.monitoring.metrics import page

    return page("web", QueueCollector(), ReadinessCollector())


PROBES: dict[str, Callable[[HttpRequest], HttpResponse]] = {"/livez": livez, "/readyz": readyz, "/metrics": metrics}
