"""URLs of the API, its schema and its documentation."""

from __future__ import annotations

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.routers import SimpleRouter

import mirrors.api.schema  # noqa: F401 (its scheme is known by being imported)
from mirrors.api import configured, observed, views
from mirrors.api.admissions import AdmissionViewSet
from mirrors.api.filters import FilterViewSet

router = SimpleRouter()
router.register("mappings", views.MappingViewSet)
router.register("jobs", views.JobViewSet)
router.register("filters", FilterViewSet)
router.register("registries", configured.RegistryViewSet)
router.register("uses", observed.UseViewSet)
router.register("repositories", observed.RepositoryViewSet)
router.register("hosts", observed.HostViewSet)
router.register("actions", observed.ActionViewSet)
router.register("instances", observed.InstanceViewSet)
router.register("admissions", AdmissionViewSet)

urlpatterns = [
    path("v1/", include(router.urls)),
    path("v1/stats/", observed.StatsView.as_view(), name="stats"),
    path("v1/health/", observed.HealthView.as_view(), name="health"),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="api-docs"),
]
