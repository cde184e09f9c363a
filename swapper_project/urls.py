"""URLs of the web role. A middleware responds to its probes."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from mirrors.admin.overview import dashboard, global_search
from webhook.explain import pages
from webhook.explain.api import ExplainView

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/dashboard/", dashboard.live_view, name="dashboard-live"),
    path("admin/explain/", pages.explain_view, name="explain"),
    path("admin/search/", global_search.guarded_search_view, name="search"),
    path("admin/", admin.site.urls),
    path("api/v1/explain/", ExplainView.as_view(), name="api-explain"),
    path("api/", include("mirrors.api.urls")),
]
handler400 = "swapper_project.error_handlers.bad_request"
handler403 = "swapper_project.error_handlers.permission_denied"
handler404 = "swapper_project.error_handlers.not_found"
handler500 = "swapper_project.error_handlers.server_error"
