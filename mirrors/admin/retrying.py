"""The page that orders anew whatever failed last with one error, and the lists that lead to it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse

from mirrors import services
from mirrors.admin import links
from mirrors.admin.acts import SHOWN, Done, ordered, tell
from mirrors.models import ErrorClass, JobStatus
from mirrors.selectors.advice import advice_for

COUNTED = 1_000

ENDED = [f"finished_at_{end}_{part}" for end in ("from", "to") for part in (0, 1)]
"""A number of the dashboard names its time; what failed last is retried whenever that was."""


def retry_failed_view(request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> HttpResponse:
    """Asks first, with how many there are; ``error_class`` and perhaps ``error_host`` say which."""
    given = request.POST if request.method == "POST" else request.GET
    error_class, host = given.get("error_class", ""), given.get("error_host", "")
    if error_class not in ErrorClass.values or not error_class:
        tell(request, Done("", ["Say which error: open the list of failed jobs of one reason first."]))
        return HttpResponseRedirect(links.jobs(status__exact="failed"))
    if request.method == "POST":
        acted = services.retry_failed(
            error_class=error_class, error_host=host, requested_by=request.user.get_username()
        )
        tell(request, ordered(acted, "ordered anew."))
        return HttpResponseRedirect(links.jobs(trigger__exact="retry"))
    last = services.failed_last(error_class=error_class, error_host=host)
    jobs = list(last.select_related("mapping").order_by("-id")[: COUNTED + 1])
    context = {
        **model_admin.admin_site.each_context(request),
        "title": f"Retry all that failed last with: {ErrorClass(error_class).label}",
        "opts": model_admin.opts,
        "error_class": error_class,
        "error_host": host,
        "advice": advice_for(error_class),
        "shown": jobs[:SHOWN],
        "count": f"more than {COUNTED}" if len(jobs) > COUNTED else str(len(jobs)),
        "is_none": not jobs,
        "back": links.jobs(status__exact="failed", error_class__exact=error_class),
    }
    return TemplateResponse(request, "admin/mirrors/retry_failed.html", context)


def retry_all_query(asked: QueryDict) -> str:
    """The query of the page that retries all of an error, where a list is narrowed to that, and to one registry at
    most: by anything else it would have other rows than the page."""
    narrowed = {name: value for name, value in asked.items() if value and name not in ("p", "o", *ENDED)}
    status, error = narrowed.pop("status__exact", ""), narrowed.pop("error_class__exact", "")
    host = narrowed.pop("error_host", "") or narrowed.pop("error_host__exact", "")
    # Several names of a registry are more than the page takes.
    if status != JobStatus.FAILED or not error or narrowed or "," in host:
        return ""
    return urlencode({"error_class": error} | ({"error_host": host} if host else {}))
