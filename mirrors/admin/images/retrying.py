"""The page that retries all images whose last job failed with one error type."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse

from mirrors import services
from mirrors.admin.tools import links
from mirrors.admin.tools.bulk_actions import NAMED_ROWS, ActionResult, requested_jobs_result, show_result
from mirrors.models import ErrorClass, JobStatus
from mirrors.selectors.jobs.advice import advice_for

MOST_COUNTED = 1_000
"""The maximum number of jobs that the page counts exactly. Counting more would make it slow."""

TIME_RANGE_PARAMETERS = [f"finished_at_{end}_{part}" for end in ("from", "to") for part in (0, 1)]
"""Parameters of the time range, which links of the dashboard have. They are ignored, because the page retries the last
failures of any time."""


def retry_failed_view(request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> HttpResponse:
    """Ask for confirmation with the number of failed jobs of an ``error_class`` and optionally an ``error_host``, or
    retry them if the request is a POST."""
    parameters = request.POST if request.method == "POST" else request.GET
    error_class, host = parameters.get("error_class", ""), parameters.get("error_host", "")
    if error_class not in ErrorClass.values or not error_class:
        show_result(request, ActionResult("", ["Select an error type first: filter the list of failed jobs by error."]))
        return HttpResponseRedirect(links.jobs(status__exact="failed"))
    if request.method == "POST":
        result = services.retry_failed(
            error_class=error_class, error_host=host, requested_by=request.user.get_username()
        )
        show_result(request, requested_jobs_result(result, "queued again."))
        return HttpResponseRedirect(links.jobs(trigger__exact="retry"))
    last = services.failed_last(error_class=error_class, error_host=host)
    jobs = list(last.select_related("mapping").order_by("-id")[: MOST_COUNTED + 1])
    context = {
        **model_admin.admin_site.each_context(request),
        "title": f"Retry all failures with error: {ErrorClass(error_class).label}",
        "opts": model_admin.opts,
        "error_class": error_class,
        "error_host": host,
        "advice": advice_for(error_class),
        "shown": jobs[:NAMED_ROWS],
        "count": f"more than {MOST_COUNTED:,}" if len(jobs) > MOST_COUNTED else f"{len(jobs):,}",
        "is_none": not jobs,
        "back": links.jobs(status__exact="failed", error_class__exact=error_class),
    }
    return TemplateResponse(request, "admin/mirrors/retry_failed.html", context)


def retry_all_query(query: QueryDict) -> str:
    """Return the query of the page that retries all failures; empty unless the list is filtered only by error type and
    at most one registry. With other filters, the list and the page would have different rows."""
    filters = {
        name: value for name, value in query.items() if value and name not in ("p", "o", "last", *TIME_RANGE_PARAMETERS)
    }
    status, error = filters.pop("status__exact", ""), filters.pop("error_class__exact", "")
    host = filters.pop("error_host", "") or filters.pop("error_host__exact", "")
    # The page accepts only one name of a registry.
    if status != JobStatus.FAILED or not error or filters or "," in host:
        return ""
    return urlencode({"error_class": error} | ({"error_host": host} if host else {}))
