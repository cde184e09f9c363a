"""URLs of the web role; its probes are answered by a middleware."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.views import defaults
from django.views.generic import RedirectView

from mirrors.admin import dashboard
from mirrors.api import problems
from webhook import pages
from webhook.api import ExplainView

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/dashboard/", dashboard.live_view, name="dashboard-live"),
    path("admin/explain/", pages.explain_view, name="explain"),
    path("admin/", admin.site.urls),
    path("api/v1/explain/", ExplainView.as_view(), name="api-explain"),
    path("api/", include("mirrors.api.urls")),
]


def handler404(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith("/api/"):
        return problems.not_found(request)
    return defaults.page_not_found(request, exception)


def handler500(request: HttpRequest) -> HttpResponse:
    return problems.server_error(request) if request.path.startswith("/api/") else defaults.server_error(request)
