"""The page that orders anew whatever failed last with one error."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from mirrors import services
from mirrors.admin.acts import SHOWN, Done, ordered, tell
from mirrors.advice import advice_for
from mirrors.models import ErrorClass

COUNTED = 1_000


def retry_failed_view(request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> HttpResponse:
    """Asks first, with how many there are; ``error_class`` and perhaps ``error_host`` say which."""
    given = request.POST if request.method == "POST" else request.GET
    error_class, host = given.get("error_class", ""), given.get("error_host", "")
    if error_class not in ErrorClass.values or not error_class:
        tell(request, Done("", ["Say which error: open the list of failed jobs of one reason first."]))
        return HttpResponseRedirect(_failed_jobs())
    if request.method == "POST":
        acted = services.retry_failed(
            error_class=error_class, error_host=host, requested_by=request.user.get_username()
        )
        tell(request, ordered(acted, "ordered anew."))
        return HttpResponseRedirect(f"{reverse('admin:mirrors_mirrorjob_changelist')}?trigger__exact=retry")
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
        "back": _failed_jobs(error_class__exact=error_class),
    }
    return TemplateResponse(request, "admin/mirrors/retry_failed.html", context)


def _failed_jobs(**query: str) -> str:
    return f"{reverse('admin:mirrors_mirrorjob_changelist')}?{urlencode({'status__exact': 'failed', **query})}"
